"""
People out of a real OpenLDAP into a compiled table: certauth-refresher --directory.
FLAVOUR names the build (default: test); ENTRIES how many people the large one has.
"""

import base64
import hashlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

from pki import CA, seq, tlv, write_pem     # noqa: E402
from ports import free_port       # noqa: E402

BUILD = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"))
ENTRIES = int(os.environ.get("ENTRIES", "100000"))
SLAPD = "/usr/sbin/slapd"
pytestmark = pytest.mark.skipif(not os.path.exists(SLAPD), reason="no slapd")
SUFFIX = "dc=example,dc=com"

CONF = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
attributetype ( 1.2.840.113556.1.4.867 NAME 'altSecurityIdentities'
  EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
objectclass ( 1.3.6.1.4.1.99999.1 NAME 'certUser' SUP top AUXILIARY
  MAY altSecurityIdentities )
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
sizelimit size.soft=500 size.hard=500 size.pr=1000 size.prtotal=unlimited
TLSCACertificateFile %(f)s/root.pem
TLSCertificateFile %(f)s/server.pem
TLSCertificateKeyFile %(f)s/server.key
pidfile %(f)s/slapd.pid
database mdb
maxsize 1073741824
suffix "%(s)s"
rootdn "cn=admin,%(s)s"
rootpw secret
directory %(f)s/db
index objectClass,uid,modifyTimestamp eq
dbnosync
overlay memberof
access to * by dn.exact="cn=reader,%(s)s" read by anonymous auth
"""
TOP = """dn: %(s)s
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: cn=reader,%(s)s
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: let me in

dn: ou=people,%(s)s
objectClass: organizationalUnit
ou: people

dn: ou=groups,%(s)s
objectClass: organizationalUnit
ou: groups

""" % {"s": SUFFIX}


class Liar:
    """A directory that lets everybody in and answers each search with a page without
    entries and with a cookie; `silent`: not at all."""

    def __init__(self, silent=False):
        self.silent, self.searches = silent, 0
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(8)
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def close(self):
        """And wakes who waits in accept(): the number of the descriptor is soon another's."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join()
        self.socket.close()

    def accept(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(conn,), daemon=True).start()

    def talk(self, conn):
        with conn, conn.makefile("rb") as f:
            while f.read(1) == b"\x30":
                length = f.read(1)[0]
                if length > 0x80:
                    length = int.from_bytes(f.read(length & 0x7f), "big")
                body = f.read(length)
                number = body[:2 + body[1]]
                operation = body[len(number)]
                if operation == 0x60:
                    conn.sendall(seq(number, tlv(0x61, b"\x0a\x01\0\4\0\4\0")))
                elif operation == 0x63:
                    self.searches += 1
                    value = seq(tlv(2, b"\0"), tlv(4, b"next"))
                    control = seq(tlv(4, b"1.2.840.113556.1.4.319"), tlv(4, value))
                    if not self.silent:
                        conn.sendall(seq(number, tlv(0x65, b"\x0a\x01\0\4\0\4\0"),
                                         tlv(0xa0, control)))

    def conf(self, folder):
        path = os.path.join(folder, "liar.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write('url = "ldap://127.0.0.1:%d"; starttls = false; base = "dc=x";\n'
                    'table = "%s";\n' % (self.port, os.path.join(folder, "liar.table")))
        os.chmod(path, 0o644)
        return [os.path.join(BUILD, "certauth-refresher"), "--directory", path]


def person(uid, mail=None, more=""):
    return "dn: uid=%s,ou=people,%s\nobjectClass: inetOrgPerson\nobjectClass: certUser\nuid: %s\n" \
        "cn: %s\nsn: %s\n%s%s\n" % (uid, SUFFIX, uid, uid, uid,
                                    "mail: %s\n" % mail if mail else "", more)


class Slapd:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="ca-ldap-", dir="/tmp")
        os.chmod(self.folder, 0o755)
        os.mkdir(self.path("db"))
        root = CA("Directory Root")
        write_pem(self.path("root.pem"), root)
        root.server("127.0.0.1").write(self.folder, "server")
        self.people = {n: root.leaf(n, email=n + "@example.com") for n in ("alice", "bob")}
        self.port, self.process = free_port(), None
        with open(self.path("slapd.conf"), "w", encoding="ascii") as f:
            f.write(CONF % {"f": self.folder, "s": SUFFIX})
        with open(self.path("password"), "w", encoding="ascii") as f:
            f.write("let me in\n")
        os.chmod(self.path("password"), 0o600)
        self.table = self.path("people.table")

    def path(self, name):
        return os.path.join(self.folder, name)

    def load(self, ldif):
        """Before the start: at once, however many."""
        with open(self.path("in.ldif"), "w", encoding="utf-8") as f:
            f.write(ldif)
        subprocess.run(["/usr/sbin/slapadd", "-q", "-f", self.path("slapd.conf"), "-l",
                        self.path("in.ldif")], check=True, capture_output=True, timeout=300)

    def start(self):
        self.process = subprocess.Popen(
            [SLAPD, "-d", "0", "-f", self.path("slapd.conf"), "-h",
             "ldap://127.0.0.1:%d ldap://127.0.0.2:%d" % (self.port, self.port)], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end
                time.sleep(0.1)

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def modify(self, ldif):
        subprocess.run(["ldapmodify", "-x", "-H", "ldap://127.0.0.1:%d" % self.port, "-D",
                        "cn=admin," + SUFFIX, "-w", "secret"], input=ldif.encode(), check=True,
                       capture_output=True, timeout=60)

    def conf(self, **change):
        part = {"url": '"ldap://127.0.0.1:%d"' % self.port, "base": '"ou=people,%s"' % SUFFIX,
                "bind_dn": '"cn=reader,%s"' % SUFFIX, "password_file": '"%s"' % self.path("password"),
                "ca_file": '"%s"' % self.path("root.pem"), "table": '"%s"' % self.table,
                "groups": '"memberOf"',
                "keys": '[ "mail", "userCertificate;binary", "altSecurityIdentities" ]'}
        part.update(change)
        with open(self.path("directory.conf"), "w", encoding="utf-8") as f:
            f.write("".join("%s = %s;\n" % p for p in part.items() if p[1] is not None))
        os.chmod(self.path("directory.conf"), 0o644)

    def run(self, *more):
        return subprocess.run([os.path.join(BUILD, "certauth-refresher"), "--directory",
                               self.path("directory.conf"), "--once", *more],
                              capture_output=True, text=True, timeout=300)

    def daemon(self):
        return subprocess.Popen([os.path.join(BUILD, "certauth-refresher"), "--directory",
                                 self.path("directory.conf")], stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)

    def ask(self, key):
        r = subprocess.run([os.path.join(BUILD, "certauth"), "table", "lookup", "--json", self.table,
                            key], capture_output=True, text=True, timeout=60)
        out = json.loads(r.stdout)
        return (out["user"], out["groups"]) if out["found"] else None

    def rows(self):
        r = subprocess.run([os.path.join(BUILD, "certauth"), "table", "check", "--json", self.table],
                           capture_output=True, text=True, timeout=60, check=True)
        out = json.loads(r.stdout)
        assert out["compiled"]
        return out["rows"]


@pytest.fixture
def slapd():
    s = Slapd()
    try:
        yield s
    finally:
        s.stop()
        shutil.rmtree(s.folder, ignore_errors=True)


def until(what, seconds=60):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def small(s):
    der = s.people["alice"].der
    s.load(TOP + person("alice", "Alice@Example.com", "userCertificate;binary:: %s\n"
                        "altSecurityIdentities: X509:<SKI>AB12\n"
                        "altSecurityIdentities: Kerberos:alice@EXAMPLE.COM\n"
                        % base64.b64encode(der).decode())
           + person("bob", "bob@example.com") + person("carol") + person("dan", "dan@example.com"))
    s.start()
    s.modify("dn: cn=staff,ou=groups,%s\nchangetype: add\nobjectClass: groupOfNames\ncn: staff\n"
             "member: uid=alice,ou=people,%s\nmember: uid=bob,ou=people,%s\n\n"
             "dn: cn=admins,ou=groups,%s\nchangetype: add\nobjectClass: groupOfNames\ncn: admins\n"
             "member: uid=alice,ou=people,%s\n" % ((SUFFIX,) * 5))
    return hashlib.sha256(der).hexdigest()


def test_all_kinds_of_keys(slapd):
    digest = small(slapd)
    slapd.conf()
    r = slapd.run()
    assert r.returncode == 0, r.stderr
    for key in ("Alice@example.com", digest, "X509:<SKI>ab12"):
        user, groups = slapd.ask(key)
        assert user == "alice" and sorted(groups.split(",")) == ["admins", "staff"], key
    assert slapd.ask("bob@example.com") == ("bob", "staff")
    assert slapd.ask("dan@example.com") == ("dan", "")
    assert slapd.ask("Kerberos:alice@EXAMPLE.COM") is None
    assert slapd.rows() == 5
    assert stat.S_IMODE(os.stat(slapd.table).st_mode) == 0o640


@pytest.mark.parametrize("change,word", [
    ({"url": '"ldap://127.0.0.1:1"'}, "Can't contact"),
    ({"ca_file": None}, "StartTLS"),                        # not signed by a CA we know
    ({"url": '"ldap://127.0.0.2:%(port)d"'}, "StartTLS"),    # another name
    ({"bind_dn": '"cn=nobody,dc=example,dc=com"'}, "bind"),
    ({"base": '"ou=nowhere,dc=example,dc=com"'}, "No such object"),
    ({"filter": '"(broken"'}, "search")])
def test_what_fails_keeps_the_last_good(slapd, change, word):
    small(slapd)
    slapd.conf()
    assert slapd.run().returncode == 0
    before = open(slapd.table, "rb").read()
    slapd.conf(**{k: v and v.replace("%(port)d", str(slapd.port)) for k, v in change.items()})
    r = slapd.run()
    assert r.returncode == 1 and word in r.stderr and "last good table stays" in r.stderr, r.stderr
    assert open(slapd.table, "rb").read() == before


@pytest.mark.parametrize("change,word", [
    ({"url": '"ldap://127.0.0.2"', "starttls": "false"}, "clear text"), ({"url": '"http://localhost"'}, "ldaps"),
    ({"table": '"relative"'}, "absolute"), ({"table": None}, "missing"), ({"wish": "1"}, "no setting"),
    ({"password_file": None}, "goes with"), ({"page": "0"}, "number"), ({"keys": '"mail"'}, "list")])
def test_wrong_settings(slapd, change, word):
    slapd.conf(**change)
    r = slapd.run()
    assert r.returncode == 2 and word in r.stderr, r.stderr


def test_password_file_of_everybody(slapd):
    small(slapd)
    slapd.conf()
    os.chmod(slapd.path("password"), 0o644)
    r = slapd.run()
    assert r.returncode == 1 and "password" in r.stderr and not os.path.exists(slapd.table)


def test_two_people_of_one_mailbox(slapd):
    """Nobody is picked: the last good table stays."""
    small(slapd)
    slapd.conf()
    assert slapd.run().returncode == 0
    slapd.modify("dn: uid=dan,ou=people,%s\nchangetype: modify\nreplace: mail\n"
                 "mail: bob@example.com\n" % SUFFIX)
    r = slapd.run()
    assert r.returncode == 1 and "bob@example.com" in r.stderr
    assert slapd.ask("bob@example.com") == ("bob", "staff")
    assert slapd.ask("dan@example.com") == ("dan", "")


def test_daemon_takes_changes_and_survives_a_dead_directory(slapd):
    small(slapd)
    slapd.conf(refresh="1", full="4")
    d = slapd.daemon()
    try:
        until(lambda: os.path.exists(slapd.table))
        # a delta: changed and new
        slapd.modify("dn: uid=dan,ou=people,%s\nchangetype: modify\nreplace: mail\n"
                     "mail: daniel@example.com\n" % SUFFIX)
        until(lambda: slapd.ask("daniel@example.com") == ("dan", "") and
              slapd.ask("dan@example.com") is None)
        # deleted: only a full search can see it
        slapd.modify("dn: uid=dan,ou=people,%s\nchangetype: delete\n" % SUFFIX)
        until(lambda: slapd.ask("daniel@example.com") is None)
        before = open(slapd.table, "rb").read()
        slapd.stop()
        time.sleep(2.5)
        assert open(slapd.table, "rb").read() == before and d.poll() is None
        slapd.start()
        slapd.modify("dn: uid=bob,ou=people,%s\nchangetype: modify\nreplace: mail\n"
                     "mail: robert@example.com\n" % SUFFIX)
        until(lambda: slapd.ask("robert@example.com") == ("bob", "staff"))
    finally:
        d.send_signal(signal.SIGTERM)
        said = d.communicate(timeout=60)[1]
    assert d.returncode == 0 and "last good table stays" in said


def test_pages_that_do_not_end(tmp_path):
    liar = Liar()
    r = subprocess.run(liar.conf(str(tmp_path)) + ["--once"], capture_output=True, text=True,
                       timeout=60)
    liar.close()
    assert r.returncode == 1 and "do not end" in r.stderr and liar.searches < 100


def test_stopped_while_a_page_is_waited_for(tmp_path):
    liar = Liar(silent=True)
    d = subprocess.Popen(liar.conf(str(tmp_path)), stderr=subprocess.PIPE, text=True)
    until(lambda: liar.searches)
    d.send_signal(signal.SIGTERM)
    assert d.wait(30) == 0      # long before the page's minute is over
    liar.close()
    d.communicate()


def test_many(slapd):
    """And a fifth that is gone is not taken without a word."""
    slapd.load(TOP + "".join(person("user%d" % i, "user%d@example.com" % i) for i in range(ENTRIES)))
    slapd.start()
    slapd.conf(groups=None)
    start = time.monotonic()
    r = slapd.run()
    assert r.returncode == 0, r.stderr
    print("%d entries in %.1f s" % (ENTRIES, time.monotonic() - start))
    assert slapd.rows() == ENTRIES
    assert slapd.ask("user%d@example.com" % (ENTRIES - 1)) == ("user%d" % (ENTRIES - 1), "")
    slapd.conf(groups=None, filter='"(uid=user1*)"')
    r = slapd.run()
    assert r.returncode == 1 and "--accept" in r.stderr
    assert slapd.rows() == ENTRIES
    assert slapd.run("--accept").returncode == 0
    assert 0 < slapd.rows() < ENTRIES
    assert slapd.ask("user2@example.com") is None
