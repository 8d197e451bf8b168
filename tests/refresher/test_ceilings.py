"""
The ceilings of a fetch, met by bytes that really come: size and speed.
"""

import time

import pytest

from world import Answer, World

LIMIT = 512 << 20


@pytest.fixture(name="w")
def _w(tmp_path):
    with World(tmp_path) as w:
        w.good = w.http.serve("/good.crl", w.crl([w.alice]))
        yield w


def test_slower_than_the_floor(w):
    """Ten bytes a second for longer than the daemon suffers; the other list is not hurt."""
    slow = w.http.serve("/slow.crl", Answer(w.crl(), drip=0.1))
    w.policy(crl_urls=[slow, w.good])
    began = time.monotonic()
    w.once(status=1, CERTAUTH_TEST_SLOW_SECONDS="3")
    assert 2 < time.monotonic() - began
    assert "too slow" in w.source(slow)["error"]
    assert w.source(w.good)["error"] == "" and w.show(w.alice) == "revoked"
    assert not [n for n in w.spool() if n.endswith(".part")]


def test_announced_too_large(w):
    url = w.http.serve("/large.crl", Answer(b"x" * 1000, length=LIMIT + 1))
    w.policy(crl_urls=[url])
    w.once(status=1)
    assert "larger than" in w.source(url)["error"]


class Endless:
    """A body without a length: the real ceiling, all of it over the wire."""

    def __init__(self, http):
        self.sent, self.http = 0, http
        self.write, http.write = http.write, self.answer

    def answer(self, conn, answer):
        if answer.body != b"endless":
            self.write(conn, answer)
            return
        conn.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        block = bytes(1 << 20)
        while self.sent < 2 * LIMIT:
            conn.sendall(block)
            self.sent += len(block)


def test_larger_than_the_ceiling(w):
    endless = Endless(w.http)
    url = w.http.serve("/endless.crl", b"endless")
    w.policy(crl_urls=[url, w.good])
    w.once(status=1)
    assert "larger than %d bytes" % LIMIT in w.source(url)["error"]
    assert LIMIT < endless.sent < LIMIT + (64 << 20)
    assert w.show(w.alice) == "revoked"
    assert not [n for n in w.spool() if n.endswith(".part")]
