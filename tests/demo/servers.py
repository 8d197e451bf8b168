"""
servers.py - real nginx, Apache and Dovecot on 127.0.0.1, serving from conf-examples/.

An example is changed in its paths, ports and the address it listens on, and in nothing
else. Works as root (workers run as www-data, Dovecot's login as dovenull in a chroot)
and as an ordinary user. Whoever starts a server stops it: only processes of our own are
signalled.
"""

import os
import re
import shutil
import subprocess
import sys
import time

import world

sys.path.insert(0, os.path.join(world.ROOT, "tests", "lib"))
import dovecot_24  # noqa: E402
from dovecot_server import Dovecot, wait_port  # noqa: E402
from ports import free_ports  # noqa: E402

APACHE_MODULES = ["mpm_event", "authn_core", "authz_core", "authz_host", "authz_user", "dir",
                  "env", "headers", "http2", "mime", "setenvif", "socache_shmcb", "ssl"]
# Dovecot's example is written for its release.
MAIL_EXAMPLE, OTHER_MAIL_EXAMPLE = "dovecot-certauth.conf", "dovecot-certauth-24.conf"
# The demo asks POP3 for the stricter profile of conf-examples/certauth.conf.
MAIL_POP3 = " CERTAUTH_PROFILE_POP3=admin"
if os.path.exists("/usr/sbin/dovecot") and dovecot_24.version() >= (2, 4):
    MAIL_EXAMPLE, OTHER_MAIL_EXAMPLE = OTHER_MAIL_EXAMPLE, MAIL_EXAMPLE
    MAIL_POP3 = "\n  CERTAUTH_PROFILE_POP3 = admin"


def example(name, *changes):
    """The text of conf-examples/NAME with each (regular expression, text) applied."""
    with open(os.path.join(world.EXAMPLES, name), encoding="utf-8") as f:
        text = f.read()
    for pattern, new in changes:
        text, n = re.subn(pattern, lambda _: new, text)
        if n == 0:
            raise ValueError("conf-examples/%s has no %s: the demo does not fit it"
                             % (name, pattern))
    return text


