"""
readers.py - what does the program that a block is for say to it?

Places makes one throw-away world and gives each page a copy. A reader gets a block and a
place, and returns None or what is wrong.
"""

import grp
import http.server
import os
import pwd
import re
import shutil
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

from dovecot_server import Dovecot  # noqa: E402
from mounts import unshare  # noqa: E402
from ports import free_ports  # noqa: E402
from pki import CA, write_pem  # noqa: E402

# These read no policy file; all others are told which one it is.
NO_POLICY = ("--roots", "--config", "--issuers", "--index", "--version", "--help", "--directory",
             "help", "table")
SHIM = """#!/bin/bash
for a; do
    case "$a" in %s) exec %s "$@";; esac
done
exec %s "$@" --config %s
"""


def run(args, cwd=None, env=None, feed=None, seconds=60):
    p = subprocess.run(args, cwd=cwd, env=env, input=feed, stdout=subprocess.PIPE, text=True,
                       stderr=subprocess.STDOUT, timeout=seconds, check=False, errors="replace",
                       **({} if feed else {"stdin": subprocess.DEVNULL}))
    return p.returncode, p.stdout


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Place:
    """The folders that a page's blocks live in."""

    def __init__(self, folder, build, tls):
        self.folder, self.build, self.tls = folder, build, tls
        self.etc, self.here = os.path.join(folder, "etc"), os.path.join(folder, "here")
        self.number = 0

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def local(self, text):
        """`text` with the machine's folders turned into ours."""
        for there, ours in (("/etc/certauth", self.etc), ("/var/lib/certauth", self.path("state")),
                            ("/run/certauth", self.path("run")),
                            ("/usr/share/certauth", self.path("share")),
                            ("/srv/certificates", self.path("certificates")),
                            ("/etc/grid-security", self.path("grid")),
                            ("/etc/sssd", self.path("sssd")),
                            ("/var/log/nginx", self.path("log")),
                            ("/var/log/apache2", self.path("log")),
                            ("/var/www/html", self.path("www")),
                            ("/etc/nginx/htpasswd", self.path("htpasswd")),
                            ("/etc/ssl/certs/www.pem", self.path("tls/server.pem")),
                            ("/etc/ssl/private/www.key", self.path("tls/server.key")),
                            ("/etc/ssl/certs/www.example.com.pem", self.path("tls/server.pem")),
                            ("/etc/ssl/private/www.example.com.key", self.path("tls/server.key"))):
            text = text.replace(there, ours)
        return text

    def write(self, name, text):
        self.number += 1
        path = self.path("%d-%s" % (self.number, name))
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path


