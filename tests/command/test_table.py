"""
certauth table: maps compiled into one file that every process maps, and asked. What
servers do with them is the same as with a text. FLAVOUR names the build.
"""

import json
import os
import random
import stat
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

from pki import CA, write_pem     # noqa: E402

BINARY = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")
MAP = """# people
alice@Example.com  alice  staff,admins
"o'brien@example.com" obrien staff not-after=2027-03-31
"o'brien@example.com" other staff not-before=2027-04-01
bob@example.com bob
AB:CD@x y
11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00 device pumps
"""
HEX = "112233445566778899aabbccddeeff00" * 2


def certauth(*args):
    return subprocess.run([BINARY, *map(str, args)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120)


def build(out, *maps):
    return certauth("table", "build", "--output", out, *maps)


def ask(table, key, now="2026-11-22"):
    r = certauth("table", "lookup", "--json", "--time", now, table, key)
    assert r.returncode in (0, 1), r.stderr
    out = json.loads(r.stdout)
    assert out["found"] == (r.returncode == 0)
    return (out["user"], out["groups"]) if out["found"] else None


@pytest.fixture
def maps(tmp_path):
    text = tmp_path / "people.map"
    text.write_text(MAP)
    text.chmod(0o640)
    r = build(tmp_path / "people.table", text)
    assert r.returncode == 0, r.stderr
    return text, tmp_path / "people.table"


@pytest.mark.parametrize("key,now", [
    ("alice@example.com", "2026-11-22"), ("alice@EXAMPLE.COM", "2026-11-22"),
    ("Alice@example.com", "2026-11-22"), ("bob@example.com", "2026-11-22"),
    ("o'brien@example.com", "2027-03-31T23:59:59Z"), ("o'brien@example.com", "2027-04-01"),
    (HEX, "2026-11-22"), (HEX.upper(), "2026-11-22"), ("ab:cd@x", "2026-11-22"),
    ("AB:CD@x", "2026-11-22"), ("nobody", "2026-11-22"), ("x" * 5000, "2026-11-22")])
def test_the_same_answers(maps, key, now):
    text, table = maps
    assert ask(text, key, now) == ask(table, key, now)


def test_answers(maps):
    _, table = maps
    assert ask(table, "alice@example.com") == ("alice", "staff,admins")
    assert ask(table, "o'brien@example.com", "2027-04-01") == ("other", "staff")
    assert ask(table, HEX) == ("device", "pumps")
    assert ask(table, "alice") is None


def test_mode_and_owner(maps):
    text, table = maps
    assert stat.S_IMODE(table.stat().st_mode) == 0o640       # as the text
    assert table.stat().st_gid == text.stat().st_gid
    table.chmod(0o600)
    assert build(table, text).returncode == 0
    assert stat.S_IMODE(table.stat().st_mode) == 0o600       # as the one before
    table.chmod(0o666)      # which no server would believe
    assert build(table, text).returncode == 0
    assert stat.S_IMODE(table.stat().st_mode) == 0o644


def test_a_bad_map_keeps_the_last_good(maps):
    text, table = maps
    before = table.read_bytes()
    text.write_text(MAP + "bob@example.com eve\n")
    r = build(table, text)
    assert r.returncode == 1 and "people.map:8" in r.stderr and "line 5" in r.stderr
    assert table.read_bytes() == before
    assert sorted(p.name for p in table.parent.iterdir()) == ["people.map", "people.table"]
    assert build(table, text, "--json").stdout == ""


def test_several_maps(tmp_path):
    folder = tmp_path / "maps"
    folder.mkdir()
    for name, text in (("a", "a@x a\nb@x b g\n"), ("b", "c@x c\nb@x b g\n"), ("c~", "z@x evil\n"),
                       (".d", "y@x evil\n")):
        (folder / name).write_text(text)
    more = tmp_path / "more"
    more.write_text("d@x d")
    assert build(tmp_path / "t", folder, more).returncode == 0
    t = tmp_path / "t"
    assert [ask(t, k + "@x") and ask(t, k + "@x")[0] for k in "abcdyz"] == \
        ["a", "b", "c", "d", None, None]
    # the folder itself is a map, too
    assert ask(folder, "c@x") == ("c", "") and ask(folder, "z@x") is None
    # what two files say differently is an error that names both
    (folder / "b").write_text("\n\nb@x bob\n")
    r = build(t, folder)
    assert r.returncode == 1 and "maps/b:3" in r.stderr and "line 2 of" in r.stderr
    assert ask(t, "b@x") == ("b", "g")
    assert certauth("table", "check", folder).returncode == 1
    # a compiled table is no member of a folder, and no input
    os.rename(t, folder / "b")
    assert "compiled" in certauth("table", "check", folder).stderr
    assert build(t, folder / "b").returncode == 1


def test_damage_is_seen(maps):
    _, table = maps
    good = table.read_bytes()
    assert certauth("table", "check", table).returncode == 0
    rng = random.Random(5)
    places = [0, 9, 20, 40, 60, 100, 130, len(good) - 1, len(good) // 2] + \
        [rng.randrange(len(good)) for _ in range(25)]
    for at in places:
        table.write_bytes(good[:at] + bytes([good[at] ^ 0x41]) + good[at + 1:])
        assert certauth("table", "check", table).returncode == 1, at
        # and asking it never ends otherwise than with an answer or a refusal
        assert certauth("table", "lookup", table, "alice@example.com").returncode in (0, 1, 2)
    for size in (8, 50, 151, 152, 160, len(good) - 1):
        table.write_bytes(good[:size])
        assert certauth("table", "check", table).returncode == 1, size
    table.write_bytes(good + b"\0")
    assert certauth("table", "check", table).returncode == 1


def test_empty(tmp_path):
    (tmp_path / "m").write_text("# nobody\n")
    assert build(tmp_path / "t", tmp_path / "m").returncode == 0
    assert ask(tmp_path / "t", "alice") is None


@pytest.mark.parametrize("args", [
    ("table",), ("table", "make"), ("table", "build", "m"), ("table", "build", "--output", "t"),
    ("table", "check"), ("table", "lookup", "m"), ("table", "lookup", "no", "key")])
def test_usage(tmp_path, args):
    r = certauth(*args, "--json")
    assert r.returncode == 2 and r.stdout == ""


POLICY = """version = 1; state = "%(folder)s/state";
authorities: { ours = { anchors = [ "root.pem" ]; revocation: { check = "none"; }; }; };
profiles: {
  web: { authorities = [ "ours" ]; identity = (
    { name = "m"; key = "{san.email}"; table = "people"; } ); };
  list: { authorities = [ "ours" ]; identity = (
    { name = "m"; user = "{san.email|local}"; must_exist = "users"; } ); };
};
"""


@pytest.mark.parametrize("how", ["text", "compiled", "folder"])
def test_in_a_policy(tmp_path, how):
    root = CA("Test Root")
    write_pem(tmp_path / "root.pem", root)
    for name in ("alice", "bob"):
        root.leaf(name, email=name + "@example.com").write(tmp_path, name)
    (tmp_path / "certauth.conf").write_text(POLICY % {"folder": tmp_path})
    for name, text in (("people", "alice@example.com anna staff\n"), ("users", "alice\n")):
        path = tmp_path / name
        if how == "folder":
            path.mkdir()
            (path / "one").write_text(text)
            (path / "two").write_text("")
        elif how == "text":
            path.write_text(text)
        else:
            (tmp_path / "text").write_text(text)
            assert build(path, tmp_path / "text").returncode == 0

    def user(profile, who):
        r = certauth("verify", "--json", "--config", tmp_path / "certauth.conf", "--profile", profile,
                     tmp_path / (who + ".pem"))
        out = json.loads(r.stdout)
        return out.get("user") if out["result"] == "accept" else out["reason"]
    assert user("web", "alice") == "anna" and user("web", "bob") == "no-user"
    assert user("list", "alice") == "alice" and user("list", "bob") == "no-user"
    if how == "compiled":       # a damaged one is a configuration error
        data = (tmp_path / "people").read_bytes()
        # what no look-up sees, `certauth check` does
        (tmp_path / "people").write_bytes(data[:-9] + b"?" + data[-8:])
        r = certauth("check", "--config", tmp_path / "certauth.conf")
        assert r.returncode == 1 and "digest" in r.stdout + r.stderr
        (tmp_path / "people").write_bytes(data[:-8])
        r = certauth("verify", "--config", tmp_path / "certauth.conf", "--profile", "web",
                     tmp_path / "alice.pem")
        assert r.returncode == 2 and "table build" in r.stderr
