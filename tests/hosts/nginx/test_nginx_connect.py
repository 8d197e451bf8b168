"""
`certauth check --connect` at a real nginx: what it asks, offers and answers, and what that
means; and at servers that lie, hang or babble.
"""

import os
import socket
import ssl
import subprocess
import threading

import pytest

import pki
from connected import COMMAND, connect, has
from ports import free_port

CACHE = "ssl_session_cache shared:a:1m;\n"
STAFF = "server { listen @TLS@ ssl; certauth staff; %slocation / { return 200 ok; } }"


def said(answer, severity=None):
    return [x["text"] for x in answer["lines"] if severity in (None, x["severity"])]


def cert(world, who):
    return {"cert": world.path(who + ".pem"), "key": world.path(who + ".key")}


@pytest.fixture(scope="module")
def request_port(shared_world):
    with shared_world.nginx(CACHE + STAFF % "error_page 403 495 496 = @no; location @no { "
                            "default_type text/plain; return 403 \"$certauth_message\"; } ",
                            "request") as n:
        yield n.port["TLS"]


@pytest.fixture(scope="module")
def handshake_port(shared_world):
    with shared_world.nginx(CACHE + STAFF % "certauth_refuse handshake; ", "handshake") as n:
        yield n.port["TLS"]


def test_without_a_certificate(shared_world, request_port, handshake_port):
    status, a = connect(request_port)
    assert status == 0 and a["result"] == "fine" and not said(a, "warning")
    has(a, "note", "TLS 1.2 and 1.3: asks for a certificate, and offers the names of 2 CAs")
    has(a, "note", "name of a CA: CN=Test Issuing CA")
    has(a, "note", "TLS 1.2 and 1.3: without a certificate refused")
    assert [v["reason"] for v in a["visits"] if v["tls"] != "1.1"] == ["no-certificate"] * 2
    assert [v["names"] for v in a["visits"] if v["tls"] != "1.1"] == [
        ["CN=Test Issuing CA", "CN=Test Root"]] * 2
    status, a = connect(handshake_port)
    assert status == 0
    has(a, "note", "TLS 1.3: without a certificate refused: TLS alert certificate_required")
    has(a, "note", "TLS 1.2: without a certificate refused: TLS alert handshake_failure")


def test_let_in_and_again(shared_world, request_port, handshake_port):
    for port in request_port, handshake_port:
        status, a = connect(port, **cert(shared_world, "alice"))
        assert status == 0, a
        has(a, "note", "TLS 1.2 and 1.3: with the certificate let in: HTTP/1.1 200")
        has(a, "note", "TLS 1.2 and 1.3: who comes back resumes the session, and is let in")


@pytest.mark.parametrize("who,reason,alert", [
    ("rita", "revoked", "certificate_revoked"), ("carol", "expired", "certificate_expired"),
    ("mallory", "no-path", "unknown_ca"), ("dave", "no-user", None)])
def test_refused(shared_world, request_port, handshake_port, who, reason, alert):
    status, a = connect(request_port, **cert(shared_world, who))
    line = has(a, "fault", "with the certificate refused: HTTP/1.1 403")
    assert status == 1 and line["text"].endswith(": " + reason) and line["remedy"]
    # no names: the list has nobody that issued this
    assert any("who issued the certificate is not" in t for t in said(a, "warning")) == \
        (who == "mallory")
    status, a = connect(handshake_port, **cert(shared_world, who))
    line = has(a, "fault", "with the certificate refused: " + (
        "TLS alert " + alert if alert else "HTTP/1.1 403"))
    assert status == 1 and line["remedy"]


def test_nobody_asks(shared_world):
    with shared_world.nginx("server { listen @TLS@ ssl; ssl_protocols TLSv1.1 TLSv1.2; "
                            "ssl_ciphers ALL:@SECLEVEL=0; return 200 ok; }", "none") as n:
        status, a = connect(n.port["TLS"])
        assert status == 1
        has(a, "fault", "TLS 1.2: asks for no certificate")
        has(a, "note", "TLS 1.3: no handshake: TLS alert protocol_version")
        has(a, "warning", "TLS 1.2: without a certificate there is a page: HTTP/1.1 200")
        has(a, "fault", "TLS 1.0 or 1.1 is spoken")
    with shared_world.nginx("server { listen @PLAIN@; return 200 ok; }", "plain") as n:
        status, a = connect(n.port["PLAIN"])
        assert status == 1
        has(a, "fault", "no TLS")


def test_one_version_of_tls(shared_world):
    with shared_world.nginx("server { listen @TLS@ ssl; ssl_protocols TLSv1.2; certauth staff; "
                            "return 200 ok; }", "old") as n:
        status, a = connect(n.port["TLS"], **cert(shared_world, "alice"))
        assert status == 0
        has(a, "note", "TLS 1.2: with the certificate let in")
        status, a = connect("[127.0.0.1]:%d" % n.port["TLS"], **cert(shared_world, "rita"))
        assert status == 1
        has(a, "fault", "TLS 1.2: with the certificate refused")
        assert not [v for v in a["visits"] if v["certificate"] and v["tls"] == "1.3"]


