"""
apache_world.py - what the Apache tests share: a PKI and the policy folder around it
(World), a server that uses them (Site), and clients that tell what they saw.

FLAVOUR names the build (default: test); CERTAUTH_APACHE_MODULE another module file;
CERTAUTH_APACHE_MPM runs all of it under worker or prefork; CERTAUTH_APACHE_PRELOAD
names a sanitizer's runtime to load into httpd first.
"""

import base64
import os
import re
import socket
import ssl
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

import pki  # noqa: E402
from alert import sendall  # noqa: E402
from apache_server import PATIENCE, Apache  # noqa: E402

MODULE = os.environ.get("CERTAUTH_APACHE_MODULE", "build/%s/mod_certauth.so"
                        % os.environ.get("FLAVOUR", "test"))
MPM = os.environ.get("CERTAUTH_APACHE_MPM", "event")
P1, P2 = "1.3.6.1.4.1.99999.1", "1.3.6.1.4.1.99999.2"


class World:
    """A PKI, the policy folder around it, and how to change both while running."""

    def __init__(self, folder):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o755)
        self.root = pki.CA("Test Root")
        self.ca = pki.CA("Test Issuing CA", issuer=self.root, policies=["anyPolicy"])
        self.other_root = pki.CA("Other Root")
        self.other = pki.CA("Other CA", issuer=self.other_root)
        self.stranger = pki.CA("Stranger Root")
        self.unlisted = pki.CA("Unlisted CA", issuer=self.root)
        self.people = {}
        self.add("alice", email="alice@example.com", upn="alice@corp.example",
                 uri="urn:person:alice", dns="Alice.Example.COM", policies=[P1])
        self.add("bob", email="bob@example.com", policies=[P2])
        self.add("revoked", email="revoked@example.com")
        self.add("held", email="held@example.com")
        self.add("later", email="later@example.com")      # revoked while it is connected
        self.add("denied", email="denied@example.com")
        self.add("unmapped", email="nobody@example.com")
        self.add("expired", email="alice@example.com", not_before="-30d", not_after="-1d")
        self.add("purpose", email="alice@example.com", eku=["serverAuth"])
        self.add("brief", email="brief@example.com", not_after="+20d")
        self.add("carol", issuer=self.other, email="carol@other.example")
        self.add("mallory", issuer=self.stranger, email="alice@example.com")
        self.add("newca", issuer=self.unlisted, email="alice@example.com")
        srv = self.root.server("localhost", "a.test", "b.test", "c.test", "*.wild.test",
                               "127.0.0.1")
        srv.write(self.folder, "server")
        self.server_ca = self.path("server-ca.pem")
        pki.write_pem(self.server_ca, self.root)
        pki.write_pem(self.path("root.pem"), self.root)
        pki.write_pem(self.path("issuing.pem"), self.ca)
        pki.write_pem(self.path("other-root.pem"), self.other_root)
        pki.write_pem(self.path("other.pem"), self.other)
        self.number = 1
        self.revoked = [self.people["revoked"], (self.people["held"], "-1h", "certificateHold")]
        self.crls()
        self.root.crl([]).write(self.path("root.crl"))
        self.other.crl([]).write(self.path("other.crl"))
        self.other_root.crl([]).write(self.path("other-root.crl"))
        self.unlisted.crl([]).write(self.path("unlisted.crl"))
        self.text("users.map", "alice@example.com alice staff,admins\n"
                  "bob@example.com bob staff\nlater@example.com later staff\n"
                  "brief@example.com brief staff\nrevoked@example.com revoked\n"
                  "held@example.com held\ndenied@example.com denied\n"
                  "carol@other.example carol guests\n")
        self.text("denied.txt", "user:denied reason=left\n")
        self.clock_file = self.path("clock")
        self.policy()

    def path(self, name):
        return os.path.join(self.folder, name)

    def add(self, name, issuer=None, **more):
        self.people[name] = (issuer or self.ca).leaf(name.title(), **more)
        self.people[name].write(self.folder, name)

    def text(self, name, text, mode=0o644):
        """In one step, as a careful administrator does."""
        path = self.path(name)
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)
        return path

    def crls(self):
        self.ca.crl(self.revoked, number=self.number).write(self.path("issuing.crl.new"))
        os.rename(self.path("issuing.crl.new"), self.path("issuing.crl"))
        self.number += 1

    def revoke(self, name):
        self.revoked.append(self.people[name])
        self.crls()

    def unrevoke(self, name):
        self.revoked = [r for r in self.revoked if r is not self.people[name]]
        self.crls()

    def clock(self, text):
        """test_clock: RFC 3339 or @epoch; None: the real one."""
        self.text("clock", text if text else "@%d" % time.time())

    def policy(self, extra="", clock=False, name="certauth.conf", profiles=""):
        return self.text(name, '''version = 1;
log: { limit = 0; };        # the tests look for the line of each refusal
state = "%(folder)s/state";
%(clock)s
authorities: {
  staff-ca: {
    anchors = [ "root.pem" ];  issuers = [ "issuing.pem" ];
    revocation: { check = "chain"; crls = [ "issuing.crl", "root.crl", "unlisted.crl" ]; };
  };
  other-ca: {
    anchors = [ "other-root.pem" ];  issuers = [ "other.pem" ];
    revocation: { check = "chain"; crls = [ "other.crl", "other-root.crl" ]; };
  };
};
profiles: {
  staff: {
    authorities = [ "staff-ca" ];  denied = "denied.txt";
    identity = ( { name = "mailbox"; key = "{san.email|lower}"; table = "users.map"; } );
  };
  same: { base = "staff"; };
  first: { base = "staff"; policies = [ "%(P1)s" ]; };
  guests: {
    authorities = [ "other-ca" ];
    identity = ( { name = "mailbox"; key = "{san.email|lower}"; table = "users.map"; } );
  };
  anyone: { authorities = [ "staff-ca", "other-ca" ]; };
%(profiles)s
};
%(extra)s
''' % {"folder": self.folder, "P1": P1, "extra": extra, "profiles": profiles,
            "clock": 'test_clock = "%s";' % self.clock_file if clock else ""})


