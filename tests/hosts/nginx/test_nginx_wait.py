"""
What a verdict costs that takes a question: requests that wait for the refresher.

The socket is a real one that answers with real OCSP responses, or misbehaves
(tests/lib/ask.py). There is no CRL of the issuing CA: nobody's status is known here.
"""

import os
import re
import signal
import socket
import threading
import time

import pytest

from ask import Ask, Responder
from nginx_world import V12, VERSIONS, Alert, Client, basic, curl, htpasswd, run, until

LONG = 60.0         # the deadline of who gets an answer, and of who gets none at once
DEADLINE = 1.0      # of who waits in vain
VARS = " ".join("%s=[$%s]" % (v, v) for v in (
    "certauth_verdict", "certauth_reason", "certauth_user", "certauth_waited", "remote_user"))

HTTP = """
    server { listen @TLS@ ssl http2; server_name a.test; certauth staff;
        location / { add_header X-User $remote_user; return 200 "VARS"; }
        location /maybe { certauth staff optional; return 200 "VARS"; }
        location /off { certauth off; return 200 "open"; }
        location /hasty { certauth hasty; return 200 "VARS"; }
        location /report { certauth unasked; certauth_report staff; return 200 "VARS"; }
        location /soft { certauth soft; return 200 "VARS"; }
        location /any { satisfy any; auth_basic x; auth_basic_user_file @FOLDER@/htpasswd;
            proxy_set_header X-User $remote_user; proxy_pass http://@PLAIN@/who; }
        location /page { error_page 495 503 /sorry; error_page 404 /found; }
        location /sorry { certauth off; return 200 "sorry VARS"; }
        location /found { return 200 "found VARS"; }
        location /body { proxy_pass http://@PLAIN@/echo; }
    }
    server { listen @TLS@ ssl http2; server_name b.test; certauth staff;
        return 200 "VARS"; }
    server { listen @TLS@ ssl http2; server_name c.test; certauth staff;
        certauth_refuse handshake; location / { return 200 "VARS"; } }
    server { listen @PLAIN@; location /who { return 200 "remote_user=[$http_x_user]"; }
        location /echo { client_max_body_size 8m; return 200 "VARS"; }
        location / { return 200 "plain"; } }
""".replace("VARS", VARS)


class Waiting:
    """A world in which only the refresher knows."""

    def __init__(self, world, deadline):
        self.world = world
        self.path = world.path("refresher.sock")
        ocsp = 'ocsp_url = "http://127.0.0.1:9/"; check = "chain";'
        text = world.policy(extra='refresher = "%s";' % self.path, staff='deadline = "%gs";' % deadline,
                            profiles='hasty: { base = "staff"; deadline = "%gs"; };\n'
                            'soft: { base = "staff"; authorities = [ "soft" ]; };\n'
                            'unasked: { base = "staff"; authorities = [ "unasked" ]; };\n' % DEADLINE)
        text = text.replace('check = "chain";', ocsp, 1).replace("authorities: {", """authorities: {
  soft: { anchors = [ "%s/root.pem" ]; issuers = [ "%s/issuers.pem" ];
          revocation: { %s crls = [ "%s/crls" ]; unknown = "accept"; }; };
  unasked: { anchors = [ "%s/root.pem" ]; issuers = [ "%s/issuers.pem" ];
          revocation: { check = "none"; }; };
""" % (world.folder, world.folder, ocsp, world.folder, world.folder, world.folder), 1)
        world.write("certauth.conf", text)
        os.unlink(world.path("crls/ca.crl"))
        self.responder = Responder(world.root, world.ca)
        self.ask = Ask(self.path, self.responder)

    def nginx(self, **more):
        return self.world.nginx(HTTP, **more)


@pytest.fixture
def deadline():
    return LONG


hasty = pytest.mark.parametrize("deadline", [DEADLINE], ids=["hasty"])


@pytest.fixture
def waiting(world, deadline):
    w = Waiting(world, deadline)
    with w.ask:
        yield w


