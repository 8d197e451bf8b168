"""
nginx_world.py - a PKI, a policy file and clients for the tests of the nginx module.

World: certificates of people by name, the policy around them, and how to change
CRLs, maps, denied file and clock under a running server. Client: one person's
browser; it keeps its session, as browsers do. Conn: one TLS connection.
"""

import base64
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

import pki                              # noqa: E402
from alert import sendall               # noqa: E402
from nginx_server import PATIENCE, Nginx        # noqa: E402,F401

TAKEN_UP = 2.5      # seconds after which new data are taken up, for what must not change
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = [V12, V13]
P1 = "1.3.6.1.4.1.99999.1"

# $-variables as a line of text, to be read with Response.vars.
VARS = " ".join("%s=[$%s]" % (v, v) for v in (
    "certauth_verdict", "certauth_reason", "certauth_user", "certauth_groups",
    "certauth_email", "certauth_serial", "certauth_issuer", "certauth_subject",
    "certauth_fingerprint", "certauth_policies", "certauth_days_left", "certauth_renewal",
    "certauth_profile", "certauth_id", "certauth_message", "remote_user",
    "ssl_client_verify"))


class World:
    def __init__(self, folder):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o755)
        self.root = pki.CA("Test Root")
        self.ca = pki.CA("Test Issuing CA", issuer=self.root, policies=["anyPolicy"])
        self.other_root = pki.CA("Other Root")
        self.other = pki.CA("Other CA", issuer=self.other_root)
        self.unlisted = pki.CA("Unlisted CA", issuer=self.root)
        self.stranger = pki.CA("Stranger Root")
        self.certs = {}
        for name in ("alice", "bob", "rita"):
            self.add(name, policies=[P1] if name == "alice" else None)
        self.add("carol", not_before="-30d", not_after="-1d")           # expired
        self.add("dave", email="dave@elsewhere.example")                # nobody here
        self.add("erin")                                                # denied
        self.add("frank", eku=["emailProtection"])                      # not for clients
        self.add("gina", self.other)                                    # of the other CA
        self.add("hugo", self.unlisted)
        self.add("mallory", self.stranger)
        self.server = self.root.server("localhost", "127.0.0.1", "*.test")
        self.server.write(self.folder, "server")
        pki.write_pem(self.path("root.pem"), self.root)
        pki.write_pem(self.path("issuers.pem"), self.ca)
        pki.write_pem(self.path("other-root.pem"), self.other_root)
        pki.write_pem(self.path("other-issuers.pem"), self.other)
        self.number = 0
        os.makedirs(self.path("crls"))
        self.write("denied", "user:erin\n")
        self.write("people.map", "".join(
            "%s@example.com %s %s\n" % (p, p, "staff,ops" if p == "alice" else "staff")
            for p in self.certs))
        self.write("admins.map", "alice alice\n")
        self.write("clock", "")
        self.revoke("rita")
        self.write("certauth.conf", self.policy())

    def path(self, name):
        return os.path.join(self.folder, name)

    def add(self, name, ca=None, chain=None, email=None, **more):
        ca = ca or self.ca
        cert = ca.leaf(name.capitalize(), email=email or name + "@example.com", **more)
        cert.write(self.folder, name, chain=[ca] if chain is None else chain)
        self.certs[name] = cert
        return cert

    def write(self, name, text):
        """A new file in place of the old one, as an administrator should."""
        with open(self.path(name) + ".part", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(self.path(name) + ".part", self.path(name))

    def revoke(self, *names, cas=()):
        """New CRLs of all CAs that list these people (and these CAs)."""
        self.number += 1
        mine = [self.certs[n] for n in names]
        self.ca.crl([c for c in mine if c.issuer is self.ca] or [],
                    number=self.number).write(self.path("crls/ca.crl"))
        for ca, file in ((self.root, "root"), (self.other_root, "other-root"),
                         (self.other, "other"), (self.unlisted, "unlisted")):
            ca.crl([c for c in mine + list(cas) if c.issuer is ca and ca is not self.ca],
                   number=self.number).write(self.path("crls/%s.crl" % file))

    def clock(self, t=None):
        """Test builds: the time of the core, or the clock again."""
        self.write("clock", "" if t is None else "@%d\n" % int(pki.when(t).timestamp()))

    def policy(self, extra="", staff="", clock=False, profiles=""):
        f = self.folder
        return """version = 1;
log: { limit = 0; };        # the tests look for the line of each refusal
state = "%s/state";
%s
authorities: {
  main: { anchors = [ "%s/root.pem" ]; issuers = [ "%s/issuers.pem" ];
          revocation: { check = "chain"; crls = [ "%s/crls" ]; }; };
  other: { anchors = [ "%s/other-root.pem" ]; intermediates = [ "%s/other-issuers.pem" ];
          revocation: { check = "chain"; crls = [ "%s/crls" ]; }; };
};
profiles: {
  staff: { authorities = [ "main" ]; denied = "%s/denied"; %s
    identity = ( { name = "mailbox"; when = "san.email.domain in example.com";
                   key = "{san.email|lower}"; table = "%s/people.map"; } ); };
  admin: { base = "staff";
    identity = ( { name = "admins"; user = "{san.email|local}";
                   must_exist = "%s/admins.map"; } ); };
  other: { authorities = [ "other" ];
    identity = ( { name = "mailbox"; user = "{san.email|local}"; } ); };
  any: { authorities = [ "main" ]; };
  quality: { base = "staff"; policies = [ "%s" ]; };
  %s
};
""" % (f, ('test_clock = "%s/clock";' % f if clock else "") + extra, f, f, f, f, f, f, f,
            staff, f, f, P1, profiles)

    def http(self, text):
        """What every configuration of these tests has in common, and `text`."""
        return """
    certauth_config %s;
    ssl_certificate %s; ssl_certificate_key %s;
    ssl_protocols TLSv1.2 TLSv1.3;
    log_format test '$status user=$remote_user v=$certauth_verdict r=$certauth_reason';
    access_log @FOLDER@/access.log test;
    default_type text/plain;
""" % (self.path("certauth.conf"), self.path("server.pem"), self.path("server.key")) + text

    def nginx(self, text, sub="nginx", **more):
        more.setdefault("ports", ("TLS", "PLAIN"))
        return Nginx(self.path(sub), http=self.http(text), **more)


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def vars(self):
        return dict(re.findall(r"(\w+)=\[(.*?)\]", self.body))

    def __repr__(self):
        return "<%d %r>" % (self.status, self.body[:200])


class Alert(Exception):
    """The server ended the handshake; the text is OpenSSL's name of the alert."""


class Conn:
    """One connection; request() as often as wanted."""

    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.sock.close()

    @property
    def reused(self):
        return self.sock.session_reused

    def request(self, path="/", host="a.test", headers=(), method="GET", version="1.1"):
        lines = ["%s %s HTTP/%s" % (method, path, version)]
        if host is not None:
            lines.append("Host: " + host)
        lines += ["%s: %s" % h for h in headers]
        try:
            sendall(self.sock, ("\r\n".join(lines) + "\r\n\r\n").encode())
            return self.response(method)
        except (ssl.SSLError, ConnectionError) as e:
            raise Alert(getattr(e, "reason", None) or str(e)) from e

    def response(self, method="GET"):
        line = self.file.readline().decode()
        if not line:
            raise EOFError("closed")
        status, headers = int(line.split()[1]), {}
        while True:
            h = self.file.readline().decode().rstrip("\r\n")
            if not h:
                break
            k, _, v = h.partition(":")
            headers[k.lower()] = v.strip()
        body = b""
        if method != "HEAD":
            if headers.get("transfer-encoding") == "chunked":
                while True:
                    n = int(self.file.readline(), 16)
                    body += self.file.read(n)
                    self.file.readline()
                    if n == 0:
                        break
            elif "content-length" in headers:
                body = self.file.read(int(headers["content-length"]))
            elif status not in (204, 304):
                body = self.file.read()
        return Response(status, headers, body.decode(errors="replace"))


class Client:
    """One person's program. `who` None: it has no certificate."""

    def __init__(self, world, who=None, tls=V13, chain=True):
        self.world, self.who = world, who
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.minimum_version = self.context.maximum_version = tls
        if who is not None:
            file = world.path(who + ".pem")
            if not chain:
                file = pki.write_pem(world.path(who + "-alone.pem"), world.certs[who])
            self.context.load_cert_chain(file, world.path(who + ".key"))
        self.session = None

    def connect(self, port, sni="a.test", resume=False, session=None):
        raw = socket.create_connection(("127.0.0.1", port), PATIENCE)
        if resume:
            session = session or self.session
            assert session is not None, "no session to resume"
        try:
            return Conn(self.context.wrap_socket(raw, server_hostname=sni, session=session))
        except (ssl.SSLError, ConnectionError) as e:
            raw.close()
            raise Alert(getattr(e, "reason", None) or str(e)) from e

    def get(self, port, path="/", sni="a.test", host=None, resume=False, headers=(), **more):
        """One request on one connection; its session is kept in self.session."""
        with self.connect(port, sni, resume) as c:
            r = c.request(path, host or sni or "127.0.0.1", headers, **more)
            self.session = c.sock.session
            r.reused = c.reused
            return r


def plain(port, path="/", host="a.test", headers=()):
    with Conn(socket.create_connection(("127.0.0.1", port), PATIENCE)) as c:
        return c.request(path, host, headers)


def basic(user, password):
    return ("Authorization",
            "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode())


def proxy(port, first):
    """
    A port that leads one connection to `port`. `first(client, server)` sends what
    it likes of the client's first bytes; the rest, and all that the server says,
    flows after that.
    """
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)

    def pump(a, b):
        try:
            while True:
                data = a.recv(65536)
                if not data:
                    break
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def serve():
        client = listener.accept()[0]
        server = socket.create_connection(("127.0.0.1", port))
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        first(client, server)
        threading.Thread(target=pump, args=(server, client), daemon=True).start()
        pump(client, server)
    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def htpasswd(path, **people):
    with open(path, "w", encoding="ascii") as f:
        for user, password in people.items():
            f.write("%s:{PLAIN}%s\n" % (user, password))


def until(what, seconds=PATIENCE):
    """Asks again until `what()` is true; its last answer."""
    end = time.monotonic() + seconds
    while True:
        said = what()
        if said or time.monotonic() > end:
            return said
        time.sleep(0.02)


def run(*command, data=b"", seconds=2 * PATIENCE):
    p = subprocess.run(command, input=data, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=seconds, check=False)
    return p.stdout.decode(errors="replace")


def curl(world, port, path="/", who=None, sni="a.test", *more):
    args = ["curl", "-sk", "--max-time", "%d" % PATIENCE, "--resolve", "%s:%d:127.0.0.1" % (sni, port)]
    if who:
        args += ["--cert", world.path(who + ".pem"), "--key", world.path(who + ".key")]
    paths = [path] if isinstance(path, str) else path
    return run(*args, *more, *["https://%s:%d%s" % (sni, port, p) for p in paths])
