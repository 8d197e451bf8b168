"""
What a verdict costs that takes a question: threads that wait for the refresher.

The socket is a real one that answers with real OCSP responses, or misbehaves
(tests/lib/ask.py). There is no CRL of the issuing CA: nobody's status is known here.
"""

import os
import re
import socket
import subprocess
import threading
import time

import pytest

from apache_world import MPM, Refused, basic
from ask import Ask, Responder

LONG = 60.0         # the deadline of who gets an answer, and of who gets none at once
DEADLINE = 1.0      # of who waits in vain
TLS = ["1.2", "1.3"]
both = pytest.mark.parametrize("tls", TLS)
threads_only = pytest.mark.skipif(MPM == "prefork", reason="a process has one thread")

PLACES = """
CertAuthProfile staff
<Location /soft>
    CertAuthProfile soft
</Location>
<Location /maybe>
    CertAuthProfile staff optional
</Location>
<Location /off>
    CertAuthProfile off
</Location>
Alias /soft %(cgi)s
Alias /maybe %(cgi)s
Alias /off %(cgi)s
Alias /env %(cgi)s
<Directory %(dir)s/cgi-bin>
    Options ExecCGI
    SetHandler cgi-script
</Directory>
"""


class Waiting:
    """A world in which only the refresher knows."""

    def __init__(self, world):
        self.world = world
        self.path = world.path("refresher.sock")
        self.ask = Ask(self.path, Responder(world.root, world.ca))

    def policy(self, deadline):
        w = self.world
        os.path.exists(w.path("issuing.crl")) and os.unlink(w.path("issuing.crl"))
        ocsp = 'ocsp_url = "http://127.0.0.1:9/"; check = "chain";'
        text = open(w.policy(
            extra='refresher = "%s";' % self.path,
            profiles='soft: { base = "staff"; authorities = [ "soft-ca" ]; };'),
            encoding="utf-8").read()
        text = text.replace('check = "chain";', ocsp, 1)
        text = text.replace('denied = "denied.txt";',
                            'denied = "denied.txt"; deadline = "%gs";' % deadline)
        text = text.replace("authorities: {", """authorities: {
  soft-ca: { anchors = [ "root.pem" ];  issuers = [ "issuing.pem" ];
    revocation: { %s unknown = "accept"; crls = [ "root.crl", "unlisted.crl" ]; }; };
""" % ocsp, 1)
        w.text("certauth.conf", text)
        self.ask.oracle = Responder(w.root, w.ca)
        self.ask.how, self.ask.delay = "answer", 0
        self.ask.clear()

    def revoke(self, name):
        self.ask.oracle.revoke(self.world.people[name])


@pytest.fixture
def deadline():
    return LONG


hasty = pytest.mark.parametrize("deadline", [DEADLINE], ids=["hasty"])


@pytest.fixture
def waiting(world, deadline):
    w = Waiting(world)
    w.policy(deadline)
    with w.ask:
        yield w


@pytest.fixture
def server(waiting, make_site):
    return start(make_site())


def start(site, places=PLACES, main=""):
    site.run(site.vhost(places % {"cgi": site.path("cgi-bin/env.cgi"), "dir": site.folder}),
             site.vhost("CertAuthProfile staff\nCertAuthRefuse handshake\n", "c.test"), main=main)
    return site


def timed(what):
    start_ = time.monotonic()
    return what(), time.monotonic() - start_


