"""certauth_status: every worker counts in one place, and a reload changes nothing of it."""

import json
import os
import signal
import socket

import pytest

from metrics import Metrics, lint
from nginx_world import VARS, Alert, Client, Conn, plain, until
from ports import children

HTTP = """
    server { listen @TLS@ ssl; server_name a.test; certauth staff;
        location / { return 200 "VARS"; }
        location /maybe { certauth other optional; return 200 "VARS"; } }
    server { listen @PLAIN@; server_name a.test;
        location = /certauth { certauth_status; allow 127.0.0.1; deny all; }
        location = /nobody { certauth_status; deny all; }
        location /shut { certauth staff; return 200; } }
""".replace("VARS", VARS)


@pytest.fixture
def server(world):
    # without the lines of those who were accepted: they are counted all the same
    with world.nginx(HTTP, workers=4, level="error") as n:
        yield n


def metrics(n, path="/certauth"):
    r = plain(n.port["PLAIN"], path)
    assert r.status == 200
    assert r.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Metrics(r.body)


def ask(world, n, who, times, path="/"):
    for _ in range(times):
        Client(world, who).get(n.port["TLS"], path)


def test_counts_of_all_workers(server, world):
    assert metrics(server).verdicts("staff") == {}
    for who, times in (("alice", 12), ("rita", 7), ("carol", 3), (None, 5), ("erin", 2)):
        ask(world, server, who, times)
    for _ in range(4):
        assert plain(server.port["PLAIN"], "/shut").status == 403
    m = metrics(server)
    assert m.verdicts("staff") == {"ok": 12, "revoked": 7, "expired": 3, "no-certificate": 5,
                                   "denied": 2, "no-tls": 4}
    assert m.verdicts("") == m.verdicts("other") == {}
    assert m["certauth_verdicts_total", {"verdict": "accept"}] == 12
    assert m["certauth_verdicts_total", {"verdict": "none"}] == 5
    assert m["certauth_verdicts_total", {"verdict": "reject"}] == 16
    # certificates of a year, and only of those who came in
    left = "certauth_certificate_remaining_seconds"
    assert m[left + "_count", {"profile": "staff"}] == 12
    assert m[left + "_bucket", {"profile": "staff", "le": "15552000"}] == 0
    assert m[left + "_bucket", {"profile": "staff", "le": "31536000"}] == 12
    # each worker judges alice once, and remembers
    assert m["certauth_verifications_total", {}] >= 12
    assert m["certauth_verifications_remembered_total", {}] >= 12 - 4
    assert m["certauth_wait_seconds_count", {}] == 0
    text = plain(server.port["PLAIN"], "/certauth").body
    lint(text)
    for never in ("alice", "example.com", "127.0.0.1", "a.test"):
        assert never not in text


def test_once_for_each_connection_and_change(server, world):
    with Client(world, "alice").connect(server.port["TLS"]) as c:
        for _ in range(5):
            assert c.request().status == 200
        assert metrics(server).verdicts("staff") == {"ok": 1}
        assert c.request("/maybe").status == 200
        world.revoke("alice")
        assert until(lambda: c.request().status == 400, 30)
    m = metrics(server)
    assert m.verdicts("staff") == {"ok": 1, "revoked": 1}
    assert m.verdicts("other") == {"no-path": 1}


def test_resumed(server, world):
    c = Client(world, "alice")
    assert not c.get(server.port["TLS"]).reused
    assert c.get(server.port["TLS"], resume=True).reused
    m = metrics(server)
    assert m.verdicts("staff") == {"ok": 2}
    assert m["certauth_resumed_total", {"profile": "staff"}] == 1


def test_goes_on_after_a_reload(server, world):
    """With another profile more, and one that is gone."""
    ask(world, server, "alice", 3)
    ask(world, server, "rita", 2)
    world.write("certauth.conf", world.policy(profiles='late: { base = "staff"; };').replace(
        "quality:", "better:"))
    server.http = server.http.replace("certauth other optional", "certauth late optional")
    server.prepare()
    assert server.reload()
    assert metrics(server).verdicts("staff") == {"ok": 3, "revoked": 2}
    ask(world, server, "alice", 4, "/maybe")
    m = metrics(server)
    assert m.verdicts("late") == {"ok": 4}
    assert m.verdicts("staff") == {"ok": 3, "revoked": 2}
    assert {"staff", "quality", "better", "late", ""} <= {
        have["profile"] for have, _ in m.all("certauth_verdicts_total", {})}


def test_a_worker_that_dies_takes_nothing_along(server, world):
    ask(world, server, "alice", 8)
    before = set(children(server.process.pid))
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert until(lambda: len(set(children(server.process.pid)) - before) >= 4, 30)
    assert metrics(server).verdicts("staff") == {"ok": 8}


def test_in_the_handshake(world):
    with world.nginx("""
        server { listen @TLS@ ssl; server_name a.test; certauth staff; certauth_refuse handshake;
            location / { return 200; } }
        server { listen @PLAIN@; location = /certauth { certauth_status; } }
        """) as n:
        for _ in range(3):
            with pytest.raises((Alert, EOFError)):
                Client(world, "rita").get(n.port["TLS"])
        assert Client(world, "alice").get(n.port["TLS"]).status == 200
        assert metrics(n).verdicts("staff") == {"ok": 1, "revoked": 3}


def test_json_and_who_may_look(server, world):
    ask(world, server, "alice", 2)
    r = plain(server.port["PLAIN"], "/certauth?format=json")
    assert (r.status, r.headers["content-type"]) == (200, "application/json")
    said = json.loads(r.body)
    staff = [p for p in said["profiles"] if p["profile"] == "staff"]
    assert staff[0]["verdicts"] == {"ok": 2}
    assert staff[0]["remaining"]["count"] == 2
    assert said["server"] == "nginx"
    assert plain(server.port["PLAIN"], "/nobody").status == 403


def test_methods(server):
    for method, status in (("HEAD", 200), ("POST", 405), ("DELETE", 405)):
        with Conn(socket.create_connection(("127.0.0.1", server.port["PLAIN"]), 10)) as c:
            r = c.request("/certauth", method=method)
            assert r.status == status
            if method == "HEAD":
                assert int(r.headers["content-length"]) > 1000 and r.body == ""


def test_without_any_profile(world):
    """Nothing to count is no error; neither is a second place to look."""
    with world.nginx("""
        server { listen @PLAIN@; location = /a { certauth_status; }
            location = /b { certauth_status; } }
        """) as n:
        assert metrics(n, "/a").verdicts("") == metrics(n, "/b").verdicts("") == {}


def test_where_it_may_stand(world):
    for text, said in (("certauth_status;", "not allowed here"),
                       ("server { listen @PLAIN@; location / { certauth_status on; } }",
                        "number of arguments")):
        rc, out = world.nginx(text).check()
        assert rc != 0 and said in out
