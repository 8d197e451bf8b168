"""
certauth apply and rollback: which policy is in force, how another comes into force, and
that nothing half-done, damaged or foreign ever is. FLAVOUR names the build (default: test).
"""

import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import sys
import tempfile

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

from pki import CA, write_pem     # noqa: E402

ME = pwd.getpwuid(os.geteuid()).pw_name
BINARY = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")

POLICY = """version = 1;
state = "state";
authorities: {
  ours: { anchors = [ "anchors" ]; issuers = [ "ca.pem" ]; intermediates = [ "more" ];
          revocation: { check = "none"; }; };
};
@include "profiles.conf"
"""
PROFILES = """profiles: {
  web: { authorities = [ "ours" ]; denied = "denied";
         identity = ( { name = "map"; key = "{san.email}"; table = "people.map"; } ); };
};
"""


def certauth(*args):
    return subprocess.run([BINARY, *map(str, args)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)


class World:
    def __init__(self, folder):
        self.folder = folder
        self.conf = folder / "certauth.conf"
        self.applied = folder / "certauth.conf.applied"
        self.root = CA("Test Root")
        self.ca = CA("Test Issuing CA", issuer=self.root)
        self.alice = self.ca.leaf("Alice", email="alice@example.com")
        self.bob = self.ca.leaf("Bob", email="bob@example.com")
        for name in ("anchors", "more", "state"):
            (folder / name).mkdir(mode=0o755)
        write_pem(folder / "anchors" / "root.pem", self.root)
        write_pem(folder / "ca.pem", self.ca)
        self.alice.write(folder, "alice")
        self.bob.write(folder, "bob")
        self.write("denied", "")
        self.write("people.map", "alice@example.com alice\n")
        self.write("profiles.conf", PROFILES)
        self.write("certauth.conf", POLICY)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o644)

    def run(self, *args):
        return certauth(*args, "--config", self.conf)

    def apply(self, *args):
        # pytest's folders are for one user alone
        r = self.run("apply", "--user", ME, *args)
        assert r.returncode == 0, r
        return r

    def list(self):
        r = self.run("apply", "--list", "--json")
        assert r.returncode in (0, 1), r
        return json.loads(r.stdout)


@pytest.fixture
def world(tmp_path):
    os.umask(0o022)
    return World(tmp_path)


def servers_say(w, cert):
    """What servers that name this file would say."""
    r = certauth("verify", "--json", "--config", w.conf, "--in-force", "--profile", "web",
                 w.folder / cert)
    assert r.returncode in (0, 1), r
    said = json.loads(r.stdout)
    said.pop("id")
    return said


def test_nothing_applied_is_the_file(world):
    assert world.list() == {"file": str(world.conf), "inForce": 0, "difference": "same",
                            "generations": []}
    r = world.run("apply", "--list")
    assert "itself is in force" in r.stdout
    assert servers_say(world, "alice.pem")["user"] == "alice"


def test_apply_holds_against_every_change_of_the_file(world):
    assert "generation 1 is in force" in world.apply().stdout
    before = servers_say(world, "alice.pem")
    assert before["user"] == "alice"
    world.write("certauth.conf", POLICY[:60])
    world.write("profiles.conf", "half a li")
    (world.folder / "ca.pem").write_text("-----BEGIN CERT")
    shutil.rmtree(world.folder / "anchors")
    assert servers_say(world, "alice.pem") == before
    # and who asks for the file gets the file
    r = world.run("verify", "--profile", "web", world.folder / "alice.pem")
    assert r.returncode == 2 and r.stdout == "" and "certauth.conf" in r.stderr
    (world.folder / "certauth.conf").unlink()
    assert servers_say(world, "alice.pem") == before


def test_maps_and_denied_stay_live(world):
    world.apply()
    world.write("people.map", "alice@example.com alicia\n")
    assert servers_say(world, "alice.pem")["user"] == "alicia"
    world.write("denied", "user:alicia\n")
    assert servers_say(world, "alice.pem")["reason"] == "denied"


def numbers(w):
    return [g["generation"] for g in w.list()["generations"]]


