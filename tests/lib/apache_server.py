"""
apache_server.py - starts the machine's real apache2 in a folder of its own.

    from apache_server import Apache
    with Apache(module="build/test/mod_certauth.so") as httpd:
        port = httpd.port()                       # a free one on 127.0.0.1
        httpd.conf(f'''
            Listen 127.0.0.1:{port}
            CertAuthConfig {policy}
            <VirtualHost 127.0.0.1:{port}>
                ServerName localhost
                SSLEngine on
                SSLCertificateFile {cert}
                SSLCertificateKeyFile {key}
                CertAuthProfile staff
            </VirtualHost>''')
        httpd.start()                             # raises ApacheError with the log
        ...                                       # httpd.docroot, httpd.error_log()
        httpd.graceful(); httpd.configtest()      # (exit status, output)

Started as root it runs its children as www-data, otherwise everything as the user.
Nothing outside the folder is read or written but the modules of the package.
`module` is relative to the repository; "" loads none; default build/test's.
`mpm` is event, worker or prefork; `modules` are names without mod_; `sanitize` names
a runtime (libasan.so) to preload. Needs only the standard library.
"""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from ports import children, free_port, listens

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = "/usr/sbin/apache2"
MODULES_DIR = "/usr/lib/apache2/modules"
# For what must come; a machine that stands still a while must not fail a test.
PATIENCE = 60

MODULES = [
    "authn_core", "authn_file", "authz_core", "authz_user", "authz_host",
    "authz_groupfile", "access_compat", "auth_basic", "alias", "dir", "mime", "env",
    "setenvif", "headers", "rewrite", "socache_shmcb", "ssl", "http2",
    "include", "actions",
]


class ApacheError(Exception):
    pass


def installed():
    return os.path.exists(BINARY)


