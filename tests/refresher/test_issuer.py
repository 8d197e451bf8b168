"""test_issuer.py - a client that sends its certificate alone, and an issuing CA that is
nowhere here: fetched from where the authority is at home, taken only when an anchor
vouches for it."""

import fcntl
import json
import os

import pytest
from world import CA, Answer, Http, World, until

import ask  # noqa: E402  (world knows where it lies)
from ask import NOTHING, PUBLISHED
from pki import pkcs7, write_pem
from test_daemon import Client, aia


@pytest.fixture(name="w")
def _w(tmp_path):
    """The pool knows the root and another CA, whose certificate names this host."""
    with World(tmp_path) as w:
        w.url = w.http.serve("/ca.cer", w.ca.der)
        w.other = CA("Other CA", issuer=w.root, crldp=[w.http.base + "/root.crl"])
        write_pem(w.path("ca.pem"), w.other)
        w.alice = w.ca.leaf("Alice", email="alice@example.com",
                            extensions=[aia(issuers=[w.url])])
        w.alice.write(w.folder, "alice")
        w.policy(check="none", private_addresses=True)
        yield w


def ask_issuer(w, cert, authority="test"):
    c = Client(w.socket)
    try:
        c.send(ask.question(ask.ISSUER, authority, [cert.der]))
        return c.reply()[1:]
    finally:
        c.close()


@pytest.mark.parametrize("form", ["der", "pem", "p7c"])
def test_found(w, form):
    w.http.serve("/ca.cer", {"der": w.ca.der, "pem": w.ca.pem,
                             "p7c": pkcs7(CA("Noise"), w.ca)}[form])
    w.start()
    assert w.verdict()["reason"] == "no-path"
    assert ask_issuer(w, w.alice) == (PUBLISHED, b"published")
    assert any(n.startswith("pool.") for n in os.listdir(w.state))
    assert w.verdict()["reason"] == "ok"
    assert ask_issuer(w, w.alice)[0] == PUBLISHED


def test_the_lock_is_waited_for_beside(w):
    """Somebody holds the state folder's lock, as a long compilation does: questions are
    answered all the same, and the issuer is published when it is free."""
    p = w.start()
    with open(os.path.join(w.state, "lock"), "w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = Client(w.socket)
        waiting.send(ask.question(ask.ISSUER, "test", [w.alice.der]))
        until(lambda: w.http.asked("/ca.cer"))
        c = Client(w.socket, 20)
        for i in range(20):
            stranger = w.ca.leaf("x%d" % i, key=w.ca.key)
            assert c.ask(stranger, w.ca, w.root)[0] == NOTHING
        c.close()
        waiting.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            waiting.socket.recv(1)
    waiting.socket.settimeout(20)
    assert waiting.reply()[1:] == (PUBLISHED, b"published")
    waiting.close()
    assert w.stop(p) == 0


def test_its_list_is_taken(w):
    """Under check = "chain" the lists of a CA that was fetched count like a known one's."""
    w.ca = CA("Test Issuing CA", issuer=w.root, crldp=[w.http.base + "/root.crl"])
    w.http.serve("/ca.cer", w.ca.der)
    w.http.serve("/root.crl", w.root.crl().der)
    w.http.serve("/users.crl", w.crl([], 1))
    w.alice = w.ca.leaf("Alice", extensions=[aia(issuers=[w.url])],
                        crldp=[w.http.base + "/users.crl"])
    w.alice.write(w.folder, "alice")
    w.policy(check="chain", private_addresses=True, refresh="1s")
    p = w.start()
    assert ask_issuer(w, w.alice) == (PUBLISHED, b"published")
    c = Client(w.socket)
    assert c.ask(w.alice, w.ca, w.root) == (PUBLISHED, b"published"), w.log()
    assert c.ask(w.ca, w.root)[0] in (PUBLISHED, NOTHING)   # its list may be here already
    c.close()
    until(lambda: w.verdict()["reason"] == "ok")
    w.http.serve("/users.crl", w.crl([w.alice], 2))
    until(lambda: w.verdict()["reason"] == "revoked")
    # by hand, too
    with open(w.path("x.crl"), "wb") as f:
        f.write(w.crl([], 3))
    w.http.serve("/users.crl", w.crl([], 3))
    w.command("publish", w.path("x.crl"), status=0)
    assert w.verdict()["reason"] == "ok"
    assert w.stop(p) == 0


def test_only_what_an_anchor_vouches_for(w):
    stranger = CA("Test Issuing CA", issuer=CA("Test Root"))
    for body in (stranger.der, CA("Test Root").der, w.alice.der, b"<html>", b"",
                 w.ca.der + b"x", pkcs7(stranger), w.ca.der[:-4],
                 b"-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
                 b"00000000000000000000000000000000\n\nAAAA\n-----END CERTIFICATE-----\n"):
        w.http.serve("/ca.cer", body)
        if not w.daemons:
            w.start()
        leaf = w.ca.leaf("x", extensions=[aia(issuers=[w.url])])
        assert ask_issuer(w, leaf)[0] == NOTHING, body[:40]
    assert not [n for n in os.listdir(w.state) if n.startswith("pool.")]


@pytest.mark.parametrize("url", ["http://127.0.0.2:1/ca.cer", "http://10.0.0.1/ca.cer",
                                 "file:///etc/passwd", "ldap:///x", "http://localhost/ca.cer"])
def test_only_hosts_of_the_authority(w, url):
    w.start()
    leaf = w.ca.leaf("x", extensions=[aia(issuers=[url])])
    assert ask_issuer(w, leaf)[0] == NOTHING


def test_only_ports_of_the_authority(w):
    """A forged certificate does not make us knock at other doors of the CA's host."""
    other = Http()
    try:
        url = other.serve("/ca.cer", w.ca.der)
        w.start()
        leaf = w.ca.leaf("x", extensions=[aia(issuers=[url])])
        assert ask_issuer(w, leaf)[0] == NOTHING
        assert other.connections == 0
    finally:
        other.close()


def test_not_private_without_leave(w):
    w.policy(check="none")
    w.start()
    assert ask_issuer(w, w.alice)[0] == NOTHING
    assert w.http.connections == 0


def test_no_flood(w):
    """Forged certificates, each another: the CA's server hears of thirty a minute."""
    w.http.serve("/ca.cer", Answer(b"no", 404))
    w.start()
    key = w.ca.key
    leaves = [w.ca.leaf("x%d" % i, key=key, extensions=[aia(issuers=[w.url])])
              for i in range(80)]
    for leaf in leaves:
        assert ask_issuer(w, leaf)[0] == NOTHING
    assert len(w.http.asked("/ca.cer")) <= 60


def test_other_authority_and_rubbish(w):
    w.start()
    assert ask_issuer(w, w.alice, "other")[0] == NOTHING
    fake = type("X", (), {"der": b"\x30\x03\x02\x01\x01"})()
    assert ask_issuer(w, fake)[0] == NOTHING
    assert w.http.connections == 0