@pytest.fixture
def server(waiting):
    with waiting.nginx() as n:
        htpasswd(os.path.join(n.folder, "htpasswd"), eve="word")
        yield n
        log = n.log()
        assert "exited on signal" not in log and "[alert]" not in log, log


def timed(what):
    start = time.monotonic()
    return what(), time.monotonic() - start


both_versions = pytest.mark.parametrize("tls", VERSIONS, ids=["1.2", "1.3"])


# ---------------------------------------------------------------- the answer


@both_versions
@pytest.mark.parametrize("sni", ["a.test", "b.test", "c.test"])
def test_good(server, waiting, tls, sni):
    waiting.ask.delay = 0.2
    r = Client(waiting.world, "alice", tls).get(server.port["TLS"], sni=sni)
    assert r.status == 200, (r, server.log())
    assert r.vars["certauth_user"] == r.vars["remote_user"] == "alice"
    assert 150 < int(r.vars["certauth_waited"]) < 1000 * LONG
    assert len(waiting.ask.about(waiting.world.certs["alice"])) == 1
    assert waiting.ask.wait_closed() == 0


@both_versions
@pytest.mark.parametrize("sni", ["a.test", "b.test", "c.test"])
def test_revoked(server, waiting, tls, sni):
    waiting.responder.revoke(waiting.world.certs["alice"])
    r = Client(waiting.world, "alice", tls).get(server.port["TLS"], sni=sni)
    assert r.status == 400 and "alice" not in r.body
    server.wait_log(" revoked ")


def test_who_is_refused_anyway_asks_nothing(server, waiting):
    port = server.port["TLS"]
    assert Client(waiting.world).get(port).status == 400
    for who in ("carol", "frank", "mallory", "hugo", "erin"):
        assert Client(waiting.world, who).get(port).status in (400, 403)
    assert waiting.ask.questions == []


def test_only_where_a_profile_wants_it(server, waiting):
    waiting.ask.how = "hang"
    r, took = timed(lambda: Client(waiting.world, "alice").get(server.port["TLS"], "/off"))
    assert r.body == "open" and took < LONG / 2
    assert waiting.ask.questions == []


def test_a_report_does_not_guess(server, waiting):
    """What the other profile would wait for is no answer of it."""
    waiting.ask.how = "hang"
    with Client(waiting.world, "alice").connect(server.port["TLS"]) as c:
        assert c.request("/report").vars["certauth_user"] == "alice"
        assert waiting.ask.questions == []
        # known by a certificate that the other one refuses whatever anybody says
        assert Client(waiting.world, "carol").get(server.port["TLS"], "/report").status == 400
        waiting.world.write("denied", "user:erin\nuser:alice\n")
        assert until(lambda: c.request("/report").status == 403)
    assert "would say" not in server.log()


@pytest.mark.parametrize("sni", ["a.test", "c.test"])
def test_kept_alive(server, waiting, sni):
    with Client(waiting.world, "alice").connect(server.port["TLS"], sni) as c:
        for path in ("/", "/", "/maybe", "/"):
            r = c.request(path, sni)
            assert r.status == 200 and r.vars["remote_user"] == "alice"
        waiting.responder.revoke(waiting.world.certs["alice"])
        if waiting.ask.questions[1:]:
            assert c.request("/", sni).status == 400


def test_pipelined(server, waiting):
    """The next request is there already while the first one waits."""
    waiting.ask.delay = 0.3
    with Client(waiting.world, "alice").connect(server.port["TLS"]) as c:
        c.sock.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
                       b"GET /maybe HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert [c.response().status for _ in range(2)] == [200, 200]


def test_body(server, waiting):
    """What is sent while the request waits is not lost."""
    waiting.ask.delay = 0.3
    body = b"x" * 700000
    with Client(waiting.world, "alice").connect(server.port["TLS"]) as c:
        c.sock.sendall(b"POST /body HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n"
                       % len(body))
        c.sock.sendall(body[:1000])
        time.sleep(0.1)
        c.sock.sendall(body[1000:])
        assert c.response().status == 200
        assert c.request().status == 200