def test_rollback_goes_the_way_back(world):
    world.apply()
    world.write("profiles.conf", PROFILES.replace("{san.email}", "{san.email|prefix('x')}"))
    world.apply()
    assert servers_say(world, "alice.pem")["reason"] == "no-user"
    r = world.run("rollback", "--user", ME)
    assert r.returncode == 0 and "generation 1 is in force; it was generation 2" in r.stdout
    assert servers_say(world, "alice.pem")["user"] == "alice"
    state = world.list()
    assert state["inForce"] == 1 and state["difference"] == "differs"
    # the file is generation 2's still, but what replaces 1 is a third one
    world.apply()
    assert world.list()["inForce"] == 3
    # back from 3 is 1, not the bad one
    assert world.run("rollback", "--user", ME).returncode == 0
    assert world.list()["inForce"] == 1 and numbers(world) == [3, 2, 1]
    r = world.run("rollback", "--user", ME)
    assert r.returncode == 2 and "is the first" in r.stderr
    assert world.run("rollback", "3", "--user", ME).returncode == 0
    assert world.list()["inForce"] == 3
    assert "already" in world.run("rollback", "3").stdout


def test_rollback_names_the_cas_that_come_back(world):
    """One may have been taken out because its key was stolen."""
    world.apply()
    stolen = CA("Stolen CA", issuer=world.root)
    write_pem(world.folder / "ca2.pem", stolen)
    with_it = POLICY.replace('"ca.pem"', '"ca.pem", "ca2.pem"')
    world.write("certauth.conf", with_it)
    assert "Stolen" not in world.apply().stdout
    world.write("certauth.conf", POLICY + "# without\n")
    world.apply()
    r = world.run("rollback", "1", "--user", ME)
    assert r.returncode == 0 and "comes back" not in r.stdout, r
    r = world.run("rollback", "2", "--user", ME)
    assert r.returncode == 0, r
    said = re.findall(r"^warning +trust: comes back: (.*), SHA-256 [0-9a-f]{64}$", r.stdout, re.M)
    assert said == ["issuer of ours, CN=Stolen CA"], r


@pytest.mark.parametrize("before", ["", "x"])
def test_a_name_is_cut_between_characters(world, before):
    """In the middle of one it is no UTF-8, and the whole answer is lost."""
    write_pem(world.folder / "more" / "long.pem", CA(before + "\u00fc" * 400, issuer=world.root))
    r = world.run("show", "authorities", "--json")
    assert r.returncode == 0, r
    names = [ca["subject"] for ca in json.loads(r.stdout)["authorities"]]
    assert [n for n in names if n.startswith("CN=" + before + "\u00fc" * 200)], names


@pytest.mark.parametrize("args", [["0"], ["-1"], ["x"], ["1x"], ["9999999999"], ["7"], ["1", "2"]])
def test_rollback_to_what_is_not_there(world, args):
    world.apply()
    r = world.run("rollback", "--", *args) if args[0][0] == "-" else world.run("rollback", *args)
    assert r.returncode == 2 and r.stdout == "" and r.stderr, r
    assert world.list()["inForce"] == 1


def test_the_same_is_not_applied_twice(world):
    world.apply()
    r = world.run("apply", "--json")
    assert r.returncode == 0 and json.loads(r.stdout)["result"] == "same"
    assert numbers(world) == [1]


def test_a_wrong_policy_is_not_applied(world):
    world.apply()
    for name, text in (("certauth.conf", POLICY + "wrong = 1;\n"),
                       ("profiles.conf", PROFILES.replace("web", "web { ")),
                       ("profiles.conf", PROFILES.replace("ours", "others"))):
        old = (world.folder / name).read_text()
        world.write(name, text)
        r = world.run("apply", "--user", ME)
        assert r.returncode == 1 and r.stdout == "" and name in r.stderr, r
        world.write(name, old)
    # what only the opening finds: nothing is left of it
    (world.folder / "ca.pem").write_text("no certificate")
    r = world.run("apply", "--user", ME, "--force")
    assert r.returncode == 1 and "nothing was changed: generation 1" in r.stdout, r
    assert sorted(p.name for p in world.applied.iterdir()) == [".lock", "1", "current"]
    assert servers_say(world, "alice.pem")["user"] == "alice"


