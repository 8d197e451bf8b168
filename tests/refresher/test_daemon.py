"""test_daemon.py - certauth-refresher as a daemon: it keeps up by itself, answers
questions, asks each thing once, and nobody who lies or dies harms the others."""

import json
import os
import pwd
import signal
import socket
import subprocess
import threading
import time

import pytest
from cryptography.x509 import ocsp as crypto_ocsp
from world import CA, Answer, World, until

import ask  # noqa: E402  (world knows where it lies)
from ask import NOTHING, OCSP, PUBLISHED, TEXT, ocsp_response
from generations import certauth
from pki import oid, seq, tlv, write_pem
from ports import free_port


@pytest.fixture(name="w")
def _w(tmp_path):
    with World(tmp_path) as w:
        yield w


def aia(ocsp=(), issuers=()):
    """The extension authorityInfoAccess."""
    rows = [seq(oid("1.3.6.1.5.5.7.48.1"), tlv(0x86, u.encode())) for u in ocsp] + \
        [seq(oid("1.3.6.1.5.5.7.48.2"), tlv(0x86, u.encode())) for u in issuers]
    return ("1.3.6.1.5.5.7.1.1", False, seq(*rows))


class Client:
    """A server: whole frames in, replies out."""

    def __init__(self, path, seconds=60):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.socket.connect(path)
        self.buffer = b""

    def send(self, *frames):
        self.socket.sendall(b"".join(frames))

    def reply(self):
        """(id, result, payload); None when the other side hung up."""
        while True:
            if len(self.buffer) >= 8:
                assert self.buffer[:4] == b"CAR1"
                end = 8 + int.from_bytes(self.buffer[4:8], "big")
                if len(self.buffer) >= end:
                    body, self.buffer = self.buffer[8:end], self.buffer[end:]
                    return body[:16], body[16], body[17:]
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.buffer += data

    def silent(self):
        """Has nothing come yet?"""
        seconds = self.socket.gettimeout()
        self.socket.setblocking(False)
        try:
            return not self.buffer and not self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return not self.buffer
        finally:
            self.socket.settimeout(seconds)

    def ask(self, *path, authority="test"):
        self.send(ask.question(ask.STATUS, authority, [c.der for c in path]))
        return self.reply()[1:]

    def close(self):
        self.socket.close()


class Oracle:
    """An HTTP responder: answers about the certificates it knows, as told."""

    def __init__(self, w, path="/ocsp/"):
        self.w, self.path = w, path
        self.how = self.good
        self.methods = []
        w.http.serve(path, self)
        w.http.serve(path.rstrip("/"), self)
        self.url = w.http.base + path.rstrip("/")
        self.next_update = "+1h"

    def __call__(self, request):
        self.methods.append(request.method)
        return self.how(request)

    def response(self, cert, status="good", **more):
        more.setdefault("next_update", self.next_update)
        return ocsp_response(cert, more.pop("issuer", self.w.ca), status, **more)

    def good(self, _):
        return Answer(self.response(self.w.alice), headers={
            "Content-Type": "application/ocsp-response"})

    def revoked(self, _):
        return Answer(self.response(self.w.alice, "revoked"))


@pytest.fixture(name="o")
def _o(w):
    o = Oracle(w)
    w.alice = w.ca.leaf("Alice", extensions=[aia([o.url])])
    w.policy(private_addresses=True)
    return o


def path_of(w):
    return w.alice, w.ca, w.root


def ask_once(w, *path, **more):
    c = Client(w.socket)
    try:
        return c.ask(*(path or path_of(w)), **more)
    finally:
        c.close()


# ----------------------------------------------------------------------- keeping up


def test_keeps_up(w):
    """A revocation arrives within `refresh`, without a restart or a question."""
    url = w.http.serve("/a.crl", w.crl([], 1))
    w.policy(crl_urls=[url], refresh="1s")
    p = w.start()
    until(lambda: w.show(w.alice) == "not-listed")
    w.http.serve("/a.crl", w.crl([w.alice], 2))
    until(lambda: w.show(w.alice) == "revoked")
    w.http.serve("/a.crl", Answer(b"no", 500))
    until(lambda: w.source(url)["error"] == "HTTP 500")
    assert w.show(w.alice) == "revoked"
    w.http.serve("/a.crl", w.crl([], 3))
    until(lambda: w.show(w.alice) == "not-listed")
    until(lambda: w.source(url)["error"] == "")
    assert "answers again" in w.log()
    assert w.stop(p) == 0
    assert not os.path.exists(w.socket)


