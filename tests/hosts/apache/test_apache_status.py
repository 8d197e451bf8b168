"""certauth-status and the section of server-status: every child counts in one place."""

import json
import re

import pytest

from apache_world import Connection, Refused
from metrics import Metrics, lint

STATUS = """
<Location "/certauth-status">
    SetHandler certauth-status
    Require local
</Location>
<Location "/nobody">
    SetHandler certauth-status
    Require all denied
</Location>
<Location "/server-status">
    SetHandler server-status
</Location>
"""


def run(site, tls="CertAuthProfile staff", more=""):
    site.run(site.vhost(tls + "\n<Location /maybe>\nCertAuthProfile guests optional\n</Location>"
                        + "\nAliasMatch ^/maybe %s/index.html" % site.docroot),
             site.vhost(STATUS + "<Location /shut>\nCertAuthProfile staff\n</Location>\n" + more,
                        ssl=False))
    return site


def metrics(site):
    answer = site.plain("/certauth-status")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Metrics(answer.body)


def ask(site, who, times, path="/"):
    for _ in range(times):
        site.get(path, who)


@pytest.mark.parametrize("mpm", ["event", "prefork"])
def test_counts_of_all_children(make_site, mpm):
    site = run(make_site(mpm=mpm, modules=["status"]))
    # without the lines of those who were accepted: they are counted all the same
    assert metrics(site).verdicts("staff") == {}
    for who, times in (("alice", 12), ("revoked", 7), ("expired", 3), (None, 5), ("denied", 2),
                       ("brief", 4)):
        ask(site, who, times)
    for _ in range(4):
        assert site.plain("/shut").status == 403
    m = metrics(site)
    assert m.verdicts("staff") == {"ok": 16, "revoked": 7, "expired": 3, "no-certificate": 5,
                                   "denied": 2, "no-tls": 4}
    assert m.verdicts("") == m.verdicts("guests") == {}
    assert m["certauth_verdicts_total", {"verdict": "none"}] == 5
    left = "certauth_certificate_remaining_seconds"
    assert m[left + "_count", {"profile": "staff"}] == 16
    assert m[left + "_bucket", {"profile": "staff", "le": "1209600"}] == 0
    assert m[left + "_bucket", {"profile": "staff", "le": "2592000"}] == 4
    assert m["certauth_build_info", {"server": "apache"}] == 1
    text = site.plain("/certauth-status").body
    lint(text)
    for never in ("alice", "example.com", "127.0.0.1", "localhost"):
        assert never not in text
    # mod_status: the same in its page, and in its text for programs
    page = site.plain("/server-status").body
    assert "<tr><td>staff</td><td>revoked</td><td>7</td></tr>" in page
    short = site.plain("/server-status?auto").body
    assert "\nCertAuth staff ok: 16\n" in short and "\nCertAuth staff revoked: 7\n" in short
    assert len(re.findall("^CertAuth ", short, re.M)) == 6
    said = json.loads(site.plain("/certauth-status?format=json").body)
    assert [p["verdicts"] for p in said["profiles"] if p["profile"] == "staff"] == [m.verdicts("staff")]


def test_once_for_each_connection_and_change(site):
    run(site)
    site.world.unrevoke("later")
    try:
        with site.connect("later") as c:
            for _ in range(5):
                assert c.get().status == 200
            assert metrics(site).verdicts("staff") == {"ok": 1}
            assert c.get("/maybe").status == 200
            site.world.revoke("later")
            assert site.eventually(lambda: c.get().status, 403, 30) == 403
            assert c.get().status == 403
        m = metrics(site)
        assert m.verdicts("staff") == {"ok": 1, "revoked": 1}
        assert m.verdicts("guests") == {"no-path": 1}
    finally:
        site.world.unrevoke("later")


def test_resumed(site):
    run(site)
    context = site.context("alice", "1.2")
    with site.connect(context=context) as c:
        assert c.get().status == 200
        session = c.session
    with site.connect(context=context, session=session) as c:
        assert c.get().resumed
    m = metrics(site)
    assert m.verdicts("staff") == {"ok": 2}
    assert m["certauth_resumed_total", {"profile": "staff"}] == 1


def test_goes_on_after_a_graceful_restart(site):
    """With another profile more; and when the policy is broken, which is counted too."""
    run(site)
    ask(site, "alice", 3)
    ask(site, "revoked", 2)
    try:
        site.world.policy(profiles='late: { base = "staff"; };')
        run_again(site, "CertAuthProfile late")
        assert metrics(site).verdicts("staff") == {"ok": 3, "revoked": 2}
        ask(site, "alice", 4)
        m = metrics(site)
        assert m.verdicts("late") == {"ok": 4}
        assert m.verdicts("staff") == {"ok": 3, "revoked": 2}
        site.world.text("certauth.conf", "version = 1;\n")
        site.graceful()
        assert site.get("/", "alice").status == 503
        m = metrics(site)
        assert m.verdicts("") == {"data-missing": 1}
        assert m.verdicts("late") == {"ok": 4}
    finally:
        site.world.policy()


def run_again(site, tls):
    site.conf(site.main() + site.vhost(tls) + site.vhost(STATUS, ssl=False))
    site.graceful()


def test_in_the_handshake(site):
    site.run(site.vhost("CertAuthProfile staff\nCertAuthRefuse handshake"),
             site.vhost(STATUS, ssl=False))
    for _ in range(3):
        with pytest.raises(Refused):
            site.get("/", "revoked")
    assert site.get("/", "alice").status == 200
    assert metrics(site).verdicts("staff") == {"ok": 1, "revoked": 3}


def test_who_may_look(site):
    """What Require says; where a profile is in force also the certificate. Without
    mod_status there is no section, and no fault."""
    run(site, more="<Location /inside>\nSetHandler certauth-status\nCertAuthProfile staff\n</Location>")
    assert site.plain("/nobody").status == 403
    assert site.plain("/inside").status == 403
    assert site.plain("/certauth-status").status == 200
    for method, status in (("HEAD", 200), ("POST", 405), ("DELETE", 405)):
        assert method_of(site, method) == status


def method_of(site, method):
    with Connection(site.plain_port) as c:
        return c.get("/certauth-status", headers=["Content-Length: 0"], method=method).status