def test_data_of_the_server_is_missing(world):
    world.write("certauth.conf", world.policy().replace('/crls" ]', '/none" ]'))
    os.makedirs(world.path("none"))
    with world.nginx(STAFF % "") as n:
        status, a = connect(n.port["TLS"], **cert(world, "alice"))
        line = has(a, "fault", "TLS 1.2 and 1.3: with the certificate refused: HTTP/1.1 503")
        assert status == 1 and "certauth check" in line["remedy"]


def test_chain_and_key_in_one_file(shared_world, request_port):
    with open(shared_world.path("one.pem"), "w", encoding="ascii") as f:
        for part in ("alice.key", "alice.pem"):
            with open(shared_world.path(part), encoding="ascii") as g:
                f.write(g.read())
    assert connect(request_port, cert=shared_world.path("one.pem"))[0] == 0
    pfx = shared_world.path("alice.pfx")
    subprocess.run(["openssl", "pkcs12", "-export", "-in", shared_world.path("one.pem"), "-out",
                    pfx, "-passout", "pass:secret"], check=True, stdin=subprocess.DEVNULL,
                   capture_output=True, timeout=60)
    shared_world.write("password", "secret\n")
    status, a = connect(request_port, cert=pfx,
                        password_file=shared_world.path("password"))
    assert status == 0
    has(a, "note", "TLS 1.2 and 1.3: with the certificate let in")


def test_a_path(shared_world):
    with shared_world.nginx("server { listen @TLS@ ssl; location / { return 200; } "
                            "location /staff/ { certauth staff; } }", "path") as n:
        status, a = connect("localhost:%d/staff/x" % n.port["TLS"], **cert(shared_world, "alice"))
        assert status == 0
        has(a, "note", "with the certificate: HTTP/1.1 404 Not Found")
        has(a, "note", "without a certificate refused: HTTP/1.1 400")


@pytest.mark.parametrize("words,error", [
    (["--connect", "localhost"], "expected HOST:PORT"),
    (["--connect", "localhost:1/a b"], "expected HOST:PORT"),
    (["--connect", "localhost:1", "--starttls", "http"], "expected imap"),
    (["--connect", "localhost:1", "--server", "nginx"], "other questions"),
    (["--connect", "localhost:1", "--key", "x"], "want --cert"),
    (["--cert", "x"], "want --connect"), (["--starttls", "imap"], "want --connect")])
def test_usage(words, error):
    r = subprocess.run([COMMAND, "check", *words], stdin=subprocess.DEVNULL, text=True,
                       capture_output=True, timeout=60)
    assert r.returncode == 2 and error in r.stderr and r.stdout == ""


def test_a_key_of_somebody_else(shared_world, request_port):
    status, error = connect(request_port, cert=shared_world.path("alice.pem"),
                            key=shared_world.path("bob.key"))
    assert status == 2 and "not the private key" in error
    status, error = connect(request_port, cert=shared_world.path("alice.pem"))
    assert status == 2 and "no private key" in error


# ------------------------------------------------------------------ bad servers


class Bad:
    """A listener; each connection is given to `serve`, until the end."""

    def __init__(self, serve):
        self.serve = serve
        self.open = []
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(20)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                s = self.listener.accept()[0]
            except OSError:
                return
            self.open.append(s)
            threading.Thread(target=self._one, args=(s,), daemon=True).start()

    def _one(self, s):
        try:
            self.serve(s)
        except OSError:
            pass

    def __enter__(self):
        """By address: at ::1 the same port may be somebody else's."""
        return "127.0.0.1:%d" % self.listener.getsockname()[1]

    def __exit__(self, *_):
        self.listener.close()
        for s in self.open:
            s.close()


def wrap(world, s):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(world.path("server.pem"), world.path("server.key"))
    return context.wrap_socket(s, server_side=True)


def test_nobody_there():
    status, error = connect(free_port())
    assert status == 2 and "refused" in error


