"""
configtest, start, graceful restart: what is said, and that nothing opens by mistake.

Rows of C5 in the list of other servers' past holes; a test's name begins with its row.
"""

import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

from apache_server import ApacheError
from apache_world import ROOT, MODULE


@pytest.fixture
def copy(world, site):
    """The policy folder again, to be spoilt."""
    folder = pathlib.Path(site.path("policy"))
    shutil.copytree(world.folder, folder)
    os.chmod(folder, 0o755)
    text = (folder / "certauth.conf").read_text().replace(world.folder, str(folder))
    (folder / "certauth.conf").write_text(text)
    return folder


def use(site, folder, body="CertAuthProfile staff", main=""):
    site.conf(site.main(main).replace(site.world.folder + "/certauth.conf",
                                      str(folder) + "/certauth.conf") + site.vhost(body))


def fails(site, *says):
    """configtest and start both refuse, and say so."""
    code, out = site.configtest()
    assert code == 1, out
    for s in says:
        assert re.search(s, out), out
    with pytest.raises(ApacheError) as e:
        site.start()
    for s in says:
        assert re.search(s, str(e.value)), str(e.value)


def test_sound_configuration(site, copy):
    use(site, copy)
    code, out = site.configtest()
    assert code == 0 and "Syntax OK" in out, out


@pytest.mark.parametrize("spoil,says", [
    (("version = 1;", "version == 1;"), r"certauth\.conf:\d+: "),
    (("authorities = [ \"staff-ca\" ]", "authorities = [ \"stuff-ca\" ]"),
     r"certauth\.conf:\d+: .*stuff-ca"),
    (("denied = ", "denyed = "), r"certauth\.conf:\d+: .*denied"),
])
def test_wrong_policy_file_fails_configtest_with_file_and_line(site, copy, spoil, says):
    conf = copy / "certauth.conf"
    conf.write_text(conf.read_text().replace(*spoil))
    use(site, copy)
    fails(site, r"certauth: .*" + says)


def test_unknown_profile_names_the_line_of_httpd_conf(site, copy):
    use(site, copy, body="CertAuthProfile stuff")
    line = 1 + open(site.conf_file).read()[:open(site.conf_file).read()
                                           .index("CertAuthProfile stuff")].count("\n")
    fails(site, r"httpd\.conf:%d: CertAuthProfile stuff: there is no such profile" % line)