def test_faults_need_force(world):
    world.apply()
    world.write("certauth.conf", POLICY.replace('"none"', '"leaf"'))
    r = world.run("apply", "--user", ME, "--json")
    out = json.loads(r.stdout)
    assert r.returncode == 1 and out["result"] == "refused" and out["faults"] > 0, r
    assert any("no CRL" in line["text"] for line in out["lines"])
    assert world.list()["inForce"] == 1
    world.apply("--force")
    assert servers_say(world, "alice.pem")["reason"] == "revocation-unknown"


def test_remove_puts_the_file_in_force(world):
    r = world.run("apply", "--remove")
    assert r.returncode == 2 and "nothing was ever applied" in r.stderr
    world.apply()
    world.write("people.map", "alice@example.com alice\nbob@example.com bob\n")
    world.write("certauth.conf", POLICY[:60])
    # a file that is broken does not come into force
    r = world.run("apply", "--remove", "--user", ME)
    assert r.returncode == 1 and world.list()["inForce"] == 1
    world.write("certauth.conf", POLICY.replace("ours", "theirs"))
    world.write("profiles.conf", PROFILES.replace("ours", "theirs"))
    world.apply("--remove")
    assert world.list()["inForce"] == 0
    assert "already" in world.apply("--remove").stdout
    # and the generation can come back
    assert world.run("rollback", "1", "--user", ME).returncode == 0
    assert world.list()["inForce"] == 1


def damage_generation(w):
    path = w.applied / "1"
    data = path.read_bytes()
    at = data.index(b"san.email")
    path.write_bytes(data[:at] + b"san.upn  " + data[at + 9:])


def cut_generation(w):
    path = w.applied / "1"
    path.write_bytes(path.read_bytes()[:-5])


def change_digest(w):
    path = w.applied / "current"
    text = path.read_text()
    last = "1" if text[-2] == "0" else "0"
    path.write_text(text[:-2] + last + "\n")


DAMAGES = {
    "changed": damage_generation,
    "cut": cut_generation,
    "gone": lambda w: (w.applied / "1").unlink(),
    "empty": lambda w: (w.applied / "1").write_bytes(b""),
    "digest": change_digest,
    "current-empty": lambda w: (w.applied / "current").write_text(""),
    "current-junk": lambda w: (w.applied / "current").write_text("1\n"),
    "current-folder": lambda w: ((w.applied / "current").unlink(),
                                 (w.applied / "current").mkdir()),
    "current-leads-nowhere": lambda w: ((w.applied / "current").unlink(),
                                        (w.applied / "current").symlink_to("nowhere")),
    "current-writable": lambda w: (w.applied / "current").chmod(0o666),
    "writable": lambda w: (w.applied / "1").chmod(0o664),
}


@pytest.mark.parametrize("how", sorted(DAMAGES))
def test_a_damaged_generation_refuses_and_the_file_does_not_stand_in(world, how):
    world.apply()
    DAMAGES[how](world)
    r = certauth("verify", "--json", "--config", world.conf, "--in-force", "--profile", "web",
                 world.folder / "alice.pem")
    assert r.returncode == 2 and r.stdout == "" and re.search("generation|applied/", r.stderr), r
    r = world.run("check", "--in-force", "--user", ME)
    assert r.returncode == 1 and "fault" in r.stdout
    r = world.run("apply", "--list")
    assert r.returncode == 1
    # and a new one mends it, but for what no rename can replace
    r = world.run("apply", "--user", ME)
    if how == "current-folder":
        assert r.returncode == 2
        (world.applied / "current").rmdir()
        r = world.run("apply", "--user", ME)
    assert r.returncode == 0, r
    assert servers_say(world, "alice.pem")["user"] == "alice"


def test_rollback_to_a_damaged_generation(world):
    world.apply()
    world.write("certauth.conf", POLICY + "# two\n")
    world.apply()
    damage_generation(world)
    r = world.run("rollback", "--user", ME)
    assert r.returncode == 2 and "SHA-256" in r.stderr
    assert world.list()["inForce"] == 2
    assert [g["damaged"] for g in world.list()["generations"]] == [False, True]
    # nor to one under another's name
    shutil.copyfile(world.applied / "2", world.applied / "1")
    assert world.run("rollback", "--user", ME).returncode == 2


