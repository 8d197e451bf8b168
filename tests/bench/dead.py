"""
dead.py - what do others feel at nginx and Apache while the OCSP responder is dead?

    title, rows = measure_web_dead("nginx", short)

One server, stock and with certauth. Clients whose status only the responder (stock) or
the refresher (certauth) could tell come one after the other and wait in vain; meanwhile
somebody who shows no certificate is served by another virtual host of the same workers.
Times are of whole connections and include the client, which is Python.
"""

import contextlib
import os
import shutil
import socket
import ssl
import statistics
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "lib")]

WAITING = 20
THREADS = 16        # of Apache's one child
# Stock nginx lets a client wait for 60 s; the short run does not wait for that.
PATIENCE = {True: 15, False: 65}


class Dead:
    """A responder that takes connections and never says a word."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(256)
        self.url = "http://127.0.0.1:%d/" % self.socket.getsockname()[1]


class World:
    def __init__(self, folder):
        import pki
        from ask import Ask
        self.folder = folder
        self.dead = Dead()
        self.root = pki.CA("Bench Root")
        self.ca = pki.CA("Bench CA", issuer=self.root)
        aia = ("1.3.6.1.5.5.7.1.1", False, pki.seq(pki.seq(
            pki.oid("1.3.6.1.5.5.7.48.1"), pki.tlv(0x86, self.dead.url.encode()))))
        self.people = [self.ca.leaf("p%d" % i, email="p%d@example.com" % i, extensions=[aia])
                       .write(folder, "p%d" % i, chain=[self.ca]) for i in range(WAITING)]
        self.cert = self.root.server("localhost", "127.0.0.1").write(folder, "server")
        pki.write_pem(self.path("root.pem"), self.root)
        pki.write_pem(self.path("both.pem"), self.root, self.ca)
        pki.write_pem(self.path("ca.pem"), self.ca)
        self.conf = self.path("certauth.conf")
        with open(self.conf, "w", encoding="ascii") as f:
            f.write("""version = 1; state = "state"; refresher = "sock";
authorities: { a: { anchors = [ "root.pem" ]; issuers = [ "ca.pem" ];
  revocation: { check = "leaf"; ocsp_url = "%s"; }; }; };
profiles: { p: { authorities = [ "a" ]; deadline = "2s"; }; };
""" % self.dead.url)
        os.makedirs(self.path("state"))
        self.ask = Ask(self.path("sock"), how="hang").start()

    def path(self, name):
        return os.path.join(self.folder, name)

    def stop(self):
        self.ask.stop()
        self.dead.socket.close()


def nginx(w, ours):
    import nginx_server
    wants = "certauth p;" if ours else """ssl_client_certificate %s; ssl_verify_client on;
        ssl_verify_depth 3; ssl_ocsp leaf;""" % w.path("both.pem")
    server = nginx_server.Nginx(
        w.path("ours" if ours else "stock"), ports=("TLS", "OPEN"),
        module=None if ours else False, http="""
    %s ssl_certificate %s; ssl_certificate_key %s; ssl_protocols TLSv1.2 TLSv1.3;
    server { listen @TLS@ ssl; %s return 200 "in\n"; }
    server { listen @OPEN@ ssl; return 200 "open\n"; }
""" % ("certauth_config %s;" % w.conf if ours else "", w.cert, w.cert[:-4] + ".key", wants))
    return server, lambda: (server.port["TLS"], server.port["OPEN"])


def apache(w, ours):
    from apache_server import Apache
    wants = "CertAuthProfile p" if ours else """SSLCACertificateFile %s
    SSLVerifyClient require
    SSLVerifyDepth 3
    SSLOCSPEnable leaf""" % w.path("both.pem")
    server = Apache(folder=w.path("ours" if ours else "stock"),
                    module="build/%s/mod_certauth.so" % os.environ["FLAVOUR"] if ours else "")
    ports = server.port(), server.port()
    host = """<VirtualHost 127.0.0.1:%d>
    ServerName localhost
    SSLEngine on
    SSLCertificateFile %s
    SSLCertificateKeyFile %s
    %s