@pytest.mark.parametrize("what", ["missing", "empty", "directory", "writable", "truncated"])
def test_c5_48_49_anchor_file_spoilt(site, copy, what):
    """Never the system's roots, never start without anchors."""
    f = copy / "root.pem"
    text = f.read_text()
    f.unlink()
    if what == "empty":
        f.write_text("")
    elif what == "directory":
        f.mkdir()
    elif what == "writable":
        f.write_text(text)
        f.chmod(0o666)
    elif what == "truncated":
        f.write_text(text[:len(text) // 2])
    use(site, copy)
    fails(site, r"certauth: .*root\.pem")


@pytest.mark.parametrize("name", ["certauth.conf", "users.map", "denied.txt"])
def test_c5_48_missing_files(site, copy, name):
    (copy / name).unlink()
    use(site, copy)
    fails(site, r"certauth: .*" + re.escape(name))


def test_c5_49_no_policy_file_at_all(site, copy):
    """Only a profile is named: the default policy file is not there, nothing starts."""
    if os.path.exists("/etc/certauth/certauth.conf"):
        pytest.skip("this machine has a policy file")
    site.conf(re.sub("CertAuthConfig .*", "", site.main()) + site.vhost("CertAuthProfile staff"))
    fails(site, r"/etc/certauth/certauth\.conf")


def test_c5_50_anchor_set_is_exactly_the_configured_one(site, world):
    """SSLCACertificateFile (and the system's store) add nothing."""
    world.people["mallory"].write(site.folder, "m", chain=[world.stranger])
    from apache_world import pki
    pki.write_pem(site.path("stranger.pem"), world.stranger)
    site.run(site.vhost("CertAuthProfile staff\nSSLCACertificateFile %s\n"
                        "SSLCACertificatePath /etc/ssl/certs" % site.path("stranger.pem")))
    assert site.get("/", "mallory").status == 403
    assert site.get("/", "alice").status == 200


def test_c5_52_internal_errors_deny(site, world):
    """No mod_ssl: every request under a profile is refused, none is left to others."""
    site.modules = [m for m in site.modules if m not in ("ssl", "http2", "socache_shmcb")]
    text = site.preamble().replace("SSLSessionCache", "#")
    site.conf(text + "Listen 127.0.0.1:%d\nCertAuthConfig %s/certauth.conf\nCertAuthProfile staff\n"
              % (site.plain_port, world.folder), bare=True)
    site.start()
    assert site.plain("/").status == 403


def test_c5_55_each_check_alone(site, copy):
    """Revocation off leaves all else on; purpose off leaves revocation on."""
    conf = copy / "certauth.conf"
    base = conf.read_text()
    for old, new, opens, shut in (
            ('check = "chain"', 'check = "none"', ["revoked", "alice"],
             ["expired", "purpose", "mallory", "denied", "unmapped"]),
            ('authorities = [ "staff-ca" ];  denied', 'authorities = [ "staff-ca" ]; '
             'purposes = [ "any" ];  denied', ["purpose", "alice"],
             ["revoked", "expired", "mallory", "denied", "unmapped"]),
            ('denied = "denied.txt";', "", ["alice"],
             ["revoked", "expired", "mallory", "purpose", "unmapped"])):
        assert old in base
        conf.write_text(base.replace(old, new))
        use(site, copy)
        # `purpose` has alice's mailbox, `revoked` is mapped
        site.start()
        try:
            for who in opens:
                assert site.get("/", who).status == 200, (new, who)
            for who in shut:
                assert site.get("/", who).status == 403, (new, who)
        finally:
            site.stop()


# ------------------------------------------------------ directives that clash


@pytest.mark.parametrize("body,says", [
    ("CertAuthProfile staff\nSSLVerifyClient require", "SSLVerifyClient require: .*remove this line"),
    ("CertAuthProfile staff\nSSLVerifyClient optional", "SSLVerifyClient optional: "),
    ("<Location /x>\nCertAuthProfile staff\n</Location>\n<Location /y>\nSSLVerifyClient require\n"
     "</Location>", "SSLVerifyClient require: "),
    ("CertAuthProfile staff optional\nSSLUserName SSL_CLIENT_S_DN_CN", "SSLUserName .*AuthType CertAuth"),
    ("CertAuthProfile staff\n<Location /o>\nCertAuthProfile off\nSSLOptions +FakeBasicAuth\n"
     "</Location>", "FakeBasicAuth: .*AuthType CertAuth"),
    ("CertAuthProfile staff optional\n<Location />\n"
     "SSLRequire %{SSL_CLIENT_VERIFY} eq \"SUCCESS\"\n</Location>",
     "SSLRequire .*Require expr"),
    ("CertAuthRefuse handshake\nCertAuthProfile staff optional", "handshake needs a CertAuthProfile"),
    ("CertAuthRefuse handshake\n<Location /x>\nCertAuthProfile staff\n</Location>",
     "handshake needs a CertAuthProfile"),
    ("CertAuthRefuse handshake\nCertAuthProfile staff\n<Location /x>\nCertAuthProfile off\n</Location>",
     "differs from the profile of its server"),
    ("CertAuthRefuse handshake\nCertAuthProfile staff\n<Location /x>\nCertAuthProfile first\n"
     "</Location>", "differs from the profile of its server"),
    ("CertAuthRefuse handshake\nCertAuthProfile staff\n<Location /x>\nCertAuthProfile staff optional\n"
     "</Location>", "differs from the profile of its server"),
    ("CertAuthRefuse handshake\nCertAuthProfile staff\n<Location /x>\nCertAuthAlternative on\n"
     "</Location>", "CertAuthAlternative on has no effect"),
    ("CertAuthProfile staff\nCertAuthNames /nonexistent.pem", "CertAuthNames /nonexistent.pem"),
    ("CertAuthProfile staff sometimes", r"takes NAME \[optional\] or off"),
    ("CertAuthProfile off optional", r"takes NAME \[optional\] or off"),
    ("CertAuthRefuse never", "must be request or handshake"),
    ("CertAuthConfig /etc/x", "CertAuthConfig (cannot occur|not allowed)"),
    ("<Location />\n<Limit GET>\nCertAuthProfile staff\n</Limit>\n</Location>", "CertAuthProfile cannot occur within <Limit>"),
    ("<Location /x>\nCertAuthRefuse handshake\n</Location>", "CertAuthRefuse (cannot occur|not allowed)"),
])
def test_configuration_errors(site, body, says):
    site.conf(site.main() + site.vhost(body))
    fails(site, says)


def test_main_servers_sslverifyclient_clashes_too(site):
    site.conf(site.main("SSLVerifyClient require") + site.vhost("CertAuthProfile staff"))
    fails(site, r"httpd\.conf:\d+: SSLVerifyClient require: ")


def test_other_vhosts_keep_their_own_sslverifyclient(site, world):
    site.run(site.vhost("CertAuthProfile staff", "a.test"),
             site.vhost("SSLVerifyClient require\nSSLVerifyDepth 3\nSSLCACertificateFile %s"
                        % world.path("other-root.pem"), "b.test"))
    assert site.get("/", "alice", "a.test").status == 200
    world.people["carol"].write(world.folder, "carol-chain", chain=[world.other])
    assert site.get("/", "carol-chain", "b.test").status == 200
    with pytest.raises(Exception):
        site.get("/", "alice", "b.test")
    assert site.get("/", "carol", "a.test").status == 403


@pytest.mark.parametrize("line", [
    "SSLCARevocationCheck chain", "SSLCARevocationPath %(folder)s", "SSLCARevocationFile %(folder)s/issuing.crl", "SSLOCSPEnable on",
    "SSLVerifyDepth 3", "SSLOptions +OptRenegotiate", "SSLCADNRequestFile %(folder)s/root.pem",
    "SSLSessionTicketKeyFile %(folder)s/ticket.key",
])
def test_warnings_about_settings_that_do_not_bite(site, world, line):
    line = line % {"folder": world.folder}
    world.text("ticket.key", "0123456789abcdef" * 5)
    needs = "SSLCARevocationFile %s\n" % world.path("root.crl") if "Check" in line else ""
    site.run(site.vhost("CertAuthProfile staff\n" + needs + line),
             site.vhost(needs + line, "c.test"))
    hits = re.findall(r"\[certauth:warn\].*httpd\.conf:\d+: " + re.escape(line), site.error_log())
    assert len(hits) == 1, site.error_log()
    code, out = site.configtest()
    assert code == 0 and line in out
    assert site.get("/", "alice").status == 200 and site.get("/", "revoked").status == 403


@pytest.mark.parametrize("body, warned", [
    ("<Location />\nCertAuthProfile staff\n</Location>", True),
    ("<Directory />\nCertAuthProfile staff\n</Directory>", True),
    ("CertAuthProfile staff", False),
    ("<Proxy *>\nCertAuthProfile staff\n</Proxy>", False),
])
def test_forward_proxy_beside_a_location(make_site, body, warned):
    site = make_site(modules=["proxy", "proxy_http"])
    site.run(site.vhost("ProxyRequests on\n" + body))
    code, out = site.configtest()
    said = "ProxyRequests on: what a forward proxy is asked"
    assert code == 0 and (said in out) == warned, out
    assert (said in site.error_log()) == warned


def test_quick_cache_would_get_round_the_gate(make_site):
    site = make_site(modules=["cache", "cache_disk"])
    cache = site.path("cache")
    os.makedirs(cache)
    os.chmod(cache, 0o777)
    body = "CertAuthProfile staff\nCacheEnable disk /\nCacheRoot %s\nCacheIgnoreNoLastMod On\n" \
        "Header set Cache-Control public,max-age=600\n" % cache
    site.conf(site.main() + site.vhost(body))
    fails(site, "CacheEnable disk /: .*CacheQuickHandler off")
    site.run(site.vhost(body + "CacheQuickHandler off"))
    for _ in range(3):
        assert site.get("/", "alice").status == 200
    assert site.get("/").status == 403 and site.get("/", "revoked").status == 403


def test_name_list_over_16_kib_warns(site, world):
    from apache_world import pki
    key = pki.new_key()
    cas = [pki.CA([("O", "A rather long name of a certification authority" * 2), ("CN", "CA %d" % i)],
                  key=key) for i in range(150)]
    pki.write_pem(site.path("many.pem"), *cas)
    site.run(site.vhost("CertAuthProfile staff\nCertAuthNames %s" % site.path("many.pem")))
    assert re.search(r"\[certauth:warn\].*150 CA names \(\d+ bytes\)", site.error_log())


# ----------------------------------------------------------- graceful restart


def breaks(world, name, text):
    """Changes a file of the shared world; returns how to mend it."""
    path = world.path(name)
    with open(path, encoding="utf-8") as f:
        old = f.read()
    if text is None:
        os.unlink(path)
    else:
        world.text(name, text)
    return lambda: world.text(name, old)


@pytest.mark.parametrize("name,text", [
    ("certauth.conf", "version = 1;\nprofiles: {"), ("certauth.conf", ""), ("certauth.conf", None),
    ("root.pem", ""), ("root.pem", None), ("users.map", "a b c d e f\n"),
])
@pytest.mark.parametrize("refuse", ["request", "handshake"])
def test_graceful_with_bad_policy_comes_up_refusing(site, world, name, text, refuse):
    site.run(site.vhost("CertAuthProfile staff\nCertAuthRefuse " + refuse, "a.test"),
             site.vhost("", "c.test"))
    assert site.get("/", "alice", "a.test").status == 200
    mend = breaks(world, name, text)
    try:
        for _ in range(2):
            mark = site.mark()
            site.graceful()
            assert site.alive()
            assert re.search(r"\[certauth:emerg\].*certauth: .*" + re.escape(name) + ".*data-missing",
                             site.error_log(mark)), site.error_log(mark)
            if refuse == "request":
                a = site.get("/", "alice", "a.test")
                assert a.status == 503
                assert site.get("/", None, "a.test").status == 503
            else:
                with pytest.raises(Exception) as e:
                    site.get("/", "alice", "a.test")
                assert "INTERNAL_ERROR" in str(e.value) or "internal error" in str(e.value) \
                    or "closed" in str(e.value)
            assert site.get("/", None, "c.test").status == 200     # others are not hurt
    finally:
        mend()
    site.graceful()
    assert site.get("/", "alice", "a.test").status == 200


def test_graceful_with_bad_httpd_conf_of_ours_comes_up_refusing(site):
    site.run(site.vhost("CertAuthProfile staff"))
    site.conf(site.main() + site.vhost("CertAuthProfile nobody"))
    site.graceful()
    assert site.alive() and site.get("/", "alice").status == 503
    site.conf(site.main() + site.vhost("CertAuthProfile staff"))
    site.graceful()
    assert site.get("/", "alice").status == 200


def test_c5_34_bad_crl_at_graceful_and_while_running(site, world):
    """Bad CRL: never a configuration error. At a restart there is no last good one, so it is
    missing data; while running the last good one stays, loudly."""
    site.run(site.vhost("CertAuthProfile staff"))
    with open(world.path("issuing.crl"), "rb") as f:
        good = f.read()
    mark = site.mark()
    try:
        world.text("issuing.crl", "no CRL at all\n")
        time.sleep(1.2)
        assert site.get("/", "alice").status == 200
        assert site.get("/", "revoked").status == 403
        assert site.wait_log(r"\[certauth:(warn|error)\].*issuing\.crl", mark)
        site.graceful()
        assert site.alive()
        assert site.get("/", "alice").status == 503
        assert site.get("/", "revoked").status == 503
    finally:
        with open(world.path("issuing.crl.new"), "wb") as f:
            f.write(good)
        os.rename(world.path("issuing.crl.new"), world.path("issuing.crl"))
    assert site.eventually(lambda: site.get("/", "alice").status, 200) == 200
    assert site.get("/", "revoked").status == 403


def test_map_and_denied_are_taken_up_without_reload(site, world):
    site.run(site.vhost("CertAuthProfile staff"))
    assert site.get("/", "unmapped").status == 403
    mend = breaks(world, "users.map", open(world.path("users.map")).read()
                  + "nobody@example.com somebody\n")
    try:
        assert site.eventually(lambda: site.get("/", "unmapped").status, 200) == 200
    finally:
        mend()
    mend = breaks(world, "denied.txt", "user:alice reason=left\n")
    try:
        assert site.eventually(lambda: site.get("/", "alice").status, 403) == 403
        assert "(denied, " in site.get("/", "alice").body
    finally:
        mend()
    assert site.eventually(lambda: site.get("/", "alice").status, 200) == 200


def test_graceful_under_load_loses_nobody(site):
    import threading
    site.run(site.vhost("CertAuthProfile staff"))
    bad, stop = [], threading.Event()

    def ask():
        while not stop.is_set():
            try:
                if site.get("/", "alice").status != 200:
                    bad.append(1)
            except Exception as e:
                bad.append(e)

    t = threading.Thread(target=ask)
    t.start()
    try:
        for _ in range(4):
            site.graceful()
    finally:
        stop.set()
        t.join()
    assert not bad, bad


def test_runs_as_an_ordinary_user(make_site, world):
    """No root needed: the whole of it as nobody, files owned by root."""
    if os.geteuid() != 0:
        pytest.skip("is one already")
    site = make_site("nobody")
    site.conf(site.main() + site.vhost("CertAuthProfile staff"))
    text = open(site.conf_file).read()
    text = re.sub(r"^(User|Group) .*\n", "", text, flags=re.M)
    open(site.conf_file, "w").write(text)
    os.chmod(world.path("server.key"), 0o644)
    for folder, _, names in os.walk(site.folder):
        for path in [folder] + [os.path.join(folder, n) for n in names]:
            os.chown(path, 65534, 65534)
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/sbin/apache2",
            "-DFOREGROUND", "-f", site.conf_file]
    p = subprocess.Popen(argv, env=site.env(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert site.wait_log("resuming normal operations", seconds=15), p.poll()
        assert site.get("/", "alice").status == 200
        assert site.get("/", "revoked").status == 403
    finally:
        p.terminate()
        p.wait(15)


def test_module_exports_only_itself():
    path = os.path.join(ROOT, MODULE)
    out = subprocess.run(["nm", "-D", "--defined-only", path], stdout=subprocess.PIPE,
                         check=True).stdout.decode().split()
    assert out[2::3] == ["certauth_module"]
    flags = subprocess.run(["readelf", "-d", path], stdout=subprocess.PIPE, check=True).stdout
    assert b"NODELETE" in flags and b"BIND_NOW" in flags


def test_loaded_but_unused(make_site):
    site = make_site("unused")
    site.conf(re.sub("CertAuthConfig .*", "", site.main())
              .replace("%{CERTAUTH_VERDICT}e", "-") + site.vhost(""))
    site.start()
    assert site.get("/").status == 200


def test_loaded_before_mod_ssl(make_site):
    site = make_site("before")
    text = site.preamble()
    line = re.search(r"LoadModule certauth_module .*\n", text)[0]
    text = text.replace(line, "").replace("LoadModule ssl_module", line + "LoadModule ssl_module")
    site.conf(text + site.main() + site.vhost("CertAuthProfile staff"), bare=True)
    site.start()
    assert site.get("/", "alice").status == 200
    assert site.get("/", "revoked").status == 403 and site.get("/").status == 403
    site.graceful()
    assert site.get("/", "revoked").status == 403 and site.get("/", "alice").status == 200


@pytest.mark.parametrize("line", ["SSLVerifyClient none", "SSLVerifyClient optional_no_ca"])
def test_harmless_sslverifyclient(site, line):
    site.run(site.vhost("CertAuthProfile staff\n" + line))
    for tls in ("1.2", "1.3"):
        with site.connect("alice", tls) as c:
            assert [c.get("/").status for _ in range(2)] == [200, 200]
        for who in ("revoked", "mallory", "expired", None):
            with site.connect(who, tls) as c:
                assert [c.get("/").status for _ in range(2)] == [403, 403], (who, tls)


def test_reverse_proxy(make_site):
    """Nothing of a refused request reaches the backend; what reaches it cannot be forged."""
    site = make_site("proxy", modules=["proxy", "proxy_http"])
    site.run(site.vhost('''CertAuthProfile staff
        ProxyPass /app/ http://127.0.0.1:%(p)d/cgi-bin/
        RequestHeader set Certauth-User "expr=%%{CERTAUTH_USER}"
        <Location /app/optional>
            CertAuthProfile staff optional
        </Location>
        <Proxy "http://127.0.0.1:%(p)d/cgi-bin/admin*">
            CertAuthProfile first
        </Proxy>''' % {"p": site.plain_port}), site.vhost("CertAuthInbound keep", ssl=False))
    shutil.copy(site.path("cgi-bin/env.cgi"), site.path("cgi-bin/optional.cgi"))
    shutil.copy(site.path("cgi-bin/env.cgi"), site.path("cgi-bin/admin.cgi"))
    forged = ["Certauth-User: root"]
    assert site.get("/app/env.cgi", "alice", headers=forged).env["HTTP_CERTAUTH_USER"] == "alice"
    e = site.get("/app/optional.cgi", "revoked", headers=forged).env
    assert e.get("HTTP_CERTAUTH_USER", "") == ""
    assert site.get("/app/admin.cgi", "alice").status == 200
    for who, path in ((None, "env"), ("revoked", "env"), ("bob", "admin")):
        mark = len(site.access_log())
        assert site.get("/app/%s.cgi" % path, who).status == 403
        assert "cgi-bin" not in site.access_log()[mark:]