# ------------------------------------------------------- a refresher that is not well


AT_ONCE = ["close", "rubbish", "huge", "cut", "junk", "nothing"]
AT_THE_DEADLINE = ["hang", "deaf", "shut", "stall"]


@pytest.mark.parametrize("how, deadline", [(how, LONG) for how in AT_ONCE] +
                         [(how, DEADLINE) for how in AT_THE_DEADLINE])
def test_the_rule_decides(waiting, how, deadline):
    waiting.ask.stop()
    waiting.ask.how = how
    waiting.ask.start()
    with waiting.nginx() as server:
        port = server.port["TLS"]
        for path, want in (("/", 503), ("/soft", 200), ("/maybe", 200)):
            r, took = timed(lambda: Client(waiting.world, "alice").get(port, path))
            assert r.status == want, (how, path, r)
            assert took < LONG / 2, (how, path, took)
            if path == "/":
                assert how in AT_ONCE or took > DEADLINE - 0.1
            if path == "/soft":
                assert r.vars["remote_user"] == "alice"
            if path == "/maybe":
                assert r.vars["remote_user"] == "" and r.vars["certauth_verdict"] == "reject"
        server.wait_log(" revocation-unknown ")
        # and is well again
        if how == "shut":
            waiting.ask.stop()
            waiting.ask.how = "answer"
            waiting.ask.start()
        waiting.ask.how = "answer"
        waiting.ask.drop()
        assert until(lambda: Client(waiting.world, "alice").get(port).status == 200)
        assert waiting.ask.wait_closed() == 0
        assert "exited on signal" not in server.log() and "[alert]" not in server.log()


@pytest.mark.parametrize("how", ["drip", "twice", "first", "mixed", "wrong-id"])
def test_odd_but_answered(server, waiting, how):
    waiting.ask.how = how
    assert Client(waiting.world, "alice").get(server.port["TLS"]).status == 200
    waiting.responder.revoke(waiting.world.certs["alice"])
    assert Client(waiting.world, "alice").get(server.port["TLS"]).status == 400


def test_absent(server, waiting):
    port = server.port["TLS"]
    waiting.ask.stop()
    time.sleep(1.2)
    for path, want in (("/", 503), ("/soft", 200)):
        r, took = timed(lambda: Client(waiting.world, "alice").get(port, path))
        assert r.status == want and took < LONG / 2
    waiting.ask.start()
    assert until(lambda: Client(waiting.world, "alice").get(port).status == 200)


def test_nobody_listens(server, waiting):
    """A daemon that was killed leaves its socket behind."""
    waiting.ask.stop()
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(waiting.path)
    os.chmod(waiting.path, 0o666)
    dead.close()
    r, took = timed(lambda: Client(waiting.world, "alice").get(server.port["TLS"]))
    assert r.status == 503 and took < LONG / 2
    said = server.wait_log(re.compile(r"\[error\].*certauth-refresher.*does not answer"))
    for _ in range(5):
        Client(waiting.world, "alice").get(server.port["TLS"])
    assert server.log().count("does not answer") == said.count("does not answer")
    os.unlink(waiting.path)
    waiting.ask.start()
    assert until(lambda: Client(waiting.world, "alice").get(server.port["TLS"]).status == 200)
    server.wait_log("answers again")


def test_who_came_later_waits_for_the_socket(waiting):
    """The first in the queue gives up; whoever asks the same goes on trying."""
    waiting.ask.stop()
    waiting.ask.how = "shut"
    waiting.ask.start()
    full = []
    try:
        with pytest.raises(BlockingIOError):
            while len(full) < 10:
                full.append(socket.socket(socket.AF_UNIX))
                full[-1].setblocking(False)
                full[-1].connect(waiting.path)
        with waiting.nginx() as server:
            port, got = server.port["TLS"], {}

            def one(name, path):
                got[name] = Client(waiting.world, "alice").get(port, path).status
            first = threading.Thread(target=one, args=("first", "/hasty"))
            second = threading.Thread(target=one, args=("second", "/"))
            first.start()
            time.sleep(DEADLINE * 0.6)
            second.start()
            first.join()
            waiting.ask.how = "answer"
            second.join()
            assert got == {"first": 503, "second": 200}
            assert waiting.ask.questions
    finally:
        for s in full:
            s.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="the worker is the socket's owner")