class Places:
    """One world, copied for each page; and a server for what pages fetch."""

    def __init__(self, folder, build, world):
        self.folder, self.build, self.count = folder, build, 0
        self.first = Place(os.path.join(folder, "0"), build, None)
        self.w = world.World(self.first.folder)
        self.fill(world)

    def __enter__(self):
        folder = self.first.path("http")
        self.http = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), lambda *a: Quiet(*a, directory=folder))
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        with open(self.first.path("curlrc"), "w", encoding="utf-8") as f:
            f.write('noproxy = "*"\nconnect-to = "crl.example.com:80:127.0.0.1:%d"\n'
                    % self.http.server_address[1])
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()

    def fill(self, world):
        p, w = self.first, self.w
        for name in ("here", "state", "run", "share", "certificates", "grid", "sssd", "log", "www", "http",
                     "here/more.d", "here/folder-of-certificates"):
            os.mkdir(p.path(name))
        for name in os.listdir(w.clients):
            shutil.copy(os.path.join(w.clients, name), p.here)
        for name in ("alice.pem", "bob.pem", "ed.pem"):
            for folder in ("certificates", "here/folder-of-certificates"):
                shutil.copy(os.path.join(w.clients, name), p.path(folder))
        shutil.copytree(os.path.join(world.EXAMPLES, "personalsign"), p.path("share/personalsign"))
        put = lambda name, text: open(p.path(name), "w", encoding="utf-8").write(text)  # noqa: E731
        for who in ("emma", "alice"):
            with open(p.path("here", who + ".pfx"), "wb") as f:
                f.write(w.certs[who].p12("secret", [w.mail_ca]))
        put("here/password", "secret\n")
        write_pem(p.path("here/root.pem"), w.mail_root)
        write_pem(p.path("here/ca.pem"), w.mail_ca)
        write_pem(p.path("here/cas.pem"), w.mail_ca, w.auth_ca)
        for folder in ("here/ca.crl", "http/ca.crl"):
            w.mail_ca.crl([(w.certs["rita"], "-2d", "keyCompromise")], number=9).write(p.path(folder))
        w.mail_root.crl().write(p.path("here/root.crl"))
        # what a server had before certauth
        os.mkdir(os.path.join(p.etc, "before"))
        write_pem(os.path.join(p.etc, "before", "ca.pem"), w.mail_root, w.mail_ca)
        write_pem(os.path.join(p.etc, "before", "crls.pem"), w.mail_root.crl(), w.mail_ca.crl())
        shutil.copy(p.path("here/alice.pem"), p.path("here/user.pem"))
        shutil.copy(p.path("here/nora.pem"), p.path("here/card.pem"))
        shutil.copy(p.path("here/bob.pem"), p.path("here/old-card.pem"))
        put("here/people.map", "alice@example.com alice\n")
        put("here/more.d/more.map", "bob@example.com bob staff\n")
        put("here/new-cards.csv", "otto.pem,otto,staff\n")
        put("sssd/sssd.conf", "[certmap/example.com/people]\nmaprule = (mail={subject_rfc822_name})\n")
        put("grid/grid-mapfile", '"/C=CH/O=Example ag/CN=Alice" alice\n')
        put("htpasswd", "alice:$apr1$x$Zr4gY8Kf9xHqVn8UuZ0hX/\n")
        put("log/error.log", '2026/11/22 10:00:00 [error] 4#4: *4 certauth: REJECT 1401 revoked '
            'user="" profile=staff depth=0 serial=0A1B subject="CN=Alice" issuer="CN=Issuing CA" '
            'id=63f1c2-7 detail="On the CRL.", client: 192.0.2.7, server: www\n')
        with open(os.path.join(p.etc, "log.key"), "wb") as f:
            f.write(bytes(range(32)))
        os.chmod(f.name, 0o640)
        put("log/certauth.json", '{"result":"accept","reason":"ok","user":"alice","email":'
            '"alice@example.com","subject":"CN=Alice","issuer":"CN=CA","serial":"0A",'
            '"notAfter":"2020-01-01T00:00:00Z"}\n')

    def fresh(self):
        """A copy of the world for one page."""
        self.count += 1
        p = Place(os.path.join(self.folder, str(self.count)), self.build, self.w.tls)
        shutil.copytree(self.first.folder, p.folder, symlinks=True)
        conf = os.path.join(p.etc, "certauth.conf")
        with open(conf, "a", encoding="utf-8") as f:
            f.write('state = "%s"; refresher = "%s";\n' % (p.path("state"), p.path("run/refresher.sock")))
        self.profiles(p, conf, self.w.certs["bob"].sha256())
        status, out = run([os.path.join(self.build, "certauth"), "compile", "--config", conf])
        if status != 0:
            raise RuntimeError("the world's own policy: " + out)
        os.mkdir(p.path("bin"))
        for name in ("certauth", "certauth-refresher"):
            real = os.path.join(self.build, name)
            with open(p.path("bin", name), "w", encoding="utf-8") as f:
                f.write(SHIM % ("|".join(NO_POLICY), real, real, conf))
            os.chmod(p.path("bin", name), 0o755)
        return p

    @staticmethod
    def profiles(p, conf, bob):
        """Two more that pages speak of: a stricter one, and one with a table of keys."""
        with open(conf, encoding="utf-8") as f:
            text = f.read()
        with open(conf, "w", encoding="utf-8") as f:
            f.write(text.replace("profiles: {\n", """profiles: {
  strict: { base = "staff"; max_lifetime = "400d"; keys = { rsa_min = 3072; }; };
  cards: { authorities = [ "personalsign" ]; denied = "denied";
    identity = ( { name = "card"; key = "{cert.sha256}"; table = "cards.map"; } ); };
""", 1))
        with open(os.path.join(p.etc, "cards.map"), "w", encoding="utf-8") as f:
            f.write("%s bob\n" % bob)


# `certauth check` looks at every server of the machine: those of another test that runs
# beside this one are none of a page's business. Where namespaces are to be had.
ALONE = unshare() + ["--pid", "--fork", "--mount-proc", "--"] if unshare() else []


def shell(block, place, text):
    env = dict(os.environ, PATH=place.path("bin") + ":" + os.environ["PATH"], HOME=place.here,
               CURL_HOME=os.path.join(os.path.dirname(place.folder), "0"))
    shutil.copy(os.path.join(env["CURL_HOME"], "curlrc"), os.path.join(env["CURL_HOME"], ".curlrc"))
    want = 1 if "fails" in block.words else 0
    # each command may say no, one has to, and none may do anything else
    trap = "set +e; trap 's=$?; [ $s -le 1 ] || exit $s; no=1' ERR\n" if want else ""
    status, out = run(ALONE + ["bash", "-Euo", "pipefail", "-c", (trap or "set -e\n") + place.local(text) +
                       ("\nexit ${no:-0}" if want else "")], place.here, env)
    return (None if status == want else "ended with %d:\n%s" % (status, out)), out


