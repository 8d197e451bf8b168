"""
The command's own contract: exit codes, what stands on stdout, check, compile, show and
the forms in which people hand certificates in. FLAVOUR names the build (default: test).
"""

import hashlib
import json
import os
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

from pki import CA, write_pem     # noqa: E402

BINARY = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")

POLICY = """version = 1;
authorities: {
  ours: { anchors = [ "root.pem" ]; issuers = [ "ca.pem" ]; %(more)s
          revocation: { crls = [ "root.crl", "ca.crl" ]; }; };
};
profiles: { web: { authorities = [ "ours" ]; }; };
state = "%(folder)s/state";
"""


def certauth(*args):
    return subprocess.run([BINARY, *map(str, args)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)


def write_policy(folder, more=""):
    """The policy and what it names, readable as it must be."""
    conf = folder / "certauth.conf"
    conf.write_text(POLICY % {"folder": folder, "more": more})
    for path in folder.iterdir():
        if path.is_file() and path.suffix != ".key":
            path.chmod(0o644)
    return conf


class World:
    def __init__(self, folder):
        self.folder = folder
        self.root = CA("Test Root")
        self.ca = CA("Test Issuing CA", issuer=self.root)
        self.alice = self.ca.leaf("Alice", email="alice@example.com")
        self.bob = self.ca.leaf("Bob", email="bob@example.com")
        write_pem(folder / "root.pem", self.root)
        write_pem(folder / "ca.pem", self.ca)
        self.root.crl([], number=1).write(folder / "root.crl")
        self.ca.crl([(self.bob, "-1d", "keyCompromise")], number=5).write(folder / "ca.crl")
        self.alice.write(folder, "alice")
        self.bob.write(folder, "bob")
        self.conf = write_policy(folder)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def verify(w, cert, *more):
    return certauth("verify", "--json", "--config", w.conf, "--profile", "web", *more,
                    w.folder / cert)


def test_exit_codes(world):
    r = verify(world, "alice.pem")
    assert r.returncode == 0 and json.loads(r.stdout)["result"] == "accept"
    r = verify(world, "bob.pem")
    assert r.returncode == 1 and json.loads(r.stdout)["reason"] == "revoked"
    assert certauth("explain", "--config", world.conf, "--profile", "web",
                    world.folder / "bob.pem").returncode == 1


@pytest.mark.parametrize("args", [
    ["verify", "--json", "--roots", "root.pem", "--config", "certauth.conf", "alice.pem"],
    ["verify", "--json", "--roots", "root.pem", "--profile", "web", "alice.pem"],
    ["verify", "--json", "--config", "certauth.conf", "--profile", "nobody", "alice.pem"],
    ["verify", "--json", "--config", "certauth.conf", "alice.pem"],
    ["verify", "--json", "--config", "missing.conf", "--profile", "web", "alice.pem"],
    ["verify", "--json", "--roots", "root.pem", "--", "missing.pem"],
    ["verify", "--json", "--roots", "missing.pem", "--", "alice.pem"],
    ["verify", "--json", "--roots", "root.pem", "--time", "noon", "alice.pem"],
    ["verify", "--json", "--roots", "root.pem", "--purpose", "fun", "alice.pem"],
    ["verify", "--json", "--roots", "root.pem", "--revocation", "some", "alice.pem"],
    ["verify", "--json", "--roots", "root.pem", "--require-policy", "x", "--", "alice.pem"],
    ["verify", "--json", "--roots", "root.pem", "--ocsp-response", "x", "alice.pem"],
    ["compile", "--json", "--issuers", "ca.pem"],
    ["compile", "--json", "--issuers", "missing.pem", "--output", "out", "ca.crl"],
    ["show", "--json", "--index", "out", "--issuer", "ca.pem"],
    ["show", "--json", "--index", "missing", "--issuer", "ca.pem", "--serial", "01"],
    ["check", "--json", "one", "two"],
    ["publish", "--json", "--config", "certauth.conf", "missing.crl"],
    ["publish", "--json", "--config", "missing.conf", "ca.crl"],
    ["table", "build", "--json", "--output", "out", "missing.map"],
    ["table", "build", "--json", "--output", "missing/out", "good.map"],
    ["table", "check", "--json", "missing.map"],
    ["table", "lookup", "--json", "missing.map", "key"],
    ["table", "import", "--json", "--format", "pg_ident", "missing.map"],
    ["table", "import", "--json", "--format", "fun", "good.map"],
    ["table", "export", "--json", "--format", "pg_ident", "missing.map"],
    ["forecast", "--json", "--config", "certauth.conf", "missing.pem"],
    ["map", "enroll", "--json", "--pending", "missing.log"],
    ["pool", "accept", "--json", "--config", "missing.conf", 64 * "0"],
    ["pool", "accept", "--json", "--config", "certauth.conf", 64 * "0", "missing.pem"],
    ["fly", "--json"],
    [],
])
def test_usage_is_two_and_stdout_empty(world, args):
    (world.folder / "good.map").write_text("key user\n")
    files = {p.name for p in world.folder.iterdir()} | {"out"}
    r = certauth(*[world.folder / a if a in files or a.startswith("missing") else a
                   for a in args])
    assert r.returncode == 2 and r.stdout == "" and r.stderr, r


def test_what_is_at_fault_is_one(world):
    """Read, and refused: 1. The same commands could not read it: 2, above."""
    bad = world.folder / "bad.map"
    bad.write_text("a line of too many words\n")
    (world.folder / "bad.crl").write_text("junk")
    for args in (["publish", "--config", world.conf, world.folder / "bad.crl"],
                 ["table", "check", bad], ["table", "build", "--output",
                                           world.folder / "out", bad],
                 ["table", "import", "--format", "grid-mapfile", bad],
                 ["table", "export", "--format", "pg_ident", bad],
                 ["pool", "accept", "--config", world.conf, 64 * "0"]):
        r = certauth(*args)
        assert r.returncode == 1 and r.stdout == "" and r.stderr, (args, r)
    assert not (world.folder / "out").exists()


def test_list_option_gives_its_last_word(world):
    f = world.folder
    for args in (["--roots", f / "root.pem", "--intermediates", f / "ca.pem", f / "alice.pem"],
                 [f / "alice.pem", "--roots", f / "root.pem", "--intermediates", f / "ca.pem"],
                 ["--intermediates=%s" % (f / "ca.pem"), "--roots=%s" % (f / "root.pem"),
                  f / "alice.pem"]):
        assert certauth("verify", "--json", *args).returncode == 0, args


def test_where_each_ca_comes_from(world):
    """explain says of each CA which file it is of, or that it was sent."""
    f = world.folder
    args = ("explain", "--roots", f / "root.pem")
    r = certauth(*args, "--intermediates", f / "ca.pem", f / "alice.pem")
    assert "  depth 1 is of %s, intermediate\n" % (f / "ca.pem") in r.stdout, r
    assert "  depth 2 is of %s, anchor\n" % (f / "root.pem") in r.stdout
    r = certauth(*args, "--sent", f / "ca.pem", "--", f / "alice.pem")
    assert "  depth 1 was sent by the client\n" in r.stdout, r


def test_show_authorities(world):
    conf = world.conf
    r = certauth("show", "authorities", "--config", conf, "--json")
    rows = json.loads(r.stdout)["authorities"]
    assert [(x["authority"], x["role"], os.path.basename(x["file"])) for x in rows] == [
        ("ours", "anchor", "root.pem"), ("ours", "issuer", "ca.pem")], r
    assert rows[1]["sha256"] == hashlib.sha256(world.ca.der).hexdigest()
    text = certauth("show", "authorities", "--config", conf).stdout
    assert "  issuer " in text and "(ENDED)" not in text
    text = certauth("show", "authorities", "--config", conf, "--time",
                    "2099-01-01T00:00:00Z").stdout
    assert text.count("(ENDED)") == 2
    r = certauth("show", "authorities", "--config", conf, "x.pem")
    assert r.returncode == 2 and r.stdout == ""


def test_forms_of_a_certificate(world):
    """.cer is DER, .pfx is PKCS#12 with a password; what is none is malformed."""
    f = world.folder
    (f / "alice.cer").write_bytes(world.alice.der)
    (f / "alice.pfx").write_bytes(world.alice.p12(b"secret", chain=[world.ca]))
    (f / "word").write_text("secret\n")
    (f / "junk").write_text("hello\n")
    assert verify(world, "alice.cer").returncode == 0
    assert verify(world, "alice.pfx", "--password-file", f / "word").returncode == 0
    r = verify(world, "junk")
    assert r.returncode == 1 and json.loads(r.stdout)["reason"] == "malformed", r
    (f / "other").write_text("guess\n")
    for args in ((), ("--password-file", f / "other")):     # says nothing of the certificate
        r = verify(world, "alice.pfx", *args)
        assert r.returncode == 2 and r.stdout == "" and "--password-file" in r.stderr, r


def test_compile_and_show(world):
    f, out = world.folder, world.folder / "out"
    args = ["compile", "--json", "--issuers", f / "ca.pem", f / "root.pem", "--output", out]
    r = certauth(*args, f / "ca.crl", f / "root.crl")
    report = json.loads(r.stdout)
    assert r.returncode == 0 and report["entries"] == 1 and report["bytes"] > 0
    assert {c["number"].lstrip("0") for c in report["crls"]} == {"5", "1"}
    assert all(c["error"] == "" for c in report["crls"])

    def show(serial, issuer="ca.pem"):
        s = certauth("show", "--json", "--index", out, "--issuer", f / issuer,
                     "--serial", serial)
        assert s.returncode == 0, s
        return json.loads(s.stdout)
    assert show(world.bob.serial_hex)["status"] == "revoked"
    assert show(world.bob.serial_hex)["reason"] == "keyCompromise"
    assert show(world.alice.serial_hex)["status"] == "not-listed"
    write_pem(f / "other.pem", CA("Other"))
    assert show("01", "other.pem")["status"] == "not-covered"
    # one bad: exit 1, the other is published, the bad one's last good rows stay
    (f / "ca.crl").write_text("junk")
    r = certauth(*args, f / "ca.crl", f / "root.crl")
    report = json.loads(r.stdout)
    assert r.returncode == 1 and [c for c in report["crls"] if c["error"]]
    assert show(world.bob.serial_hex)["status"] == "revoked"


def test_compile_and_show_of_every_kind(tmp_path):
    """A hold that a delta CRL lifts; an indirect list; the report says what each is."""
    pki = os.path.join(ROOT, "tests", "pki", "crls")
    cas = [os.path.join(pki, n + ".pem") for n in ("issuing", "second", "signer")]
    out = str(tmp_path / "index")
    names = ["full-5-hold", "delta-5-6-removed", "indirect-back-and-forth"]
    r = certauth("compile", "--json", "--issuers", *cas, "--output", out,
                 *[os.path.join(pki, n + ".crl") for n in names])
    assert r.returncode == 0, r.stderr
    crls = {os.path.basename(c["file"])[:-4]: c for c in json.loads(r.stdout)["crls"]}
    assert crls["delta-5-6-removed"]["base"] == "05"
    assert "base" not in crls["full-5-hold"] and "indirect" not in crls["full-5-hold"]
    assert crls["indirect-back-and-forth"]["indirect"] is True
    assert crls["indirect-back-and-forth"]["entries"] == 5

    def show(ca, serial):
        r = certauth("show", "--json", "--index", out, "--issuer",
                     os.path.join(pki, ca + ".pem"), "--serial", serial)
        assert r.returncode == 0, r.stderr
        return json.loads(r.stdout)["status"]

    def serial(leaf):
        r = subprocess.run(["openssl", "x509", "-noout", "-serial", "-in",
                            os.path.join(pki, leaf + ".pem")], capture_output=True, text=True,
                           check=True)
        return r.stdout.strip().split("=")[1]

    assert show("issuing", serial("alice")) == "not-listed"
    assert show("issuing", serial("indirect")) == "revoked"
    assert show("second", serial("indirect")) == "not-covered"
    assert show("second", "3") == "revoked" and show("second", "2") == "not-covered"
    assert show("issuing", "2") == "revoked" and show("issuing", "3") == "not-listed"
    assert show("signer", "1") == "revoked" and show("signer", "2") == "not-listed"
    r = certauth("compile", "--json", "--issuers", *cas, "--output", out,
                 os.path.join(pki, "full-5-hold.crl"))
    assert show("issuing", serial("alice")) == "revoked"


def test_compile_of_a_policy_is_used(world):
    r = certauth("compile", "--json", "--config", world.conf)
    assert r.returncode == 0, r
    assert verify(world, "bob.pem").returncode == 1
    r = certauth("explain", "--config", world.conf, "--profile", "web", world.folder / "bob.pem")
    assert "index crl." in r.stdout, r.stdout


def check(w):
    r = certauth("check", "--json", "--config", w.conf, "--user", "nobody")
    return r.returncode, json.loads(r.stdout)["lines"] if r.stdout else r.stderr


def test_check_missing_crl(world):
    (world.folder / "ca.crl").unlink()
    status, lines = check(world)
    assert status == 1
    assert any(x["severity"] == "fault" and "no CRL of CN=Test Issuing CA" in x["text"]
               for x in lines), lines


def test_check_stale_crl(world):
    world.ca.crl([], number=6, this_update="-90d", next_update="-60d").write(
        world.folder / "ca.crl")
    write_policy(world.folder)
    status, lines = check(world)
    assert status == 1 and any("stale since" in x["text"] for x in lines), lines


def test_check_wrong_policy(world):
    world.conf.write_text("version = 1;\nprofile: {};\n")
    status, lines = check(world)
    assert status == 1 and any("certauth.conf:2" in x["text"] for x in lines), lines


def test_check_says_what_cannot_be_decoded(world):
    """In outline a certificate, but its notBefore is an OCTET STRING."""
    broken = world.ca.der.replace(b"\x17\x0d", b"\x04\x0d", 1)
    assert broken != world.ca.der
    (world.folder / "broken.der").write_bytes(broken)
    world.conf = write_policy(world.folder, 'intermediates = [ "broken.der" ];')
    status, lines = check(world)
    assert any("broken.der" in x["text"] and x["severity"] == "warning" for x in lines), lines
    assert verify(world, "alice.pem").returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_check_as_another_user(world):
    """What the asker may read, the server's user may not."""
    (world.folder / "root.pem").chmod(0o600)
    status, lines = check(world)
    assert status == 1
    assert any(x["severity"] == "fault" and x["user"] == "nobody" for x in lines), lines