def test_permission_denied(server, waiting):
    os.chmod(waiting.path, 0o600)
    r, took = timed(lambda: Client(waiting.world, "alice").get(server.port["TLS"]))
    assert r.status == 503 and took < LONG / 2
    server.wait_log("group of the socket")


def test_killed_in_mid_answer(server, waiting):
    waiting.ask.how = "stall"
    got = []
    t = threading.Thread(target=lambda: got.append(timed(
        lambda: Client(waiting.world, "alice").get(server.port["TLS"]).status)))
    t.start()
    assert waiting.ask.wait(1) == 1
    time.sleep(0.2)
    waiting.ask.drop()
    t.join()
    assert got[0][0] == 503 and got[0][1] < LONG / 2


def test_an_answer_that_is_late(server, waiting):
    """What has come till the end counts, a revocation first of all."""
    waiting.responder.revoke(waiting.world.certs["alice"])
    waiting.ask.delay = 1.3
    assert Client(waiting.world, "alice").get(server.port["TLS"], "/soft").status == 400


@hasty
def test_a_dead_responder_costs_one_wait(server, waiting):
    """Not one for each request: the question is still open."""
    waiting.ask.how = "hang"
    port = server.port["TLS"]
    with Client(waiting.world, "alice").connect(port) as c:
        _, took = timed(lambda: c.request("/soft"))
        assert took > DEADLINE - 0.1
        for _ in range(5):
            assert until(lambda: c.request("/soft").vars["certauth_waited"] == "0")
    assert until(lambda: Client(waiting.world, "alice").get(port, "/soft")
                 .vars["certauth_waited"] == "0")
    # another client's question is another one
    r, took = timed(lambda: Client(waiting.world, "bob").get(port))
    assert r.status == 503 and took > DEADLINE - 0.1


# ------------------------------------------------------------------ side by side


def test_others_go_on(server, waiting):
    """One worker: whoever is known does not notice."""
    waiting.ask.how = "hang"
    port, plain = server.port["TLS"], server.port["PLAIN"]
    waits = [threading.Thread(target=lambda w=w: Client(waiting.world, w).get(port))
             for w in ("alice", "bob") for _ in range(4)]
    for t in waits:
        t.start()
    assert waiting.ask.wait(2) == 2
    for _ in range(20):
        assert Client(waiting.world, "carol").get(port).status == 400
        assert run("curl", "-s", "http://127.0.0.1:%d/" % plain) == "plain"
    assert all(t.is_alive() for t in waits)
    waiting.ask.how = "close"
    waiting.ask.drop()
    for t in waits:
        t.join()


def test_equal_questions_of_a_worker_are_one(server, waiting):
    waiting.ask.delay = 0.6
    port, got = server.port["TLS"], []
    waits = [threading.Thread(target=lambda: got.append(
        Client(waiting.world, "alice").get(port).status)) for _ in range(20)]
    for t in waits:
        t.start()
    for t in waits:
        t.join()
    assert got == [200] * 20
    assert len(waiting.ask.questions) <= 2, len(waiting.ask.questions)


def nghttp(world, port, n, path="/", who="alice"):
    said = run("nghttp", "-v", "-n", "-m", str(n), "--cert=" + world.path(who + ".pem"),
               "--key=" + world.path(who + ".key"), "-H:authority: a.test",
               "https://127.0.0.1:%d%s" % (port, path))
    return re.findall(r":status: (\d+)", said)