def test_reload(w):
    a, b = w.http.serve("/a.crl", w.crl([w.alice])), w.http.serve("/b.crl", w.root.crl().der)
    w.policy(crl_urls=[a])
    p = w.start()
    until(lambda: w.show(w.alice) == "revoked")
    with open(w.conf, encoding="utf-8") as f:
        text = f.read()
    with open(w.conf, "w", encoding="utf-8") as f:
        f.write("nonsense")
    p.send_signal(signal.SIGHUP)
    until(lambda: "the old policy stays" in w.log())
    with open(w.conf, "w", encoding="utf-8") as f:
        f.write(text)
    w.policy(crl_urls=[b])
    p.send_signal(signal.SIGHUP)
    until(lambda: w.show(w.ca, w.root) == "not-listed")
    until(lambda: w.show(w.alice) == "not-covered")
    assert w.stop(p) == 0


def test_reload_reads_what_is_in_force(w):
    a = w.http.serve("/a.crl", w.crl([w.alice]))
    w.policy(crl_urls=[a])
    # by a user to whom this folder belongs; that no CRL is there yet is no fault here
    certauth(w.conf, "apply", "--force", "--user", pwd.getpwuid(os.geteuid()).pw_name)
    with open(w.conf, "w", encoding="utf-8") as f:
        f.write("nonsense")
    p = w.start()
    until(lambda: w.show(w.alice) == "revoked")
    p.send_signal(signal.SIGHUP)
    until(lambda: "reloaded" in w.log())
    assert "the old policy stays" not in w.log()
    assert w.stop(p) == 0


def test_two_of_them(w):
    p = w.start()
    second = w.run("--foreground")
    assert second.returncode == 2 and "another refresher" in second.stdout
    assert os.path.exists(w.socket)
    assert w.stop(p, signal.SIGINT) == 0
    assert w.run("--once").returncode == 0


def test_now_tells_the_daemon(w):
    w.policy(crl_urls=[w.http.serve("/a.crl", w.crl([], 1))])
    w.start()
    until(lambda: w.show(w.alice) == "not-listed")
    w.http.serve("/a.crl", w.crl([w.alice], 2))
    p = w.run("--now", "test")
    assert p.returncode == 0, p.stdout
    until(lambda: w.show(w.alice) == "revoked")
    c = Client(w.socket)
    c.send(admin({"now": "nobody"}))
    result, text = c.reply()[1:]
    assert result == TEXT and "error" in json.loads(text)


def test_now_while_it_is_under_way(w):
    """What is on its way may be of before: it is asked for once more."""
    came = threading.Event()

    def answer(_):
        first = not w.http.asked("/a.crl")[1:]
        body = w.crl([] if first else [w.alice], 1 if first else 2)
        if first:
            came.wait(60)
        return Answer(body)
    w.policy(crl_urls=[w.http.serve("/a.crl", answer)])
    w.start()
    until(lambda: w.http.asked("/a.crl"))
    p = w.run("--now", "test")
    came.set()
    assert p.returncode == 0, p.stdout
    until(lambda: w.show(w.alice) == "revoked")


def admin(words):
    body = bytes([ask.ADMIN]) + json.dumps(words).encode()
    return ask.frame(b"CAQ1", body)


def test_killed_and_started_again(w):
    """Killed in the middle of a download and at any moment: the next one goes on."""
    url = w.http.serve("/a.crl", w.crl([w.alice], 1))
    w.policy(crl_urls=[url], refresh="1s")
    p = w.start()
    until(lambda: w.show(w.alice) == "revoked")
    w.http.serve("/a.crl", Answer(w.crl([w.alice], 2), drip=0.01))
    until(lambda: any(n.endswith(".part") for n in w.spool()))
    p.kill()
    p.wait()
    assert os.path.exists(w.socket), "nobody cleaned up: that is what is tried here"
    assert w.show(w.alice) == "revoked"
    w.http.serve("/a.crl", w.crl([], 3))
    p = w.start()
    until(lambda: w.show(w.alice) == "not-listed")
    assert not [n for n in w.spool() if n.endswith(".part")]
    assert ask_once(w)[0] in (NOTHING, PUBLISHED)


