"""certauth forecast: who will be refused, when and why."""

import datetime
import json
import os
import re
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

from pki import CA, write_pem     # noqa: E402

BINARY = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")

POLICY = """version = 1;
authorities: {
  ours: { anchors = [ "root.pem" ]; intermediates = [ "ca.pem", "short.pem" ];
          revocation: { crls = [ "crls" ]; }; };
};
profiles: {
  staff: { authorities = [ "ours" ];
    identity = ( { name = "mail"; user = "{san.email|local}"; } ); };
  strict: { base = "staff"; max_lifetime = "200d"; };
};
state = "%s/state";
"""


def certauth(*args):
    return subprocess.run([BINARY, *map(str, args)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)


class World:
    def __init__(self, folder):
        self.folder, self.people = folder, folder / "people"
        self.people.mkdir()
        (folder / "crls").mkdir()
        root = CA("Test Root")
        ca = CA("Test Issuing CA", issuer=root)
        short = CA("Short CA", issuer=root, not_after="+20d")
        for name, c in (("root", root), ("ca", ca), ("short", short)):
            write_pem(folder / (name + ".pem"), c)
            c.crl([], number=1).write(folder / "crls" / (name + ".crl"))
        for name, issuer, more in (
                ("alice", ca, {"not_after": "+300d"}), ("bob", ca, {"not_after": "+10d"}),
                ("carol", short, {"not_after": "+300d"}), ("dave", ca, {"not_after": "-3d"}),
                ("erin", ca, {"not_after": "+30d", "eku": ["clientAuth", "serverAuth"]})):
            issuer.leaf(name, email=name + "@example.com", not_before="-40d", **more).write(
                self.people, name)
            os.unlink(self.people / (name + ".key"))
        (self.people / "notes.txt").write_text("no certificate\n")
        self.conf = folder / "certauth.conf"
        self.conf.write_text(POLICY % folder)
        for path in [*folder.iterdir(), *(folder / "crls").iterdir()]:
            if path.suffix != ".key":
                path.chmod(0o755 if path.is_dir() else 0o644)

    def ask(self, *args, profile="staff"):
        p = certauth("forecast", "--json", "--config", self.conf, "--profile", profile, *args)
        assert p.returncode in (0, 1), p.stderr
        answer = json.loads(p.stdout)
        assert (p.returncode == 1) == (bool(answer["rows"]) or answer["unreadable"] > 0)
        assert bool(p.stderr) == (answer["unreadable"] > 0)
        return answer


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def rows(answer):
    return {(r["email"].split("@")[0], r["reason"]): r for r in answer["rows"]}


def test_folder(world):
    answer = world.ask(world.people)
    got = rows(answer)
    assert sorted(got) == [("bob", "expired"), ("carol", "issuer-expired"), ("dave", "expired"),
                           ("erin", "expired"), ("erin", "purpose")]
    assert (answer["read"], answer["unreadable"]) == (5, 1)
    assert got["dave", "expired"]["days"] == 0
    assert "still renews it until" in got["dave", "expired"]["message"]
    assert got["bob", "expired"]["days"] in (9, 10) and got["bob", "expired"]["user"] == "bob"
    # The CA ends before the person's certificate does.
    assert got["carol", "issuer-expired"]["days"] in (19, 20)
    assert "Short CA" in got["carol", "issuer-expired"]["issuer"]
    whens = [r["when"] for r in answer["rows"]]
    assert whens == sorted(whens)
    assert {c["issuer"] for c in answer["crls"]} == {"CN=Test Root", "CN=Test Issuing CA",
                                                     "CN=Short CA"}


def test_until(world):
    assert sorted(rows(world.ask("--until", "2000-01-01", world.people))) == [("dave", "expired")]
    assert ("alice", "expired") in rows(world.ask("--until", "2100-01-01", world.people))
    answer = world.ask(world.people / "alice.pem")
    assert answer["rows"] == [] and answer["read"] == 1


def test_a_stricter_profile(world):
    got = rows(world.ask(world.people, profile="strict"))
    assert got["alice", "lifetime"]["days"] == 0 and got["carol", "lifetime"]
    assert ("bob", "lifetime") not in got


def test_log_of_decisions(world):
    log = world.folder / "decisions.json"
    lines = [certauth("verify", "--json", "--config", world.conf, "--profile", "staff",
                      world.people / (n + ".pem")).stdout
             for n in ("alice", "bob", "dave", "bob", "bob")]
    # a server's own line, as docs/forecast.md gives it
    lines.append('{"result":"accept","reason":"ok","user":"frank","serial":"0A","issuer":"CN=X",'
                 '"email":"frank@example.com","notAfter":"2000-01-01T00:00:00Z"}\n')
    log.write_text("".join(lines) + "{ broken\n" + lines[-1].replace("notAfter", "until") +
                   lines[-1].replace("serial", "number") + '{"serial":"0B","issuer":"CN=X"}\n')
    answer = world.ask(log)
    got = rows(answer)
    assert sorted(got) == [("bob", "expired"), ("dave", "expired"), ("frank", "expired")]
    assert (answer["read"], answer["unreadable"]) == (6, 4)
    assert len(answer["rows"]) == 3 and answer["otherProfile"] == 0


def test_text_lines_are_as_good(world):
    """As nginx, Apache and Dovecot put them into their logs; an older program's say no date."""
    log = world.folder / "error.log"
    lines = [certauth("verify", "--config", world.conf, "--profile", "staff",
                      world.people / (n + ".pem")).stdout for n in ("alice", "bob", "dave")]
    assert re.search(r"^ACCEPT .* not_after=20\S+Z ", lines[1])
    log.write_text("2026/03/01 12:00:00 [info] 7#7: *1 certauth: " + lines[0] +
                   "[Sun Mar 01 12:00:00 2026] [certauth:info] [pid 7:tid 7] certauth: " +
                   lines[1].replace('"', '\\"') + "imap-login: Info: certauth: " + lines[2])
    as_json = world.folder / "decisions.json"
    as_json.write_text("".join(certauth(
        "verify", "--json", "--config", world.conf, "--profile", "staff",
        world.people / (n + ".pem")).stdout for n in ("alice", "bob", "dave")))
    at = ["--time", datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")]
    text, parsed = world.ask(*at, log), world.ask(*at, as_json)
    assert (text["read"], text["unreadable"]) == (3, 0)
    got, want = ([(r["when"], r["reason"], r["serial"], r["user"], r["subject"]) for r in a["rows"]]
                 for a in (text, parsed))
    assert got == want and [(r[1], r[3]) for r in got] == [("expired", ""), ("expired", "bob")]
    log.write_text(re.sub(r" not_after=\S+", "", lines[0]))
    answer = world.ask(log)
    assert (answer["read"], answer["unreadable"], answer["rows"]) == (0, 1, [])


def test_a_log_says_nothing_of_another_profile(world):
    """The certificates are missing: said, counted, and no good news."""
    log = world.folder / "decisions.json"
    log.write_text(certauth("verify", "--json", "--config", world.conf, "--profile", "staff",
                            world.people / "alice.pem").stdout)
    p = certauth("forecast", "--json", "--config", world.conf, "--profile", "strict", log)
    answer = json.loads(p.stdout)
    assert p.returncode == 1 and answer["otherProfile"] == 1, answer
    assert "was judged by profile staff: what strict would say" in p.stderr
    p = certauth("forecast", "--config", world.conf, "--profile", "staff", log)
    assert "another profile" not in p.stdout + p.stderr


STRICTER = """  keys: { base = "staff"; keys: { rsa_min = 3072; curves = [ "P-384" ]; ed = false; }; };
  short: { base = "staff"; max_lifetime = "200d"; }; long: { base = "staff"; min_lifetime = "200d"; };
  oid: { base = "staff"; policies = [ "1.2.3.4" ]; }; other-oid: { base = "staff"; policies = [ "1.2.3.5" ]; };
  classes: { base = "oid"; classes = [ "mailbox" ]; };
  pinned: { base = "staff"; authorities = [ "pinned" ]; };
};
"""
MAILBOX = "2.23.140.1.5.1.1"
YEAR = {"notBefore": "2026-01-01T00:00:00Z", "notAfter": "2036-01-01T00:00:00Z"}


def stricter(world):
    world.conf.write_text((POLICY % world.folder).replace("};\nstate", STRICTER + "state").replace(
        "};\nprofiles", """  pinned: { anchors = [ "root.pem" ]; issuers = [ "ca.pem" ]; intermediates = [ "short.pem" ];
            revocation: { check = "none"; }; };
};\nprofiles"""))


def test_a_log_says_what_the_certificates_say(world):
    """Of the same people: whom the log refuses, the certificate is refused for the same."""
    stricter(world)
    root = CA("Test Root")
    write_pem(world.folder / "root.pem", root)
    sub = CA("Policy CA", issuer=root, policies=["1.2.3.4", "1.2.3.5"])
    ca = CA("Test Issuing CA", issuer=root)
    write_pem(world.folder / "ca.pem", ca)
    write_pem(world.folder / "short.pem", sub)
    for c in (root, ca, sub):
        c.crl([], number=1).write(world.folder / "crls" / (c.name + ".crl"))
        os.chmod(world.folder / "crls" / (c.name + ".crl"), 0o640)
    people = world.folder / "others"
    people.mkdir()
    lines = ""
    kinds = {"p256": "P-256", "p384": "P-384", "rsa2048": "rsa-2048"}
    for name, issuer, key, oids in (
            ("one", sub, "p256", ["1.2.3.4"]), ("two", sub, "p384", ["1.2.3.5"]), ("three", ca, "p384", ["1.2.3.4"]),
            ("four", ca, "rsa2048", None), ("five", sub, "p384", ["1.2.3.4", "1.2.3.6"])):
        issuer.leaf(name, email=name + "@example.com", not_before="-40d", not_after="+300d", key=key,
                    policies=oids).write(people, name)
        os.unlink(people / (name + ".key"))
        row = json.loads(certauth("verify", "--json", "--config", world.conf, "--profile", "staff",
                                  people / (name + ".pem")).stdout)
        assert row["result"] == "accept", row
        # what a server's own line has beside it (tests/unit/verdict/test_decision.c)
        row["key"], row["notBefore"] = kinds[key], "2000-01-01T00:00:00Z"
        lines += json.dumps(row) + "\n"
    log = world.folder / "decisions.json"
    log.write_text(lines)
    told = {}
    for profile in ("keys", "short", "oid", "other-oid", "pinned"):
        # the log's notBefore is another: "short" refuses by it, and by 340 days as well
        by_log, by_certs = (
            {(r["email"].split("@")[0], r["reason"]) for r in json.loads(certauth(
                "forecast", "--json", "--config", world.conf, "--profile", profile, what).stdout)["rows"]}
            for what in (log, people))
        assert by_log <= by_certs, profile          # of the whole path the log knows the leaf
        told[profile] = sorted(name for name, _ in by_log)
    assert told == {"keys": ["four", "one"], "short": ["five", "four", "one", "three", "two"],
                    "oid": ["four", "three", "two"], "other-oid": ["five", "four", "one", "three"],
                    "pinned": ["five", "one", "two"]}


@pytest.mark.parametrize("judge,profile,fields,reason", [
    ("staff", "keys", {"key": "rsa-2048"}, "weak-key"), ("staff", "keys", {"key": "P-256"}, "weak-key"),
    ("staff", "keys", {"key": "Ed25519"}, "weak-key"), ("staff", "keys", {"key": "rsa-4096"}, None),
    ("staff", "keys", {"key": "P-384"}, None), ("staff", "keys", {}, None),
    ("staff", "keys", {"key": "rsa-2048x"}, None), ("staff", "keys", {"key": "sphincs"}, None),
    ("staff", "short", YEAR, "lifetime"), ("staff", "long", YEAR, None),
    ("staff", "long", {"notBefore": "2035-12-01T00:00:00Z"}, "lifetime"), ("staff", "short", {}, None),
    ("staff", "oid", {"policies": ["1.2.3.5"]}, "policy-required"),
    ("staff", "oid", {"policies": []}, "policy-required"),
    ("staff", "oid", {"policies": ["1.2.3", "1.2.3.4"]}, None), ("staff", "oid", {}, None),
    ("staff", "oid", {"policies": ["2.5.29.32.0"]}, None), ("staff", "oid", {"policies": "1.2.3.5"}, None),
    # who was asked for another policy may have this one, too
    ("other-oid", "oid", {"policies": ["1.2.3.5"]}, None), ("gone", "oid", {"policies": ["1.2.3.5"]}, None),
    ("staff", "classes", {"policies": ["1.2.3.4"]}, "policy-required"),
    ("staff", "classes", {"policies": [MAILBOX]}, "policy-required"),
    ("staff", "classes", {"policies": ["1.2.3.4", MAILBOX]}, None),
    ("staff", "pinned", {"issuer": "CN=Short CA"}, "issuer-not-listed"),
    ("staff", "pinned", {"issuer": "cn=test  issuing ca"}, None), ("staff", "pinned", {"issuer": ""}, None),
    ("staff", "pinned", {"issuer": "no name"}, None), ("staff", "pinned", {"issuer": "CN=" + "x" * 310}, None),
    ("pinned", "staff", {"issuer": "CN=Short CA"}, None)])
def test_what_a_log_knows_of_another_profile(world, judge, profile, fields, reason):
    """A refusal that is sure is told; anything else is not known, and never good."""
    stricter(world)
    row = {"result": "accept", "reason": "ok", "profile": judge, "serial": "0C", "user": "zoe",
           "issuer": "CN=Test Issuing CA", "notAfter": "2036-01-01T00:00:00Z", **fields}
    log = world.folder / "decisions.json"
    log.write_text(json.dumps(row) + "\n")
    p = certauth("forecast", "--json", "--config", world.conf, "--profile", profile,
                 "--time", "2030-01-01T00:00:00Z", log)
    assert p.returncode == 1, p.stdout + p.stderr
    answer = json.loads(p.stdout)
    if reason is None:
        assert answer["rows"] == [] and answer["otherProfile"] == 1, answer
        assert "was judged by profile " + judge in p.stderr
    else:
        assert answer["otherProfile"] == 0 and p.stderr == "", p.stderr
        assert [(r["reason"], r["user"], r["days"]) for r in answer["rows"]] == [(reason, "zoe", 0)]
        assert answer["rows"][0]["message"].startswith("By the log: ")


def test_what_cannot_be_read_is_no_good_news(world):
    junk = world.folder / "junk.pem"
    junk.write_text("hello\n")
    p = certauth("forecast", "--config", world.conf, "--profile", "staff", junk)
    assert p.returncode == 1 and "0 read, 1 unreadable" in p.stdout and "junk.pem" in p.stderr
    # a name that is no UTF-8 is in the answer all the same
    name = os.path.join(os.fsencode(world.people), b"b\xf6b.pem")
    os.rename(world.people / "bob.pem", name)
    p = subprocess.run([BINARY, "forecast", "--json", "--config", str(world.conf), "--profile",
                        "staff", name], capture_output=True, timeout=60, check=False)
    answer = json.loads(p.stdout)
    assert p.returncode == 1 and [r["reason"] for r in answer["rows"]] == ["expired"]
    assert answer["rows"][0]["file"].endswith("/b\\xf6b.pem")
    p = subprocess.run([BINARY, "map", "--explain", "--json", "--config", str(world.conf),
                        "--profile", "staff", name], capture_output=True, timeout=60, check=False)
    assert json.loads(p.stdout)[0]["certificate"].endswith("/b\\xf6b.pem")


def test_text_and_usage(world):
    p = certauth("forecast", "--config", world.conf, "--profile", "staff", world.people)
    assert p.returncode == 1 and "5 read, 1 unreadable; 5 refused or to be refused" in p.stdout
    for args in ([], ["/nowhere"], ["--until", "soon", world.people]):
        p = certauth("forecast", "--config", world.conf, "--profile", "staff", *args)
        assert p.returncode == 2 and p.stdout == ""
