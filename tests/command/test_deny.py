"""
certauth deny and allow: who leaves today. The denied file keeps all else that stands in
it, its owner and its mode; what cannot be done whole is not done. FLAVOUR names the build.
"""

import fcntl
import json
import os
import stat
import subprocess
import sys
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

from pki import CA, write_pem     # noqa: E402

BINARY = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")
POLICY = """version = 1; state = "%(folder)s/state";
authorities: { ours = { anchors = [ "root.pem" ]; revocation: { check = "none"; }; }; };
profiles: {
  web: { authorities = [ "ours" ]; denied = "denied"; identity = (
    { name = "m"; user = "{san.email|local}"; } ); };
  mail: { base = "web"; };
  other: { base = "web"; denied = "denied2"; };
};
"""
OLD = b"# those who left\r\nuser:carol reason=left # in May\n\n  serial:0A41BC\nmailbox:x@example.com until=2027-01-01"


def certauth(*args):
    return subprocess.run([BINARY, *map(str, args)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)


class World:
    def __init__(self, folder):
        self.folder = folder
        root = CA("Test Root")
        write_pem(folder / "root.pem", root)
        self.certs = {}
        for name in ("alice", "bob"):
            self.certs[name] = root.leaf(name, email=name + "@example.com")
            self.certs[name].write(folder, name)
        self.again = root.leaf("alice", email="alice@example.com", key=self.certs["alice"].key)
        self.again.write(folder, "again")
        self.conf = folder / "certauth.conf"
        self.conf.write_text(POLICY % {"folder": folder})
        self.denied = folder / "denied"
        self.denied.write_bytes(OLD)
        (folder / "denied2").write_bytes(b"")
        for name in ("certauth.conf", "denied", "denied2", "root.pem"):
            (folder / name).chmod(0o640)

    def run(self, what, *args):
        return certauth(what, "--config", self.conf, *args)

    def reason(self, cert, profile="web"):
        r = certauth("verify", "--json", "--config", self.conf, "--profile", profile,
                     self.folder / (cert + ".pem"))
        return json.loads(r.stdout)["reason"]


@pytest.fixture
def w(tmp_path):
    return World(tmp_path)


def test_user_out_and_in(w):
    assert w.reason("alice") == "ok"
    r = w.run("deny", "user:alice", "--reason", "left the company")
    assert r.returncode == 0 and "denied" in r.stdout, r.stderr
    assert w.denied.read_bytes() == OLD + b"\nuser:alice reason=left the company\n"
    assert [w.reason("alice", p) for p in ("web", "mail", "other")] == ["denied"] * 3
    assert w.reason("bob") == "ok"
    # once more: nothing new
    r = w.run("deny", "user:ALICE", "--reason", "again")
    assert r.returncode == 0 and "already" in r.stdout
    assert w.denied.read_bytes().count(b"lice") == 1
    r = w.run("allow", "user:Alice")
    assert r.returncode == 0, r.stderr
    assert w.denied.read_bytes() == OLD + b"\n"
    assert (w.folder / "denied2").read_bytes() == b""
    assert w.reason("alice") == "ok" == w.reason("alice", "other")
    assert w.run("allow", "user:alice").returncode == 1


def test_one_profile_alone(w):
    r = w.run("deny", "--profile", "other", "user:alice", "--reason", "r", "--json")
    assert r.returncode == 0
    out = json.loads(r.stdout)
    assert [(f["profile"], f["lines"]) for f in out["files"]] == [("other", 1)]
    assert w.denied.read_bytes() == OLD
    assert w.reason("alice") == "ok" and w.reason("alice", "other") == "denied"
    assert w.run("deny", "--profile", "nobody", "user:a", "--reason", "r").returncode == 2


def test_certificate_and_key(w):
    """A certificate that is denied takes all others of its key with it."""
    r = w.run("deny", w.folder / "alice.pem", "--reason", "lost card")
    assert r.returncode == 0, r.stderr
    assert w.reason("alice") == w.reason("again") == "denied"
    assert w.reason("bob") == "ok"
    assert w.run("allow", w.folder / "alice.pem").returncode == 0
    assert w.denied.read_bytes() == OLD + b"\n"


@pytest.mark.parametrize("what,who", [
    ("mailbox:ALICE@example.com", "alice"), ("serial:%s", "alice"), ("key:%s", "alice")])
def test_kinds(w, what, who):
    if what.startswith("serial"):
        out = subprocess.run(["openssl", "x509", "-noout", "-serial", "-in", w.folder / "alice.pem"],
                             capture_output=True, text=True, check=True).stdout
        what %= out.strip().split("=")[1]
    elif what.startswith("key"):
        pub = subprocess.run("openssl x509 -noout -pubkey -in alice.pem | openssl pkey -pubin "
                             "-outform DER | sha256sum", shell=True, cwd=w.folder,
                             capture_output=True, text=True, check=True).stdout
        what %= pub.split()[0]
    assert w.run("deny", what, "--reason", "r").returncode == 0
    assert w.reason(who) == "denied" and w.reason("bob") == "ok"
    assert w.run("allow", what).returncode == 0
    assert w.reason(who) == "ok"


def test_until(w):
    r = w.run("deny", "user:alice", "--reason", "on leave", "--until", "2099-01-01")
    assert r.returncode == 0 and w.denied.read_bytes().endswith(
        b"user:alice until=2099-01-01 reason=on leave\n")
    assert w.reason("alice") == "denied"
    # a shorter time is there already, a longer one is new
    assert "already" in w.run("deny", "user:alice", "--reason", "r", "--until", "2098-01-01").stdout
    assert "already" not in w.run("deny", "user:alice", "--reason", "r").stdout
    assert w.run("allow", "user:alice").returncode == 0
    assert w.denied.read_bytes() == OLD + b"\n"
    for bad in ("2001-01-01", "soon", "2099-01-01 reason=x", ""):
        r = w.run("deny", "user:bob", "--reason", "r", "--until", bad)
        assert r.returncode == 2 and r.stdout == "", bad
    assert w.denied.read_bytes() == OLD + b"\n"


@pytest.mark.parametrize("name", ["a b", 'say "x"', "back\\slash", "#1", "o'brien", "j\u00fcrg"])
def test_names_with_signs(w, name):
    assert w.run("deny", "user:" + name, "--reason", "r").returncode == 0
    assert "already" in w.run("deny", "user:" + name, "--reason", "r").stdout
    assert w.run("allow", "user:" + name).returncode == 0
    assert w.denied.read_bytes() == OLD + b"\n"


@pytest.mark.parametrize("args", [
    ("deny", "user:alice"), ("deny", "user:alice", "--reason", ""),
    ("deny", "user:alice", "--reason", "a\nuser:bob"), ("deny", "user:", "--reason", "r"),
    ("deny", "user:a\nuser:bob", "--reason", "r"), ("deny", "users:alice", "--reason", "r"),
    ("deny", "mailbox:alice", "--reason", "r"), ("deny", "serial:xyz", "--reason", "r"),
    ("deny", "no.pem", "--reason", "r"), ("deny", "--reason", "r"), ("allow",),
    ("allow", "user:a", "--reason", "r"), ("deny", "user:a", "--reason", "x" * 201),
    ("deny", "user:a", "user:b", "--reason", "r")])
def test_refused_words(w, args):
    r = w.run(*args, "--json")
    assert r.returncode == 2 and r.stdout == "" and r.stderr
    assert w.denied.read_bytes() == OLD


def test_owner_mode_and_attributes_stay(w):
    if os.geteuid() == 0:
        os.chown(w.denied, 0, 33)
    w.denied.chmod(0o640)
    os.setxattr(w.denied, "user.note", b"mine")
    before = w.denied.stat()
    assert w.run("deny", "--profile", "web", "user:alice", "--reason", "r").returncode == 0
    after = w.denied.stat()
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == \
        (before.st_uid, before.st_gid, 0o640)
    assert after.st_ino != before.st_ino        # replaced, not written into
    assert os.getxattr(w.denied, "user.note") == b"mine"
    assert sorted(p.name for p in w.folder.iterdir() if "part" in p.name) == []


def test_a_link_stays_a_link(w):
    (w.folder / "real").mkdir()
    os.rename(w.denied, w.folder / "real" / "list")
    os.symlink("real/list", w.denied)
    assert w.run("deny", "--profile", "web", "user:alice", "--reason", "r").returncode == 0
    assert w.denied.is_symlink() and b"user:alice" in (w.folder / "real" / "list").read_bytes()
    assert w.reason("alice") == "denied"


def test_refuses_rather_than_loses(w):
    # a second name would keep the old text
    os.link(w.denied, w.folder / "second")
    r = w.run("deny", "--profile", "web", "user:alice", "--reason", "r")
    assert r.returncode == 2 and "hard links" in r.stderr
    os.unlink(w.folder / "second")
    # a file that no server would take
    w.denied.write_bytes(OLD + b"\nusr:dan\n")
    r = w.run("deny", "--profile", "web", "user:alice", "--reason", "r")
    assert r.returncode == 2 and "denied:6" in r.stderr and w.denied.read_bytes() == OLD + b"\nusr:dan\n"
    w.denied.write_bytes(OLD)
    w.denied.chmod(0o666)
    assert w.run("deny", "--profile", "web", "user:alice", "--reason", "r").returncode == 2
    assert w.denied.read_bytes() == OLD
    w.denied.unlink()
    assert w.run("deny", "--profile", "web", "user:alice", "--reason", "r").returncode == 2


def test_another_fault_does_not_stand_in_the_way(w):
    """Maps, anchors and CRLs are not looked at."""
    (w.folder / "root.pem").write_text("no certificate")
    assert w.run("deny", "user:alice", "--reason", "r").returncode == 0
    assert b"user:alice" in w.denied.read_bytes()


def test_a_faulty_file_leaves_no_other_door_open(w):
    """The first file cannot be edited: the second is, and the fault is told."""
    w.denied.write_bytes(b"nonsense\n")
    r = w.run("deny", "user:alice", "--reason", "r")
    assert r.returncode == 2 and "denied:1" in r.stderr, r.stderr
    assert w.denied.read_bytes() == b"nonsense\n"
    assert (w.folder / "denied2").read_bytes() == b"user:alice reason=r\n"


def test_a_profile_without_a_file_is_told(w):
    text = w.conf.read_text().replace('other: { base = "web"; denied = "denied2"; };',
                                      'other: { authorities = [ "ours" ]; };')
    w.conf.write_text(text)
    r = w.run("deny", "user:alice", "--reason", "r")
    assert r.returncode == 1 and "other" in r.stderr and w.reason("alice") == "denied"
    assert w.run("allow", "user:alice").returncode == 0


def test_a_link_that_anybody_could_have_put_there(w):
    """Servers do not follow it, so neither does the writer."""
    (w.folder / "real").mkdir()
    (w.folder / "real" / "list").write_bytes(OLD)
    w.denied.unlink()
    os.symlink("real/list", w.denied)
    w.folder.chmod(0o777)
    r = w.run("deny", "--profile", "web", "user:alice", "--reason", "r")
    w.folder.chmod(0o755)
    assert r.returncode == 2 and "symbolic link" in r.stderr, r
    assert (w.folder / "real" / "list").read_bytes() == OLD
    assert os.listdir(w.folder / "real") == ["list"]


def test_many_at_once(w):
    """Each waits for the others: none is lost."""
    runs = [subprocess.Popen([BINARY, "deny", "--config", w.conf, "--profile", "web", "user:u%d" % i,
                              "--reason", "r"], stdout=subprocess.DEVNULL) for i in range(8)]
    assert [r.wait(timeout=120) for r in runs] == [0] * 8
    text = w.denied.read_bytes()
    assert all(b"user:u%d reason=r\n" % i in text for i in range(8)) and text.startswith(OLD)


def access_of(pid, fd):
    """0: opened for reading, and not only as a place (O_PATH)."""
    try:
        with open("/proc/%d/fdinfo/%s" % (pid, fd), encoding="ascii") as f:
            flags = int(next(x for x in f if x.startswith("flags:")).split()[1], 8)
    except OSError:         # closed meanwhile
        return -1
    return flags & (os.O_ACCMODE | os.O_PATH)


def test_waits_for_the_lock(w):
    fd = os.open(w.folder, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    p = subprocess.Popen([BINARY, "deny", "--config", w.conf, "--profile", "web", "user:alice",
                          "--reason", "r"], stdout=subprocess.DEVNULL)
    # it has opened the folder, which is what it locks
    folder, here = str(w.folder), "/proc/%d/fd" % p.pid
    deadline = time.monotonic() + 60
    while not any(os.path.realpath(os.path.join(here, n)) == folder and access_of(p.pid, n) == 0
                  for n in os.listdir(here)):
        assert p.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    assert p.poll() is None and w.denied.read_bytes() == OLD
    os.close(fd)
    assert p.wait(timeout=60) == 0 and b"user:alice" in w.denied.read_bytes()