class Apache:
    def __init__(self, folder=None, module=None, mpm="event", modules=(), without=(),
                 user=None, keep=False, preload=None):
        self.own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="certauth-apache.")
        self.folder = os.path.abspath(self.folder)
        self.keep = keep
        if module is None:
            module = os.path.join("build", "test", "mod_certauth.so")
        self.module = module
        if self.module:
            self.module = os.path.abspath(os.path.join(ROOT, self.module))
        self.mpm = mpm
        self.modules = [m for m in MODULES if m not in without] + list(modules)
        self.modules.append("cgi" if mpm == "prefork" else "cgid")
        self.user = user or ("www-data" if os.geteuid() == 0 else None)
        self.preload = preload
        self.process = None
        self.docroot = os.path.join(self.folder, "htdocs")
        for name in ("htdocs", "logs", "run"):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
        # mkdtemp makes 0700; the children of a root server are www-data
        os.chmod(self.folder, 0o755)
        self.write("mime.types", "text/html html\ntext/plain txt\n")
        self.write("htdocs/index.html", "ok\n")
        self.conf_file = os.path.join(self.folder, "httpd.conf")
        self.log_file = os.path.join(self.folder, "logs", "error.log")
        self.pid_file = os.path.join(self.folder, "run", "httpd.pid")

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.stop()
        if self.own_folder and not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    # ------------------------------------------------------------ configuration

    def port(self):
        return free_port()

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text, mode=0o644):
        """A file in the folder; returns its path."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w" if isinstance(text, str) else "wb") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def preamble(self):
        lines = ["ServerRoot %s" % self.folder, "PidFile %s" % self.pid_file,
                 "DefaultRuntimeDir %s/run" % self.folder, "ServerName localhost",
                 "LoadModule mpm_%s_module %s/mod_mpm_%s.so" % (self.mpm, MODULES_DIR, self.mpm)]
        for m in self.modules:
            lines.append("LoadModule %s_module %s/mod_%s.so" % (m, MODULES_DIR, m))
        if self.module:
            lines.append("LoadModule certauth_module %s" % self.module)
        if self.user and os.geteuid() == 0:
            lines += ["User %s" % self.user, "Group %s" % self._group()]
        lines += [
            "TypesConfig %s" % self.path("mime.types"), "ErrorLog %s" % self.log_file, "LogLevel info", "Timeout 20",
            "KeepAliveTimeout 10", "GracefulShutdownTimeout 5",
            "DocumentRoot %s" % self.docroot,
            "SSLSessionCache shmcb:%s/run/ssl_scache(512000)" % self.folder,
            "<IfModule mod_cgid.c>", "ScriptSock %s/run/cgisock" % self.folder, "</IfModule>"]
        if self.mpm == "prefork":
            lines += ["StartServers 3", "MinSpareServers 1", "MaxSpareServers 4"]
        else:
            lines += ["StartServers 1", "ThreadsPerChild 16", "MinSpareThreads 1",
                      "MaxSpareThreads 32", "MaxRequestWorkers 32", "ThreadLimit 16",
                      "ServerLimit 8"]
        return "\n".join(lines) + "\n"

    def _group(self):
        import grp
        return grp.getgrgid(pwd.getpwnam(self.user).pw_gid).gr_name

    def conf(self, text, bare=False):
        """Writes httpd.conf: what every server needs (unless bare), then `text`."""
        with open(self.conf_file, "w", encoding="utf-8") as f:
            f.write(("" if bare else self.preamble()) + text)
        return self.conf_file

    def env(self):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
               "APACHE_LOG_DIR": self.path("logs"), "APACHE_RUN_DIR": self.path("run")}
        for k, v in os.environ.items():
            if k.endswith("SAN_OPTIONS"):
                env[k] = v
        if self.preload:
            env["LD_PRELOAD"] = self.preload
        return env

    def configtest(self, *options):
        """(exit status, everything it printed)"""
        p = subprocess.run([BINARY, "-t", "-f", self.conf_file, *options], env=self.env(),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        return p.returncode, p.stdout.decode("utf-8", "replace")

    # ------------------------------------------------------------------ running

    def start(self):
        if self.process is not None:
            raise ApacheError("already running")
        ports = [int(p) for p in re.findall(r"^\s*Listen\s+(?:\S+:)?(\d+)",
                                            open(self.conf_file, encoding="utf-8").read(), re.M)]
        self.out = open(self.path("logs", "stdout"), "ab")
        self.process = subprocess.Popen(
            [BINARY, "-DFOREGROUND", "-f", self.conf_file], env=self.env(),
            stdout=self.out, stderr=self.out, start_new_session=True, cwd=self.folder)
        deadline = time.monotonic() + PATIENCE
        for port in ports:
            while not self._listens(port):
                if self.process.poll() is not None:
                    code = self.process.returncode
                    self.process = None
                    raise ApacheError("apache2 ended with %d:\n%s" % (code, self.all_logs()))
                if time.monotonic() > deadline:
                    self.stop()
                    raise ApacheError("no answer on port %d:\n%s" % (port, self.all_logs()))
                time.sleep(0.02)
        self._wait_for_log("resuming normal operations", deadline, 0)
        return self

    def _listens(self, port):
        try:
            socket.create_connection(("127.0.0.1", port), PATIENCE).close()
            return True
        except OSError:
            return False

    def _wait_for_log(self, text, deadline, offset):
        while text not in self.error_log(offset):
            if not self.alive() or time.monotonic() > deadline:
                raise ApacheError("waited for %r:\n%s" % (text, self.all_logs()))
            time.sleep(0.02)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def graceful(self):
        """SIGUSR1, and waits until the new generation is there and the old accepts no more."""
        offset, end = self.mark(), time.monotonic() + PATIENCE
        before = [p for p in children(self.process.pid) if listens(p)]
        self.process.send_signal(signal.SIGUSR1)
        self._wait_for_log("resuming normal operations", end, offset)
        while any(listens(p) for p in before):
            if time.monotonic() > end:
                raise ApacheError("the old children still listen:\n%s" % self.all_logs())
            time.sleep(0.02)

    def stop(self):
        p, self.process = self.process, None
        if p is None:
            return None
        if p.poll() is None:
            p.send_signal(signal.SIGTERM)
            try:
                p.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(p.pid, signal.SIGKILL)    # our own session only
                p.wait()
        self.out.close()
        return p.returncode

    # --------------------------------------------------------------------- logs

    def mark(self):
        """Where the error log ends now; give it to error_log()."""
        try:
            return os.path.getsize(self.log_file)
        except FileNotFoundError:
            return 0

    def error_log(self, offset=0):
        try:
            with open(self.log_file, "rb") as f:
                f.seek(offset)
                return f.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern, offset=0, seconds=PATIENCE):
        """The first match of a regular expression in the error log, or None."""
        deadline = time.monotonic() + seconds
        while True:
            m = re.search(pattern, self.error_log(offset))
            if m or time.monotonic() > deadline:
                return m
            time.sleep(0.02)

    def all_logs(self):
        text = ""
        for name in ("stdout", "error.log"):
            try:
                with open(self.path("logs", name), "rb") as f:
                    text += f.read().decode("utf-8", "replace")
            except FileNotFoundError:
                pass
        return text
