"""
dovecot_server.py - a real Dovecot on 127.0.0.1, for tests and the demo.

    from dovecot_server import Dovecot
    with Dovecot(folder, passwords={"alice": "secret"},
                 plugin="build/test/lib50_certauth_plugin.so",
                 environment={"CERTAUTH_CONF": conf, "CERTAUTH_PROFILE": "mail"},
                 cert=server_pem, key=server_key) as d:
        d.port["imaps"], d.port["imap"], ...       # free ports, chosen here
        d.log()                                    # the whole log as text
        d.wait_log("revoked")                      # waits for a line
        d.reload(); d.login_processes("imap")      # pids of imap-login

The keyword `conf` is any text of dovecot.conf, read last, so it may override what
is written here; `conf_only` replaces all of it (the words @BASE@, @PORT_IMAPS@ ...
are filled in). Without `plugin` it is a plain Dovecot. All of it is in the language of
2.3, and its log in 2.3's words; for a newer Dovecot see dovecot_24.py.

As root the login processes are chrooted and run as dovenull, as on a real machine.
As an ordinary user they run as that user without chroot (`as_user=True`, or when
the process is no root itself): the same code, less isolation.

What is removed at the end: the processes, by the pid in the folder. The folder
stays; it belongs to the caller. It must be short (Unix sockets) and readable by
dovenull, so best directly below /tmp.
"""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time

from dovecot_24 import spoken, translated
from ports import free_ports

SERVICES = ("imap", "imaps", "pop3", "pop3s", "submission", "submissions", "sieve")
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# For what must come; a machine that stands still a while must not fail a test.
PATIENCE = 60.0


def available():
    """None, or why no Dovecot can run here."""
    for need in ("/usr/sbin/dovecot", "/usr/lib/dovecot/imap-login"):
        if not os.path.exists(need):
            return need + " is missing"
    return None


def protocols():
    """The protocols whose packages are installed."""
    found = []
    for name, binary in (("imap", "imap-login"), ("pop3", "pop3-login"),
                         ("submission", "submission-login"), ("sieve", "managesieve-login")):
        if os.path.exists("/usr/lib/dovecot/" + binary):
            found.append(name)
    return found


def wait_port(port, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), seconds).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


