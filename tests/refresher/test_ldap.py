"""
CRLs out of a real directory (slapd), and out of servers that lie about being one.
"""

import base64
import os
import socket
import subprocess
import threading

import pytest

from world import World, until

from ports import free_port         # (world knows where it lies)

SLAPD, SLAPADD = "/usr/sbin/slapd", "/usr/sbin/slapadd"


class Directory:
    """slapd as an ordinary user; entries: name -> attribute lines."""

    def __init__(self, folder, entries):
        self.folder, self.port = str(folder), free_port()
        os.mkdir(os.path.join(self.folder, "db"))
        conf = os.path.join(self.folder, "slapd.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write("include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\n"
                    "moduleload back_mdb\ndatabase mdb\nsuffix dc=example\n"
                    "maxsize 134217728\ndirectory %s/db\n" % self.folder)
        text = "dn: dc=example\nobjectClass: dcObject\nobjectClass: organization\n" \
            "dc: example\no: Example\n\n"
        for name, lines in entries.items():
            text += "dn: cn=%s,dc=example\ncn: %s\n%s\n\n" % (name, name, "\n".join(lines))
        ldif = os.path.join(self.folder, "in.ldif")
        with open(ldif, "w", encoding="utf-8") as f:
            f.write(text)
        subprocess.run([SLAPADD, "-f", conf, "-l", ldif], check=True, timeout=60,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.process = subprocess.Popen(
            [SLAPD, "-h", "ldap://127.0.0.1:%d" % self.port, "-f", conf, "-d", "0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self.listens)

    def listens(self):
        assert self.process.poll() is None
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def url(self, name, attribute="certificateRevocationList;binary", scope="base"):
        return "ldap://127.0.0.1:%d/cn=%s,dc=example?%s?%s?(objectClass=*)" % (
            self.port, name, attribute, scope)

    def close(self):
        self.process.terminate()
        self.process.wait(60)


def entry(*crls, attribute="certificateRevocationList"):
    return ["objectClass: cRLDistributionPoint"] + [
        "%s;binary:: %s" % (attribute, base64.b64encode(c).decode()) for c in crls]


@pytest.fixture
def world(tmp_path):
    with World(tmp_path) as w:
        yield w


@pytest.fixture
def directory(world, tmp_path):
    (tmp_path / "ldap").mkdir()
    d = Directory(tmp_path / "ldap", {
        "ca": entry(world.crl([world.alice.serial])),
        "two": entry(world.crl(), world.crl(number=2)),
        "none": ["objectClass: cRLDistributionPoint"],
        "junk": entry(b"this is no list"),
        "away": ["objectClass: referral", "objectClass: extensibleObject",
                 "ref: %s" % world.http.base.replace("http", "ldap")],
    })
    yield d
    d.close()


def test_a_list_out_of_a_directory(world, directory):
    for url in (directory.url("ca"), directory.url("ca", "certificateRevocationList")):
        world.policy(crl_urls=[url], ldap=True)
        world.once()
        assert world.show(world.alice) == "revoked"
        assert world.source(url)["entries"] == 1


@pytest.mark.parametrize("name, says", [
    ("two", "several CRLs"), ("none", "no CRL"), ("junk", ""), ("nobody", "object"),
    ("away", "eferral")])
def test_what_is_no_list_is_refused(world, directory, name, says):
    url = directory.url(name)
    world.policy(crl_urls=[url], ldap=True)
    world.once(status=1)
    error = world.source(url)["error"]
    assert error and says in error
    # A referral is not followed, whatever it leads to.
    assert world.http.connections == 0
    assert not [n for n in world.spool() if n.endswith(".crl")]


def test_ldap_is_off(world, directory):
    world.policy(crl_urls=[directory.url("ca")])
    p = world.run("--once")
    assert p.returncode == 2 and "ldap = true" in p.stdout


def test_urls_of_certificates(tmp_path):
    """Not without the option; with it at public addresses alone; never without a host."""
    with World(tmp_path) as w:
        port = free_port()
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            listener.listen(8)
            listener.settimeout(0.2)
            url = "ldap://localhost:%d/cn=ca,dc=example?certificateRevocationList" % port
            rebuild(w, [url, "ldap:///cn=ca,dc=example?certificateRevocationList"])
            w.policy(ldap=False)
            out = w.once()
            assert "is ldap:, which is not fetched" in out
            w.policy(ldap=True)
            out = w.once()
            assert "leads to a private address" in out and "is no URL" in out
            with pytest.raises(socket.timeout):
                listener.accept()
            # The same with an address that only the socket shows (a name of DNS).
            w.policy(ldap=True, private_addresses=True)
            w.run("--once", seconds=60)
            listener.settimeout(5)
            listener.accept()[0].close()


def rebuild(w, urls):
    """The issuing CA anew, with these distribution points."""
    from pki import CA
    w.ca = CA("Test Issuing CA", issuer=w.root, crldp=urls)
    w.alice = w.ca.leaf("Alice", email="alice@example.com")
    w.write_cas()


def ber(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    size = bytes([n]) if n < 128 else b"\x84" + n.to_bytes(4, "big")
    return bytes([tag]) + size + body


def liar(answer):
    """An LDAP server that binds everybody and answers each search with `answer`(socket,
    message id)."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(8)

    def talk(conn):
        try:
            with conn:
                conn.settimeout(60)
                data = conn.recv(65536)         # bind
                conn.sendall(ber(0x30, ber(2, b"\x01"), ber(
                    0x61, ber(0x0a, b"\0"), ber(4), ber(4))))
                data = conn.recv(65536)         # search
                if data:
                    answer(conn, b"\x02")
        except OSError:
            pass

    def accept():
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(conn,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener, "ldap://127.0.0.1:%d/cn=ca,dc=example?certificateRevocationList" % \
        listener.getsockname()[1]


def test_a_message_without_end(world):
    """libldap would read a gigabyte into memory; what the socket received is counted."""
    sent = [0]

    def answer(conn, number):
        conn.sendall(b"\x30\x84\x40\0\0\0" + ber(2, number) + b"\x64\x84\x3f\xff\xff\x00")
        block = b"\0" * (1 << 20)
        for _ in range(1024):
            conn.sendall(block)
            sent[0] += len(block)
    listener, url = liar(answer)
    with listener:
        world.policy(crl_urls=[url], ldap=True)
        world.once(status=1)
    assert "larger than" in world.source(url)["error"]
    assert sent[0] < 128 << 20


def test_rubbish_for_ldap(world):
    listener, url = liar(lambda conn, number: conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n" * 9))
    with listener:
        world.policy(crl_urls=[url], ldap=True)
        world.once(status=1)
    assert world.source(url)["error"]