class Server:
    """One process in the foreground of its own session."""

    def __init__(self, w, folder, build):
        self.world, self.build = w, build
        self.folder = os.path.join(w.folder, folder)
        os.makedirs(self.folder)
        self.port = free_ports(1)[0]
        self.conf = os.path.join(self.folder, folder + ".conf")
        self.log_file = os.path.join(self.folder, "error.log")
        self.process = None

    def write(self, text):
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(text)

    def start(self):
        said = os.path.join(self.folder, "stderr")
        with open(said, "wb") as out:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True)
        end = time.monotonic() + 60
        while True:
            try:
                if self.process.poll() is None:
                    wait_port(self.port, 0.2)
                    return self
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                with open(said, encoding="utf-8", errors="replace") as f:
                    raise RuntimeError("%s did not start:\n%s%s"
                                       % (type(self).__name__, f.read(), self.log()))

    def stop(self):
        p, self.process = self.process, None
        if p is None or p.poll() is not None:
            return
        p.terminate()
        try:
            p.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, 9)
            p.wait()

    def log(self):
        try:
            with open(self.log_file, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def tls(self, crt, key):
        return [(crt, os.path.join(self.world.tls, "server.pem")),
                (key, os.path.join(self.world.tls, "server.key"))]


class Nginx(Server):
    name, scheme = "nginx", "https"

    def __init__(self, w, build):
        super().__init__(w, "nginx", build)
        self.app = free_ports(1)[0]
        site = example(
            "nginx-http.conf",
            (r"/etc/certauth/", w.etc + "/"),
            (r"listen 443 ", "listen 127.0.0.1:%d " % self.port),
            (r"/var/log/nginx/", self.folder + "/"),
            (r"/var/www/html", os.path.join(w.folder, "www")),
            (r"http://127\.0\.0\.1:8080/", "http://127.0.0.1:%d/" % self.app),
            *self.tls("/etc/ssl/certs/www.example.com.pem",
                      "/etc/ssl/private/www.example.com.key"))
        self.write("""
load_module %(build)s/ngx_http_certauth_module.so;
%(user)s
worker_processes 2;
error_log %(log)s info;
pid %(folder)s/nginx.pid;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path %(folder)s/body;
    proxy_temp_path %(folder)s/proxy;
    fastcgi_temp_path %(folder)s/fastcgi;
    uwsgi_temp_path %(folder)s/uwsgi;
    scgi_temp_path %(folder)s/scgi;
    server {                # stands for an application behind the proxy
        listen 127.0.0.1:%(app)d; certauth_inbound keep;
        location / { default_type text/plain; return 200 "Remote-User: $http_remote_user\\n"; }
    }
%(site)s
}
""" % {"build": build, "user": "user www-data;" if os.geteuid() == 0 else "",
            "log": self.log_file, "folder": self.folder, "app": self.app, "site": site})

    def command(self):
        return ["/usr/sbin/nginx", "-p", self.folder, "-e", self.log_file, "-c", self.conf,
                "-g", "daemon off;"]


class Apache(Server):
    name, scheme = "Apache", "https"

    def __init__(self, w, build):
        super().__init__(w, "apache", build)
        site = example(
            "apache-vhost.conf",
            (r"(?m)^CertAuthConfig /etc/certauth/", "CertAuthConfig " + w.etc + "/"),
            (r"\*:443", "127.0.0.1:%d" % self.port),
            (r"/var/www/html", os.path.join(w.folder, "www")),
            *self.tls("/etc/ssl/certs/www.example.com.pem",
                      "/etc/ssl/private/www.example.com.key"))
        load = "".join("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n" % (m, m)
                       for m in APACHE_MODULES)
        self.write("""
ServerRoot /etc/apache2
ServerName localhost
Define APACHE_LOG_DIR %(folder)s
DefaultRuntimeDir %(folder)s
PidFile %(folder)s/apache.pid
Mutex file:%(folder)s default
ErrorLog %(log)s
LogLevel info
%(user)s
%(load)s
LoadModule certauth_module %(build)s/mod_certauth.so
TypesConfig /etc/mime.types
SSLSessionCache shmcb:%(folder)s/ssl_scache(512000)
Protocols h2 http/1.1
Listen 127.0.0.1:%(port)d
<Directory />
    AllowOverride None
    Require all denied
</Directory>
<Directory %(www)s>
    Require all granted
</Directory>
%(site)s
""" % {"folder": self.folder, "log": self.log_file, "load": load, "build": build,
            "user": "User www-data\nGroup www-data" if os.geteuid() == 0 else "",
            "port": self.port, "site": site, "www": os.path.join(w.folder, "www")})

    def command(self):
        return ["/usr/sbin/apache2", "-f", self.conf, "-DFOREGROUND"]


class Mail:
    """Dovecot from the harness of the tests, with our example in its conf.d."""

    name, scheme = "Dovecot", "imaps"

    def __init__(self, w, build):
        plugins = os.path.join(w.folder, "plugins")
        os.makedirs(plugins)
        shutil.copy(os.path.join(build, "lib50_certauth_plugin.so"), plugins)
        conf = example(
            MAIL_EXAMPLE,
            (r"(?m)^login_plugin_dir = .*", "login_plugin_dir = " + plugins),
            (r"CERTAUTH_CONF ?= ?/etc/certauth/", "CERTAUTH_CONF=" + w.etc + "/"),
            (r"CERTAUTH_PROFILE ?= ?staff", "CERTAUTH_PROFILE=staff" + MAIL_POP3))
        self.dovecot = Dovecot(
            os.path.join(w.folder, "dovecot"), cert=os.path.join(w.tls, "server.pem"),
            key=os.path.join(w.tls, "server.key"), passwords={"alice": "secret"}, conf=conf)
        self.log_file = self.dovecot.log_file

    @property
    def port(self):
        return self.dovecot.port["imaps"]

    @property
    def conf(self):
        return self.dovecot.conf_file

    def start(self):
        self.dovecot.start()
        return self

    def stop(self):
        self.dovecot.stop()

    def log(self):
        return self.dovecot.log()


def start_all(w, build, started):
    """Starts all three; each is appended to `started` as soon as it runs."""
    pages = os.path.join(w.folder, "www")
    for d in ("", "admin", "welcome"):
        os.makedirs(os.path.join(pages, d), exist_ok=True)
        with open(os.path.join(pages, d, "index.html"), "w", encoding="utf-8") as f:
            f.write("welcome to /%s\n" % d)
    for n, kind in enumerate((Nginx, Apache, Mail)):
        # Ports are chosen free, but somebody else may take one before we do.
        for attempt in range(3):
            try:
                s = kind(w, build)
                started.append(s.start())
                break
            except RuntimeError as e:
                if attempt == 2 or "in use" not in str(e):
                    raise
                shutil.rmtree(os.path.join(w.folder, ("nginx", "apache", "dovecot")[n]))
                shutil.rmtree(os.path.join(w.folder, "plugins"), ignore_errors=True)
    return started
