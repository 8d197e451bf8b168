"""
certauth map enroll, list, remove: a line for a certificate that is good and unknown, and
only for such a one; what a renewal looks like before and after it.
"""

import concurrent.futures
import json
import os
import random
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

from pki import CA, write_pem     # noqa: E402

BINARY = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")

POLICY = """version = 1;
authorities: {
  ours: { anchors = [ "root.pem" ]; issuers = [ "ca.pem" ];
          revocation: { crls = [ "root.crl", "ca.crl" ]; }; };
};
profiles: { staff: { authorities = [ "ours" ]; denied = "denied";
  identity = ( { name = "key"; key = "{spki.sha256}"; table = "staff.map"; } ); }; };
state = "%s/state";
"""


def certauth(*args):
    return subprocess.run([BINARY, *map(str, args)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)


class World:
    def __init__(self, folder):
        self.folder = folder
        root = CA("Test Root")
        self.ca = CA("Test Issuing CA", issuer=root)
        stranger = CA("Stranger CA")
        write_pem(folder / "root.pem", root)
        write_pem(folder / "ca.pem", self.ca)
        root.crl([], number=1).write(folder / "root.crl")
        self.certs = {}
        for name, ca, mail in (("alice", self.ca, "alice"), ("alice2", self.ca, "alice"),
                               ("bob", self.ca, "bob"), ("carol", self.ca, "carol"),
                               ("foreign", stranger, "alice")):
            self.certs[name] = ca.leaf(name, email=mail + "@example.com")
            self.certs[name].write(folder, name)
        self.certs["old"] = self.ca.leaf("old", email="old@example.com", not_before="-400d",
                                         not_after="-30d")
        self.certs["old"].write(folder, "old")
        self.ca.crl([(self.certs["bob"], "-1d", "keyCompromise")], number=5).write(
            folder / "ca.crl")
        self.map = folder / "staff.map"
        self.map.write_text("# people\n")
        (folder / "denied").write_text("user:mallory\n")
        self.conf = folder / "certauth.conf"
        self.conf.write_text(POLICY % folder)
        for path in folder.iterdir():
            if path.is_file() and path.suffix != ".key":
                path.chmod(0o644)

    def cert(self, name):
        return self.folder / (name + ".pem")

    def enroll(self, user, name, *more):
        return certauth("map", "enroll", "--config", self.conf, *more, "--user=" + user,
                        self.cert(name))

    def enrolled_line(self, name, text):
        """Its line into the text, from a map of its own; the words of the line."""
        self.map.write_text("")
        assert self.enroll(name, name).returncode == 0
        line = self.map.read_text()
        self.map.unlink()
        text.write_text(line)
        return line.split()

    def verify(self, name):
        return json.loads(certauth("verify", "--json", "--config", self.conf, "--profile",
                                   "staff", self.cert(name)).stdout)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_a_renewal_from_refusal_to_login(world):
    assert world.verify("alice")["reason"] == "no-user"
    p = world.enroll("alice", "alice", "--groups", "staff,ops")
    assert p.returncode == 0, p.stdout + p.stderr
    assert (world.verify("alice")["user"], world.verify("alice")["groups"]) == \
        ("alice", "staff,ops")
    line = world.map.read_text().splitlines()[-1]
    assert " alice staff,ops # enrolled authority=ours mailbox=alice@example.com ends=" in line
    assert '"issuer=CN=Test Issuing CA"' in line
    # The renewed certificate: told from a stranger's, refused all the same.
    new = world.verify("alice2")
    assert (new["result"], new["reason"], new["user"]) == ("reject", "new-key", "")
    assert "certauth map enroll --profile staff --user alice CERT" in new["message"]
    # The line that the message gives is one that works.
    ready = new["message"].split("or the line: ")[1]
    with open(world.map, "a", encoding="utf-8") as f:
        f.write(ready + "\n")
    assert world.verify("alice2")["user"] == "alice"
    assert world.verify("alice")["user"] == "alice"
    # Another authority's certificate of the same mailbox is no renewal.
    assert world.verify("foreign")["reason"] == "no-path"


@pytest.mark.parametrize("name, reason", [("bob", "revoked"), ("old", "expired"),
                                          ("foreign", "no-path")])
def test_what_a_login_refuses_is_not_enrolled(world, name, reason):
    before = world.map.read_bytes()
    p = world.enroll("somebody", name, "--json")
    assert p.returncode == 1
    row = json.loads(p.stdout)
    assert (row["result"], row["reason"]) == ("refused", reason)
    assert world.map.read_bytes() == before


def test_users_that_could_not_log_in(world):
    before = world.map.read_bytes()
    p = world.enroll("mallory", "alice")
    assert p.returncode == 1 and "denied" in p.stdout
    for bad in ("../etc", "-x", "a\nb", ""):
        p = world.enroll(bad, "alice")
        assert p.returncode == 1, p.stdout
    assert world.map.read_bytes() == before
    assert world.enroll("alice", "alice").returncode == 0
    after = world.map.read_bytes()
    p = world.enroll("alice", "alice")
    assert p.returncode == 0 and "already" in p.stdout
    p = world.enroll("eve", "alice")
    assert p.returncode == 1 and "another user's" in p.stdout
    assert world.map.read_bytes() == after


def test_dry_run_writes_nothing(world):
    before = world.map.read_bytes()
    p = world.enroll("alice", "alice", "--dry-run")
    assert p.returncode == 0 and "alice # enrolled" in p.stdout
    assert world.map.read_bytes() == before


def test_owner_mode_and_other_lines_stay(world):
    world.map.write_text("# people\n\n" + "0" * 64 + "  dan   # a note\n# the end, no newline")
    world.map.chmod(0o640)
    before = world.map.read_text()
    assert world.enroll("alice", "alice").returncode == 0
    assert world.map.read_text().startswith(before + "\n")
    assert os.stat(world.map).st_mode & 0o777 == 0o640
    assert world.verify("alice")["user"] == "alice"


def test_two_at_once_lose_nothing(world):
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda n: world.enroll(n, n), ["alice", "carol", "alice2"]))
    assert [p.returncode for p in done] == [0, 0, 0], [p.stdout + p.stderr for p in done]
    assert [world.verify(n)["user"] for n in ("alice", "carol", "alice2")] == \
        ["alice", "carol", "alice2"]