def test_socket_mode(w):
    w.start()
    assert os.stat(w.socket).st_mode & 0o777 == 0o660


def test_a_file_in_the_place_of_the_socket(w):
    with open(w.socket, "w", encoding="utf-8") as f:
        f.write("precious")
    p = w.start()
    assert p.wait(60) == 2
    with open(w.socket, encoding="utf-8") as f:
        assert f.read() == "precious"


# ------------------------------------------------------------------------- questions


def test_ocsp_good_and_published(w, o):
    w.start()
    result, payload = ask_once(w)
    assert result == OCSP
    assert crypto_ocsp.load_der_ocsp_response(payload).certificate_status == \
        crypto_ocsp.OCSPCertStatus.GOOD
    assert o.methods == ["GET"]
    until(lambda: any(n.startswith("answers.") for n in os.listdir(w.state)))


def test_ocsp_revoked(w, o):
    o.how = o.revoked
    w.start()
    result, payload = ask_once(w)
    assert result == OCSP
    assert crypto_ocsp.load_der_ocsp_response(payload).certificate_status == \
        crypto_ocsp.OCSPCertStatus.REVOKED


def test_ocsp_url_of_the_policy(w, o):
    """It may be private without private_addresses, and replaces the certificate's."""
    w.alice = w.ca.leaf("Alice", extensions=[aia(["http://127.0.0.1:1/"])])
    w.policy(ocsp_url=o.url)
    w.start()
    assert ask_once(w)[0] == OCSP


def test_post_when_it_does_not_fit(w, o):
    w.policy(ocsp_url=o.url + "/" + "x" * 200)
    w.http.serve(o.url[len(w.http.base):] + "/" + "x" * 200, o)
    w.start()
    assert ask_once(w)[0] == OCSP
    assert o.methods == ["POST"]
    assert w.http.requests[-1].headers["content-type"] == "application/ocsp-request"
    crypto_ocsp.load_der_ocsp_request(w.http.requests[-1].body)


def test_second_responder(w, o):
    w.alice = w.ca.leaf("Alice", extensions=[aia(["http://127.0.0.1:1/", o.url])])
    w.start()
    assert ask_once(w)[0] == OCSP


def test_one_request_for_many(w, o):
    """200 connections of one client: one OCSP request."""
    def slow(request):
        time.sleep(0.5)
        return o.good(request)
    o.how = slow
    w.start()
    clients = [Client(w.socket) for _ in range(200)]
    for c in clients:
        c.send(ask.question(ask.STATUS, "test", [x.der for x in path_of(w)]))
    assert {c.reply()[1] for c in clients} == {OCSP}
    for c in clients[:20]:
        assert c.ask(*path_of(w))[0] == OCSP
        c.close()
    assert o.methods == ["GET"]


LIES = {
    "html": Answer(b"<html>Welcome</html>", headers={"Content-Type": "text/html"}),
    "empty": Answer(b""),
    "500": Answer(b"", 500),
    "huge": Answer(b"x" * 200000),
    "huge-length": Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n"),
    "redirect": Answer(b"", 302, {"Location": "/ocsp2"}),
    "try-later": Answer(bytes.fromhex("30030a0103")),
    "unauthorized": Answer(bytes.fromhex("30030a0106")),
    "cut": Answer(b"x" * 1000, cut=10),
    "no-http": Answer(raw=b"hello\r\n"),
}


@pytest.mark.parametrize("name", sorted(LIES))
def test_lies_of_a_responder(w, o, name):
    o.how = lambda _: LIES[name]
    w.start()
    assert ask_once(w)[0] == NOTHING
    assert o.methods

    def unasked():
        asked = len(o.methods)
        assert ask_once(w)[0] == NOTHING
        return len(o.methods) == asked
    # remembered for seconds, so that not every login waits
    until(unasked)
    assert not [n for n in os.listdir(w.state) if n.startswith("answers.")]


@pytest.mark.parametrize("name,more", [
    ("stale", {"this_update": "-2h", "next_update": "-1h"}),
    ("future", {"this_update": "+1h", "next_update": "+2h"}),
    ("unknown", {"status": "unknown"}),
    ("other-signer", {"signer": CA("Test Issuing CA")}),
    ("stranger", {"signer": CA("Nobody")}),
    ("other-certificate", {"cert": 1}),
])
def test_wrong_answers_of_a_responder(w, o, name, more):
    more = dict(more)
    cert = w.ca.leaf("Bob") if more.pop("cert", None) else w.alice
    o.how = lambda _: Answer(o.response(cert, **more))
    w.start()
    assert ask_once(w)[0] == NOTHING, name