class Answer:
    def __init__(self, status, headers, body, resumed=None, version=None):
        self.status, self.headers, self.body = status, headers, body
        self.resumed, self.version = resumed, version

    def __repr__(self):
        return "<%s %r %r>" % (self.status, self.headers, self.body[:200])

    @property
    def env(self):
        """What env.cgi printed."""
        return dict(line.split("=", 1) for line in self.body.splitlines() if "=" in line)


class Refused(Exception):
    """The TLS handshake, or the connection, was refused."""


class Connection:
    """One TLS (or plain) connection that asks HTTP/1.1 requests, by hand."""

    def __init__(self, port, context=None, sni="localhost", session=None):
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.tls = None
        if context is not None:
            try:
                self.sock = context.wrap_socket(self.sock, server_hostname=sni, session=session)
            except (ssl.SSLError, ConnectionError) as e:
                self.sock.close()
                raise Refused(str(e)) from e
            self.tls = self.sock
        self.file = self.sock.makefile("rb")

    def get(self, path="/", host="localhost", headers=(), method="GET"):
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: " + host] + list(headers)
        try:
            sendall(self.sock, ("\r\n".join(lines) + "\r\n\r\n").encode())
            return self.read(method)
        except (ssl.SSLError, ConnectionError) as e:
            raise Refused(str(e)) from e

    def read(self, method="GET"):
        first = self.file.readline()
        if not first:
            raise Refused("closed without an answer")
        status = int(first.split()[1])
        headers = {}
        while True:
            line = self.file.readline().strip()
            if not line:
                break
            k, _, v = line.decode("latin-1").partition(":")
            headers[k.strip().lower()] = v.strip()
        body = b""
        if method == "HEAD" or status in (204, 304):
            pass
        elif headers.get("transfer-encoding", "") == "chunked":
            while True:
                n = int(self.file.readline().split(b";")[0], 16)
                body += self.file.read(n)
                self.file.readline()
                if n == 0:
                    break
        else:
            body = self.file.read(int(headers.get("content-length", 0)))
        return Answer(status, headers, body.decode("utf-8", "replace"),
                      self.tls.session_reused if self.tls else None,
                      self.tls.version() if self.tls else None)

    @property
    def session(self):
        return self.tls.session

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()