def test_csv(world):
    csv = world.folder / "new.csv"
    csv.write_text("# certificate,user,groups\n%s,alice,staff;ops\n%s,bob\n\n%s,carol\nnonsense\n"
                   % (world.cert("alice"), world.cert("bob"), world.cert("carol")))
    p = certauth("map", "enroll", "--config", world.conf, "--csv", csv)
    assert p.returncode == 1 and "REFUSED" in p.stdout and "new.csv:6:" in p.stderr
    assert world.verify("alice")["groups"] == "staff,ops"
    assert world.verify("carol")["user"] == "carol"
    assert world.verify("bob")["reason"] == "revoked"


def test_list_and_remove(world):
    world.enroll("alice", "alice")
    world.enroll("carol", "carol")
    p = certauth("map", "list", "--config", world.conf, "--json")
    rows = {r["user"]: r for r in json.loads(p.stdout)}
    assert sorted(rows) == ["alice", "carol"]
    assert rows["alice"]["name"] == "alice@example.com"
    assert rows["alice"]["issuer"] == "CN=Test Issuing CA" and rows["alice"]["ends"] > "2"
    p = certauth("map", "remove", "--config", world.conf, "--dry-run", "user:alice")
    assert p.returncode == 2 and "--dry-run is no option of certauth map remove" in p.stderr
    assert world.verify("alice")["user"] == "alice"
    p = certauth("map", "remove", "--config", world.conf, world.cert("alice"))
    assert p.returncode == 0 and p.stdout == "1 line taken out\n"
    assert world.verify("alice")["reason"] == "no-user"
    assert world.verify("carol")["user"] == "carol"
    for removed, status in ((1, 0), (0, 1)):
        p = certauth("map", "remove", "--json", "--config", world.conf, "user:carol")
        assert p.returncode == status and json.loads(p.stdout) == {
            "removed": removed, "left": 0, "where": ""}
    assert world.map.read_text() == "# people\n"


