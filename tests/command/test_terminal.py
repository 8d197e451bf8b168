"""
test_terminal.py - colours, columns and the line of progress: there where a person looks,
and not a byte of them in a pipe or a file. With real pseudo-terminals.
"""

import os
import re
import subprocess
import sys
import unicodedata

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

from pki import CA, write_pem                       # noqa: E402
from terminal import Terminal, on_terminal, shown   # noqa: E402

BINARY = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")
RED, GREEN, YELLOW = "\x1b[31m", "\x1b[32m", "\x1b[33m"
AT_ONCE = {"CERTAUTH_PROGRESS_AT_ONCE": "1"}

POLICY = """version = 1;
authorities: {
  ours: { anchors = [ "root.pem" ]; issuers = [ "ca.pem" ];
          revocation: { crls = [ "crls" ]; grace = "9000d"; }; };
};
profiles: { staff: { authorities = [ "ours" ];
  identity = ( { name = "mail"; key = "{san.email}"; table = "staff.map"; } ); }; };
state = "%s/state";
"""
PEOPLE = ("# people\n"
          "alice@example.com alice staff,ops also=office\n"
          "a-very-long-name-indeed@some-department.some-company.example bob "
          "staff,administrators,people-who-read-the-minutes\n"
          "\"M\u00fcller@example.com\" \u65e5\u672c\u8a9e staff not-after=2035-01-01\n"
          "erin@example.com erin staff\n")


class World:
    def __init__(self, folder):
        self.folder, self.people = folder, folder / "people"
        self.people.mkdir()
        (folder / "crls").mkdir()
        root = CA("Test Root")
        ca = CA("Test Issuing CA", issuer=root)
        write_pem(folder / "root.pem", root)
        write_pem(folder / "ca.pem", ca)
        certs = {}
        for name, more in (("alice", {}), ("bob", {}), ("dave", {"not_after": "-3d"}),
                           ("erin", {"not_after": "+10d"})):
            certs[name] = ca.leaf(name, email=name + "@example.com", not_before="-40d", **more)
            certs[name].write(self.people, name)
            os.unlink(self.people / (name + ".key"))
        root.crl([], number=1).write(folder / "crls" / "root.crl")
        ca.crl([(certs["bob"], "-1d", "keyCompromise")], number=1, this_update="-20d",
               next_update="-2d").write(folder / "crls" / "ca.crl")
        (folder / "bad.crl").write_text("no list\n")
        (folder / "staff.map").write_text(PEOPLE, encoding="utf-8")
        self.conf = folder / "certauth.conf"
        self.conf.write_text(POLICY % folder)
        for path in [*folder.iterdir(), *(folder / "crls").iterdir(), *self.people.iterdir()]:
            path.chmod(0o755 if path.is_dir() else 0o644)

    def args(self, *words):
        return [BINARY, *(str(w).format(w=self) for w in words)]

    def piped(self, *words):
        p = subprocess.run(self.args(*words), stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, encoding="utf-8", timeout=120, check=False)
        return p.stdout, p.stderr, p.returncode


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    import pki
    pki.set_now(None)
    return World(tmp_path_factory.mktemp("terminal"))


ASKED = ["--config", "{w.conf}", "--profile", "staff"]
LOG = "{w.folder}/one.log"
# What is printed, the colours that it must have, and must not.
COLOURED = [
    (["verify", *ASKED, "{w.people}/alice.pem"], [GREEN + "ACCEPT"], [RED]),
    (["verify", *ASKED, "{w.people}/bob.pem"], [RED + "REJECT"], [GREEN]),
    (["explain", *ASKED, "{w.people}/dave.pem"], [RED + "REJECT", RED + "FAILED"], [GREEN]),
    (["check", "--config", "{w.conf}", "--user=root"], [GREEN + "0 faults", YELLOW + "warning"], [RED]),
    (["check", "--config", "{w.folder}/no.conf", "--user=root"], [RED + "fault"], [GREEN]),
    (["compile", "--issuers={w.folder}/ca.pem", "--output={w.folder}/out", "{w.folder}/bad.crl",
      "{w.folder}/crls/ca.crl"], [RED + "REFUSED", GREEN + "taken"], []),
    (["show", "authorities", "--config", "{w.conf}", "--time", "2200-01-01"], [RED + " (ENDED)"], []),
    (["show", "revocation", "--config", "{w.conf}"], [RED + " (STALE)"], [GREEN]),
    (["map", "--explain", *ASKED, "{w.people}/alice.pem"], [GREEN + "user alice"], [RED]),
    (["map", "--explain", *ASKED, "{w.people}/bob.pem"], [RED + "no-user"], [GREEN]),
    (["forecast", *ASKED, "{w.people}/dave.pem", "{w.people}/erin.pem"],
     [RED + "expired", YELLOW + "expired", RED + "is stale"], [GREEN]),
    (["explain", "--id", "7", "--log", LOG], [RED + "REJECT"], [GREEN]),
    (["map", "enroll", *ASKED, "--dry-run", "--user=mallory", "{w.people}/dave.pem"],
     [RED + "REFUSED"], [GREEN]),
]