def read_sh(block, place):
    return shell(block, place, block.text)[0]


def read_console(block, place):
    typed = "\n".join(t[2:] for t in block.text.splitlines() if t.startswith("$ "))
    shown = [t for t in block.text.splitlines() if not t.startswith("$ ")]
    if not typed or not shown:
        return "no line to type, or nothing printed"
    wrong, out = shell(block, place, typed)
    if wrong:
        return wrong
    rest = settled(out.replace(place.etc, "/etc/certauth"))
    for piece in settled("\n".join(shown)).split("..."):
        piece = piece.strip()
        if piece not in rest:
            return "does not print, behind what it printed before, %r:\n%s" % (piece, out)
        rest = rest[rest.index(piece) + len(piece):]
    return None


def settled(text):
    """What is another in each world: serial numbers, digests, times; and how lines break."""
    text = re.sub(r"\b(?:[0-9a-f]{16,}|[0-9A-F]{16,})\b", "HEX", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:]+Z", "TIME", text)
    return " ".join(re.sub(r"(days left) +\d+", r"\1 N", text).split())


def read_cron(block, place):
    for line in block.text.splitlines():
        if not re.match(r"(\S+\s+){5}\S", line):
            return "no line of a crontab: " + line
        wrong, _ = shell(block, place, line.split(None, 5)[5])
        if wrong:
            return wrong
    return None


def read_certauth_conf(block, place):
    text = block.text
    owner = pwd.getpwuid(os.geteuid()).pw_name
    if "top" in block.words:
        text += 'version = 1; authorities: { x: { anchors = [ "ca.pem" ]; }; };\n' \
            'profiles: { x: { authorities = [ "x" ]; }; };\n'
    elif "authorities" in block.words:
        text = "version = 1;\n" + text + \
            'profiles: { x: { authorities = [ "personalsign" ]; }; };\n'
    elif "profile" in block.words:
        text = 'version = 1;\nauthorities: { personalsign: { anchors = [ "ca.pem" ]; }; };\n' \
            "profiles: {\n" \
            '  naesb: { authorities = [ "personalsign" ]; };\n' \
            '  staff: { authorities = [ "personalsign" ]; };\n' + text + "};\n"
    text = text.replace('owner = "certauth"', 'owner = "%s"' % owner)
    folder = place.path("etc")
    for name in ("ca.pem", "ca.crl"):
        shutil.copy(os.path.join(place.here, name), folder)
    if "personalsign" in block.words:       # as `pool setup` leaves it
        ready(place, folder)
    conf = os.path.join(folder, "block.conf")
    with open(conf, "w", encoding="utf-8") as f:
        f.write(place.local(text))
    # lists nothing, but opens it all; a missing CRL is no fault of the file
    status, out = run([os.path.join(place.build, "certauth"), "override", "--config", conf])
    return None if status == 0 else out


def ready(place, folder):
    """The folder personalsign with a CA in each of its groups."""
    to = os.path.join(folder, "personalsign")
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(place.path("share/personalsign"), to)
    ca = CA("Any CA")
    for name in os.listdir(os.path.join(to, "authorities")):
        for role in ("anchors", "issuers", "intermediates"):
            os.makedirs(os.path.join(to, name[:-len(".conf")], role))
        for role in ("anchors", "issuers"):
            write_pem(os.path.join(to, name[:-len(".conf")], role, "ca.pem"), ca)


def read_directory(block, place):
    """Its grammar; there is no directory here to ask."""
    text = re.sub(r"ldaps?://[^\"]*", "ldap://127.0.0.1:1", place.local(block.text))
    if "starttls" not in text:
        text += "starttls = false;\n"
    with open(os.path.join(place.etc, "ldap.password"), "w", encoding="utf-8") as f:
        f.write("secret\n")
    os.chmod(f.name, 0o600)
    path = place.write("corp.directory", text)
    status, out = run([os.path.join(place.build, "certauth-refresher"), "--directory", path, "--once"])
    return None if status == 1 and "cannot be reached" in out or "Can't contact" in out else \
        "ended with %d:\n%s" % (status, out)


