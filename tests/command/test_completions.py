"""What the shells offer behind `certauth`: from the command's own table, in real shells."""

import json
import os
import shutil
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"))
SCRIPTS = os.path.join(ROOT, "conf-examples", "completions")
CERTAUTH = os.path.join(BUILD, "certauth")


def run(*args):
    env = dict(os.environ, PATH=BUILD + ":" + os.environ["PATH"])
    r = subprocess.run(args, capture_output=True, text=True, timeout=60, env=env, check=False)
    return r.stdout.split()


def complete(*words):
    return run(CERTAUTH, "complete", *words)


def told():
    return json.loads(subprocess.run([CERTAUTH, "help", "--json"], capture_output=True, text=True,
                                     check=True).stdout)


def test_every_command_is_offered_once():
    first = complete()
    names = {c["name"].split()[0] for c in told()["commands"]}
    assert {w for w in first if w[0] != "-"} == names
    assert len(first) == len(set(first))


@pytest.mark.parametrize("row", told()["commands"] if os.path.exists(CERTAUTH) else [],
                         ids=lambda r: r["name"])
def test_every_option_is_offered(row):
    words = complete(*row["name"].split())
    assert set(row["options"]) <= set(words)
    assert len(words) == len(set(words))


def test_verbs_values_and_files():
    assert {"setup", "import", "accept"} <= set(complete("pool"))
    assert {"setup", "import"} <= set(complete("--config", "x.conf", "pool"))
    assert complete("verify", "--purpose") == ["client", "email", "any"]
    assert complete("verify", "--revocation") == ["none", "leaf", "chain"]
    assert complete("verify", "--roots") == []          # a file
    assert "--purpose" not in complete("table", "build")
    assert [w for w in complete("no-such") if w[0] != "-"] == []


def bash(line):
    words = line.split(" ")
    script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _certauth; ' \
        'printf "%s\\n" "${COMPREPLY[@]}"'
    return run("bash", "-c", script, "bash", os.path.join(SCRIPTS, "certauth.bash"), *words)


def test_bash():
    assert bash("certauth ver") == ["verify"]
    assert bash("certauth pool ac") == ["accept"]
    assert bash("certauth verify --purpose em") == ["email"]
    assert "--json" in bash("certauth verify --")


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here")
def test_fish():
    def fish(line):
        return run("fish", "--no-config", "-c", 'source "%s"; complete -C "%s" | string split -f1 \\t'
                   % (os.path.join(SCRIPTS, "certauth.fish"), line))
    assert fish("certauth ver") == ["verify"]
    assert fish("certauth pool ac") == ["accept"]
    assert "email" in fish("certauth verify --purpose em")


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh here")
def test_zsh():
    """compadd is asked what it was given: a terminal is not needed for that."""
    def zsh(*words):
        script = 'compadd() { [ "$1" = -a ] && print -l -- ${(P)2}; }; _files() {}; ' \
            '_alternative() { eval "${1##*:}"; }; words=(%s); CURRENT=$#words; source "%s"' % (
                " ".join(words), os.path.join(SCRIPTS, "_certauth"))
        return run("zsh", "-f", "-c", script)
    assert "accept" in zsh("certauth", "pool", "''")
    assert zsh("certauth", "verify", "--purpose", "''") == ["client", "email", "any"]