def test_pending_from_the_log(world):
    world.enroll("alice", "alice")
    log = world.folder / "error.log"
    lines = [certauth("verify", "--config", world.conf, "--profile", "staff",
                      world.cert(n)).stdout for n in ("alice2", "carol", "bob", "alice", "alice2")]
    log.write_text("".join("2026/11/22 20:00:00 [warn] 1#1: *1 certauth: " + t for t in lines))
    p = certauth("map", "enroll", "--json", "--pending", log)
    assert p.returncode == 0, p.stderr
    rows = {r["reason"]: r for r in json.loads(p.stdout)}
    assert sorted(rows) == ["new-key", "no-user"]
    assert rows["new-key"]["times"] == 2 and rows["new-key"]["profile"] == "staff"
    assert "--user alice CERT, or the line: " in rows["new-key"]["detail"]
    assert rows["no-user"]["subject"] == "CN=carol"
    assert certauth("map", "enroll", "--pending", world.folder / "none").returncode == 2


def pending(world, *lines):
    log = world.folder / "error.log"
    log.write_bytes(b"".join(lines))
    p = certauth("map", "enroll", "--json", "--pending", log)
    assert p.returncode == 0, p.stderr
    return json.loads(p.stdout)


def test_pending_of_somebody_who_writes_log_lines(world):
    """The subject is the client's own word, and stands before issuer and detail."""
    name = 'x" issuer="CN=Root" profile=admin serial=00 certauth: REJECT 1506 new-key \\"'
    world.ca.leaf(name, email="eve@example.com").write(world.folder, "eve")
    text = certauth("verify", "--config", world.conf, "--profile", "staff",
                    world.cert("eve")).stdout
    assert "1501 no-user" in text
    # nginx, and Apache, which escapes the message once more
    apache = text.strip().replace("\\", "\\\\").replace('"', '\\"')
    for line in ("2026/11/22 20:00:00 [warn] 1#1: *1 certauth: %s, client: 127.0.0.1, server: "
                 "localhost, request: \"GET / HTTP/1.1\"\n" % text.strip(),
                 "[Sun Nov 22 20:00:00.0 2026] [certauth:error] [pid 1:tid 2] [client 127.0.0.1:5]"
                 " certauth: %s, referer: https://x/\n" % apache, text):
        rows = pending(world, line.encode())
        assert len(rows) == 1 and rows[0]["reason"] == "no-user", line
        assert (rows[0]["issuer"], rows[0]["profile"]) == ("CN=Test Issuing CA", "staff"), line
        assert "issuer=" in rows[0]["subject"] and rows[0]["serial"] != "00", line
    # a mark in quotes is somebody's request
    assert pending(world, b'GET "/certauth: ' + text.encode()) == []


def test_pending_as_json_and_cut_off(world):
    name = "\u00e4" * 60
    world.ca.leaf(name, email="eve@example.com").write(world.folder, "eve")
    ask = ["verify", "--config", world.conf, "--profile", "staff", world.cert("eve")]
    text, line = certauth(*ask).stdout.encode(), certauth(*ask, "--json").stdout.encode()
    rows = pending(world, line, b"x [warn] 1#1: *1 certauth: " + line.strip() + b", client: x\n")
    assert [(r["subject"], r["times"]) for r in rows] == [("CN=" + name, 2)]
    # Apache escapes the message once more, what is not ASCII too
    apache = "".join(chr(b) if 0x20 <= b < 0x7f and b not in b'"\\' else "\\" + chr(b)
                     if b in b'"\\' else "\\x%02x" % b for b in line.strip())
    rows = pending(world, b"[x] [certauth:error] [client 1.1.1.1:2] certauth: " + apache.encode() +
                   b", referer: https://x/\n")
    assert [r["subject"] for r in rows] == ["CN=" + name]
    # a server cuts anywhere, also within a character
    for cut in range(text.index(b"CN="), text.index(b"CN=") + 30):
        rows = pending(world, b"certauth: " + text[:cut] + b"\n")
        assert len(rows) == 1 and ("CN=" + name).startswith(rows[0]["subject"]), cut
    # what a terminal would obey does not reach it
    rows = pending(world, line.replace(b"\"subject\":\"CN=", b"\"subject\":\"\\u001b[31m\\nCN="))
    assert rows[0]["subject"].startswith("\\x1b[31m\\x0aCN="), rows


