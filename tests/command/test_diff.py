"""certauth diff: whom a change of the policy would let in or keep out."""

import base64
import json
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from test_apply import BINARY, POLICY, PROFILES, World, certauth     # noqa: E402


@pytest.fixture
def world(tmp_path):
    os.umask(0o022)
    w = World(tmp_path)
    (tmp_path / "people").mkdir()
    for name, cert in (("alice", w.alice), ("bob", w.bob)):
        (tmp_path / "people" / (name + ".pem")).write_bytes(
            (tmp_path / (name + ".pem")).read_bytes())
    w.apply()
    return w


def diff(w, *args, code=None):
    r = w.run("diff", "--json", *args)
    assert code is None or r.returncode == code, r
    return json.loads(r.stdout)


def measured(w, *args):
    """Exit code, standard output, the most memory it had in KiB."""
    out = (os.POSIX_SPAWN_OPEN, 1, str(w.folder / "out"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
           0o644)
    pid = os.posix_spawn(BINARY, [BINARY, *map(str, args)], os.environ, file_actions=[out])
    _, status, used = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), (w.folder / "out").read_text(), used.ru_maxrss


def people(w):
    return w.folder / "people"


def rows(d):
    return [(r["change"], r["profile"], r["file"].rsplit("/", 1)[-1]) for r in d["rows"]]


def test_nothing_changes(world):
    d = diff(world, people(world), code=0)
    assert d["judged"] == 2 and d["rows"] == [] and d["unreadable"] == 0
    assert d["profiles"] == [{"profile": "web", "state": "same"}]
    world.write("certauth.conf", POLICY + "# a word more\n")
    assert diff(world, people(world), code=0)["profiles"][0]["state"] == "same"


def test_who_loses_and_who_gains(world):
    world.write("profiles.conf", PROFILES.replace(
        'key = "{san.email}"; table = "people.map";', 'when = "san.email == bob@example.com"; '
        'user = "{san.email|local}";'))
    d = diff(world, people(world), code=1)
    assert sorted(rows(d)) == [("gains", "web", "bob.pem"), ("loses", "web", "alice.pem")]
    assert d["lose"] == d["gain"] == 1 and d["profiles"][0]["state"] == "differs"
    row = [r for r in d["rows"] if r["change"] == "loses"][0]
    assert row["was"]["user"] == "alice" and row["becomes"]["reason"] == "no-user"
    assert row["serial"] and "Alice" in row["subject"]
    r = world.run("diff", people(world))
    assert r.returncode == 1 and "1 lose access, 1 gain it" in r.stdout
    # what is in force is still in force
    r = certauth("verify", "--config", world.conf, "--in-force", "--profile", "web",
                 world.folder / "alice.pem")
    assert r.returncode == 0


@pytest.mark.parametrize("change, old, new", [
    ("user", "{san.email|local}", "{san.email|local|prefix('x')}"),
    ("groups", "staff", "ops"),
])
def test_another_user_or_group(world, change, old, new):
    rule = PROFILES.replace('key = "{san.email}"; table = "people.map";',
                            'user = "{san.email|local}"; groups = "staff";')
    world.write("profiles.conf", rule)
    world.apply()
    world.write("profiles.conf", rule.replace(old, new))
    d = diff(world, people(world), code=1)
    assert {r["change"] for r in d["rows"]} == {change} and len(d["rows"]) == 2
    assert d["lose"] == d["gain"] == 0


def test_a_profile_is_gone(world):
    world.write("profiles.conf", PROFILES.replace("web:", "other:"))
    d = diff(world, people(world), code=1)
    assert d["profiles"] == [{"profile": "web", "state": "gone"},
                             {"profile": "other", "state": "new"}]
    assert rows(d)[0][0] in ("loses", "reason") and d["lose"] == 1
    assert {r["becomes"]["reason"] for r in d["rows"]} == {"data-missing"}


def test_to_a_generation_or_another_file(world):
    world.write("profiles.conf", PROFILES.replace("{san.email}", "{san.email|prefix('x')}"))
    world.apply()
    d = diff(world, "--to", "1", people(world), code=1)
    assert rows(d) == [("gains", "web", "alice.pem")]
    world.write("new.conf", POLICY.replace("profiles.conf", "new-profiles.conf"))
    world.write("new-profiles.conf", PROFILES)
    d = diff(world, "--new", world.folder / "new.conf", people(world), code=1)
    assert rows(d) == [("gains", "web", "alice.pem")]
    for args in (["--to", "7"], ["--to", "x"], ["--new", "missing.conf"],
                 ["--to", "1", "--new", "new.conf"], ["--profile", "nobody"], ["missing.pem"]):
        r = world.run("diff", "--json", *args)
        assert r.returncode == 2 and r.stdout == "" and r.stderr, (args, r)


def test_a_broken_file_and_nothing_in_force(world):
    world.write("certauth.conf", POLICY[:60])
    r = world.run("diff", "--json", people(world))
    assert r.returncode == 2 and r.stdout == "" and "certauth.conf:" in r.stderr
    world.write("certauth.conf", POLICY)
    world.apply("--remove")
    r = world.run("diff", people(world))
    assert r.returncode == 2 and "no generation is in force" in r.stderr


def test_what_cannot_be_read_is_counted(world):
    (people(world) / "notes.txt").write_text("no certificate\n")
    d = diff(world, people(world), code=1)
    assert d["judged"] == 2 and d["unreadable"] == 1 and d["rows"] == []


def question(*certs):
    """As a server asks the refresher (shared/ask/ask.h)."""
    body = b"\x01\x00\x04ours" + bytes([len(certs)])
    for c in certs:
        body += len(c.der).to_bytes(4, "big") + c.der
    return b"CAQ1" + len(body).to_bytes(4, "big") + body


def test_those_that_were_seen_lately(world):
    r = world.run("diff")
    assert r.returncode == 0 and "no certificate was seen lately" in r.stderr
    seen = [question(world.alice, world.ca, world.root), question(world.bob, world.ca, world.root),
            question(world.ca, world.root)]
    lines = ["1 2 " + base64.b64encode(q).decode() for q in seen]
    lines += ["", "junk", "1 2 ====", "1 2 " + base64.b64encode(b"CAQ1junk").decode(), "1 2 " + "A" * 99]
    (world.folder / "state" / "refresher.known").write_text("\n".join(lines) + "\n")
    d = diff(world, code=0)
    assert d["judged"] == 2, "people, not CAs"
    world.write("profiles.conf", PROFILES.replace("{san.email}", "{san.email|prefix('x')}"))
    d = diff(world, code=1)
    assert [(r["change"], r["was"]["user"]) for r in d["rows"]] == [("loses", "alice")]
    # nor does a line without an end fill the memory of root
    with open(world.folder / "state" / "refresher.known", "r+b") as f:
        f.truncate(1 << 30)
        f.seek(0, os.SEEK_END)
        f.write(b"\n\n" + lines[0].encode() + b"\n")
    status, said, used = measured(world, "diff", "--config", world.conf)
    assert status == 1 and "3 certificates judged" in said, said
    # a process counts the one that it came from, too
    assert used < measured(world, "--help")[2] + 500 * 1024
    # a link is not followed: the folder is the refresher's user's
    (world.folder / "state" / "refresher.known").rename(world.folder / "elsewhere")
    (world.folder / "state" / "refresher.known").symlink_to(world.folder / "elsewhere")
    assert world.run("diff").returncode == 2