@pytest.mark.parametrize("how, want, deadline", [("answer", "200", LONG),
                                                 ("hang", "503", DEADLINE)])
def test_streams_of_one_connection_share_the_question(server, waiting, how, want, deadline):
    waiting.ask.how, waiting.ask.delay = how, 0.3
    assert nghttp(waiting.world, server.port["TLS"], 30) == [want] * 30
    assert len(waiting.ask.questions) == 1


def test_ceiling(waiting):
    """A part of the worker's connections, no more; the rest is decided at once."""
    waiting.ask.how = "hang"
    world = waiting.world
    people = ["p%d" % i for i in range(20)]
    for p in people:
        world.add(p)
    world.write("people.map", "".join("%s@example.com %s\n" % (p, p) for p in people))
    n = waiting.nginx()
    n.connections = 64
    with n:
        port, took = n.port["TLS"], []
        waits = [threading.Thread(target=lambda p=p: took.append(timed(
            lambda: Client(world, p).get(port).status))) for p in people]
        for t in waits:
            t.start()
        assert waiting.ask.wait(16) == 16
        assert until(lambda: len(took) >= 4)
        assert [s for s, t in took if t < LONG / 2] == [503] * 4, took
        waiting.ask.how = "close"
        waiting.ask.drop()
        for t in waits:
            t.join()
        assert [s for s, _ in took] == [503] * 20
        assert len(waiting.ask.questions) == 16


# -------------------------------------------------------------- clients that go away


STAGES = ["handshake", "half", "asked", "sent", "reset"]


@pytest.mark.parametrize("how", ["answer", "hang"])
@pytest.mark.parametrize("stage", STAGES)
def test_client_goes(server, waiting, how, stage):
    """At each stage; the answer comes to nobody, and the next client is served."""
    port = server.port["TLS"]
    waiting.ask.how, waiting.ask.delay = how, 0.3
    for _ in range(5):
        c = Client(waiting.world, "alice", V12).connect(port)
        if stage == "half":
            c.sock.sendall(b"GET / HTTP/1.1\r\nHost: a.t")
        if stage in ("asked", "sent", "reset"):
            c.sock.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        if stage in ("asked", "reset"):
            waiting.ask.wait(1)
        if stage == "reset":
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        c.close()
    assert waiting.ask.wait_closed(LONG / 2) == 0
    waiting.ask.how, waiting.ask.delay = "answer", 0
    assert Client(waiting.world, "alice").get(port).status == 200


def test_client_goes_is_seen_at_once(server, waiting):
    waiting.ask.how = "hang"
    c = Client(waiting.world, "alice").connect(server.port["TLS"])
    c.sock.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    waiting.ask.wait(1)
    c.close()
    assert waiting.ask.wait_closed(LONG / 2) == 0
    assert until(lambda: "499 " in server.access())


def test_streams_that_are_reset(server, waiting):
    """curl gives up one by one; the others of the connection get their answer."""
    waiting.ask.delay = 0.5
    w = waiting.world
    for limit in ("0.05", "0.2", "0.4", "0.45"):
        run("curl", "-sk", "--http2", "--max-time", limit, "--parallel", "--cert",
            w.path("alice.pem"), "--key", w.path("alice.key"), "--resolve",
            "a.test:%d:127.0.0.1" % server.port["TLS"],
            *["https://a.test:%d/?%d" % (server.port["TLS"], i) for i in range(8)])
    assert nghttp(w, server.port["TLS"], 5) == ["200"] * 5
    assert waiting.ask.wait_closed() == 0


# ------------------------------------------------------------- phases and places


def test_error_page_after_a_wait(server, waiting):
    waiting.ask.how = "nothing"
    r = Client(waiting.world, "alice").get(server.port["TLS"], "/page")
    assert r.body.startswith("sorry") and r.vars["certauth_reason"] == "revocation-unknown"
    waiting.ask.how = "answer"
    r = Client(waiting.world, "alice").get(server.port["TLS"], "/page")
    assert r.body.startswith("found") and r.vars["remote_user"] == "alice"


