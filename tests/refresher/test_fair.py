"""test_fair.py - one CA whose servers hang, or that names thousands of addresses, holds up
nobody but itself."""

import os
import signal
import time

import pytest
from world import CA, Answer, Http, World, until

import ask  # noqa: E402  (world knows where it lies)
from ask import NOTHING, OCSP, ocsp_response
from pki import write_pem
from test_daemon import Client, aia


@pytest.fixture(name="w")
def _w(tmp_path):
    with World(tmp_path) as w:
        yield w


def two_authorities(w, bad, good, more=""):
    """`test` as ever, and `bad`, whose lists lie at `bad`."""
    w.bad = CA("Bad Root")
    write_pem(w.path("bad.pem"), w.bad)

    def urls(items):
        return "crl_urls = [ %s ];" % ", ".join('"%s"' % u for u in items) if items else ""
    with open(w.conf, "w", encoding="utf-8") as f:
        f.write('''version = 1; state = "state"; refresher = "r.sock";
authorities: {
  bad: { anchors = [ "bad.pem" ]; revocation: { %s private_addresses = true; %s }; };
  test: { anchors = [ "root.pem" ]; intermediates = [ "ca.pem" ];
          revocation: { check = "leaf"; %s private_addresses = true; }; };
};
profiles: { p: { authorities = [ "bad", "test" ]; purposes = [ "any" ]; }; };
''' % (urls(bad), more, urls(good)))


def drip(w, n, body=b"x" * 1000):
    """n lists that never end, and are not slow enough to be given up."""
    return [w.http.serve("/drip/%d" % i, Answer(body, drip=0.005, length=1 << 20))
            for i in range(n)]


def test_lists_that_drip(w):
    other = Http()
    try:
        good = other.serve("/good.crl", w.crl([w.alice], 1))
        two_authorities(w, drip(w, 60), [good])
        w.start()
        until(lambda: w.show(w.alice) == "revoked", 5)
        # a share, and not one for each
        time.sleep(0.5)
        assert 1 <= len(w.http.requests) <= 8
    finally:
        other.close()


def test_questions_while_lists_drip(w):
    """Those of the very CA whose lists do not come, too."""
    two_authorities(w, drip(w, 60), [])
    bob = w.bad.leaf("Bob", email="bob@example.com", extensions=[aia([w.http.base + "/ocsp"])])
    w.http.serve("/ocsp/", lambda _: Answer(ocsp_response(bob, w.bad, "good",
                                                          next_update="+1h")))
    w.start()
    until(lambda: w.http.requests)
    c = Client(w.socket, 5)
    c.send(ask.question(ask.STATUS, "bad", [bob.der, w.bad.der]))
    assert c.reply()[1] == OCSP
    c.close()


def test_questions_beside_responders_that_hang(w):
    """A hundred clients of a CA whose responder is dead, and one of another."""
    two_authorities(w, [], [])
    w.http.serve("/dead", Answer(b"", hang=60))
    w.http.serve("/dead/", Answer(b"", hang=60))
    bad = [w.bad.leaf("B%d" % i, extensions=[aia([w.http.base + "/dead"])]) for i in range(100)]
    other = Http()
    alice = w.ca.leaf("Alice", extensions=[aia([other.base + "/ocsp"])])
    other.serve("/ocsp/", lambda _: Answer(ocsp_response(alice, w.ca, "good",
                                                         next_update="+1h")))
    try:
        w.start()
        waiting = Client(w.socket)
        waiting.send(*(ask.question(ask.STATUS, "bad", [b.der, w.bad.der]) for b in bad))
        until(lambda: w.http.requests)
        c = Client(w.socket, 3)
        assert c.ask(alice, w.ca, w.root)[0] == OCSP
        c.close()
        waiting.close()
    finally:
        other.close()


def test_files_that_are_open(w):
    """A list takes a file when its turn comes."""
    w.policy(crl_urls=drip(w, 300))
    p = w.start()
    until(lambda: len(w.http.requests) >= 2)
    time.sleep(0.3)
    assert len(os.listdir("/proc/%d/fd" % p.pid)) < 100
    assert w.stop(p) == 0