class Site(Apache):
    """A server on one TLS port, with the PKI's certificate and a few helpers."""

    def __init__(self, world, folder, **more):
        super().__init__(folder=str(folder), module=MODULE, mpm=more.pop("mpm", MPM),
                         preload=os.environ.get("CERTAUTH_APACHE_PRELOAD"), **more)
        self.world = world
        self.tls_port, self.plain_port = self.port(), self.port()
        self.write("cgi-bin/env.cgi", "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
                   "env\n", 0o755)

    def main(self, extra=""):
        return '''
Listen 127.0.0.1:%(tls)d
Listen 127.0.0.1:%(plain)d
CertAuthConfig %(folder)s/certauth.conf
Protocols h2 http/1.1
ScriptAlias /cgi-bin/ %(dir)s/cgi-bin/
<Directory %(dir)s/cgi-bin>
    Require all granted
</Directory>
LogFormat "%%r|%%>s|%%u|%%{CERTAUTH_VERDICT}e|%%{CERTAUTH_REASON}e|%%{CERTAUTH_USER}e|%%{CERTAUTH_ID}e" ca
CustomLog %(dir)s/logs/access.log ca
%(extra)s
''' % {"tls": self.tls_port, "plain": self.plain_port, "folder": self.world.folder,
            "dir": self.folder, "extra": extra}

    def vhost(self, body, name="localhost", ssl=True):
        return '''
<VirtualHost 127.0.0.1:%d>
    ServerName %s
    %s
    %s
</VirtualHost>
''' % (self.tls_port if ssl else self.plain_port, name, '''SSLEngine on
    SSLCertificateFile %(f)s/server.pem
    SSLCertificateKeyFile %(f)s/server.key''' % {"f": self.world.folder} if ssl else "", body)

    def run(self, *parts, main=""):
        self.conf(self.main(main) + "".join(parts))
        return self.start()

    # ------------------------------------------------------------------ clients

    def context(self, who=None, tls=None, chain=False, alpn=None):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.load_verify_locations(self.world.server_ca)
        ctx.check_hostname = False
        if who:
            ctx.load_cert_chain(self.world.path(who + ".pem"), self.world.path(who + ".key"))
        if tls == "1.2":
            ctx.maximum_version = ssl.TLSVersion.TLSv1_2
        elif tls == "1.3":
            ctx.minimum_version = ssl.TLSVersion.TLSv1_3
        if alpn:
            ctx.set_alpn_protocols(alpn)
        return ctx

    def connect(self, who=None, tls=None, sni="localhost", session=None, context=None):
        return Connection(self.tls_port, context or self.context(who, tls), sni, session)

    def get(self, path="/", who=None, host="localhost", sni=None, headers=(), tls=None):
        with self.connect(who, tls, sni or host) as c:
            return c.get(path, host, headers)

    def plain(self, path="/", host="localhost"):
        with Connection(self.plain_port) as c:
            return c.get(path, host)

    def curl(self, path="/", who=None, *options, host="localhost"):
        """(status, body) through the real curl; status 0: no HTTP answer."""
        argv = ["curl", "-s", "-o", "-", "-w", "\n%{http_code} %{http_version}",
                "--cacert", self.world.server_ca,
                "--resolve", "%s:%d:127.0.0.1" % (host, self.tls_port), *options]
        if who:
            argv += ["--cert", self.world.path(who + ".pem"), "--key",
                     self.world.path(who + ".key")]
        argv.append("https://%s:%d%s" % (host, self.tls_port, path))
        p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        body, _, last = p.stdout.decode("utf-8", "replace").rpartition("\n")
        status, version = last.split()
        return int(status), body, version

    def s_client(self, who=None, *options):
        """All that openssl s_client prints for one request."""
        argv = ["openssl", "s_client", "-connect", "127.0.0.1:%d" % self.tls_port,
                "-servername", "localhost", "-CAfile", self.world.server_ca, *options]
        if who:
            argv += ["-cert", self.world.path(who + ".pem"), "-key",
                     self.world.path(who + ".key")]
        p = subprocess.run(argv, input=b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n",
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        return p.stdout.decode("utf-8", "replace")

    def access_log(self):
        with open(self.path("logs/access.log"), encoding="utf-8") as f:
            return f.read()

    def wait_access(self, text, seconds=PATIENCE):
        """httpd writes the line after the client has its answer."""
        return self.eventually(lambda: text in self.access_log(), True, seconds)

    def eventually(self, ask, want, seconds=PATIENCE):
        """Asks until `ask()` gives `want`; the last answer."""
        deadline = time.monotonic() + seconds
        while True:
            got = ask()
            if got == want or time.monotonic() > deadline:
                return got
            time.sleep(0.02)


def basic(user, password):
    return "Authorization: Basic " + base64.b64encode(
        ("%s:%s" % (user, password)).encode()).decode()