def test_satisfy_any(server, waiting):
    port = server.port["TLS"]
    r = Client(waiting.world, "alice").get(port, "/any")
    assert r.status == 200 and r.vars["remote_user"] == "alice", r
    waiting.ask.how = "nothing"
    assert Client(waiting.world, "alice").get(port, "/any").status in (401, 403)
    r = Client(waiting.world, "alice").get(port, "/any", headers=[basic("eve", "word")])
    assert r.status == 200 and r.vars["remote_user"] == "eve"
    waiting.ask.how = "answer"
    waiting.responder.revoke(waiting.world.certs["alice"])
    r = Client(waiting.world, "alice").get(port, "/any", headers=[basic("eve", "word")])
    assert r.status == 400


def test_handshake_mode_lets_the_gate_wait(server, waiting):
    """No alert for what is not known yet; the request is refused."""
    port = server.port["TLS"]
    waiting.ask.how = "nothing"
    assert Client(waiting.world, "alice").get(port, sni="c.test").status == 503
    with pytest.raises(Alert):
        Client(waiting.world, "carol").get(port, sni="c.test")


@both_versions
def test_not_resumed_on_a_question(server, waiting, tls):
    """An undecided client gets no session that could come back."""
    waiting.ask.how = "nothing"
    client = Client(waiting.world, "alice", tls)
    assert client.get(server.port["TLS"]).status == 503
    if client.session is not None and client.session.has_ticket or tls == V12:
        r = client.get(server.port["TLS"], resume=True)
        assert r.status == 503 and not r.reused


# ---------------------------------------------------------------- reload, end


def test_reload_while_waiting(server, waiting):
    waiting.ask.delay = 0.7
    got = []
    t = threading.Thread(target=lambda: got.append(
        Client(waiting.world, "alice").get(server.port["TLS"])))
    t.start()
    waiting.ask.wait(1)
    assert server.reload()
    t.join()
    assert got[0].status == 200
    assert Client(waiting.world, "alice").get(server.port["TLS"]).status == 200
    assert until(lambda: len(server.workers()) == 1)


@pytest.mark.parametrize("how, deadline", [("answer", LONG), ("hang", DEADLINE)])
def test_quit_while_waiting(server, waiting, how, deadline):
    waiting.ask.how, waiting.ask.delay = how, 0.5
    got = []
    t = threading.Thread(target=lambda: got.append(
        Client(waiting.world, "alice").get(server.port["TLS"]).status))
    t.start()
    waiting.ask.wait(1)
    server.process.send_signal(signal.SIGQUIT)
    server.process.wait(LONG / 2)
    t.join()
    assert got == [200 if how == "answer" else 503]
    assert "open socket" not in server.log()


@hasty
def test_quit_with_an_overdue_question(server, waiting):
    waiting.ask.how = "hang"
    assert Client(waiting.world, "alice").get(server.port["TLS"]).status == 503
    server.process.send_signal(signal.SIGQUIT)
    server.process.wait(LONG / 2)
    assert "open socket" not in server.log()


def test_shutdown_timeout_while_waiting(waiting):
    world = waiting.world
    waiting.ask.how = "hang"
    with waiting.nginx(main="worker_shutdown_timeout 1s;\n") as n:
        c = Client(world, "alice").connect(n.port["TLS"])
        c.sock.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        waiting.ask.wait(1)
        n.process.send_signal(signal.SIGQUIT)
        n.process.wait(LONG / 2)
        c.close()
        assert "exited on signal" not in n.log()


def test_term_while_waiting(server, waiting):
    waiting.ask.how = "hang"
    c = Client(waiting.world, "alice").connect(server.port["TLS"])
    c.sock.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    waiting.ask.wait(1)
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(LONG / 2)
    c.close()


def test_curl_of_the_first_hour(server, waiting):
    """As an administrator would look."""
    said = curl(waiting.world, server.port["TLS"], "/", "alice")
    assert "certauth_user=[alice]" in said