def same(text):
    """Without what differs from call to call: the id, the clock and what it counts, and
    what else runs on this machine."""
    text = re.sub(r"^.* running: .*\n|\d+ warnings?$", "", text, flags=re.M)
    text = re.sub(r" id=\S+|\d+\.\d+ s$|(judged at|days left) .*", "", text, flags=re.M)
    return re.sub(r"\d{4}-\d\d-\d\dT[0-9:]+Z|\d+ (min|h|d) old", "", text)


@pytest.mark.parametrize("words, there, missing", COLOURED, ids=lambda w: " ".join(w[:2]))
def test_colours_repeat_what_the_words_say(world, words, there, missing):
    (world.folder / "one.log").write_text(
        'certauth: REJECT 1401 revoked user="" profile=staff serial=0A subject="CN=x" '
        'issuer="CN=y" id=7 detail="On the CRL."\n')
    (world.folder / "one.log").chmod(0o644)
    raw, status = on_terminal(world.args(*words), columns=200)
    for colour in there:
        assert colour in raw, raw
    for colour in missing:
        assert colour not in raw, raw
    assert raw.count("\x1b[") == 2 * raw.count("\x1b[0m"), raw
    out, err, piped_status = world.piped(*words)
    assert "\x1b" not in out + err and status == piped_status
    # Letter for letter what a pipe gets: a colour tells nothing by itself.
    assert sorted(same(shown(raw)).split("\n")) == sorted(same(err + out).split("\n"))
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}):
        plain, _ = on_terminal(world.args(*words), columns=200, env=env)
        assert "\x1b" not in plain, (env, plain)
    raw, _ = on_terminal(world.args(*words), columns=200, env={"NO_COLOR": ""})
    assert there[0] in raw, "an empty NO_COLOR is none"


def test_json_has_no_colours(world):
    raw, _ = on_terminal(world.args("verify", "--json", *ASKED, "{w.people}/bob.pem"))
    assert "\x1b" not in raw and raw.startswith('{"result":"reject"')


# ---------------------------------------------------------------- columns

def cells(text):
    """Each line as it looks: one character for each column of the screen."""
    return ["".join(c + ("\0" if unicodedata.east_asian_width(c) in "WF" else "") for c in line)
            for line in text.rstrip("\n").split("\n")]


@pytest.mark.parametrize("columns", [60, 80, 132, 400])
def test_a_table_fits_and_is_aligned(world, columns):
    words = ["map", "list", *ASKED]
    raw, status = on_terminal(world.args(*words), columns=columns)
    lines = cells(shown(raw))
    assert status == 0 and len(lines) == 5 and lines[0].startswith("line ")
    for line in lines:
        assert len(line) <= max(columns, 62), line
    for heading in ("key", "user", "groups"):
        at = lines[0].index(" " + heading + " ") + 1
        for line in lines[1:]:
            assert line[at - 1] == " " and line[at] not in " \0", (heading, line)
    assert ("\u2026" in shown(raw)) == (columns < 200), shown(raw)
    assert all(re.match(r"\S+\.map:\d ", line) for line in lines[1:]), "a path keeps its end"
    # columns that nobody has anything in are left out
    assert "issuer" not in lines[0] and "name" not in lines[0] and "not after" in lines[0]
    out, _, _ = world.piped(*words)
    assert "\u2026" not in out and [line.count("\t") for line in out.splitlines()] == 4 * [8]
    if columns == 400:
        for word in re.findall(r"[^\t\n]+", out):
            assert word in shown(raw)


@pytest.mark.parametrize("columns", [50, 80, 300])
def test_help_is_as_wide_as_the_screen(world, columns):
    """Words in brackets stay together, so the longest of them decides at last."""
    raw, status = on_terminal(world.args("forecast", "--help"), columns=columns)
    usage = [line for line in shown(raw).split("\n") if line.startswith("   ")]
    assert status == 0 and "--service" in raw
    assert max(len(line) for line in usage[:-1]) <= min(columns, 78), usage
    assert columns == 50 or shown(raw) == world.piped("forecast", "--help")[0]


def test_many_certificates_are_a_table(world):
    words = ["map", "--explain", *ASKED, "{w.people}"]
    raw, status = on_terminal(world.args(*words), columns=70)
    lines = cells(shown(raw))
    out, _, piped_status = world.piped(*words)
    rows = [line.split("\t") for line in out.splitlines()]
    assert status == piped_status == 1 and len(lines) == len(rows) == 5
    assert rows[0] == lines[0].split() == ["certificate", "authority", "reason", "user", "groups",
                                           "rule", "strength"]
    assert {len(row) for row in rows} == {7} and all(len(line) <= 70 for line in lines)
    assert raw.count(GREEN + "ok") == 2 == raw.count(RED + "no-user")
    assert "/alice.pem " in shown(raw)
    raw, _ = on_terminal(world.args(*words), columns=400)
    for row, line in zip(rows, shown(raw).split("\n")):
        assert [c for c in row if c] == re.split(r" {2,}", line)


