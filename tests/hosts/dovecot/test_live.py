"""
Data that changes under a running Dovecot: taken up without reload, by login
processes that are chrooted and run as dovenull.
"""

import grp
import os
import pwd
import time

import pytest

from dovecot_server import PATIENCE
from mail_clients import PROTOCOLS, connect, login
from test_external import refused

counts = pytest.mark.parametrize("service_count", [0, 1])
BITES = 3.0     # seconds after which new data are taken up, for what must not change


def until(what, seconds=PATIENCE):
    """Calls `what` until it is true; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "not within %s seconds" % seconds
        time.sleep(0.02)


@counts
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_crl_dropped_in_place(own_world, start, service_count, protocol):
    w = own_world
    d = start(w.dovecot("live", service_count=service_count))
    assert login(protocol, d, "EXTERNAL", cert=w.cert("later")).user == "later"
    before = d.login_processes(protocol)
    w.revoke("later", number=2)
    until(lambda: not login(protocol, d, "EXTERNAL", cert=w.cert("later")).ok)
    refused(login(protocol, d, "EXTERNAL", cert=w.cert("later")), protocol, "revoked")
    assert login(protocol, d, "EXTERNAL", cert=w.cert("alice")).user == "alice"
    if service_count == 0:
        assert set(before) & set(d.login_processes(protocol)), "the process is another"


@counts
def test_on_an_open_connection(own_world, start, service_count):
    """Judged well, then revoked, then asked again on the same connection."""
    w = own_world
    d = start(w.dovecot("open", service_count=service_count))
    with connect("imap", d, w.cert("later")) as c:
        refused(login("imap", d, "EXTERNAL", authzid="bob", c=c), "imap", "wrong-user")
        w.revoke("later", number=2)
        until(lambda: "revoked" in login("imap", d, "EXTERNAL", authzid="bob", c=c).text)
        refused(login("imap", d, "EXTERNAL", c=c), "imap", "revoked")


def test_map_and_denied_list(own_world, start):
    w = own_world
    d = start(w.dovecot("map", service_count=0))
    refused(login("imap", d, "EXTERNAL", cert=w.cert("nobody")), "imap", "no-user")
    with open(w.map, encoding="utf-8") as f:
        text = f.read()
    w.write("people.map", text + "nobody@example.com bob\n")
    until(lambda: login("imap", d, "EXTERNAL", cert=w.cert("nobody")).user == "bob")
    w.write("denied", "user:bob\n")
    until(lambda: not login("imap", d, "EXTERNAL", cert=w.cert("nobody")).ok)
    refused(login("imap", d, "EXTERNAL", cert=w.cert("bob")), "imap", "denied")


@pytest.mark.skipif(os.geteuid() != 0, reason="groups need root")
def test_files_for_a_group_only(own_world, start):
    """root:GROUP 0640 and extra_groups, as for the maps of a real installation."""
    w = own_world
    group = grp.getgrnam("mail")
    os.chown(w.map, 0, group.gr_gid)
    os.chmod(w.map, 0o640)
    services = "".join("service %s-login {\n  extra_groups = mail\n}\n" % s
                       for s in ("imap", "pop3"))
    d = start(w.dovecot("group", service_count=0, conf=services))
    refused(login("imap", d, "EXTERNAL", cert=w.cert("nobody")), "imap", "no-user")
    with open(w.map, encoding="utf-8") as f:
        text = f.read()
    with open(w.map + ".part", "w", encoding="utf-8") as f:
        f.write(text + "nobody@example.com bob\n")
    os.chown(w.map + ".part", 0, group.gr_gid)
    os.chmod(w.map + ".part", 0o640)
    os.rename(w.map + ".part", w.map)
    until(lambda: login("imap", d, "EXTERNAL", cert=w.cert("nobody")).user == "bob")


def test_a_bad_crl_keeps_the_last_good_one_loudly(own_world, start):
    w = own_world
    d = start(w.dovecot("bad", service_count=0))
    refused(login("imap", d, "EXTERNAL", cert=w.cert("revoked")), "imap", "revoked")
    mark = d.mark()
    with open(w.crls + "/issuing.part", "w", encoding="utf-8") as f:
        f.write("-----BEGIN X509 CRL-----\nbm9uc2Vuc2U=\n-----END X509 CRL-----\n")
    os.chmod(w.crls + "/issuing.part", 0o644)
    os.rename(w.crls + "/issuing.part", w.crls + "/issuing.crl")
    time.sleep(BITES)
    refused(login("imap", d, "EXTERNAL", cert=w.cert("revoked")), "imap", "revoked")
    assert login("imap", d, "EXTERNAL", cert=w.cert("alice")).ok
    d.wait_log(r"-login: Error: certauth: .*the last good stays", mark)
    d.wait_log(r"-login: (Error|Warning): certauth: .*issuing.crl", mark)


def test_no_crl_at_all_is_our_fault_and_says_so(own_world, start):
    w = own_world
    for name in os.listdir(w.crls):
        os.unlink(os.path.join(w.crls, name))
    d = start(w.dovecot("nocrl"))
    for protocol in PROTOCOLS:
        refused(login(protocol, d, "EXTERNAL", cert=w.cert("alice")), protocol,
                "revocation-unknown")
        r = login(protocol, d, "PLAIN", user="bob", password="hush", cert=w.cert("alice"))
        assert r.ok and r.user == "bob"


def test_reload_takes_up_the_policy(own_world, start):
    w = own_world
    d = start(w.dovecot("reload"))
    assert login("imap", d, "EXTERNAL", cert=w.cert("alice")).ok
    w.policy("certauth.conf", more="")
    with open(w.conf, encoding="utf-8") as f:
        text = f.read()
    w.write("certauth.conf", text.replace('denied = "denied";',
                                          'denied = "denied"; policies = [ "1.2.3.4" ];'))
    d.reload()
    r = login("imap", d, "EXTERNAL", cert=w.cert("alice"))
    assert not r.ok and "policy-required" in r.text, r


@pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_chroot_and_dovenull(world, external, protocol):
    """What the other tests found was found from inside the jail."""
    with connect(protocol, external, world.cert("alice")) as c:
        pids = external.login_processes(protocol)
        assert pids
        jailed = 0
        for pid in pids:
            if os.stat("/proc/%d" % pid).st_uid != pwd.getpwnam("dovenull").pw_uid:
                continue
            assert os.readlink("/proc/%d/root" % pid).endswith("/run/login")
            jailed += 1
        assert jailed >= 1
        assert login(protocol, external, "EXTERNAL", c=c).ok


def test_as_an_ordinary_user(world):
    """The same without root: no chroot, the files are the user's own."""
    if os.geteuid() != 0:
        pytest.skip("the other tests ran as an ordinary user already")
    import subprocess
    import sys
    import textwrap
    script = textwrap.dedent("""
        import os, sys
        sys.path[:0] = [%r, %r]
        import conftest
        from mail_clients import login, PROTOCOLS
        w = conftest.new_world()
        with w.dovecot("d") as d:
            for p in PROTOCOLS:
                r = login(p, d, "EXTERNAL", cert=w.cert("alice"))
                assert r.ok and r.user == "alice", r
                assert not login(p, d, "EXTERNAL", cert=w.cert("revoked")).ok
        conftest.healthy(d)
        conftest.shutil.rmtree(w.folder)
        print("went well")
        """) % (os.path.dirname(os.path.abspath(__file__)),
                os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
    out = subprocess.run(
        ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
         "/usr/bin/python3", "-B", "-c", script], cwd="/", capture_output=True, text=True,
        timeout=60, check=False, env=dict(os.environ, HOME="/tmp"))
    assert "went well" in out.stdout, out.stdout + out.stderr