def test_old_generations_go(world):
    for i in range(14):
        world.write("certauth.conf", POLICY + "# %d\n" % i)
        world.apply()
    assert numbers(world) == list(range(14, 4, -1))
    assert world.run("rollback", "5", "--user", ME).returncode == 0
    for i, last in enumerate((5, 7, 8)):
        world.write("certauth.conf", POLICY + "# more %d\n" % i)
        world.apply()
        # what was in force a moment ago stays for the way back
        assert world.list()["generations"][-1]["generation"] == last, i
    assert len(numbers(world)) == 10


def test_what_a_crash_left_is_removed(world):
    world.apply()
    (world.applied / "2.new").write_text("half")
    (world.applied / "2.new.part").write_text("half")
    (world.applied / "current.part").write_text("half")
    assert servers_say(world, "alice.pem")["user"] == "alice"
    world.write("certauth.conf", POLICY + "# two\n")
    world.apply()
    assert sorted(p.name for p in world.applied.iterdir()) == [".lock", "1", "2", "current"]


def test_it_is_for_no_more_readers_than_its_parts(world):
    world.apply()
    assert (world.applied / "1").stat().st_mode & 0o777 == 0o644
    (world.folder / "profiles.conf").chmod(0o640)
    world.write("certauth.conf", POLICY + "# two\n")
    world.apply()
    assert (world.applied / "2").stat().st_mode & 0o777 == 0o640
    assert (world.applied / "2").stat().st_gid == (world.folder / "profiles.conf").stat().st_gid
    assert world.applied.stat().st_mode & 0o777 == 0o755


def test_a_folder_that_others_can_write(world):
    world.apply()
    world.applied.chmod(0o777)
    world.write("certauth.conf", POLICY + "# two\n")
    r = world.run("apply", "--user", ME)
    assert r.returncode == 2 and "chmod go-w" in r.stderr, r


def test_servers_do_not_believe_a_folder_that_others_can_write(world):
    """Who can remove `current` would put the file in force, as it is now."""
    world.apply()
    world.write("people.map", "alice@example.com alice\nbob@example.com bob\n")
    for how in ("writable", "link", "file"):
        if how == "writable":
            world.applied.chmod(0o777)
            (world.applied / "current").unlink()
        else:
            shutil.rmtree(world.applied, ignore_errors=True)
            world.applied.unlink(missing_ok=True)
            if how == "link":       # to where something is not mounted
                world.applied.symlink_to(world.folder / "nowhere")
            else:
                world.applied.write_text("")
        r = certauth("verify", "--json", "--config", world.conf, "--in-force", "--profile", "web",
                     world.folder / "alice.pem")
        assert r.returncode == 2 and r.stdout == "" and "certauth.conf.applied" in r.stderr, (how, r)


def test_the_same_for_other_readers_is_another(world):
    world.apply()
    (world.folder / "ca.pem").chmod(0o640)
    world.apply()
    assert world.list()["inForce"] == 2
    assert (world.applied / "2").stat().st_mode & 0o777 == 0o640
    world.apply()
    assert world.list()["inForce"] == 2


def test_the_folder_may_have_another_name_later(world):
    """A mount, a copy: what was below the folder of the policy is found below it."""
    world.apply()
    other = world.folder.with_name(world.folder.name + ".copy")
    shutil.copytree(world.folder, other)
    for path in other.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    shutil.rmtree(other / "anchors")
    (other / "people.map").write_text("alice@example.com copied\n")
    r = certauth("verify", "--json", "--config", other / "certauth.conf", "--in-force",
                 "--profile", "web", world.folder / "alice.pem")
    assert json.loads(r.stdout)["user"] == "copied", r
    (world.folder / "link").symlink_to(world.folder)
    r = certauth("verify", "--json", "--config", world.folder / "link" / "certauth.conf",
                 "--in-force", "--profile", "web", world.folder / "alice.pem")
    assert json.loads(r.stdout)["user"] == "alice", r


