"""
Decisions as events of Dovecot: metric blocks count them by reason, and `doveadm stats dump`
and Dovecot's own text for Prometheus tell the counts.
"""

import os
import re
import socket
import subprocess

import pytest

from conftest import ROOT
from mail_clients import connect, login
from metrics import Metrics
from ports import free_port
from test_live import until

FAR = 30


def blocks(port):
    """What docs/metrics.md says to write, with a port of ours."""
    with open(os.path.join(ROOT, "docs/metrics.md"), encoding="utf-8") as f:
        text = re.search(r"```dovecot\n(.*?)```", f.read(), re.S)[1]
    assert text.count("port = 9900") == 1
    return text.replace("port = 9900", "port = %d" % port)


@pytest.fixture
def counting(own_world, start):
    """counting(...): a Dovecot with these metrics, started."""
    def run(**more):
        port = free_port()
        d = own_world.dovecot("events", conf=blocks(port), **more)
        d.stats = port
        return start(d)
    return run


def openmetrics(server):
    with socket.create_connection(("127.0.0.1", server.stats), 10) as s:
        s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        said = b""
        while True:
            data = s.recv(65536)
            if not data:
                break
            said += data
    head, _, body = said.decode().partition("\r\n\r\n")
    assert " 200 " in head.splitlines()[0], head
    return body


def counts(server):
    """{reason: count} of profile mail."""
    return {labels["reason"]: int(value) for labels, value in
            Metrics(openmetrics(server)).all("dovecot_certauth_verdicts_total", {"profile": "mail"})
            if "reason" in labels}


def total(server):
    return sum(counts(server).values())


def test_counted_by_reason(counting, own_world):
    w, want, server = own_world, {}, counting()
    for who, reason, times in (("alice", "ok", 4), ("revoked", "revoked", 3), ("nobody", "no-user", 2),
                               ("expired", "expired", 2), (None, "no-certificate", 1)):
        for _ in range(times):
            login("imap", server, "EXTERNAL", cert=w.cert(who))
        want[reason] = times
    login("submission", server, "EXTERNAL", cert=w.cert("alice"))
    want["ok"] += 1
    until(lambda: total(server) >= sum(want.values()), FAR)
    text = openmetrics(server)
    assert counts(server) == want
    # certificates of a year: days up to 512
    m = Metrics(text)
    left = "dovecot_certauth_days_left_bucket"
    assert m[left, {"le": "512"}] == 5 and m[left, {"le": "256"}] == 0
    # a person is in none of it
    for never in ("alice", "example.com", "127.0.0.1"):
        assert never not in text
    said = subprocess.run(["doveadm", "stats", "dump", "-s", server.base + "/stats-reader"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, timeout=60).stdout
    assert re.search(r"^certauth_verdicts_mail_revoked\s+duration\s+3\s", said, re.M), said


def test_what_the_log_leaves_out_is_counted(counting, own_world):
    """No more lines of one kind than `limit`; but as many events as decisions."""
    w = own_world
    with open(w.conf, encoding="utf-8") as f:
        text = f.read()
    w.write("certauth.conf", text.replace("limit = 0", "limit = 1"))
    d = counting(service_count=0)
    mark = d.mark()
    for _ in range(8):
        assert not login("imap", d, "EXTERNAL", cert=w.cert("revoked")).ok
    until(lambda: total(d) >= 8, FAR)
    assert counts(d) == {"revoked": 8}
    assert len(re.findall("certauth: REJECT", d.log_since(mark))) < 8


def test_a_session_that_ends(counting, own_world):
    """Another event, as nobody asked to enter."""
    w, server = own_world, counting(env={"CERTAUTH_SESSIONS": "end"})
    c = connect("imap", server, w.cert("later"), False)
    try:
        assert login("imap", server, "EXTERNAL", c=c).ok
        w.revoke("later", number=2)
        until(lambda: Metrics(openmetrics(server)).all(
            "dovecot_certauth_sessions_ended_total", {"reason": "revoked"}), FAR)
    finally:
        c.close()
    m = Metrics(openmetrics(server))
    assert m["dovecot_certauth_sessions_ended_total", {"reason": "revoked"}] == 1
    assert counts(server) == {"ok": 1}


def test_our_own_fault(counting, own_world):
    """A policy that cannot be read has no profile, and each refusal is counted."""
    w = own_world
    w.write("certauth.conf", "version = 1;\n")
    d = counting()
    for _ in range(3):
        assert not login("imap", d, "EXTERNAL", cert=w.cert("alice")).ok

    def rows():
        return {labels["profile"]: int(value) for labels, value in
                Metrics(openmetrics(d)).all("dovecot_certauth_verdicts_total", {"reason": "data-missing"})}
    until(lambda: sum(rows().values()) >= 3, FAR)
    assert sum(rows().values()) == 3, rows()
