"""
world.py - a policy folder, a refresher to run there, and an HTTP server that lies.

    with World(tmp_path) as w:              # root, issuing CA, alice, policy file
        url = w.http.serve("/a.crl", body)  # or a function(request) -> Answer
        w.policy(crl_urls=[url])
        w.run("--once")                     # CompletedProcess
        w.show(w.alice)                     # what the published index says
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

from pki import CA, write_pem  # noqa: E402

BUILD = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"))
REFRESHER = os.path.join(BUILD, "certauth-refresher")
CERTAUTH = os.path.join(BUILD, "certauth")


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body


class Answer:
    """status, headers, body; `raw`: exactly these bytes instead; `drip`: seconds between
    bytes; `cut`: the connection ends after so many bytes of the body; `hang`: seconds of
    silence first."""

    def __init__(self, body=b"", status=200, headers=(), raw=None, drip=0, cut=None, hang=0,
                 length=None):
        self.body, self.status, self.headers = body, status, dict(headers)
        self.raw, self.drip, self.cut, self.hang, self.length = raw, drip, cut, hang, length

    def head(self):
        length = len(self.body) if self.length is None else self.length
        lines = ["HTTP/1.1 %d Word" % self.status, "Content-Length: %d" % length,
                 "Connection: close"]
        lines += ["%s: %s" % i for i in self.headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Http:
    """Answers as told; remembers every request."""

    def __init__(self, host="127.0.0.1"):
        self.routes, self.requests, self.connections = {}, [], 0
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((host, 0))
        self.socket.listen(64)
        self.port = self.socket.getsockname()[1]
        self.base = "http://%s:%d" % ("[%s]" % host if ":" in host else host, self.port)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def serve(self, path, answer):
        if isinstance(answer, bytes):
            answer = Answer(answer)
        self.routes[path] = answer
        return self.base + path

    def asked(self, path=None):
        return [r for r in self.requests if path is None or r.path == path]

    def accept(self):
        while not self.ended.is_set():
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.talk, args=(conn,), daemon=True).start()

    def talk(self, conn):
        try:
            with conn:
                conn.settimeout(60)
                data = b""
                while b"\r\n\r\n" not in data:
                    more = conn.recv(65536)
                    if not more:
                        return
                    data += more
                head, body = data.split(b"\r\n\r\n", 1)
                lines = head.decode("latin-1").split("\r\n")
                method, path, _ = lines[0].split(" ", 2)
                headers = {k.strip().lower(): v.strip()
                           for k, v in (line.split(":", 1) for line in lines[1:])}
                while len(body) < int(headers.get("content-length", 0)):
                    body += conn.recv(65536)
                request = Request(method, path, headers, body)
                self.requests.append(request)
                answer = self.routes.get(path)
                if answer is None:          # the longest folder that is served
                    for key in sorted(self.routes, key=len, reverse=True):
                        if key.endswith("/") and path.startswith(key):
                            answer = self.routes[key]
                            break
                if callable(answer):
                    answer = answer(request)
                self.write(conn, answer or Answer(b"no", 404))
        except OSError:
            pass

    def write(self, conn, answer):
        if answer.hang and self.ended.wait(answer.hang):
            return
        data = answer.raw if answer.raw is not None else answer.head() + answer.body
        if answer.cut is not None:
            data = answer.head() + answer.body[:answer.cut]
        if not answer.drip:
            conn.sendall(data)
            return
        for i in range(len(data)):
            conn.sendall(data[i:i + 1])
            if self.ended.wait(answer.drip):
                return

    def close(self):
        self.ended.set()
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


class World:
    def __init__(self, folder, **ca):
        self.folder = str(folder)
        os.chmod(self.folder, 0o755)
        self.state = os.path.join(self.folder, "state")
        self.socket = os.path.join(self.folder, "r.sock")
        self.conf = os.path.join(self.folder, "certauth.conf")
        self.http = Http()
        self.root = CA("Test Root")
        self.ca = CA("Test Issuing CA", issuer=self.root, **ca)
        self.alice = self.ca.leaf("Alice", email="alice@example.com")
        self.daemons = []
        self.write_cas()
        self.policy()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in self.daemons:
            if p.poll() is None:
                p.kill()
            p.wait()
        self.http.close()

    def path(self, name):
        return os.path.join(self.folder, name)

    def write_cas(self):
        write_pem(self.path("root.pem"), self.root)
        write_pem(self.path("ca.pem"), self.ca)

    def policy(self, crl_urls=None, authority="", top="", profile="", **revocation):
        def value(v):
            if isinstance(v, bool):
                return "true" if v else "false"
            if isinstance(v, (list, tuple)):
                return "[ %s ]" % ", ".join('"%s"' % i for i in v)
            return '"%s"' % v
        revocation.setdefault("check", "leaf")
        if crl_urls:
            revocation["crl_urls"] = crl_urls
        if "deadline" not in profile:       # whoever asks is to get the answer
            profile += 'deadline = "60s";'
        text = 'version = 1; state = "state"; refresher = "r.sock"; %s\n' \
            'authorities: { test: { anchors = [ "root.pem" ]; intermediates = [ "ca.pem" ];\n' \
            'revocation: { %s };\n%s }; };\n' \
            'profiles: { p: { authorities = [ "test" ]; purposes = [ "any" ]; %s }; };\n' % (
                top, " ".join("%s = %s;" % (k, value(v)) for k, v in revocation.items()),
                authority, profile)
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(text)

    def crl(self, revoked=(), number=1, **more):
        return self.ca.crl(revoked, number, **more).der

    def run(self, *args, seconds=60, **env):
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        environment.update(env)
        return subprocess.run([REFRESHER, "--config", self.conf, *args], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=seconds, env=environment, check=False)

    def once(self, status=0, **env):
        p = self.run("--once", **env)
        assert p.returncode == status, p.stdout
        return p.stdout

    def start(self, *args, **env):
        """The daemon; returns when it is there."""
        log = open(self.path("log"), "ab")
        p = subprocess.Popen([REFRESHER, "--config", self.conf, "--foreground", *args],
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                             env=dict(os.environ, **env))
        log.close()
        self.daemons.append(p)
        until(lambda: self.listens() or p.poll() is not None)
        return p

    def listens(self):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(self.socket) == 0

    def log(self):
        with open(self.path("log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop(self, p, sig=signal.SIGTERM):
        p.send_signal(sig)
        return p.wait(60)

    def command(self, *args, status=None):
        p = subprocess.run([CERTAUTH, "--config", self.conf, *args], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           timeout=60, check=False)
        if status is not None:
            assert p.returncode == status, p.stdout + p.stderr
        return p

    def verdict(self, name="alice"):
        """From what is published: at a given time the command asks nobody."""
        return json.loads(self.command("verify", "--json", "--profile", "p", "--time", "@%d" %
                                       time.time(), self.path(name + ".pem")).stdout)

    def show(self, cert, issuer=None):
        issuer = issuer or self.ca
        write_pem(self.path("issuer.pem"), issuer)
        p = subprocess.run([CERTAUTH, "show", "--json", "--index", self.state, "--issuer",
                            self.path("issuer.pem"), "--serial", "%X" % cert.serial
                            if len("%X" % cert.serial) % 2 == 0 else "0%X" % cert.serial],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           timeout=60, check=False)
        return json.loads(p.stdout)["status"] if p.returncode == 0 else p.stderr.strip()

    def status(self):
        with open(os.path.join(self.state, "status.json"), encoding="utf-8") as f:
            return json.load(f)

    def source(self, url=None):
        rows = [s for s in self.status()["sources"] if url is None or s["url"] == url]
        assert len(rows) == 1, self.status()
        return rows[0]

    def spool(self, folder="crl"):
        where = os.path.join(self.state, "spool", folder)
        return sorted(os.listdir(where)) if os.path.isdir(where) else []


def until(fn, seconds=60):
    """Waits for it to be true; returns it."""
    end = time.monotonic() + seconds
    while True:
        value = fn()
        if value:
            return value
        assert time.monotonic() < end, "waited %d s in vain" % seconds
        time.sleep(0.02)