def test_a_name_of_escapes_changes_no_terminal(world, tmp_path):
    evil = tmp_path / "a\x1b]0;owned\x07.pem"
    evil.write_bytes((world.people / "alice.pem").read_bytes())
    raw, _ = on_terminal(world.args("map", "--explain", *ASKED, tmp_path), columns=400,
                         env=AT_ONCE)
    assert "\x1b]" not in raw and "\x07" not in raw and "\\x1b]0;owned\\x07" in shown(raw)


# --------------------------------------------------------------- progress

LONG = [
    (["compile", "--issuers={w.folder}/ca.pem", "--output={w.folder}/out", "{w.folder}/bad.crl",
      "{w.folder}/crls/ca.crl"], [r"compile: 0 of 2, bad\.crl, \d+ s", r"compile: 1 of 2, ca\.crl, ",
                                  r"compile: 2 of 2, the index, "]),
    (["compile", "--config", "{w.conf}"], [r"compile: 1 of 2, root\.crl, "]),
    (["table", "build", "--output={w.folder}/people.tbl", "{w.folder}/staff.map"],
     [r"table build: 0 of 1, staff\.map, \d+ s", r"table build: 1 of 1, people\.tbl, "]),
    (["table", "check", "{w.folder}/staff.map"], [r"table check: staff\.map, "]),
    (["forecast", *ASKED, "{w.people}"], [r"forecast: [0-3] of 4, alice\.pem, \d+ s"]),
    (["forecast", *ASKED, LOG], [r"forecast: 0% of one\.log, "]),
    (["explain", "--id", "7", "--log", LOG], [r"explain: 0% of one\.log, "]),
    (["map", "enroll", "--pending", LOG], [r"map enroll: 0% of one\.log, "]),
    (["map", "--explain", *ASKED, "{w.people}"], [r"map: 1 of 4, bob\.pem, "]),
]


@pytest.mark.parametrize("words, seen", LONG, ids=lambda w: " ".join(w[:2]))
def test_progress_is_seen_and_leaves_nothing(world, words, seen, tmp_path):
    (world.folder / "one.log").write_text(
        'certauth: REJECT 1401 revoked user="" profile=staff serial=0A subject="CN=x" '
        'issuer="CN=y" id=7 detail="On the CRL."\n')
    args = world.args(*words)
    raw, status = on_terminal(args, columns=200, env={**AT_ONCE, "NO_COLOR": "1"})
    for pattern in seen:
        assert re.search(r"\r\x1b\[K" + pattern, raw), raw
    quiet, _ = on_terminal(args, columns=200, env={"TERM": "dumb", **AT_ONCE})
    assert "\x1b" not in quiet and not re.search(seen[0], quiet)
    assert same(shown(raw)) == same(shown(quiet))
    # Not in what another program reads, whichever of the two it is.
    for stream in ("stdout", "stderr"):
        t = Terminal(args, env={**AT_ONCE, "NO_COLOR": "1"}, **{stream: subprocess.PIPE})
        piped = getattr(t.child, stream).read().decode()
        raw, again = t.end()
        assert again == status and "\x1b" not in raw + piped, raw
    # A file as stdout keeps the line on the terminal, and is clean.
    with open(tmp_path / "out", "wb") as f:
        raw, _ = on_terminal(args, columns=200, env=AT_ONCE, stdout=f)
    assert re.search(seen[0], raw)
    assert b"\x1b" not in (tmp_path / "out").read_bytes()


def test_a_long_wait_is_seen_by_the_clock(world):
    """No step at all: the line comes by itself, goes on, and goes away."""
    reader, writer = os.pipe()
    t = Terminal(world.args("explain", "--id", "7", "--log", "-"), stdin=reader)
    os.close(reader)
    while len(set(re.findall(rb"\r\x1b\[Kexplain: -, (\d+) s\r", t.raw))) < 2:
        assert t.read()
    os.write(writer, b'certauth: REJECT 1401 revoked user="" profile=staff id=7\n')
    os.close(writer)
    raw, status = t.end()
    assert status == 0 and shown(raw).startswith("REJECT revoked (-)\n"), shown(raw)


def test_a_complaint_has_a_line_of_its_own(world, tmp_path):
    (tmp_path / "junk.pem").write_text("no certificate\n")
    (tmp_path / "one.pem").write_bytes((world.people / "alice.pem").read_bytes())
    raw, status = on_terminal(world.args("forecast", *ASKED, tmp_path), columns=200, env=AT_ONCE)
    lines = shown(raw).split("\n")
    assert status == 1 and [i for i in lines if re.match(r"certauth: \S+/junk\.pem: ", i)], lines
    assert not [i for i in lines if "forecast:" in i], lines


@pytest.mark.parametrize("columns", [1, 10, 40])
def test_progress_is_never_wider_than_the_screen(world, columns):
    """A second line could not be taken away again."""
    raw, _ = on_terminal(world.args("table", "check", "{w.folder}/staff.map"), columns=columns,
                         env=AT_ONCE)
    drawn = re.findall(r"\r\x1b\[K([^\r\n]*)\r(?!\n)", raw)
    assert drawn and all(len(line) <= max(columns - 1, 1) for line in drawn), drawn