def test_pending_of_any_bytes(world):
    """A log is text of others: mutated lines give an answer in printable UTF-8, or none."""
    world.ca.leaf('x \\ "\u00e4', email="eve@example.com").write(world.folder, "eve")
    ask = ["verify", "--config", world.conf, "--profile", "staff", world.cert("eve")]
    seeds = [b"x certauth: " + certauth(*ask, *more).stdout.encode() for more in ([], ["--json"])]
    seeds.append(seeds[0].replace(b"\\", b"\\\\").replace(b'"', b'\\"'))
    luck = random.Random(6)
    lines = []
    for i in range(6000):
        line = bytearray(seeds[i % 3].strip())
        for _ in range(luck.randrange(1, 6)):
            at = luck.randrange(len(line))
            what = luck.choice([b'"', b"\\", b" ", b"=", b"\xff", b"\x1b", b"\\x", b"\\u0000", b"{", b""])
            line[at:at + luck.choice([0, 1, 1, 30])] = what
        lines.append(bytes(line) + b"\n")
    rows = pending(world, *lines)
    assert rows and all(t.isprintable() for r in rows for t in r.values() if isinstance(t, str))


def test_usage(world):
    for args in (["map"], ["map", "enroll"], ["map", "enroll", "--user", "a"],
                 ["map", "list", "x"], ["map", "remove"],
                 ["map", "enroll", "--csv", "x", "--user", "a"]):
        p = certauth(*args, "--config", world.conf)
        assert p.returncode == 2 and p.stdout == "", args


def with_rule(world, rule, strength=None):
    text = POLICY.replace('{ name = "key"; key = "{spki.sha256}"; table = "staff.map"; }', rule)
    if strength:
        text = text.replace('denied = "denied";',
                            'denied = "denied"; min_strength = "%s";' % strength)
    world.conf.write_text(text % world.folder)


def test_users_for_web_and_mail(world):
    """A rule with names for each service: any of them will do, or the one named."""
    with_rule(world, '{ name = "key"; key = "{spki.sha256}"; table = "staff.map"; '
                     'users = { mail = "{user}@mail.example"; }; }')
    p = world.enroll("alice", "alice", "--service", "http", "--dry-run")
    assert p.returncode == 1 and "no name for this service" in p.stdout
    p = world.enroll("alice", "alice")
    assert p.returncode == 0, p.stdout
    p = world.enroll("alice", "alice")
    assert p.returncode == 0 and "already" in p.stdout
    p = world.enroll("eve", "alice")
    assert p.returncode == 1 and "another user's already: alice" in p.stdout
    # denied under the name that is found, whatever it is called in mail
    p = world.enroll("mallory", "carol")
    assert p.returncode == 1 and "denied" in p.stdout


def test_min_strength_as_in_a_login(world):
    """Medium: the authority lists its issuers. Where it does not, no line is written."""
    with_rule(world, '{ name = "m"; key = "{san.email}"; table = "staff.map"; }', "medium")
    assert world.enroll("alice", "alice").returncode == 0
    assert world.verify("alice")["user"] == "alice"
    world.conf.write_text(world.conf.read_text().replace('issuers = [ "ca.pem" ];',
                                                         'intermediates = [ "ca.pem" ];'))
    before = world.map.read_bytes()
    p = world.enroll("carol", "carol")
    assert p.returncode == 1 and "min_strength is medium" in p.stdout
    assert world.map.read_bytes() == before


@pytest.fixture
def folder(world):
    """The map is a folder of two texts."""
    world.map.unlink()
    world.map.mkdir(mode=0o755)
    (world.map / "a.map").write_text("0" * 64 + " dan\n")
    (world.map / "b.map").write_text("# nobody\n")
    return world


