"""
One machine: nginx, Apache and Dovecot under one policy, one refresher, one OCSP responder.

What is known to one process is known to all, and nobody asks the responder twice.
FLAVOUR names the build (default: test).
"""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
for folder in ("lib", "refresher", "hosts/dovecot"):
    sys.path.insert(0, os.path.join(ROOT, "tests", folder))

import dovecot_server  # noqa: E402
import nginx_server  # noqa: E402
import world as refresher  # noqa: E402
from apache_server import Apache, installed  # noqa: E402
from ask import ocsp_response  # noqa: E402
from mail_clients import authenticate, b64, connect  # noqa: E402
from world import Answer  # noqa: E402

FLAVOUR = os.environ.get("FLAVOUR", "test")
BUILD = os.path.join(ROOT, "build", FLAVOUR)
NEEDED = ["certauth-refresher", "ngx_http_certauth_module.so", "mod_certauth.so",
          "lib50_certauth_plugin.so"]
missing = [n for n in NEEDED if not os.path.exists(os.path.join(BUILD, n))]
pytestmark = pytest.mark.skipif(
    bool(missing) or not installed() or nginx_server.available() is not None
    or dovecot_server.available() is not None, reason="not built: %s" % missing)

TAKEN_UP = 2.0


class Machine:
    """The three servers; get(name) is a client's (status, did it enter as alice)."""

    def __init__(self, folder):
        self.w = w = refresher.World(folder)
        self.asked, self.revoked, self.delay = [], False, 0.1
        w.http.serve("/ocsp/", self.responder)
        w.http.serve("/ocsp", self.responder)
        with open(w.path("people.map"), "w", encoding="utf-8") as f:
            f.write("alice@example.com alice\nbob@example.com bob\n")
        self.bob = w.ca.leaf("Bob", email="bob@example.com")
        self.policy()
        for cert, name in ((w.alice, "alice"), (self.bob, "bob")):
            cert.write(w.folder, name, chain=[w.ca])
        w.root.server("localhost", "127.0.0.1").write(w.folder, "server")
        self.nginx = nginx_server.Nginx(w.path("nginx"), workers=2, ports=("TLS",), http="""
    certauth_config %s; ssl_certificate %s; ssl_certificate_key %s;
    ssl_protocols TLSv1.2 TLSv1.3;
    server { listen @TLS@ ssl; certauth p; return 200 "$certauth_user\n"; }
""" % (w.conf, w.path("server.pem"), w.path("server.key")))
        self.apache = Apache(folder=w.path("apache"), module="build/%s/mod_certauth.so" % FLAVOUR)
        self.apache_port = self.apache.port()
        self.apache.conf("""
StartServers 2
ServerLimit 2
# half of a child's threads may wait, and one child may get all forty clients of a test
ThreadLimit 128
ThreadsPerChild 128
MaxRequestWorkers 256
# with fewer spare ones httpd ends a child a second after its start, and hangs up on
# the connections it has kept
MinSpareThreads 1
MaxSpareThreads 256
Listen 127.0.0.1:%d
CertAuthConfig %s
<VirtualHost 127.0.0.1:%d>
    ServerName localhost
    SSLEngine on
    SSLCertificateFile %s
    SSLCertificateKeyFile %s
    CertAuthProfile p
    <Location />
        AuthType CertAuth
        Require user alice bob
    </Location>
</VirtualHost>
""" % (self.apache_port, w.conf, self.apache_port, w.path("server.pem"), w.path("server.key")))
        self.dovecot = dovecot_server.Dovecot(
            w.path("dovecot"), cert=w.path("server.pem"), key=w.path("server.key"),
            plugin=os.path.join(BUILD, "lib50_certauth_plugin.so"),
            environment={"CERTAUTH_CONF": w.conf, "CERTAUTH_PROFILE": "p"},
            passwords={"alice": "secret", "bob": "hush"})
        self.daemon, self.options = None, ()

    def policy(self, **more):
        more.setdefault("sources", ["ocsp"])
        self.w.policy(ocsp_url=self.w.http.base + "/ocsp", refresh="1s", profile="""
            denied = "denied"; deadline = "60s";
            identity = ( { name = "mail"; key = "{san.email}"; table = "people.map"; } );""",
                      **more)
        if not os.path.exists(self.w.path("denied")):
            self.deny("")

    def deny(self, text):
        with open(self.w.path("denied.part"), "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(self.w.path("denied.part"), self.w.path("denied"))

    def responder(self, request):
        self.asked.append(request)
        time.sleep(self.delay)
        status = "revoked" if self.revoked else "good"
        return Answer(ocsp_response(self.w.alice, self.w.ca, status, next_update="+1h"),
                      headers={"Content-Type": "application/ocsp-response"})

    def __enter__(self):
        self.daemon = self.w.start(*self.options)
        os.chmod(self.w.socket, 0o666)      # no group certauth here
        self.nginx.start()
        self.apache.start()
        self.dovecot.start()
        return self

    def __exit__(self, *_):
        for server in (self.dovecot, self.apache, self.nginx, self.w):
            getattr(server, "stop" if server is not self.w else "__exit__")()

    # ---------------------------------------------------------------- clients
    def context(self, who="alice"):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        ctx.load_cert_chain(self.w.path(who + ".pem"), self.w.path(who + ".key"))
        return ctx

    def web(self, port, ctx):
        s = socket.create_connection(("127.0.0.1", port), 60)
        return ctx.wrap_socket(s, server_hostname="localhost")

    @staticmethod
    def request(s, close=True):
        s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
                  % (b"Connection: close\r\n" if close else b""))
        data = b""
        while b"\r\n\r\n" not in data:
            more = s.recv(65536)
            if not more:
                break
            data += more
        return int(data.split()[1])

    def enters(self, server, who="alice"):
        if server == "dovecot":
            with connect("imap", self.dovecot, ctx=self.context(who)) as c:
                return authenticate(c, "imap", "EXTERNAL", b64(who)).ok
        port = self.nginx.port["TLS"] if server == "nginx" else self.apache_port
        with self.web(port, self.context(who)) as s:
            return self.request(s) == 200