def test_dead_responder_is_asked_again_soon(w, o):
    o.how = lambda _: Answer(b"", 500)
    w.start()
    assert ask_once(w)[0] == NOTHING
    o.how = o.good
    until(lambda: ask_once(w)[0] == OCSP)


def test_slow_responder_delays_nobody(w, o):
    """One responder hangs; a question about another's certificate is answered at once."""
    o.how = lambda _: Answer(b"", hang=60)
    other = Oracle(w, "/other/")
    bob = w.ca.leaf("Bob", extensions=[aia([other.url])])
    other.how = lambda _: Answer(o.response(bob))
    w.start()
    slow = Client(w.socket, 50)
    slow.send(ask.question(ask.STATUS, "test", [c.der for c in path_of(w)]))
    assert ask_once(w, bob, w.ca, w.root)[0] == OCSP
    assert slow.silent()
    # given up, and not after the minute of the responder
    assert slow.reply()[1] == NOTHING


def test_private_responder_of_a_certificate(w, o):
    w.policy()
    w.start()
    assert ask_once(w)[0] == NOTHING
    assert w.http.connections == 0


def test_no_request_before_proof(w, o):
    """T38: forged, foreign, out of order, without an anchor: nobody is asked."""
    mallory = CA("Test Issuing CA", issuer=CA("Test Root"))
    forged = mallory.leaf("Alice", extensions=[aia([o.url])], crldp=[w.http.base + "/x.crl"])
    twin = w.ca.leaf("Twin", extensions=[aia([o.url])])
    bob = twin.key
    evil = CA("Not A CA", issuer=w.root, ca=False).leaf("Eve", extensions=[aia([o.url])])
    w.start()
    for path in ((forged, w.ca, w.root), (forged, mallory, w.root), (forged, mallory.issuer),
                 (w.alice, w.root), (w.alice, w.ca), (w.ca, w.alice, w.root),
                 (evil, evil.issuer, w.root)):
        assert ask_once(w, *path)[0] == NOTHING, path
    assert ask_once(w, authority="other")[0] == NOTHING
    assert bob is not None and w.http.connections == 0
    assert w.status()["sources"] == []


def test_crl_of_a_client_certificate(w):
    """A list that only clients' certificates name is fetched, published, remembered."""
    url = w.http.base + "/users.crl"
    w.alice = w.ca.leaf("Alice", crldp=[url])
    w.http.serve("/users.crl", w.crl([w.alice]))
    w.policy(private_addresses=True)
    p = w.start()
    assert w.show(w.alice) != "revoked"
    assert ask_once(w) == (PUBLISHED, b"published")
    assert w.show(w.alice) == "revoked"
    until(lambda: w.status()["sources"])
    assert w.source(url)["origin"] == "client certificate"
    w.stop(p)
    w.http.serve("/users.crl", w.crl([], 2))
    w.once()                        # it was not forgotten
    assert w.show(w.alice) == "not-listed"


def age_memory(w, days, *words):
    """The refresher's memory of its only address, as if it were older."""
    [name] = w.spool("url")
    path = os.path.join(w.state, "spool", "url", name)
    with open(path, encoding="utf-8") as f:
        lines = f.read().splitlines()
    with open(path, "w", encoding="utf-8") as f:
        for line in lines:
            word, value = line.split(" ", 1)
            if word in words:
                value = "%d" % (time.time() - days * 86400)
            f.write("%s %s\n" % (word, value))


def test_list_in_daily_use_is_not_forgotten(w):
    """While it is fresh no server asks about it: it is in use as long as it comes."""
    url = w.http.base + "/users.crl"
    w.alice = w.ca.leaf("Alice", crldp=[url])
    w.http.serve("/users.crl", w.crl([w.alice]))
    w.policy(private_addresses=True)
    p = w.start()
    assert ask_once(w)[0] == PUBLISHED
    until(lambda: w.spool("url"))
    assert w.stop(p) == 0
    age_memory(w, 31, "seen")
    w.once()
    assert w.source(url)["error"] == "" and w.show(w.alice) == "revoked"
    age_memory(w, 31, "seen", "succeeded")
    w.once(1)                       # no list at all is left
    assert w.status()["sources"] == [] and w.spool("url") == w.spool() == []