def test_hostile_bytes(shared_world):
    def serve(s):
        t = wrap(shared_world, s)
        t.recv(1000)
        t.sendall(b"HTTP/1.1 200 \x1b[2J\x00\xff\r\n\r\n<b>\x1b]0;x\x07</b>\n")
        t.unwrap()
        t.close()
    with Bad(serve) as where:
        r = subprocess.run([COMMAND, "check", "--connect", where], text=False,
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    assert r.returncode == 1 and b"\x1b" not in r.stdout and b"\xff" not in r.stdout
    assert rb"HTTP/1.1 200 \x1b[2J?\xff" in r.stdout, r.stdout


def test_names_full_of_tricks(shared_world):
    """Names of CAs are a stranger's words, too."""
    evil = pki.CA("a\x1b[2J\nfault b")
    pki.write_pem(shared_world.path("evil.pem"), evil)
    with shared_world.nginx(STAFF % "certauth_names %s; " % shared_world.path("evil.pem"),
                            "evil") as n:
        r = subprocess.run([COMMAND, "check", "--connect", "localhost:%d" % n.port["TLS"]],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert r.returncode == 0 and "\x1b" not in r.stdout and "\nfault" not in r.stdout
    assert "name of a CA: CN=a" in r.stdout


def test_a_mail_server_that_is_slow(shared_world):
    """It speaks first, but after it was asked for a page: asked once more, as what it is."""
    slow = []

    def serve(s):
        t = wrap(shared_world, s)
        if not slow:
            slow.append(t.recv(1000))       # silent till somebody speaks
        t.sendall(b"* OK here\r\n")
        while True:
            line = t.recv(1000)
            if not line:
                return
            t.sendall(b"* CAPABILITY AUTH=EXTERNAL\r\n" + line.split()[0] + b" OK\r\n")
    with Bad(serve) as where:
        status, a = connect(where, **cert(shared_world, "alice"))
    assert slow[0].startswith(b"GET / ")
    has(a, "note", "TLS 1.2 and 1.3: without a certificate EXTERNAL is offered")
    has(a, "note", "TLS 1.2 and 1.3: with the certificate logged in: a3 OK")
    assert status == 1 and has(a, "fault", "asks for no certificate")


def test_a_server_without_end(shared_world):
    """More than anybody wants to hear: a ceiling, and no line is too long."""
    def serve(s):
        t = wrap(shared_world, s)
        t.recv(1000)
        t.sendall(b"HTTP/1.0 200 ok\r\n\r\n")
        while True:
            t.sendall(b"x" * 65536)
    with Bad(serve) as where:
        status, a = connect(where)
    assert status == 1
    has(a, "warning", "TLS 1.2 and 1.3: without a certificate there is a page")


def test_a_server_that_hangs():
    with Bad(lambda s: s.recv(1000)) as where:
            status, a = connect(where)
    assert status == 1 and len(a["visits"]) == 1        # and no more, each as long
    has(a, "fault", "no TLS")
    has(a, "note", "TLS 1.3: no handshake: no answer in time")


def test_a_server_that_never_begins():
    """HelloRequests before the handshake, without end: OpenSSL passes over each."""
    def serve(s):
        while True:
            s.sendall(b"\x16\x03\x03\x00\x04\0\0\0\0" * 5000)
    with Bad(serve) as where:
        status, a = connect(where)
    assert status == 1 and len(a["visits"]) == 1
    has(a, "note", "TLS 1.3: no handshake: no answer in time")


def test_a_server_that_asks_back_without_end():
    """Each answer to it gives it time anew, so there are few."""
    heard = []

    def serve(s):
        s.sendall(b"+OK\r\n")
        while True:
            got = s.recv(1000)
            if not got:
                return
            heard.append(got)
            s.sendall(b"+ \r\n")
    with Bad(serve) as where:
        status, error = connect(where, starttls="pop3")
    assert status == 2 and "STARTTLS is refused" in error
    assert heard[0] == b"STLS\r\n" and 1 < len(heard) < 10


def test_a_server_that_gives_up(shared_world):
    """Asks, and from the fourth connection on closes: that is no "fine"."""
    met = []

    def serve(s):
        met.append(s)
        if len(met) > 3:
            s.shutdown(socket.SHUT_RDWR)
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shared_world.path("server.pem"), shared_world.path("server.key"))
        context.load_verify_locations(shared_world.path("server.pem"))
        context.verify_mode = ssl.CERT_OPTIONAL
        t = context.wrap_socket(s, server_side=True)
        t.recv(1000)
        t.sendall(b"HTTP/1.0 403 no\r\n\r\n")
        t.unwrap()
    with Bad(serve) as where:
        status, a = connect(where, **cert(shared_world, "alice"))
    # closed or reset, as it happens: one line, or one for each version
    assert status == 1 and any("with the certificate there is no handshake" in t
                               for t in said(a, "fault")), a["lines"]


def test_old_tls_that_demands_a_certificate(shared_world):
    """It is spoken, though nobody without a certificate hears the end of it."""
    def serve(s):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(shared_world.path("server.pem"), shared_world.path("server.key"))
        context.load_verify_locations(shared_world.path("server.pem"))
        context.verify_mode = ssl.CERT_REQUIRED
        context.wrap_socket(s, server_side=True)
    with Bad(serve) as where:
        status, a = connect(where)
    has(a, "fault", "TLS 1.0 or 1.1 is spoken")
    assert status == 1