def test_absolute_names_are_kept_as_well(world, tmp_path_factory):
    away = tmp_path_factory.mktemp("away")
    shutil.copy(world.folder / "ca.pem", away / "ca.pem")
    world.write("certauth.conf", POLICY.replace('"ca.pem"', '"%s/ca.pem"' % away).replace(
        '"anchors"', '"%s/anchors/"' % world.folder))
    world.apply()
    shutil.rmtree(away)
    shutil.rmtree(world.folder / "anchors")
    assert servers_say(world, "alice.pem")["user"] == "alice"


def test_who_looks_is_told_which(world):
    world.apply()
    r = world.run("verify", "--profile", "web", world.folder / "alice.pem")
    assert r.returncode == 0 and "the servers read a generation" in r.stderr
    r = world.run("verify", "--in-force", "--profile", "web", world.folder / "alice.pem")
    assert r.returncode == 0 and "note" not in r.stderr
    world.write("certauth.conf", POLICY + "# two\n")
    r = world.run("verify", "--in-force", "--profile", "web", world.folder / "alice.pem")
    assert "by generation 1, which is in force" in r.stderr
    r = world.run("check", "--in-force", "--user", ME)
    assert re.search(r"warning +policy: generation 1 is in force and was looked at", r.stdout), r
    r = world.run("check", "--user", ME)
    assert re.search(r"note +policy: .*the servers read generation 1", r.stdout), r
    r = certauth("verify", "--in-force", "--roots", world.folder / "ca.pem", "--",
                 world.folder / "alice.pem")
    assert r.returncode == 2


def test_digest_of_a_profile_is_the_files(world):
    """Sessions that a server gave out by the file are taken by the generation of it."""
    before = world.run("explain", "--json", "--profile", "web", world.folder / "alice.pem")
    world.apply()
    after = world.run("explain", "--json", "--in-force", "--profile", "web",
                      world.folder / "alice.pem")
    a, b = json.loads(before.stdout), json.loads(after.stdout)
    a.pop("id", None), b.pop("id", None)
    assert a == b


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_is_looked_at_as_the_servers_users():
    """In a folder that everybody may enter; by default as www-data and dovenull."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="certauth-apply-"))
    try:
        folder.chmod(0o755)
        w = World(folder)
        r = w.run("apply")
        assert r.returncode == 0 and re.search(r"note +www-data: can open everything", r.stdout), r
        # what root can read and www-data cannot does not come into force ...
        (folder / "people.map").chmod(0o600)
        w.write("certauth.conf", POLICY + "# two\n")
        r = w.run("apply", "--force")
        assert r.returncode == 1 and re.search(r"fault +www-data: .*people.map", r.stdout), r
        assert w.list()["inForce"] == 1
        # ... nor a generation that has a part of that kind: it is root's alone then
        (folder / "people.map").chmod(0o644)
        (folder / "ca.pem").chmod(0o600)
        r = w.run("apply", "--json")
        assert r.returncode == 1 and json.loads(r.stdout)["result"] == "refused", r
        assert any(line["user"] == "www-data" and line["severity"] == "fault"
                   for line in json.loads(r.stdout)["lines"])
        (folder / "ca.pem").chmod(0o644)
        assert w.run("apply").returncode == 0 and w.list()["inForce"] == 2
    finally:
        shutil.rmtree(folder)


def test_two_at_a_time(world):
    """One waits for the other; both are whole."""
    running = []
    for i in range(4):
        running.append(subprocess.Popen(
            [BINARY, "apply", "--config", str(world.conf), "--user", ME], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        world.write("next.conf", POLICY + "# %d\n" % i)
        (world.folder / "next.conf").rename(world.conf)
    for p in running:
        said, _ = p.communicate(timeout=60)
        assert p.returncode == 0, said
    world.apply()
    assert world.list()["difference"] == "same"
    assert servers_say(world, "alice.pem")["user"] == "alice"


def test_the_last_number(world):
    world.apply()
    (world.applied / "1").rename(world.applied / "999999999")
    world.write("certauth.conf", POLICY + "# two\n")
    r = world.run("apply", "--user", ME)
    assert r.returncode == 2 and "last number" in r.stderr, r
