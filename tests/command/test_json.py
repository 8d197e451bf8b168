"""
test_json.py - is the answer of every command one line of JSON with --json, and is what is
not JSON (complaints) on stderr alone? By the command's own table: a new command needs a row
in CALLS, or a reason in OTHERS.
"""

import datetime
import json
import os
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

import pki                        # noqa: E402
from pki import CA, write_pem     # noqa: E402

BINARY = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")
SHIPPED = os.path.join(ROOT, "conf-examples", "personalsign")

POLICY = """version = 1;
authorities: {
  ours: { anchors = [ "root.pem" ]; issuers = [ "ca.pem" ];
          revocation: { crls = [ "root.crl", "ca.crl" ]; }; };
};
profiles: { staff: { authorities = [ "ours" ]; denied = "denied";
  identity = ( { name = "key"; key = "{spki.sha256}"; table = "staff.map"; } ); }; };
state = "%s/state";
"""
ASKED = ["--config", "certauth.conf", "--profile", "staff"]
CONFIG = ["--config", "certauth.conf"]
SOON = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=2)).strftime(
    "%Y-%m-%dT%H:%M:%SZ")
POOL = ["--config", "pool/certauth.conf"]

# In this order, in one folder: (what is typed, exit status, a key of the answer; None: a list)
CALLS = [
    (["verify", *ASKED, "alice.pem"], 1, "reason"),
    (["explain", *ASKED, "alice.pem"], 1, "reason"),
    (["explain", "--id", "7", "--log", "error.log"], 0, "decisions"),
    (["explain", "--id", "8", "--log", "error.log"], 1, "decisions"),
    (["check", *CONFIG, "--user=root"], 0, "lines"),
    (["check", "--config", "missing.conf", "--user=root"], 1, "lines"),
    (["apply", *CONFIG, "--list"], 0, "generations"),
    (["apply", *CONFIG, "--user=root"], 0, "result"),
    (["rollback", *CONFIG, "1", "--user=root"], 0, "result"),
    (["diff", *CONFIG, "alice.pem"], 0, "rows"),
    (["apply", *CONFIG, "--remove", "--user=root"], 0, "result"),
    (["compile", *CONFIG], 0, "crls"),
    (["compile", "--issuers=ca.pem", "--output=out", "ca.crl", "junk"], 1, "crls"),
    (["publish", *CONFIG, "newer.crl"], 0, "entries"),
    (["override", *CONFIG, "ours", "--stale-until=" + SOON, "--reason=test"], 0, "overrides"),
    (["override", *CONFIG], 0, "overrides"),
    (["override", *CONFIG, "ours", "--end"], 0, "overrides"),
    (["deny", *CONFIG, "user:mallory", "--reason=test"], 0, "files"),
    (["allow", *CONFIG, "user:mallory"], 0, "files"),
    (["allow", *CONFIG, "user:nobody"], 1, "files"),
    (["map", "--explain", *ASKED, "alice.pem"], 1, None),
    (["map", "enroll", *ASKED, "--user=alice", "alice.pem"], 0, "result"),
    (["map", "enroll", "--pending", "error.log"], 0, None),
    (["map", "list", *ASKED], 0, None),
    (["forecast", *ASKED, "alice.pem"], 0, "rows"),
    (["forecast", *ASKED, "alice.pem", "junk"], 1, "rows"),
    (["map", "remove", *ASKED, "user:alice"], 0, "removed"),
    (["map", "remove", *ASKED, "user:alice"], 1, "removed"),
    (["table", "build", "--output=people.tbl", "people.map"], 0, "rows"),
    (["table", "check", "people.map"], 0, "rows"),
    (["table", "lookup", "people.map", "alice@example.com"], 0, "found"),
    (["table", "lookup", "people.map", "nobody"], 1, "found"),
    (["table", "export", "--format=pg_ident", "--map=m", "people.map"], 0, "text"),
    (["table", "import", "--format=pg_ident", "--map=m", "pg_ident.conf"], 0, "text"),
    (["show", "authorities", *CONFIG], 0, "authorities"),
    (["show", "revocation", *CONFIG], 0, "lists"),
    (["show", "--index=out", "--issuer=ca.pem", "--serial=01"], 0, "status"),
    (["pool", "setup", *POOL, "--from", SHIPPED, "ca.pem"], 1, "counts"),
    (["pool", "import", *POOL, "ca.pem"], 1, "counts"),
    (["pool", "check", *POOL], 0, "counts"),
    (["pool", "diff", *POOL, "record.csv"], 1, "counts"),
    (["pool", "pending", *CONFIG, "error.log"], 0, "lines"),
    (["help"], 0, "commands"),
    (["help", "map"], 0, "commands"),
    (["--version"], 0, "version"),
]
# Tested with --json where their server or their network is, or no answer of one line.
OTHERS = {
    "init": "tests/hosts, which have servers",
    "pool fetch": "test_pool.py",
    "pool accept": "test_pool.py",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pki.set_now(None)
    path = tmp_path_factory.mktemp("json")
    root = CA("Test Root")
    ca = CA("Test Issuing CA", issuer=root)
    write_pem(path / "root.pem", root)
    write_pem(path / "ca.pem", ca)
    root.crl([], number=1).write(path / "root.crl")
    ca.crl([], number=1).write(path / "ca.crl")
    ca.crl([], number=2).write(path / "newer.crl")
    for name in ("alice", "bob"):
        ca.leaf(name, email=name + "@example.com").write(path, name)
    (path / "certauth.conf").write_text(POLICY % path)
    (path / "staff.map").write_text("# people\n")
    (path / "denied").write_text("user:eve\n")
    (path / "people.map").write_text("alice@example.com alice\n")
    (path / "pg_ident.conf").write_text("m alice@example.com alice\n")
    (path / "junk").write_text("no certificate, no list\n")
    (path / "record.csv").write_text(
        '"SHA-256 Fingerprint","Parent SHA-256 Fingerprint"\n"%s",""\n' % (64 * "0"))
    (path / "error.log").write_text(
        'certauth: REJECT 1506 new-key user="" profile=staff serial=0A subject="CN=x" '
        'issuer="CN=y" id=7 detail="Renewed."\n')
    (path / "pool").mkdir()
    for item in path.iterdir():
        item.chmod(0o755 if item.is_dir() else 0o640 if item.suffix == ".key" else 0o644)
    return path


def run(folder, *args, code=None):
    p = subprocess.run([BINARY, *args, "--json"], cwd=folder, stdin=subprocess.DEVNULL,
                       capture_output=True, text=True, timeout=120, check=False)
    assert code is None or p.returncode == code, (args, p.returncode, p.stdout, p.stderr)
    return p.stdout


def test_each_answer_is_one_line(folder):
    for args, code, key in CALLS:
        out = run(folder, *args, code=code)
        assert out.endswith("\n") and out.count("\n") == 1, (args, out)
        answer = json.loads(out)
        assert isinstance(answer, list) if key is None else key in answer, (args, answer)


def test_every_command_is_here():
    names = {c["name"] for c in json.loads(run(ROOT, "help", code=0))["commands"]}
    called = {" ".join(args[:n]) for args, _, _ in CALLS for n in (1, 2)}
    left = {n for n in names if n not in called} - set(OTHERS)
    assert not left, "no call with --json, and no reason: %s" % sorted(left)
    assert set(OTHERS) <= names


def test_without_an_answer_stdout_is_empty(folder):
    for args in (["verify", "--config", "missing.conf", "--profile", "staff", "alice.pem"],
                 ["map", "enroll", *ASKED, "--user=alice", "missing.pem"],
                 ["map", "enroll", *ASKED, "--csv=missing.csv"], ["show"], ["fly"]):
        assert run(folder, *args, code=2) == "", args


def test_a_list_has_a_line_for_each_row(folder):
    """Also for what is no certificate or no row: as many lines as rows."""
    (folder / "new.csv").write_text(
        "# people\nalice.pem,alice,staff;ops\nmissing.pem,carol\n\nbob.pem\nb\u00f6b.pem,,x\n"
        "bob.pem,eve\nbob.pem,bob,a,b\nbob.pem,bob\nbob.pem,bob\n", encoding="latin-1")
    out = run(folder, "map", "enroll", *ASKED, "--csv=new.csv", code=1)
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(r["certificate"], r["user"], r["result"], r["reason"]) for r in rows] == [
        ("alice.pem", "alice", "enrolled", ""), ("missing.pem", "carol", "refused", "malformed"),
        ("bob.pem", "", "refused", "malformed"), ("b\\xf6b.pem", "", "refused", "malformed"),
        ("bob.pem", "eve", "refused", ""), ("bob.pem", "bob", "refused", "malformed"),
        ("bob.pem", "bob", "enrolled", ""), ("bob.pem", "bob", "already", "")]
    assert all(r["message"] for r in rows if r["result"] == "refused")
    assert {tuple(sorted(r)) for r in rows} == {tuple(sorted(rows[0]))}
