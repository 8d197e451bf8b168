"""
test_servers.py - from a bare Debian to a login, through an upgrade, to a clean purge: each
server with what the packages bring, a CA put where README.Debian says, nothing else.
"""

import os
import subprocess

import pytest

from bare import Bare, wait
from conftest import HIGHER
from pki import CA, write_pem

SERVERS = ["nginx", "apache2", "dovecot-imapd", "ssl-cert", "openssl", "curl", "iproute2",
           "procps"]
# What servers and the tools of the base system write by themselves.
SERVERS_OWN = ("/home", "/var/mail", "/var/lib/dovecot", "/var/lib/systemd",
               "/var/lib/apache2/module", "/var/lib/nginx/", "/etc/passwd-", "/etc/group-",
               "/etc/shadow-", "/etc/gshadow-")
PASSWORD = "a password beside"


class World:
    """The chroot, the packages in it, a CA with its people."""

    def __init__(self, bare, folder):
        self.bare = bare
        self.folder = folder
        self.ca = CA("Our CA")
        self.alice = self.ca.leaf("Alice", email="alice@example.com")
        self.bob = self.ca.leaf("Bob", email="bob@example.com")
        self.eve = CA("Another CA").leaf("Alice", email="alice@example.com")
        os.makedirs(bare.path("/root/pki"))
        for cert, name in ((self.alice, "alice"), (self.bob, "bob"), (self.eve, "eve")):
            cert.write(bare.path("/root/pki"), name)

    def install(self, name, which="old", *more):
        """With the packages of ours that it needs; nothing comes from the network."""
        files = ["/debs/%s/%s" % (which, f)
                 for f in sorted(os.listdir(self.bare.path("/debs/" + which)))
                 if f.split("_")[0] in (name, "certauth", *more)]
        return self.bare.run("apt-get", "install", "-y", "--no-install-recommends",
                             *files)

    def fill(self):
        """Steps 1 to 3 of README.Debian."""
        etc = self.bare.path("/etc/certauth/")
        write_pem(etc + "anchors/ca.pem", self.ca)
        self.ca.crl([self.bob]).write(etc + "crls/ca.crl")
        with open(etc + "people.map", "a", encoding="utf-8") as f:
            f.write("alice@example.com alice\nbob@example.com bob\n")

    def purge(self):
        said = self.bare.run("apt-get", "purge", "-y", "certauth")
        said += self.bare.run("dpkg", "--purge", "libnginx-mod-http-certauth",
                              "libapache2-mod-certauth", "dovecot-certauth",
                              "certauth-refresher", "certauth")
        return said

    def web(self, who=None):
        """(HTTP status, body)"""
        args = ["--cert", "/root/pki/%s.pem" % who, "--key", "/root/pki/%s.key" % who] \
            if who else []
        status, said = self.bare.ask("curl", "-sk", "--max-time", "20", "-w", "\n%{http_code}",
                                     *args, "https://localhost/", seconds=60)
        body, _, code = said.rpartition("\n")
        return (int(code) if status == 0 else 0), body

    def mail(self, who=None, password=None):
        """Did the login work? (yes, what curl said)"""
        args = ["--cert", "/root/pki/%s.pem" % who, "--key", "/root/pki/%s.key" % who,
                "--login-options", "AUTH=EXTERNAL", "-u", who + ":"] if who else \
            ["-u", "alice:" + password]
        status, said = self.bare.ask("curl", "-skv", "--max-time", "30", *args,
                                     "imaps://localhost/", seconds=60)
        return status == 0, said

    def newest(self, needle, module):
        """Have all processes of that command line the module's present file mapped?"""
        maps = self.bare.processes(needle).values()
        return bool(maps) and all(module in m and module + " (deleted)" not in m for m in maps)

    def left(self, before):
        """What an administrator put in place stays after the purge, and nothing else."""
        for mine in ("/etc/certauth/anchors/ca.pem", "/etc/certauth/crls/ca.crl"):
            os.unlink(self.bare.path(mine))
        return {f for f in self.bare.files() - before
                if f not in ("/etc/certauth", "/etc/certauth/anchors", "/etc/certauth/crls")
                and not f.startswith(SERVERS_OWN)}


