"""
One PKI, one policy, and real Dovecots in external and require mode for the tests of
the login plugin. FLAVOUR names the build (default: test).
"""

import os
import re
import shutil
import sys
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "lib")]

import dovecot_server       # noqa: E402
from pki import CA, write_pem       # noqa: E402

PASSWORDS = {"alice": "secret", "bob": "hush"}


def plugin_file():
    return os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"),
                        "lib50_certauth_plugin.so")


class World:
    """Certificates, policy, and the files that tests change in place."""

    def __init__(self, folder):
        self.folder = folder
        self.servers = 0
        os.chmod(folder, 0o755)
        self.etc = self.dir("etc")
        self.crls = self.dir("etc/crls")
        self.certs = self.dir("certs")
        self.root = CA("Test Root")
        self.ca = CA("Test Issuing CA", issuer=self.root)
        self.other = CA("Other Root")
        write_pem(self.etc + "/root.pem", self.root)
        write_pem(self.etc + "/issuing.pem", self.ca)
        self.server = self.root.server("localhost", "127.0.0.1").write(self.certs, "server")
        self.second = self.root.server("second.test").write(self.certs, "second")
        self.leafs = {}
        for name, options in {
                "alice": {}, "bob": {}, "nobody": {}, "denied": {}, "revoked": {},
                "later": {},
                "expired": {"not_before": "-90d", "not_after": "-1d"},
                "web": {"eku": ["serverAuth"]},
                "mail-only": {"eku": ["emailProtection"]}}.items():
            self.add(name, self.ca, **options)
        self.add("unknown", self.other)
        # two mailboxes, one person
        self.add("two", self.ca, email=["alice@example.com", "a.smith@example.com"])
        # leaf and issuing CA together
        self.leafs["alice"].write(self.certs, "alice-chain", chain=[self.ca])
        self.map = os.path.join(self.etc, "people.map")
        self.write("people.map", "".join(
            "%s@example.com %s\n" % (n, n) for n in self.leafs
            if n not in ("nobody", "two")) + "a.smith@example.com alice\n")
        self.write("denied", "user:denied\n")
        self.revoke()
        self.conf = self.policy("certauth.conf")

    def dir(self, name):
        path = os.path.join(self.folder, name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o755)
        return path

    def write(self, name, text):
        path = os.path.join(self.etc, name)
        with open(path + ".part", "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path + ".part", 0o644)
        os.rename(path + ".part", path)
        return path

    def add(self, name, ca, email=None, **options):
        self.leafs[name] = ca.leaf(name, email=email or name + "@example.com", **options)
        self.leafs[name].write(self.certs, name)

    def cert(self, name):
        return None if name is None else os.path.join(self.certs, name + ".pem")

    def revoke(self, *more, number=1):
        self.root.crl([], number=number).write(self.crls + "/root.crl")
        self.ca.crl([self.leafs["revoked"]] + [self.leafs[n] for n in more],
                    number=number).write(self.crls + "/issuing.crl")
        for name in os.listdir(self.crls):
            os.chmod(os.path.join(self.crls, name), 0o644)

    def policy(self, name, **change):
        """A policy file; `change` replaces what it says of its parts."""
        part = {"anchors": "root.pem", "denied": "denied", "map": "people.map",
                "crls": "crls", "more": ""}
        part.update(change)
        return self.write(name, """version = 1;
log: { limit = 0; };        # the tests look for the line of each refusal
state = "%s";
authorities: {
  ca: {
    anchors = [ "%s" ];
    intermediates = [ "issuing.pem" ];
    revocation: { check = "chain"; crls = [ "%s" ]; };
  };
};
profiles: {
  mail: {
    authorities = [ "ca" ];
    denied = "%s";
    identity = ( { name = "mailbox"; key = "{san.email}"; table = "%s"; } );
  };
  nomap: { authorities = [ "ca" ]; };
  strict: { base = "mail"; policies = [ "1.2.3.4" ]; };
  %s
};
""" % (self.dir("state"), part["anchors"], part["crls"], part["denied"], part["map"],
            part["more"]))

    def environment(self, mode=None, conf=None, profile="mail", **more):
        env = {"CERTAUTH_CONF": conf or self.conf}
        if profile is not None:
            env["CERTAUTH_PROFILE"] = profile
        if mode is not None:
            env["CERTAUTH_MODE"] = mode
        env.update(more)
        return env

    def dovecot(self, name, mode=None, env=None, **options):
        options.setdefault("passwords", PASSWORDS)
        self.servers += 1
        return dovecot_server.Dovecot(
            os.path.join(self.folder, "%s%d" % (name[:6], self.servers)), cert=self.server,
            key=self.server[:-len(".pem")] + ".key", plugin=plugin_file(),
            environment=self.environment(mode, **(env or {})), **options)


def new_world():
    # Short, for Unix sockets, and below a folder that dovenull can enter.
    return World(tempfile.mkdtemp(prefix="ca-dc-", dir="/tmp"))


def healthy(server):
    """No login process may have ended by itself."""
    for line in server.log().splitlines():
        # a session is named at random, and was BUGb... one day
        plain = re.sub(r"session=<[^>]*>", "", line)
        for word in ("Panic", "Fatal", "killed with signal", "BUG", "backtrace"):
            assert word not in plain, line


@pytest.fixture(scope="session", autouse=True)
def needs():
    why = dovecot_server.available()
    if why is None and not os.path.exists(plugin_file()):
        why = plugin_file() + " is not built"
    if why is not None:
        pytest.fail(why)


@pytest.fixture(scope="session")
def world():
    w = new_world()
    yield w
    shutil.rmtree(w.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def external(world):
    with world.dovecot("ext") as d:
        yield d
    healthy(d)


@pytest.fixture(scope="session")
def require(world):
    with world.dovecot("req", mode="require") as d:
        yield d
    healthy(d)


@pytest.fixture
def own_world():
    """For tests that change files in place."""
    w = new_world()
    yield w
    shutil.rmtree(w.folder, ignore_errors=True)


@pytest.fixture
def start():
    """start(dovecot): started, and stopped after the test, whatever happens."""
    running = []

    def run(server):
        running.append(server)
        return server.start()
    yield run
    for server in running:
        server.stop()
        healthy(server)