@pytest.fixture
def machine():
    folder = tempfile.mkdtemp(prefix="certauth-m.")
    try:
        with Machine(folder) as m:
            yield m
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_two_hundred_connections_one_question(machine):
    """Of one client, at once, to all three servers and all their processes."""
    got, names = [], ["nginx"] * 80 + ["apache"] * 80 + ["dovecot"] * 40
    start = threading.Barrier(40)
    lock = threading.Lock()

    def client():
        start.wait()
        while True:
            with lock:
                if not names:
                    return
                name = names.pop(len(names) * 7919 % len(names) - len(names) // 3)
            try:
                got.append((name, machine.enters(name)))
            except OSError as e:
                got.append((name, e))
    threads = [threading.Thread(target=client) for _ in range(40)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [g for g in got if g[1] is not True] == []
    assert len(got) == 200
    assert len(machine.asked) == 1, [r.method for r in machine.asked]


def test_known_clients_need_no_refresher(machine):
    """One visit, anywhere; then nobody waits, and the refresher may be gone."""
    assert machine.enters("nginx")
    time.sleep(TAKEN_UP)
    machine.daemon.kill()
    machine.daemon.wait()
    for server in ("nginx", "apache", "dovecot") * 2:
        # not every worker may have taken up yet what was published; none waits a minute
        start = time.monotonic()
        refresher.until(lambda: machine.enters(server), 30)
        assert time.monotonic() - start < 30
    assert len(machine.asked) == 1
    # and nobody else is let in for it
    assert not any(machine.enters(server, "bob") for server in ("nginx", "apache", "dovecot"))


def test_a_revocation_reaches_all(machine):
    """A CRL that the refresher fetched: kept-alive connections end in two seconds."""
    w = machine.w
    url = w.http.serve("/ca.crl", w.crl([], 1))
    machine.policy(sources=["crl"], crl_urls=[url])
    w.stop(machine.daemon)
    machine.daemon = w.start()
    os.chmod(w.socket, 0o666)
    assert machine.nginx.reload()
    machine.apache.graceful()
    time.sleep(1)
    with machine.web(machine.nginx.port["TLS"], machine.context()) as n, \
            machine.web(machine.apache_port, machine.context()) as a:
        refresher.until(lambda: machine.request(n, False) == 200)
        refresher.until(lambda: machine.request(a, False) == 200)
        w.http.serve("/ca.crl", w.crl([w.alice], 2))
        refresher.until(lambda: w.show(w.alice) == "revoked")
        refresher.until(lambda: machine.request(n, False) == 400)
        refresher.until(lambda: machine.request(a, False) == 403)
    # a new connection may come to a worker whose poll is yet to come
    for server in ("nginx", "apache"):
        refresher.until(lambda: not machine.enters(server))
        assert machine.enters(server, "bob")


@pytest.mark.parametrize("what", ["user:alice", "mailbox:Alice@example.com", "cert"])
def test_who_is_denied_is_out_at_every_door(machine, what):
    """certauth deny: kept-alive connections and sessions end in two seconds; allow: in again."""
    w = machine.w
    if what == "cert":
        what = w.path("alice.pem")

    def command(*args):
        done = subprocess.run([os.path.join(BUILD, "certauth"), *args, "--config", w.conf],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    with machine.web(machine.nginx.port["TLS"], machine.context()) as n, \
            machine.web(machine.apache_port, machine.context()) as a:
        assert machine.request(n, False) == machine.request(a, False) == 200
        command("deny", what, "--reason", "left")
        end, inside = time.monotonic() + 60, [n, a]
        while inside:       # who is refused is not asked again
            assert time.monotonic() < end, len(inside)
            time.sleep(0.05)
            status = {s: machine.request(s, False) for s in inside}
            assert set(status.values()) <= {200, 403}, status
            inside = [s for s in inside if status[s] == 200]
        # a new connection may come to a worker whose poll is yet to come
        refresher.until(lambda: not any(machine.enters(s) for s in ("nginx", "apache", "dovecot")))
    command("allow", what)
    refresher.until(lambda: all(machine.enters(s) for s in ("nginx", "apache", "dovecot")))
