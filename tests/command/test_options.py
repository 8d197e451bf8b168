"""
Which options a command takes: what `certauth help --json` says is what is taken, all else
is refused by name, with exit 2, before anything is done.
"""

import json
import os
import re
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")


def certauth(*args, **more):
    more = {"stdout": subprocess.PIPE, **more}
    return subprocess.run([BINARY, *map(str, args)], stdin=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False, **more)


TABLE = json.loads(certauth("help", "--json").stdout)
OPTIONS = {o["name"]: o for o in TABLE["options"]}
TAKES = {}
for row in TABLE["commands"]:
    TAKES.setdefault(row["name"], set()).update(row["options"])


def test_every_option_has_a_command_and_words():
    used = set().union(*TAKES.values())
    assert used == set(OPTIONS) and len(OPTIONS) > 30
    for row in TABLE["commands"]:
        named = set(re.findall(r"--[a-z-]+", row["usage"]))
        assert named <= set(OPTIONS), row       # no usage of what does not exist
        assert row["text"], row
    assert all(o["text"] for o in OPTIONS.values())


@pytest.mark.parametrize("name", sorted(TAKES))
def test_other_options_are_refused_by_name(name, tmp_path):
    for option in sorted(set(OPTIONS) - TAKES[name]):
        value = [] if not OPTIONS[option]["value"] else \
            ["@5"] if option == "--time" else ["word"]
        r = certauth(*name.split(), option, *value, "--config", tmp_path / "none.conf")
        assert r.returncode == 2 and r.stdout == "", (option, r)
        assert "%s is no option of certauth %s;" % (option, name) in r.stderr, r


def test_help_of_one_command():
    for words in (["map", "--help"], ["help", "map"]):
        r = certauth(*words)
        assert r.returncode == 0 and "certauth map enroll" in r.stdout
        assert "certauth table" not in r.stdout
    r = certauth("help", "table", "build")
    assert "certauth table build" in r.stdout and "certauth table check" not in r.stdout
    for line in certauth("--help").stdout.splitlines():
        assert len(line) <= 80, line


def test_a_value_forgotten_or_given_twice():
    for args, said in ((["deny", "--reason", "--until", "2027-01-01", "user:dan"],
                        "--reason wants a value"),
                       (["deny", "user:dan", "--until"], "--until wants a value"),
                       (["deny", "--profile", "web", "--profile=mail", "user:dan", "--reason", "r"],
                        "--profile is given twice"),
                       (["check", "--json=yes"], "--json takes no value")):
        r = certauth(*args)
        assert r.returncode == 2 and r.stdout == "" and said in r.stderr, r
    # one that looks like an option
    r = certauth("deny", "--config=/nowhere.conf", "--reason=--until", "user:dan")
    assert r.returncode == 2 and "/nowhere.conf" in r.stderr


def test_a_word_that_is_no_command():
    r = certauth("table", "fly")
    assert r.returncode == 2 and "build | check | lookup | import | export" in r.stderr
    r = certauth("map", "fly")
    assert r.returncode == 2 and "enroll" in r.stderr and "remove" in r.stderr


def test_an_output_that_cannot_be_written():
    with open("/dev/full", "w") as full:
        r = certauth("help", "--json", stdout=full)
    assert r.returncode == 2 and "cannot be written" in r.stderr