</VirtualHost>
"""
    server.conf("""StartServers 1
ServerLimit 1
ThreadsPerChild %d
MaxRequestWorkers %d
Listen 127.0.0.1:%d
Listen 127.0.0.1:%d
%s
""" % (THREADS, THREADS, *ports, "CertAuthConfig %s" % w.conf if ours else "") +
                host % (ports[0], w.cert, w.cert[:-4] + ".key", wants) +
                host % (ports[1], w.cert, w.cert[:-4] + ".key", ""))
    return server, lambda: ports


def context(cert=None):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    if cert:
        ctx.load_cert_chain(cert, cert[:-4] + ".key")
    return ctx


def visit(port, ctx, patience):
    """(seconds, first line of the answer or why there is none)."""
    start = time.monotonic()
    line = b""
    try:
        with socket.create_connection(("127.0.0.1", port), patience) as raw:
            raw.settimeout(patience)
            with ctx.wrap_socket(raw, server_hostname="localhost") as s:
                s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                line = s.recv(4096).split(b"\r\n")[0]
    except OSError as e:
        line = str(e).encode()
    return time.monotonic() - start, line


def affected(port, cert, patience, over, times):
    ctx = context(cert)
    while not over.is_set():
        took, line = visit(port, ctx, patience)
        if b" 200" in line:
            raise RuntimeError("let in without an answer")
        if not over.is_set():
            times.append(took)
        over.wait(1)


def others(port, seconds):
    ctx, took, end = context(), [], time.monotonic() + seconds
    while time.monotonic() < end:
        t, line = visit(port, ctx, 30)
        if b" 200" not in line:
            raise RuntimeError("somebody who is not concerned was not served: %r" % line)
        took.append(1e6 * t)
        time.sleep(0.01)
    return took


def p99(values):
    worst = statistics.quantiles(values, n=100)[98] if len(values) > 1 else values[0]
    return "p99 %.1f ms of %d" % (min(worst, max(values)) / 1000, len(values))


def measure_web_dead(kind, short):
    folder = tempfile.mkdtemp(prefix="cabd.", dir="/tmp")
    os.chmod(folder, 0o755)
    make, rows, seconds = {"nginx": nginx, "apache": apache}[kind], [], 6 if short else 20
    with contextlib.ExitStack() as end:
        end.callback(shutil.rmtree, folder, ignore_errors=True)
        w = World(folder)
        end.callback(w.stop)
        for ours, name in ((False, "stock, OCSP of the leaf"), (True, "certauth")):
            server, ports = make(w, ours)
            server.start()
            try:
                port, open_port = ports()
                calm = others(open_port, seconds)
                over, own = threading.Event(), []
                threads = [threading.Thread(target=affected, daemon=True, args=(
                    port, cert, PATIENCE[short], over, own)) for cert in w.people]
                for t in threads:
                    t.start()
                time.sleep(0.5)
                beside = others(open_port, seconds)
                until = time.monotonic() + PATIENCE[short]
                while not own and time.monotonic() < until:
                    time.sleep(0.1)
                first = max(own) if own else None
                over.set()
            finally:
                server.stop()
            rows.append(("%s: somebody else" % name, calm, "us", None, "", p99(calm)))
            rows.append(("%s: somebody else, %d wait for a dead responder" % (name, WAITING),
                         beside, "us", calm, "nobody waits", p99(beside)))
            rows.append(("%s: who waits is answered after" % name,
                         [1e6 * (first or PATIENCE[short])], "us", None, "",
                         "longest" if first and first < PATIENCE[short]
                         else "then the client gave up"))
            for t in threads:
                t.join(PATIENCE[short] + 5)
    return {"nginx": "nginx, one worker", "apache": "Apache, one child of %d threads" % THREADS}[
        kind] + ", connections beside others that wait: time", rows