def test_crl_before_ocsp(w, o):
    """A CRL that comes at once leaves nothing to ask. The responder waits half a second for
    it: on a busy machine that can be too short once, and is not each time."""
    w.policy(private_addresses=True)
    w.start()
    for i in range(10):
        asked = len(o.methods)
        w.alice = w.ca.leaf("Alice", crldp=[w.http.serve("/%d.crl" % i, w.crl([w.alice], i + 1))],
                            extensions=[aia([o.url])])
        assert ask_once(w)[0] in (PUBLISHED, OCSP)
        assert w.http.asked("/%d.crl" % i)
        if len(o.methods) == asked:
            return
    pytest.fail("the responder was asked each time")


def test_ocsp_when_the_crl_does_not_come(w, o):
    w.alice = w.ca.leaf("Alice", crldp=[w.http.serve("/u.crl", Answer(b"", 500))],
                        extensions=[aia([o.url])])
    w.policy(private_addresses=True)
    w.start()
    assert ask_once(w)[0] == OCSP


def test_sources_decide(w, o):
    w.alice = w.ca.leaf("Alice", crldp=[w.http.serve("/u.crl", w.crl())],
                        extensions=[aia([o.url])])
    w.policy(private_addresses=True, sources=["ocsp"])
    p = w.start()
    assert ask_once(w)[0] == OCSP
    assert not w.http.asked("/u.crl")
    w.stop(p)
    w.policy(private_addresses=True, sources=["crl"])
    w.start()
    before = len(o.methods)
    assert ask_once(w)[0] == PUBLISHED
    assert len(o.methods) == before


def test_fetched_ahead(w, o):
    """An answer is there again before it ends, and nobody waits."""
    o.next_update = "+6s"
    o.how = lambda _: Answer(o.response(w.alice, this_update="-1s"))
    w.start()
    until(lambda: ask_once(w)[0] == OCSP)
    until(lambda: len(o.methods) >= 3)


def test_fetched_ahead_after_a_restart(w, o):
    """Nobody asks while the published answer lasts: who is in use is known over a restart,
    or a revocation would be seen when the grace is over."""
    o.next_update = "+6s"
    o.how = lambda _: Answer(o.response(w.alice, this_update="-1s"))
    p = w.start()
    until(lambda: ask_once(w)[0] == OCSP)
    assert w.stop(p) == 0
    assert os.stat(os.path.join(w.state, "refresher.known")).st_mode & 0o777 == 0o600
    asked = len(o.methods)
    w.alice.write(w.folder, "alice")
    o.how = o.revoked
    p = w.start()
    until(lambda: len(o.methods) > asked)
    until(lambda: w.verdict()["reason"] == "revoked")
    assert w.stop(p) == 0


@pytest.mark.parametrize("text", ["", "x", "1 2 3", "9" * 3000 + " 1 QUFB",
                                  "\n\n-1 -1 ====\n", "NOW 1 Q0FRMQAAAAA=\nNOW NOW\nNOW"])
def test_rubbish_in_the_list_of_those_in_use(w, o, text):
    os.makedirs(w.state)
    with open(os.path.join(w.state, "refresher.known"), "w", encoding="ascii") as f:
        f.write(text.replace("NOW", "%d" % time.time()))
    p = w.start()
    assert ask_once(w)[0] == OCSP
    assert w.stop(p) == 0


def test_delegate_that_is_listed_later(w, o):
    """A responder with a certificate of its own stands on the lists of today, and not on
    those of when the refresher began."""
    delegate = w.ca.leaf("Responder", eku=["OCSPSigning"])
    bob = w.ca.leaf("Bob", extensions=[aia([o.url])])
    carol = w.ca.leaf("Carol", extensions=[aia([o.url])])
    asked = [w.alice]
    o.how = lambda _: Answer(o.response(asked[-1], signer=delegate))
    url = w.http.serve("/a.crl", w.crl([], 1))
    w.policy(crl_urls=[url], private_addresses=True, refresh="1s", sources=["ocsp", "crl"])
    w.start()
    until(lambda: w.show(delegate) == "not-listed")
    until(lambda: ask_once(w)[0] == OCSP)
    w.http.serve("/a.crl", w.crl([delegate], 2))
    until(lambda: w.show(delegate) == "revoked")

    def refused(cert):
        asked.append(cert)
        result, why = ask_once(w, cert, w.ca, w.root)
        return result == NOTHING and b"revoked" in why
    until(lambda: refused(bob) or refused(carol))


