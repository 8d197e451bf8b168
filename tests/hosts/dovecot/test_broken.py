"""
When our own policy or data cannot be read: certificates are refused with
data-missing, the log says why, no process ends, and passwords go on, unless a
certificate is required.
"""

import os

import pytest

from mail_clients import PROTOCOLS, login
from test_external import refused


def missing(w):
    return {"conf": w.folder + "/nothing.conf"}


def nonsense(w):
    return {"conf": w.write("nonsense.conf", "version = 1;\nprofiles: { mail: {\n")}


def unknown_setting(w):
    return {"conf": w.policy("typo.conf", more="other: { authorites = [ \"ca\" ]; };")}


def no_profile(w):
    return {"profile": None}


def unknown_profile(w):
    return {"profile": "nobody-wrote-this"}


def no_map(w):
    return {"conf": w.policy("nomap.conf", map="no-such.map")}


def no_anchors(w):
    return {"conf": w.policy("noanchor.conf", anchors="no-such.pem")}


def writable_by_all(w):
    conf = w.policy("open.conf")
    os.chmod(conf, 0o666)
    return {"conf": conf}


def empty(w):
    return {"conf": w.write("empty.conf", "")}


# what is wrong, and a word that the log must have
BROKEN = [(missing, "nothing.conf"), (nonsense, "nonsense.conf:"), (unknown_setting, "authorites"),
          (no_profile, "CERTAUTH_PROFILE"), (unknown_profile, "nobody-wrote-this"),
          (no_map, "no-such.map"), (no_anchors, "no-such.pem"),
          (writable_by_all, "open.conf"), (empty, "empty.conf")]
broken = pytest.mark.parametrize("how,word", BROKEN, ids=[h.__name__ for h, _ in BROKEN])


@broken
@pytest.mark.parametrize("service_count", [0, 1])
def test_external_mode(world, start, how, word, service_count):
    d = start(world.dovecot("brk-" + how.__name__[:8], env=how(world),
                            service_count=service_count))
    for protocol in PROTOCOLS:
        for who in ("alice", "revoked", None):
            refused(login(protocol, d, "EXTERNAL", cert=world.cert(who)), protocol, "data-missing")
        r = login(protocol, d, "PLAIN", user="bob", password="hush", cert=world.cert("alice"))
        assert r.ok and r.user == "bob", r
        r = login(protocol, d, "PLAIN", user="bob", password="hush", starttls=True)
        assert r.ok and r.user == "bob", r
        assert not login(protocol, d, "PLAIN", user="bob", password="x").ok
    assert word in d.wait_log(r"-login: Error: certauth: ")


@broken
def test_require_mode(world, start, how, word):
    d = start(world.dovecot("rbrk-" + how.__name__[:8], mode="require", env=how(world)))
    for protocol in PROTOCOLS:
        for mechanism, words in (("EXTERNAL", {}), ("PLAIN", {"user": "alice", "password": "secret"})):
            for who in ("alice", None):
                r = login(protocol, d, mechanism, cert=world.cert(who), **words)
                refused(r, protocol, "data-missing")
    assert word in d.wait_log(r"-login: Error: certauth: .*every login")


@pytest.mark.parametrize("mode", ["requird", "REQUIRE", "off"])
def test_unknown_mode_refuses_everybody(world, start, mode):
    """A typing error in "require" must not open the passwords."""
    d = start(world.dovecot("mode", mode=mode))
    for protocol in PROTOCOLS:
        refused(login(protocol, d, "EXTERNAL", cert=world.cert("alice")), protocol, "data-missing")
        r = login(protocol, d, "PLAIN", user="alice", password="secret", cert=world.cert("alice"))
        refused(r, protocol, "data-missing")
    assert 'CERTAUTH_MODE="%s"' % mode in d.wait_log(r"-login: Error: certauth: ")


OWN = """
ssl_verify_client_cert = yes
ssl_ca = <%s/both.pem
ssl_require_crl = no
ssl_cert_username_field = commonName
"""


def test_dovecots_own_verification_stays_out(world, start):
    """ssl_verify_client_cert with a broken policy: no second door, no name taken over."""
    both(world)
    d = start(world.dovecot("own", env=missing(world), conf=OWN % world.etc))
    for protocol in PROTOCOLS:
        refused(login(protocol, d, "EXTERNAL", cert=world.cert("alice")), protocol, "data-missing")
        r = login(protocol, d, "PLAIN", user="bob", password="hush", cert=world.cert("alice"))
        assert r.ok and r.user == "bob", r


def test_dovecots_own_verification_beside_ours(world, start):
    """Dovecot would accept the revoked one and take its common name."""
    both(world)
    d = start(world.dovecot("own2", conf=OWN % world.etc))
    for protocol in PROTOCOLS:
        refused(login(protocol, d, "EXTERNAL", cert=world.cert("revoked")), protocol, "revoked")
        r = login(protocol, d, "PLAIN", user="bob", password="hush", cert=world.cert("alice"))
        assert r.ok and r.user == "bob", r
        assert login(protocol, d, "EXTERNAL", cert=world.cert("alice")).user == "alice"


def both(world):
    with open(world.etc + "/both.pem", "wb") as f:
        f.write(world.root.pem + world.ca.pem)