@pytest.fixture(scope="module")
def world(debs, higher, tmp_path_factory):
    with Bare() as bare:
        for which, files in (("old", debs), ("new", higher)):
            os.makedirs(bare.path("/debs/" + which))
            for f in files.values():
                subprocess.run(["cp", f, bare.path("/debs/" + which)], check=True)
        bare.run("apt-get", "update", "-q")
        bare.run("apt-get", "install", "-y", "--no-install-recommends", *SERVERS, seconds=1200)
        # What ours need, so that the rest works without a network.
        ours = bare.run("sh", "-c", "apt-get install -s --no-install-recommends /debs/old/*.deb")
        need = [line.split()[1] for line in ours.splitlines()
                if line.startswith("Inst ") and "certauth" not in line.split()[1]]
        if need:
            bare.run("apt-get", "install", "-y", "--no-install-recommends", *need)
        bare.run("useradd", "-m", "alice")
        bare.run("sh", "-c", "echo 'alice:%s' | chpasswd" % PASSWORD)
        bare.begin(network=False)
        bare.services(True)
        yield World(bare, tmp_path_factory.mktemp("deb"))


@pytest.fixture(autouse=True)
def nothing_runs(world):
    yield
    for name in ("nginx", "apache2", "dovecot"):
        world.bare.ask("service", name, "stop")


def group(world):
    return world.bare.ask("getent", "group", "certauth")[1].strip()


def test_policy(world):
    """The packages without a server: who owns what, and what the command says."""
    b = world.bare
    before = b.files()
    world.install("certauth-refresher")
    assert b.run("stat", "-c", "%U:%G %a %n", "/etc/certauth/people.map", "/etc/certauth/denied",
                 "/etc/certauth/certauth.conf", "/etc/certauth", "/var/lib/certauth",
                 "/run/certauth").splitlines() == [
        "root:certauth 640 /etc/certauth/people.map", "root:certauth 640 /etc/certauth/denied",
        "root:root 644 /etc/certauth/certauth.conf", "root:root 755 /etc/certauth",
        "certauth:certauth 755 /var/lib/certauth", "certauth:certauth 755 /run/certauth"]
    assert not b.processes("certauth-refresher")
    status, said = b.ask("certauth", "check")
    assert status == 1 and "/etc/certauth/anchors" in said, said
    world.fill()
    b.run("certauth", "check")
    assert '"user":"alice"' in b.run("certauth", "verify", "--json", "--profile", "staff",
                                     "/root/pki/alice.pem").replace('": "', '":"')
    for who, reason in (("bob", "revoked"), ("eve", "no-path")):
        status, said = b.ask("certauth", "verify", "--json", "--profile", "staff",
                             "/root/pki/%s.pem" % who)
        assert status == 1 and '"%s"' % reason in said, said
    # The daemon as its unit starts it.
    with b.beside("setpriv", "--reuid=certauth", "--regid=certauth", "--init-groups",
                  "certauth-refresher", "--foreground"):
        wait(lambda: os.path.exists(b.path("/run/certauth/refresher.sock")), "socket")
        assert "0 faults, 0 warnings" in b.run("certauth", "check")
    # A changed policy is not overwritten by an upgrade.
    with open(b.path("/etc/certauth/certauth.conf"), "a", encoding="utf-8") as f:
        f.write("# ours\n")
    world.install("certauth-refresher", "new")
    assert HIGHER in b.run("certauth", "--version")
    assert b.read("/etc/certauth/certauth.conf").endswith("# ours\n")
    assert "alice" in b.read("/etc/certauth/people.map")
    assert b.run("stat", "-c", "%U:%G %a", "/etc/certauth/people.map") == "root:certauth 640\n"
    world.purge()
    assert group(world) == "" and b.ask("id", "certauth")[0] != 0
    assert world.left(before) == set()