def test_newer_unknown_takes_the_good_word_away(w, o):
    """A responder that no longer knows a certificate unsays what it said before."""
    o.next_update = "+6s"
    o.how = lambda _: Answer(o.response(w.alice, this_update="-60s"))
    w.alice.write(w.folder, "alice")
    w.policy(private_addresses=True, sources=["ocsp"])
    w.start()
    until(lambda: ask_once(w)[0] == OCSP)
    until(lambda: w.verdict()["reason"] == "ok")
    o.how = lambda _: Answer(o.response(w.alice, "unknown", this_update="-1s"))
    until(lambda: w.verdict()["reason"] == "revocation-unknown")


# ------------------------------------------------------------------ the command asks


def asked(w, *more):
    p = w.command("verify", "--json", "--profile", "p", *more, w.path("alice.pem"))
    return json.loads(p.stdout)["reason"], p.stderr


def test_verify_asks_as_a_login_does(w, o):
    w.alice.write(w.folder, "alice")
    assert asked(w)[0] == "revocation-unknown"          # no refresher: nobody to ask
    p = w.start()
    assert asked(w, "--time", "@%d" % time.time())[0] == "revocation-unknown"
    assert o.methods == []
    assert asked(w) == ("ok", "") and o.methods == ["GET"]
    w.stop(p)


def test_verify_hears_of_a_revocation(w, o):
    w.alice.write(w.folder, "alice")
    o.how = o.revoked
    w.start()
    assert asked(w) == ("revoked", "")


def test_verify_takes_an_answer_within_its_grace(w, o):
    """Nobody is there to be asked for the next one: the last word is the grace's."""
    w.alice.write(w.folder, "alice")
    w.policy(private_addresses=True, sources=["ocsp"], grace="72h")
    p = w.start()
    assert asked(w) == ("ok", "")
    until(lambda: w.verdict()["reason"] == "ok")        # it is published
    later = ("--profile", "p", "--time", "@%d" % (time.time() + 7200), w.path("alice.pem"))
    assert "its grace" in w.command("explain", *later, status=0).stdout
    p.kill()                                            # its socket stays, nobody listens
    p.wait()
    assert asked(w) == ("ok", "")                       # what is published needs no question
    o.how = o.revoked
    w.alice = w.ca.leaf("Alice", extensions=[aia([o.url])])
    w.alice.write(w.folder, "alice")
    reason, said = asked(w)
    assert reason == "revocation-unknown" and "the refresher was not asked" in said


@pytest.mark.parametrize("unknown, reason", [("refuse", "revocation-unknown"), ("accept", "ok")])
def test_verify_gives_up_on_a_refresher_that_hangs(w, o, unknown, reason):
    w.alice.write(w.folder, "alice")
    w.policy(private_addresses=True, unknown=unknown, profile='deadline = "1s";')
    p = w.start()
    p.send_signal(signal.SIGSTOP)
    try:
        got, said = asked(w)
    finally:
        p.send_signal(signal.SIGCONT)
    assert got == reason and "no answer within the profile's deadline" in said


@pytest.mark.parametrize("words", [b"", b"GET / HTTP/1.0\r\n\r\n", b"CAR1\x00\x00\x00\x11" + b"\0" * 17,
                                   b"CAR1\xff\xff\xff\xff", b"CAR1\x00"])
def test_verify_does_not_trust_who_listens(w, o, words):
    w.alice.write(w.folder, "alice")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(w.socket)
        s.listen()

        def answer():
            c, _ = s.accept()
            c.recv(65536)
            c.sendall(words)
            c.close()
        t = threading.Thread(target=answer)
        t.start()
        assert asked(w)[0] == "revocation-unknown"
        t.join()


# ----------------------------------------------------------------------- bad peers


