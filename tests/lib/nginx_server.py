"""
nginx_server.py - a real nginx on 127.0.0.1, for tests and the demo.

    from nginx_server import Nginx
    with Nginx(folder, http='''
            certauth_config @FOLDER@/certauth.conf;
            server { listen @TLS@ ssl; certauth staff; ... }''',
            ports=("TLS", "PLAIN")) as n:
        n.port["TLS"]                   # free ports, chosen here
        n.wait_log("revoked")           # waits for a line of the error log
        n.reload()                      # True: new workers run; False: kept the old
        n.log(); n.access()             # error and access log as text

In every text @NAME@ of a port becomes 127.0.0.1:PORT and @FOLDER@ the folder.
`http` is the inside of http {}; `main` is put before it. `conf` replaces the whole
nginx.conf. `module`: path of the .so; default build/$FLAVOUR/ (test), False: none.

As root the master is root and the workers run as www-data (nobody where there is
none), as on a real machine, so the folder and what the workers read must be open
to them. As an ordinary user everything runs as that user.

Nginx.check() runs `nginx -t` and returns (exit status, what it said).
What is removed at the end: the processes, by the pid started here. The folder
stays; it belongs to the caller.
"""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time

from ports import children, free_ports, listens

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BINARY = "/usr/sbin/nginx"
# For what must come; a machine that stands still a while must not fail a test.
PATIENCE = 60.0
PARTS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
# For what comes at once, but not on a machine with much else to do.
PATIENCE = 60.0


def default_module():
    flavour = os.environ.get("FLAVOUR", "test")
    return os.path.join(ROOT, "build", flavour, "ngx_http_certauth_module.so")


def available(module=None):
    """None, or why no nginx with our module can run here."""
    for need in (BINARY, module or default_module()):
        if not os.path.exists(need):
            return need + " is missing"
    return None


def worker_user():
    for name in ("www-data", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


class Nginx:
    def __init__(self, folder, http="", main="", conf=None, ports=("TLS",), module=None,
                 workers=1, level="info", env=None):
        self.folder = str(folder)
        self.http, self.main, self.conf = http, main, conf
        self.module = default_module() if module is None else module
        self.nworkers, self.level = workers, level
        self.connections = 512
        self.env = dict(env or {})
        self.port = dict(zip(ports, free_ports(len(ports))))
        self.process = None
        self.conf_file = os.path.join(self.folder, "nginx.conf")
        self.log_file = os.path.join(self.folder, "error.log")
        self.access_file = os.path.join(self.folder, "access.log")

    # ------------------------------------------------------------------ life
    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.prepare()
        self.process = subprocess.Popen(
            self._command(), env=self._environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        end = time.monotonic() + PATIENCE
        for port in self._listening():
            while True:
                if self.process.poll() is not None:
                    said = self.process.stderr.read().decode(errors="replace")
                    self.stop()
                    raise RuntimeError("nginx did not start:\n%s%s" % (said, self.log()))
                try:
                    socket.create_connection(("127.0.0.1", port), PATIENCE).close()
                    break
                except OSError:
                    if time.monotonic() > end:
                        said = self.log()
                        self.stop()
                        raise RuntimeError("nginx does not listen on %d:\n%s" % (port, said))
                    time.sleep(0.02)
        return self

    def stop(self):
        p, self.process = self.process, None
        if p is None:
            return
        if p.poll() is None:
            p.send_signal(signal.SIGTERM)
            try:
                p.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                for child in children(p.pid):
                    os.kill(child, signal.SIGKILL)
                p.kill()
                p.wait()
        p.stderr.close()

    def reload(self, seconds=PATIENCE):
        """
        HUP. True when the new configuration is in force: workers of before no
        longer accept; False when nginx kept the old one.
        """
        before = set(self.workers())
        mark = len(self.log())
        self.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            now = set(self.workers())
            # The old ones are told to go a little after the new ones have begun.
            if len(now - before) >= self.nworkers and not any(listens(p) for p in before):
                return True
            if "[emerg]" in self.log()[mark:]:
                return False
            time.sleep(0.02)
        raise RuntimeError("no answer to a reload:\n" + self.log()[mark:])

    def workers(self):
        return children(self.process.pid)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    # ------------------------------------------------------------------ logs
    def log(self):
        return self._read(self.log_file)

    def access(self):
        return self._read(self.access_file)

    def clear_log(self):
        """What was logged till now, and an empty log from here on."""
        said = self.log()
        with open(self.log_file, "r+b") as f:
            f.truncate(0)
        return said

    def wait_log(self, text, seconds=PATIENCE):
        """The log as soon as it holds `text` (a string or a compiled pattern)."""
        end = time.monotonic() + seconds
        while True:
            said = self.log()
            if text.search(said) if isinstance(text, re.Pattern) else text in said:
                return said
            if time.monotonic() > end:
                raise AssertionError("no %r in the log:\n%s" % (text, said))
            time.sleep(0.02)

    # --------------------------------------------------------- configuration
    def check(self):
        """`nginx -t`: (exit status, what it said)."""
        self.prepare()
        p = subprocess.run(self._command() + ["-t"], env=self._environment(), check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        return p.returncode, p.stdout.decode(errors="replace")

    def prepare(self):
        """Writes folder and nginx.conf; call it before reload() after a change."""
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o755)
        for part in PARTS:
            os.makedirs(os.path.join(self.folder, "temp", part), exist_ok=True)
        if self.module:
            mine = os.path.join(self.folder, "ngx_http_certauth_module.so")
            if not os.path.exists(mine):
                # A copy: building anew must not change what is running.
                shutil.copy(self.module, mine)
        with open(self.conf_file, "w", encoding="utf-8") as f:
            f.write(self.fill(self.conf or self._configuration()))

    def fill(self, text):
        for name, port in self.port.items():
            text = text.replace("@%s@" % name, "127.0.0.1:%d" % port)
        return text.replace("@FOLDER@", self.folder)

    def _configuration(self):
        user = ""
        if os.geteuid() == 0 and worker_user():
            user = "user %s;\n" % worker_user().pw_name
        load = ""
        if self.module:
            load = "load_module @FOLDER@/ngx_http_certauth_module.so;\n"
        temp = "".join("    %s_temp_path @FOLDER@/temp/%s;\n" % (p, p) for p in PARTS)
        return (
            user + load + "daemon off;\n"
            "pid @FOLDER@/nginx.pid;\n"
            "lock_file @FOLDER@/nginx.lock;\n"
            "error_log @FOLDER@/error.log " + self.level + ";\n"
            "worker_processes %d;\n" % self.nworkers +
            "events { worker_connections %d; }\n" % self.connections + self.main +
            "http {\n" + temp +
            ("" if "access_log" in self.http else "    access_log @FOLDER@/access.log;\n") +
            self.http + "\n}\n")

    # --------------------------------------------------------------- inside
    def _command(self):
        return [BINARY, "-p", self.folder + "/", "-c", self.conf_file, "-e", self.log_file]

    def _environment(self):
        env = dict(os.environ)
        # A module with a sanitizer needs its runtime in front of nginx.
        if os.environ.get("NGINX_PRELOAD"):
            env["LD_PRELOAD"] = os.environ["NGINX_PRELOAD"]
        env.update(self.env)
        return env

    def _listening(self):
        text = self.fill(self.conf or self._configuration())
        return [p for p in self.port.values() if "127.0.0.1:%d" % p in text]

    @staticmethod
    def _read(path):
        try:
            with open(path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""