def test_nginx(world):
    b, so = world.bare, "/usr/lib/nginx/modules/ngx_http_certauth_module.so"
    before = b.files()
    b.run("service", "nginx", "start")
    world.install("libnginx-mod-http-certauth")
    # A server that runs goes on, with a module that does nothing.
    b.run("curl", "-sf", "http://localhost/")
    wait(lambda: world.newest("nginx: worker", so), "module in the workers")
    assert "www-data" in group(world)
    world.fill()
    b.run("ln", "-s", "../sites-available/certauth", "/etc/nginx/sites-enabled/")
    b.run("nginx", "-t")
    b.run("service", "nginx", "reload")
    wait(lambda: world.web("alice")[0] == 200, "login")
    assert " alice [" in b.read("/var/log/nginx/access.log")
    for who, word in ((None, "certificate"), ("bob", "revoked"), ("eve", "")):
        code, body = world.web(who)
        assert code == 403 and word in body, (who, code, body)
    # The maps are the group's: a new line counts without a reload.
    b.run("sed", "-i", "s/^alice@.*/alice@example.com alice2/", "/etc/certauth/people.map")
    b.run("chown", "root:certauth", "/etc/certauth/people.map")
    b.run("chmod", "640", "/etc/certauth/people.map")

    def renamed():
        return world.web("alice")[0] == 200 and \
            " alice2 [" in b.read("/var/log/nginx/access.log").splitlines()[-1]
    wait(renamed, "the new line of the map")
    # Upgraded: the workers have the new module, and nobody was turned away meanwhile.
    clients = b.popen("sh", "-c", "while [ ! -e /root/stop ]; do curl -sk -o /dev/null -w "
                      "'%{http_code}\\n' --cert /root/pki/alice.pem --key /root/pki/alice.key "
                      "https://localhost/; done", stdout=subprocess.PIPE)
    world.install("libnginx-mod-http-certauth", "new")
    wait(lambda: world.newest("nginx: worker", so), "the new module in all workers")
    b.write("/root/stop", "")
    codes = clients.communicate(timeout=60)[0].split()
    os.unlink(b.path("/root/stop"))
    assert codes and set(codes) == {"200"}, codes
    assert world.web("alice")[0] == 200 and world.web("bob")[0] == 403
    assert HIGHER in b.run("certauth", "--version")
    assert "older" not in b.ask("certauth", "check")[1]
    # A broken configuration: what runs goes on.
    b.run("sed", "-i", "s/certauth staff;/certauth stuff;/", "/etc/nginx/sites-available/certauth")
    said = b.run("sh", "-c", "apt-get install -y --reinstall /debs/new/libnginx*.deb")
    assert "goes on with the old module" in said, said
    assert world.web("alice")[0] == 200
    b.run("sed", "-i", "s/certauth stuff;/certauth staff;/", "/etc/nginx/sites-available/certauth")
    # Removed while it is used: nobody is let in unasked, and the script says so.
    said = b.run("apt-get", "remove", "-y", "libnginx-mod-http-certauth")
    assert "nobody is let in unasked" in said, said
    assert world.web("alice")[0] == 200 and world.web()[0] == 403
    assert b.ask("nginx", "-t")[0] != 0
    world.purge()
    b.run("nginx", "-t")
    b.run("service", "nginx", "restart")
    b.run("curl", "-sf", "http://localhost/")
    assert world.left(before) == set()