@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.0\r\n\r\n", b"CAQ1\xff\xff\xff\xff", b"CAQ1\x00\x00\x00\x00",
    b"CAR1\x00\x00\x00\x11" + b"\0" * 17, b"CAQ1\x00\x00\x00\x01\x01",
    b"CAQ1\x00\x00\x00\x05\x01\x00\x04tes", b"CAQ1\x00\x00\x00\x04\x07\x00\x00\x00",
    os.urandom(4096)])
def test_rubbish_closes_the_connection(w, o, data):
    w.start()
    c = Client(w.socket)
    c.send(data)
    assert c.reply() is None
    assert ask_once(w)[0] == OCSP


def test_peers_that_stall(w, o):
    """Half a question, a byte at a time, replies that nobody reads: the others are served."""
    w.start()
    frame = ask.question(ask.STATUS, "test", [c.der for c in path_of(w)])
    half, deaf = Client(w.socket), Client(w.socket)
    half.send(frame[:50])
    deaf.socket.setblocking(False)
    sent = 0
    try:
        for _ in range(20000):
            sent += deaf.socket.send(frame)
    except BlockingIOError:
        pass
    assert sent > 100000
    drip = Client(w.socket)
    stop = threading.Event()

    def trickle():
        for i in range(len(frame)):
            if stop.wait(0.05):
                return
            try:
                drip.send(frame[i:i + 1])
            except OSError:
                return
    t = threading.Thread(target=trickle, daemon=True)
    t.start()
    for _ in range(20):
        assert ask_once(w)[0] == OCSP
    assert half.reply() is None         # closed after ten seconds
    stop.set()
    t.join()
    assert ask_once(w)[0] == OCSP


def test_more_connections_than_there_is_room_for(w, o):
    w.start()
    idle = [Client(w.socket) for _ in range(600)]
    assert ask_once(w)[0] == OCSP
    for c in idle:
        c.close()
    assert ask_once(w)[0] == OCSP


def test_client_that_goes_away(w, o):
    def slow(request):
        time.sleep(1)
        return o.good(request)
    o.how = slow
    w.start()
    for _ in range(20):
        c = Client(w.socket)
        c.send(ask.question(ask.STATUS, "test", [x.der for x in path_of(w)]))
        c.close()
    assert ask_once(w)[0] == OCSP
    assert o.methods == ["GET"]


# --------------------------------------------------------------- openssl's responder


@pytest.mark.parametrize("nonce", [False, True])
def test_openssl_responder(tmp_path, nonce):
    """The real thing: `openssl ocsp` with an index of its own, good and revoked."""
    with World(tmp_path) as w:
        port = free_port()
        url = "http://127.0.0.1:%d" % port
        w.alice = w.ca.leaf("Alice", extensions=[aia([url])])
        bob = w.ca.leaf("Bob", extensions=[aia([url])])
        carol = w.ca.leaf("Carol", extensions=[aia([url])])
        w.ca.write(w.folder, "issuing")
        row = "%s\t490101000000Z\t%s\t%s\tunknown\t/CN=x\n"
        with open(w.path("index.txt"), "w", encoding="utf-8") as f:
            for cert, state, at in ((w.alice, "V", ""), (bob, "R", "260101000000Z")):
                number = "%X" % cert.serial
                f.write(row % (state, at, number if len(number) % 2 == 0 else "0" + number))
        write_pem(w.path("issuing-only.pem"), w.ca)
        p = subprocess.Popen(
            ["openssl", "ocsp", "-index", w.path("index.txt"), "-port", str(port),
             "-rsigner", w.path("issuing-only.pem"), "-rkey", w.path("issuing.key"),
             "-CA", w.path("issuing-only.pem"), "-nmin", "60"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            # not by connecting: it never gets over a connection without a question
            while b"waiting" not in (line := p.stdout.readline()):
                assert line, "openssl ocsp did not start"
            w.policy(private_addresses=True, ocsp_nonce=nonce)
            w.start()
            status = {}
            for cert in (w.alice, bob, carol):
                result, payload = ask_once(w, cert, w.ca, w.root)
                status[cert.name if hasattr(cert, "name") else cert.serial] = (
                    result, crypto_ocsp.load_der_ocsp_response(payload).certificate_status
                    if result == OCSP else None)
            assert list(status.values()) == [
                (OCSP, crypto_ocsp.OCSPCertStatus.GOOD),
                (OCSP, crypto_ocsp.OCSPCertStatus.REVOKED), (NOTHING, None)]
        finally:
            p.kill()
            p.communicate()