def side_by_side(n, what):
    got = []
    threads = [threading.Thread(target=lambda i=i: got.append(timed(lambda: what(i))))
               for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return got


# ---------------------------------------------------------------- the answer


@both
@pytest.mark.parametrize("host", ["localhost", "c.test"])
def test_good(server, waiting, tls, host):
    waiting.ask.delay = 0.2
    path = "/env" if host == "localhost" else "/cgi-bin/env.cgi"
    a = server.get(path, "alice", host, tls=tls)
    assert a.status == 200, (a, server.error_log())
    assert a.env["CERTAUTH_USER"] == "alice" and a.env["CERTAUTH_VERDICT"] == "accept"
    assert 150 < int(a.env["CERTAUTH_WAITED"]) < 1000 * LONG
    assert len(waiting.ask.about(waiting.world.people["alice"])) == 1
    assert server.wait_log(r"certauth: ACCEPT .* waited=\d+ms")
    assert waiting.ask.wait_closed() == 0


@both
@pytest.mark.parametrize("host", ["localhost", "c.test"])
def test_revoked(server, waiting, tls, host):
    waiting.revoke("alice")
    a = server.get("/", "alice", host, tls=tls)
    assert a.status == 403 and "(revoked, " in a.body
    assert len(waiting.ask.questions) == 1


def test_who_is_refused_anyway_asks_nothing(server, waiting):
    for who in (None, "expired", "purpose", "mallory", "denied", "unmapped", "newca"):
        assert server.get("/", who).status == 403
    assert server.get("/off", "alice").status == 200
    assert waiting.ask.questions == []


def test_kept_alive(server, waiting):
    with server.connect("alice") as c:
        for path in ("/env", "/env", "/maybe", "/env"):
            a = c.get(path)
            assert a.status == 200 and a.env["CERTAUTH_USER"] == "alice"


@hasty
def test_redirect_of_the_server_waits_once(waiting, make_site):
    """It is judged while names are translated, and again behind that."""
    site = start(make_site(), "CertAuthProfile staff\nRedirect /old /new\n"
                 "RewriteEngine on\nRewriteCond %%{CERTAUTH:x} !y\nRewriteRule ^/none - [F]\n")
    waiting.ask.how = "hang"
    assert site.get("/old", "alice").status == 503
    assert len(waiting.ask.questions) == 1
    waiting.ask.how = "answer"
    assert site.eventually(lambda: site.get("/old", "bob").status, 302) == 302


# ------------------------------------------------------- a refresher that is not well


AT_ONCE = ["close", "rubbish", "huge", "cut", "junk", "nothing"]
AT_THE_DEADLINE = ["hang", "deaf", "shut", "stall"]


@pytest.mark.parametrize("how, deadline", [(how, LONG) for how in AT_ONCE] +
                         [(how, DEADLINE) for how in AT_THE_DEADLINE])
def test_the_rule_decides(waiting, make_site, how, deadline):
    waiting.ask.stop()
    waiting.ask.how = how
    waiting.ask.start()
    site = start(make_site())
    for path, want in (("/env", 503), ("/soft", 200), ("/maybe", 200)):
        a, took = timed(lambda: site.get(path, "alice"))
        assert a.status == want, (how, path, a)
        assert took < LONG / 2, (how, path, took)
        if path == "/env":
            assert how in AT_ONCE or took > DEADLINE - 0.1
            assert site.wait_log(" revocation-unknown ")
        if path == "/soft":
            assert a.env["CERTAUTH_USER"] == "alice"
        if path == "/maybe":
            assert a.env["CERTAUTH_USER"] == "" and a.env["CERTAUTH_VERDICT"] == "reject"
    if how == "shut":
        waiting.ask.stop()
        waiting.ask.how = "answer"
        waiting.ask.start()
    waiting.ask.how = "answer"
    waiting.ask.drop()
    # bob's question is a new one; alice's is overdue where nothing came
    assert site.eventually(lambda: site.get("/env", "bob").status, 200) == 200
    assert waiting.ask.wait_closed() == 0


@pytest.mark.parametrize("how", ["drip", "twice", "first", "mixed", "wrong-id"])
def test_odd_but_answered(server, waiting, how):
    waiting.ask.how = how
    assert server.get("/", "alice").status == 200
    waiting.revoke("alice")
    assert server.get("/", "alice").status == 403


def test_absent_and_back(server, waiting):
    waiting.ask.stop()
    time.sleep(1.2)
    for path, want in (("/env", 503), ("/soft", 200)):
        a, took = timed(lambda: server.get(path, "alice"))
        assert a.status == want and took < LONG / 2
    waiting.ask.start()
    assert server.eventually(lambda: server.get("/", "alice").status, 200) == 200


def test_nobody_listens(server, waiting):
    waiting.ask.stop()
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(waiting.path)
    os.chmod(waiting.path, 0o666)
    dead.close()
    for _ in range(4):
        a, took = timed(lambda: server.get("/", "alice"))
        assert a.status == 503 and took < LONG / 2
    # once for each child
    said = len(re.findall(r"error\].*certauth-refresher .* does not answer", server.error_log()))
    assert 1 <= said <= 4
    os.unlink(waiting.path)
    waiting.ask.start()
    assert server.eventually(lambda: server.get("/", "alice").status, 200) == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="the children run as the socket's owner")
def test_permission_denied(server, waiting):
    os.chmod(waiting.path, 0o600)
    a, took = timed(lambda: server.get("/", "alice"))
    assert a.status == 503 and took < LONG / 2
    assert server.wait_log("group of the socket")


def test_killed_in_mid_answer(server, waiting):
    waiting.ask.how = "stall"
    got = []
    t = threading.Thread(target=lambda: got.append(timed(
        lambda: server.get("/", "alice").status)))
    t.start()
    assert waiting.ask.wait(1) == 1
    time.sleep(0.2)
    waiting.ask.drop()
    t.join()
    assert got[0][0] == 503 and got[0][1] < LONG / 2


@hasty
@threads_only
def test_a_dead_responder_costs_one_wait(server, waiting):
    """Of each child; the connection stays in one."""
    waiting.ask.how = "hang"
    with server.connect("alice") as c:
        _, took = timed(lambda: c.get("/soft"))
        assert took > DEADLINE - 0.1
        for _ in range(5):
            assert server.eventually(lambda: c.get("/soft").env["CERTAUTH_WAITED"], "0") == "0"


# ------------------------------------------------------------------ side by side


ONE_CHILD = """
ServerLimit 1
StartServers 1
ThreadLimit 128
ThreadsPerChild %d
MaxRequestWorkers %d
"""