def test_apache(world):
    b, so = world.bare, "/usr/lib/apache2/modules/mod_certauth.so"
    before = b.files()
    b.run("service", "apache2", "start")
    world.install("libapache2-mod-certauth")
    b.run("curl", "-sf", "http://localhost/")
    # mod_ssl was off: it is not this package's business to open a port.
    assert not os.path.lexists(b.path("/etc/apache2/mods-enabled/certauth.load"))
    assert not os.path.lexists(b.path("/etc/apache2/mods-enabled/ssl.load"))
    assert "www-data" in group(world)
    world.fill()
    b.run("a2enmod", "certauth")
    b.run("a2ensite", "certauth")
    b.run("apache2ctl", "configtest")
    b.run("service", "apache2", "restart")
    wait(lambda: world.web("alice")[0] == 200, "login")
    assert " alice [" in b.read("/var/log/apache2/access.log")
    for who, word in ((None, "certificate"), ("bob", "revoked"), ("eve", "")):
        code, body = world.web(who)
        assert code == 403 and word in body, (who, code, body)
    world.install("libapache2-mod-certauth", "new")
    wait(lambda: world.newest("/usr/sbin/apache2 ", so), "the new module")
    wait(lambda: world.web("alice")[0] == 200, "login")
    assert world.web("bob")[0] == 403
    assert "older" not in b.ask("certauth", "check")[1]
    # Removed while it is used: what runs goes on, a start is refused.
    b.ask("apt-get", "remove", "-y", "libapache2-mod-certauth")
    assert not os.path.lexists(b.path("/etc/apache2/mods-enabled/certauth.load"))
    assert b.ask("apache2ctl", "configtest")[0] != 0
    assert world.web()[0] in (0, 403)
    # Back again: switched on, as it was.
    world.install("libapache2-mod-certauth", "new")
    assert os.path.lexists(b.path("/etc/apache2/mods-enabled/certauth.load"))
    b.run("service", "apache2", "restart")
    wait(lambda: world.web("alice")[0] == 200, "login")
    world.purge()
    b.run("apache2ctl", "configtest")
    b.run("service", "apache2", "restart")
    b.run("curl", "-sf", "http://localhost/")
    # With mod_ssl on already the module is on after the installation.
    world.install("libapache2-mod-certauth")
    assert os.path.lexists(b.path("/etc/apache2/mods-enabled/certauth.load"))
    wait(lambda: world.newest("/usr/sbin/apache2 ", so), "the module")
    world.purge()
    b.run("a2dismod", "-q", "ssl", "socache_shmcb")
    b.run("service", "apache2", "restart")
    assert world.left(before) == set()


def test_dovecot(world):
    b = world.bare
    before = b.files()
    b.run("service", "dovecot", "start")
    world.install("dovecot-certauth")
    wait(lambda: world.mail(password=PASSWORD)[0], "login by password")
    assert not world.mail("alice")[0]
    world.fill()
    # README.Debian, 1 and 2.
    b.run("sed", "-i", "s/^  driver = pam$/&\\n  mechanisms = plain login/;"
          "s/^passdb pam {$/&\\n  mechanisms_filter = plain login/",
          "/etc/dovecot/conf.d/auth-system.conf.ext")
    b.run("ln", "-s", "certauth.conf.ext", "/etc/dovecot/conf.d/99-certauth.conf")
    b.run("service", "dovecot", "restart")
    wait(lambda: world.mail("alice")[0], "login by certificate")
    assert world.mail(password=PASSWORD)[0]
    for who, reason in (("bob", "revoked"), ("eve", "no-path")):
        good, said = world.mail(who)
        assert not good and reason in said, said
    # Upgraded: its own trigger restarts Dovecot; the plugin that answers is the new one.
    pid = b.read("/run/dovecot/master.pid")
    world.install("dovecot-certauth", "new")
    wait(lambda: os.path.exists(b.path("/run/dovecot/master.pid")) and
         b.read("/run/dovecot/master.pid") != pid, "another master")
    wait(lambda: world.mail("alice")[0], "login by certificate")
    assert not world.mail("bob")[0] and world.mail(password=PASSWORD)[0]
    with b.beside("sh", "-c", "tail -f /dev/null | openssl s_client -connect localhost:993"):
        wait(lambda: world.newest("dovecot/imap-login",
                                  "/usr/lib/dovecot/modules/login/lib50_certauth_plugin.so"),
             "the new plugin in a login process")
    assert "older" not in b.ask("certauth", "check")[1]
    # Removed while it is used: nobody is let in, and the script says so.
    said = b.run("apt-get", "remove", "-y", "dovecot-certauth")
    assert "nobody can log in at all" in said, said
    assert not world.mail("alice")[0] and not world.mail(password=PASSWORD)[0]
    world.purge()
    b.run("service", "dovecot", "restart")
    wait(lambda: world.mail(password=PASSWORD)[0], "login by password")
    b.run("sed", "-i", "/^  mechanisms.* = plain login$/d",
          "/etc/dovecot/conf.d/auth-system.conf.ext")
    assert world.left(before) == set()