class Dovecot:
    def __init__(self, folder, cert=None, key=None, plugin=None, environment=None,
                 passwords=None, service_count=1, haproxy=False, conf="",
                 conf_only=None, passdb=None, as_user=None):
        self.folder = str(folder)
        self.cert, self.key, self.plugin = cert, key, plugin
        self.environment = dict(environment or {})
        self.passwords = dict(passwords or {})
        self.service_count = service_count
        self.haproxy = haproxy
        self.conf, self.conf_only, self.passdb = conf, conf_only, passdb
        self.as_user = os.geteuid() != 0 if as_user is None else as_user
        self.port = dict(zip(SERVICES, free_ports(len(SERVICES))))
        self.process = None
        self.base = os.path.join(self.folder, "run")
        self.log_file = os.path.join(self.folder, "dovecot.log")
        self.conf_file = os.path.join(self.folder, "dovecot.conf")
        self.mail = os.path.join(self.folder, "mail")

    # ------------------------------------------------------------ life
    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o755)
        os.makedirs(self.base, exist_ok=True)
        os.makedirs(self.mail, exist_ok=True)
        self.owner = pwd.getpwuid(os.geteuid())
        if not self.as_user:
            # Mail processes refuse to be root: the mailboxes belong to a user
            # that every machine with dovecot-core has.
            self.owner = pwd.getpwnam("dovecot")
            os.chown(self.mail, self.owner.pw_uid, self.owner.pw_gid)
        if self.plugin:
            # Dovecot loads NN_name_plugin.so from login_plugin_dir.
            self.plugins = os.path.join(self.folder, "plugins")
            os.makedirs(self.plugins, exist_ok=True)
            shutil.copy(self.plugin, os.path.join(self.plugins, "lib50_certauth_plugin.so"))
        self._write_passwords()
        with open(self.conf_file, "w", encoding="utf-8") as f:
            f.write(self._configuration())
        self.process = subprocess.Popen(
            ["/usr/sbin/dovecot", "-F", "-c", self.conf_file], env=self._env(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            # A port that gets no answer has no package; the others must come up.
            for name in self._listening():
                wait_port(self.port[name])
            # Ports come before the Unix sockets; with this file all is there.
            end = time.monotonic() + PATIENCE
            while not os.path.exists(os.path.join(self.base, "master.pid")) and \
                    self.conf_only is None and time.monotonic() < end:
                time.sleep(0.02)
        except OSError:
            said = ""
            if self.process.poll() is not None:
                said = self.process.stdout.read().decode(errors="replace")
            self.stop()
            raise RuntimeError("dovecot did not start:\n%s%s" % (said, self.log()))
        return self

    def stop(self):
        p, self.process = self.process, None
        if p is None:
            return
        if p.poll() is None:
            p.terminate()
            try:
                p.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        p.stdout.close()

    def reload(self):
        """SIGHUP, and wait until the master has read its configuration."""
        before = self.log().count("SIGHUP received")
        self.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + PATIENCE
        while self.log().count("SIGHUP received") == before and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.3)

    # ------------------------------------------------------------- log
    def log(self):
        try:
            with open(self.log_file, encoding="utf-8", errors="replace") as f:
                return spoken(f.read())
        except FileNotFoundError:
            return ""

    def mark(self):
        """A place in the log, for log_since()."""
        return len(self.log())

    def log_since(self, mark):
        return self.log()[mark:]

    def wait_log(self, pattern, since=0, seconds=PATIENCE):
        """The first line after `since` that matches; AssertionError if none comes."""
        end = time.monotonic() + seconds
        while True:
            for line in self.log_since(since).splitlines():
                if re.search(pattern, line):
                    return line
            if time.monotonic() > end:
                raise AssertionError("no line %r in the log:\n%s"
                                     % (pattern, self.log_since(since)))
            time.sleep(0.02)

    # ------------------------------------------------------- processes
    def children(self):
        """pid: command line, of all processes below our master."""
        parents = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % pid, encoding="utf-8", errors="replace") as f:
                    parent = int(f.read().rsplit(")", 1)[1].split()[1])
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    parents[int(pid)] = (parent, f.read().replace(b"\0", b" ").decode())
            except (OSError, IndexError, ValueError):
                continue
        return {p: c for p, (parent, c) in parents.items() if parent == self.process.pid}

    def login_processes(self, protocol="imap"):
        name = {"sieve": "managesieve"}.get(protocol, protocol) + "-login"
        return [p for p, c in self.children().items() if name in c.split(" ")[0]]

    # --------------------------------------------------- configuration
    def _env(self):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
        env.update(self.environment)
        return env

    def _write_passwords(self):
        path = os.path.join(self.folder, "passwd")
        with open(path, "w", encoding="utf-8") as f:
            for user, password in self.passwords.items():
                f.write("%s:{PLAIN}%s\n" % (user, password))
        os.chmod(path, 0o644)

    def _listening(self):
        have = protocols()
        names = [n for n in SERVICES if n.rstrip("s") in have]
        if self.conf_only is not None or not self.cert:
            text = open(self.conf_file, encoding="utf-8").read()
            names = [n for n in names if re.search(r"port\s*=\s*%d\b" % self.port[n], text)]
        return names

    def _fill(self, text):
        text = text.replace("@BASE@", self.base).replace("@FOLDER@", self.folder)
        for name, port in self.port.items():
            text = text.replace("@PORT_%s@" % name.upper(), str(port))
        return text

    def _configuration(self):
        if self.conf_only is not None:
            return self._fill(translated(self.conf_only))
        have = protocols()
        out = ["# written by dovecot_server.py",
               "protocols = " + " ".join(have),
               "listen = 127.0.0.1",
               "base_dir = " + self.base,
               "state_dir = " + os.path.join(self.folder, "state"),
               "instance_name = certauth-test-%d-%d" % (os.getpid(), self.port["imap"]),
               "log_path = " + self.log_file,
               "log_timestamp = \"%Y-%m-%d %H:%M:%S \"",
               "auth_verbose = yes",
               "auth_failure_delay = 0",
               "mail_location = maildir:%s/%%u" % self.mail,
               "mail_uid = %d" % self.owner.pw_uid,
               "mail_gid = %d" % self.owner.pw_gid,
               "first_valid_uid = 1",
               "ssl_dh = ",
               "submission_relay_host = 127.0.0.1",
               "submission_relay_port = 9",
               "mail_max_userip_connections = 100"]
        if self.cert:
            out += ["ssl = yes", "ssl_cert = <" + self.cert, "ssl_key = <" + self.key]
        else:
            out += ["ssl = no"]
        names = " ".join(sorted(self.environment))
        out.append("import_environment = $import_environment " + names)
        if self.plugin:
            out += ["login_plugin_dir = " + self.plugins, "login_plugins = certauth",
                    "auth_mechanisms = plain login external",
                    "auth_ssl_username_from_cert = yes"]
        else:
            out.append("auth_mechanisms = plain login")
        out += self._services(have)
        if self.passdb is not None:
            out.append(self.passdb)
        else:
            if self.plugin:
                out += ["passdb {", "  driver = static", "  args = nopassword=yes",
                        "  mechanisms = external", "}"]
            out += ["passdb {", "  driver = passwd-file", "  mechanisms = plain login",
                    "  args = " + os.path.join(self.folder, "passwd"), "}"]
        out += ["userdb {", "  driver = static",
                "  args = uid=%d gid=%d home=%s/%%u"
                % (self.owner.pw_uid, self.owner.pw_gid, self.mail), "}"]
        return self._fill(translated("\n".join(out) + "\n" + self.conf + "\n"))

    def _services(self, have):
        out = []
        secure = {"imap": "imaps", "pop3": "pop3s", "submission": "submissions"}
        for name in have:
            login = {"sieve": "managesieve"}.get(name, name) + "-login"
            out += ["service %s {" % login,
                    "  service_count = %d" % self.service_count]
            if self.as_user:
                out.append("  chroot =")
            listener = {"imap": "imap", "pop3": "pop3", "submission": "submission",
                        "sieve": "sieve"}[name]
            out += ["  inet_listener %s {" % listener, "    port = %d" % self.port[name]]
            if self.haproxy:
                out.append("    haproxy = yes")
            out.append("  }")
            if name in secure:
                out += ["  inet_listener %s {" % secure[name],
                        "    port = %d" % (self.port[secure[name]] if self.cert else 0),
                        "    ssl = yes"]
                if self.haproxy:
                    out.append("    haproxy = yes")
                out.append("  }")
            out.append("}")
        if self.haproxy:
            out.append("haproxy_trusted_networks = 127.0.0.0/8")
        # No growing delay after failed logins: tests fail on purpose.
        out += ["service anvil {", "  unix_listener anvil-auth-penalty {",
                "    mode = 0", "  }", "}"]
        if self.as_user:
            user = self.owner.pw_name
            group = self._group()
            out += ["default_internal_user = " + user, "default_login_user = " + user,
                    "default_internal_group = " + group]
            for service in ("anvil", "imap-urlauth-login", "imap-urlauth-worker",
                            "script-login", "stats", "ipc", "old-stats", "auth",
                            "auth-worker"):
                out += ["service %s {" % service, "  chroot =", "  user = " + user, "}"]
        return out

    def _group(self):
        import grp
        return grp.getgrgid(self.owner.pw_gid).gr_name
