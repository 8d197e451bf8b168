"""
certauth map --explain: what each rule matched, took and found; a folder gives a table.
certauth check: two people whom the rules would take for one.
"""

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
  ours: { anchors = [ "root.pem" ]; issuers = [ "ca.pem" ]; revocation: { check = "none"; }; };
};
profiles: { staff: { authorities = [ "ours" ];
  identity = (
    { name = "key"; key = "{spki.sha256}"; table = "keys.map"; on_miss = "next"; },
    { name = "dep"; when = "subject.O == Sales"; user = "{san.email|local}"; },
    { name = "mail"; key = "{san.email|lower}"; table = "staff.map";
      users: { web = "{user}"; mail = "{user}@mail.example"; }; } ); }; };
state = "%s/state";
"""


def certauth(*args):
    return subprocess.run([BINARY, *map(str, args)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("map")
    root = CA("Test Root")
    ca = CA("Test Issuing CA", issuer=root)
    write_pem(folder / "root.pem", root)
    write_pem(folder / "ca.pem", ca)
    (folder / "certs").mkdir()
    for name in ("alice", "bob"):
        ca.leaf(name, email=name + "@example.com").write(folder / "certs", name)
    os.remove(folder / "certs" / "alice.key")
    os.remove(folder / "certs" / "bob.key")
    (folder / "staff.map").write_text("alice@example.com al staff,admins\n"
                                      "Carol@example.com carol\ncarol@example.com caroline\n")
    (folder / "keys.map").write_text("# nobody yet\n" + "0" * 64 + " nobody\n")
    (folder / "certauth.conf").write_text(POLICY % folder)
    return folder


def explain(world, *args):
    return certauth("map", "--explain", "--config", world / "certauth.conf", *args)


def test_one_certificate_is_a_story(world):
    run = explain(world, "--service", "imap", world / "certs" / "alice.pem")
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[0] == "authority ours"
    assert "rule key: {spki.sha256} gives" in lines[1] and "is not in the table" in lines[1]
    assert "rule dep: `subject.O == Sales` is not so" in lines[2]
    assert '{san.email|lower} gives "alice@example.com"' in lines[3]
    assert lines[4] == "  user al@mail.example, groups staff,admins, by rule mail, medium"


def test_the_service_decides(world):
    run = explain(world, "--service", "http", "--json", world / "certs" / "alice.pem")
    row, = json.loads(run.stdout)
    assert (row["user"], row["strength"], row["rule"]) == ("al", "medium", "mail")
    assert len(row["rules"]) == 3
    run = explain(world, world / "certs" / "alice.pem")
    assert run.returncode == 1
    assert "users has no name for this service" in run.stdout


def test_a_folder_is_a_table(world):
    run = explain(world, "--service", "http", world / "certs")
    assert run.returncode == 1      # bob has no name
    rows = [line.split("\t") for line in run.stdout.splitlines()]
    assert rows[0] == ["certificate", "authority", "reason", "user", "groups", "rule", "strength"]
    assert [r[1:] for r in rows[1:]] == [
        ["ours", "ok", "al", "staff,admins", "mail", "medium"],
        ["ours", "no-user", "", "", "mail", ""]]


def test_what_cannot_be_read(world):
    run = explain(world, "--json", world / "nothing.pem")
    assert run.returncode == 2 and run.stdout == ""
    assert explain(world).returncode == 2


def test_explain_and_verify_know_the_service(world):
    for service, user in (("http", "al"), ("pop3", "al@mail.example")):
        run = certauth("verify", "--json", "--config", world / "certauth.conf", "--profile",
                       "staff", "--service", service, world / "certs" / "alice.pem")
        answer = json.loads(run.stdout)
        assert (answer["result"], answer["user"], answer["strength"]) == \
            ("accept", user, "medium")


def test_check_finds_two_people_in_one(world):
    run = certauth("check", "--config", world / "certauth.conf")
    text = run.stdout + run.stderr
    assert "lines 2 and 3 of" in text and "differ in case alone" in text
    assert 'rule "dep": the user is what stands before the @' in text