@threads_only
def test_others_go_on(waiting, make_site):
    """At most half of the threads wait; the rest is decided at once."""
    site = start(make_site(), main=ONE_CHILD % (8, 8))
    waiting.ask.how = "hang"
    world = waiting.world
    people = ["w%d" % i for i in range(12)]
    for p in people:
        world.add(p, email=p + "@example.com")
    text = open(world.path("users.map"), encoding="utf-8").read()
    world.text("users.map", text + "".join("%s@example.com %s\n" % (p, p) for p in people))
    time.sleep(1.5)
    at_once = []

    def one(i):
        status = site.get("/", people[i]).status
        if waiting.ask.how == "hang":
            at_once.append(people[i])
        return status
    waits = []
    t = threading.Thread(target=lambda: waits.extend(side_by_side(12, one)))
    t.start()
    assert waiting.ask.wait(4) == 4
    for _ in range(20):
        assert site.get("/off").status == 200
    assert site.eventually(lambda: len(at_once), 8) == 8
    waiting.ask.how = "close"
    waiting.ask.drop()
    t.join()
    world.text("users.map", text)
    assert [s for s, _ in waits] == [503] * 12
    assert len(waiting.ask.questions) == 4
    assert site.wait_log("too many threads wait")


@threads_only
def test_equal_questions_of_a_child_are_one(waiting, make_site):
    site = start(make_site(), main=ONE_CHILD % (64, 64))
    waiting.ask.delay = 0.6
    got = side_by_side(12, lambda i: site.get("/", "alice").status)
    assert [s for s, _ in got] == [200] * 12
    assert len(waiting.ask.questions) <= 2


@threads_only
@pytest.mark.parametrize("how, want, deadline", [("answer", "200", LONG),
                                                 ("hang", "503", DEADLINE)])
def test_streams_of_one_connection_share_the_question(waiting, make_site, how, want, deadline):
    site = start(make_site(), main=ONE_CHILD % (128, 128))
    waiting.ask.how, waiting.ask.delay = how, 0.3
    w = waiting.world
    p = subprocess.run(
        ["nghttp", "-v", "-n", "-m", "20", "--cert=" + w.path("alice.pem"),
         "--key=" + w.path("alice.key"), "-H:authority: localhost",
         "https://127.0.0.1:%d/" % site.tls_port], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=60, check=False)
    assert re.findall(r":status: (\d+)", p.stdout.decode()) == [want] * 20
    assert len(waiting.ask.questions) == 1


# -------------------------------------------------------------- clients that go away


@pytest.mark.parametrize("how, deadline", [("answer", LONG), ("hang", DEADLINE)])
def test_client_goes(server, waiting, how, deadline):
    waiting.ask.how, waiting.ask.delay = how, 0.3
    for stage in ("handshake", "half", "asked", "sent"):
        c = server.connect("alice", "1.2")
        if stage == "half":
            c.sock.sendall(b"GET / HTTP/1.1\r\nHost: local")
        if stage in ("asked", "sent"):
            c.sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        if stage == "asked":
            waiting.ask.wait(1)
        c.close()
    assert waiting.ask.wait_closed() == 0
    waiting.ask.how, waiting.ask.delay = "answer", 0
    assert server.eventually(lambda: server.get("/", "bob").status, 200) == 200
    assert "exit signal" not in server.error_log()


# ------------------------------------------------------------- places


def test_handshake_mode_lets_the_gate_wait(server, waiting):
    """No alert for what is not known yet; the request is refused."""
    waiting.ask.how = "nothing"
    assert server.get("/", "alice", "c.test").status == 503
    with pytest.raises(Refused):
        server.get("/", "expired", "c.test")


@both
def test_no_session_of_a_question(server, waiting, tls):
    """Nobody who was not accepted in the handshake leaves a session behind."""
    ctx = server.context("alice", tls)
    with server.connect(context=ctx) as c:
        assert c.get("/").status == 200
        session = c.session
    waiting.revoke("alice")
    with server.connect(context=ctx, session=session) as c:
        a = c.get("/")
        assert not a.resumed and a.status == 403


def test_password_beside_it(waiting, make_site):
    """CertAuthAlternative is for people without a certificate, not for this."""
    site = make_site()
    site.write("htpasswd", "eve:{SHA}PAMyvyYuNcYjNl0zGnS2p0w2ujo=\n")     # word
    start(site, """CertAuthProfile staff
<Location /any>
    CertAuthAlternative on
    AuthType Basic
    AuthName x
    AuthUserFile %(dir)s/htpasswd
    Require valid-user
</Location>
Alias /any %(cgi)s
<Directory %(dir)s/cgi-bin>
    Options ExecCGI
    SetHandler cgi-script
</Directory>
""")
    assert site.get("/any", "alice").env["REMOTE_USER"] == "alice"
    waiting.ask.how = "nothing"
    assert site.get("/any", "bob", headers=[basic("eve", "word")]).status == 503


def test_graceful_while_waiting(server, waiting):
    waiting.ask.delay = 0.7
    got = []
    t = threading.Thread(target=lambda: got.append(server.get("/", "alice").status))
    t.start()
    waiting.ask.wait(1)
    server.graceful()
    t.join()
    assert got == [200]
    assert server.eventually(lambda: server.get("/", "alice").status, 200) == 200