def read_nginx(block, place):
    port, app = free_ports(2)
    load = "load_module %s/ngx_http_certauth_module.so;\n" % place.build
    text = re.sub(r"(?m)^load_module .*\n", "", place.local(block.text))
    text = re.sub(r"listen 443\b", "listen 127.0.0.1:%d" % port, text)
    text = re.sub(r"listen 80\b", "listen 127.0.0.1:%d" % app, text)
    if "server" in block.words:
        text = "server {\nlisten 127.0.0.1:%d ssl;\nssl_certificate %s;\nssl_certificate_key %s;\n" \
            "certauth staff;\n%s}\n" % (port, place.path("tls/server.pem"),
                                        place.path("tls/server.key"), text)
    temp = "".join("%s_temp_path %s/%s;\n" % (n, place.path("log"), n) for n in
                   ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf = place.write("nginx.conf", "%s%s\nerror_log %s/nginx.log;\npid %s/nginx.pid;\n"
                       "events { }\nhttp {\naccess_log %s/access.log;\n"
                       "certauth_config %s/certauth.conf;\n%s%s}\n" % (
                           load, "user www-data;" if os.geteuid() == 0 else "", place.path("log"),
                           place.path("log"), place.path("log"), place.etc, temp,
                           re.sub(r"(?m)^\s*certauth_config .*\n", "", text)))
    status, out = run(["/usr/sbin/nginx", "-t", "-p", place.folder, "-e", place.path("log/nginx.log"),
                       "-c", conf])
    return None if status == 0 else out


APACHE_MODULES = ["mpm_event", "authn_core", "authn_file", "auth_basic", "authz_core", "authz_host",
                  "authz_user", "dir", "env", "headers", "http2", "mime", "rewrite", "setenvif",
                  "socache_shmcb", "ssl", "proxy", "proxy_http"]


def read_apache(block, place):
    port = free_ports(1)[0]
    text = re.sub(r"(?m)^\s*LoadModule certauth_module .*\n", "", place.local(block.text))
    text = text.replace("*:443", "127.0.0.1:%d" % port)
    if "vhost" in block.words:
        text = "<VirtualHost 127.0.0.1:%d>\nServerName www.example.com\nSSLEngine on\n" \
            "SSLCertificateFile %s\nSSLCertificateKeyFile %s\nCertAuthProfile staff\n%s" \
            "</VirtualHost>\n" % (port, place.path("tls/server.pem"), place.path("tls/server.key"),
                                  text)
    load = "".join("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n" % (m, m)
                   for m in APACHE_MODULES)
    conf = place.write("apache.conf", "ServerRoot /etc/apache2\nServerName localhost\n"
                       "Define APACHE_LOG_DIR %(log)s\nDefaultRuntimeDir %(log)s\n"
                       "PidFile %(log)s/apache.pid\nMutex file:%(log)s default\n"
                       "ErrorLog %(log)s/apache.log\n%(load)s"
                       "LoadModule certauth_module %(build)s/mod_certauth.so\n"
                       "CertAuthConfig %(etc)s/certauth.conf\nListen 127.0.0.1:%(port)d\n%(text)s" % {
                           "log": place.path("log"), "load": load, "build": place.build,
                           "etc": place.etc, "port": port,
                           "text": re.sub(r"(?m)^\s*CertAuthConfig .*\n", "", text)})
    status, out = run(["/usr/sbin/apache2", "-f", conf, "-t"])
    return None if status == 0 else out


# What a piece of a page is read with, if it is none by itself.
MAIL = """login_plugins = certauth
import_environment = $import_environment CERTAUTH_PROFILE=staff
auth_mechanisms = plain login external
auth_ssl_username_from_cert = yes
"""


def read_dovecot(block, place):
    """A start, for doveconf alone reads no login plugin, and one login process."""
    plugins = place.path("plugins")
    if not os.path.isdir(plugins):
        os.mkdir(plugins)
        shutil.copy(os.path.join(place.build, "lib50_certauth_plugin.so"), plugins)
    text = re.sub(r"(?m)^login_plugin_dir\s*=.*\n", "", place.local(block.text))
    try:
        grp.getgrnam("certauth")
    except KeyError:            # the packages and docs/install.md make it
        text = text.replace("extra_groups = certauth", "extra_groups = nogroup")
    if "login_plugins" not in text:
        text = MAIL + text
    text = text.replace("import_environment {", "import_environment {\nCERTAUTH_CONF = %s/certauth.conf"
                        % place.etc)
    if "CERTAUTH_CONF" not in text:
        text = text.replace("CERTAUTH_PROFILE=", "CERTAUTH_CONF=%s/certauth.conf CERTAUTH_PROFILE="
                            % place.etc, 1)
    place.number += 1
    server = Dovecot(place.path("d%d" % place.number), cert=place.path("tls/server.pem"),
                     key=place.path("tls/server.key"), passwords={"alice": "secret"},
                     conf="login_plugin_dir = %s\n%s" % (plugins, text))
    server.start()
    try:
        status, out = run(["doveconf", "-c", server.conf_file, "login_plugins"])
        said = server.log()
    finally:
        server.stop()
    bad = [t for t in said.splitlines() if re.search(r"(Error|Fatal|Warning):", t)]
    return None if status == 0 and not bad else out + "\n".join(bad)