def test_a_folder_of_maps(folder):
    p = folder.enroll("alice", "alice", "--dry-run")
    assert p.returncode == 0 and not (folder.map / "enrolled.map").exists()
    p = folder.enroll("alice", "alice")
    assert p.returncode == 0 and "staff.map/enrolled.map: " in p.stdout, p.stdout
    assert os.stat(folder.map / "enrolled.map").st_mode & 0o777 == 0o640
    assert folder.verify("alice")["user"] == "alice"
    assert folder.enroll("alice", "alice").returncode == 0
    # a renewal is told apart, and goes into the file that is named
    assert folder.verify("alice2")["reason"] == "new-key"
    p = folder.enroll("alice", "alice2", "--into", "b.map")
    assert p.returncode == 0, p.stdout
    assert (folder.map / "b.map").read_text().startswith("# nobody\n")
    assert folder.verify("alice2")["user"] == "alice"
    rows = json.loads(certauth("map", "list", "--config", folder.conf, "--json").stdout)
    assert sorted((os.path.basename(r["file"]), r["user"], r["name"]) for r in rows) == [
        ("a.map", "dan", ""), ("b.map", "alice", "alice@example.com"),
        ("enrolled.map", "alice", "alice@example.com")]
    for name in ("../x.map", ".hidden", "x~", "x.part", ""):
        p = folder.enroll("carol", "carol", "--into", name)
        assert p.returncode == 1 and "no file of a folder" in p.stdout, p.stdout
    p = certauth("map", "remove", "--config", folder.conf, "user:alice")
    assert (p.returncode, p.stdout) == (0, "2 lines taken out\n"), p.stderr
    assert [folder.verify(n)["reason"] for n in ("alice", "alice2")] == ["no-user"] * 2
    assert (folder.map / "b.map").read_text() == "# nobody\n"
    # what is refused makes no file
    (folder.map / "enrolled.map").unlink()
    assert folder.enroll("mallory", "alice").returncode == 1
    assert sorted(os.listdir(folder.map)) == ["a.map", "b.map"]


def test_a_folder_with_a_fault_is_left_alone(folder):
    (folder.map / "a.map").write_text("0" * 64 + " dan not-afer=2027-01-01\n")
    assert folder.enroll("alice", "alice").returncode == 2
    assert not (folder.map / "enrolled.map").exists()


def test_a_compiled_table(world):
    """It keeps the marks; what is in it is said, and stays until it is built again."""
    text = world.folder / "people.map"
    world.map.rename(text)
    key = next(iter(world.enrolled_line("alice", text)))
    build = ("table", "build", "--output", world.map, text)
    assert certauth(*build).returncode == 0
    assert world.verify("alice")["user"] == "alice"
    assert world.verify("alice2")["reason"] == "new-key"
    rows = json.loads(certauth("map", "list", "--config", world.conf, "--json").stdout)
    assert [(r["key"], r["user"], r["authority"], r["name"]) for r in rows] == \
        [(key, "alice", "ours", "alice@example.com")]
    before = world.map.read_bytes()
    p = world.enroll("alice", "alice2")
    assert p.returncode == 1 and "is a compiled table: put the line into" in p.stdout
    line = p.stdout.split("table build: ")[1]
    assert " alice # enrolled authority=ours mailbox=alice@example.com ends=" in line
    p = certauth("map", "remove", "--config", world.conf, "user:alice")
    assert p.returncode == 1 and "still has 1 such line" in p.stderr
    assert world.map.read_bytes() == before and world.verify("alice")["user"] == "alice"
    with open(text, "a", encoding="utf-8") as f:
        f.write(line)
    assert certauth(*build).returncode == 0
    assert [world.verify(n)["user"] for n in ("alice", "alice2")] == ["alice"] * 2


def test_remove_by_key_as_a_lookup_spells_it(world):
    digest = "ab" * 32
    world.map.write_text(digest + " dan\nCarol@Example.com c1\ncarol@example.com c2 "
                         "not-before=2020-01-01 not-after=2027-03-31\n")
    rows = json.loads(certauth("map", "list", "--config", world.conf, "--json").stdout)
    assert [(r["notBefore"], r["notAfter"]) for r in rows] == [
        ("", ""), ("", ""), ("2020-01-01T00:00:00Z", "2027-03-31T23:59:59Z")]
    p = certauth("map", "remove", "--config", world.conf, ":".join(["AB"] * 32))
    assert (p.returncode, p.stdout) == (0, "1 line taken out\n")
    p = certauth("map", "remove", "--config", world.conf, "Carol@EXAMPLE.com")
    assert (p.returncode, p.stdout) == (0, "1 line taken out\n")
    assert world.map.read_text().startswith("carol@example.com c2 ")
    # a line that no server would take is none for us either
    world.map.write_text("k -u\n")
    assert certauth("map", "list", "--config", world.conf).returncode == 2
