"""
The decision log at the three doors: the same line, text or JSON, names or hashes, one for
each connection and change, and not a thousand of one kind. `certauth explain --id` finds a
refusal again.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time

import pytest

from test_machine import BUILD, Machine, pytestmark  # noqa: F401

DOORS = ("nginx", "apache", "dovecot")


class Logged(Machine):
    """One policy with a log setting; mallory's CA is nobody's."""

    def __init__(self, folder, setting):
        self.setting = setting
        super().__init__(folder)

    def policy(self, **more):
        super().policy(**more)
        with open(self.w.path("secret"), "wb") as f:
            f.write(b"0123456789abcdef")
        with open(self.w.conf, "a", encoding="utf-8") as f:
            f.write("log: { %s };\n" % self.setting)

    def log_of(self, door):
        if door == "apache":
            return self.apache.error_log()
        if door == "nginx":
            return self.nginx.log()
        return self.dovecot.log()

    def lines(self, door, least=1):
        """What certauth said there of decisions; waits for `least` lines."""
        end = time.monotonic() + 60
        while True:
            text = self.log_of(door)
            if door == "apache":        # escapes all that it logs once more
                text = text.replace("\\\\", "\\").replace('\\"', '"')
            found = re.findall(r"certauth: (\{.*\}|ACCEPT .*|REJECT .*)", text)
            if len(found) >= least or time.monotonic() > end:
                return found
            time.sleep(0.02)


@pytest.fixture(scope="module", params=['format = "json"', 'format = "json"; personal = "hashed"; key = "secret"',
                                        'personal = "hashed"; key = "secret"'],
                ids=["json", "json-hashed", "text-hashed"])
def logged(request):
    folder = tempfile.mkdtemp(prefix="certauth-l.")
    try:
        m = Logged(folder, request.param)
        m.name = request.param
        m.deny("user:bob\n")
        with m:
            yield m
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("door", DOORS)
def test_one_line_for_one_decision(logged, door):
    before = len(logged.lines(door, 0))
    assert logged.enters(door)
    accepted = logged.lines(door, before + 1)[before:]
    assert len(accepted) == 1
    assert not logged.enters(door, "bob")
    lines = logged.lines(door, before + 2)[before:]
    assert len(lines) == 2
    if "json" in logged.name:
        good, bad = (json.loads(line) for line in lines)
        assert (good["result"], bad["result"], bad["reason"]) == ("accept", "reject", "denied")
        assert good["server"] == door and good["profile"] == "p" and good["resumed"] is False
        assert good["revocation"] == "ocsp" and good["revocation_age"] >= 0
        assert good["client"] == "127.0.0.1" and good["strength"] and good["issuer_key_id"]
        assert good["key"] == "P-256" and good["policies"] == [], good
        assert good["notBefore"] < good["time"] < good["notAfter"] and "key" not in bad
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", good["time"])
        if "hashed" not in logged.name:
            assert good["user"] == "alice" and good["email"] == "alice@example.com"
            assert "bob" in bad["email"]
        else:
            assert good["user"].startswith("hmac:") and good["user"] != good["email"]
    else:
        assert lines[0].startswith("ACCEPT 1000 ok user=\"hmac:")
        assert lines[1].startswith("REJECT 1505 denied ")
    if "hashed" in logged.name:
        for line in lines:
            line = line.split(": user=<")[0]        # behind it are Dovecot's own words
            for name in ("alice", "Alice", "bob", "Bob"):
                assert name not in line, line


@pytest.mark.parametrize("door", DOORS)
def test_the_command_reads_what_the_server_wrote(logged, door):
    """As it is, with what the server puts before and behind and escapes."""
    before = len(logged.lines(door, 0))
    assert logged.enters(door) and not logged.enters(door, "bob")
    logged.lines(door, before + 2)
    log = logged.w.path("log-of-" + door)
    with open(log, "w", encoding="utf-8") as f:
        f.write(logged.log_of(door))
    p = subprocess.run([os.path.join(BUILD, "certauth"), "forecast", "--json", "--config",
                        logged.w.conf, "--profile", "p", log], capture_output=True, text=True,
                       timeout=60, check=False)
    assert p.returncode == 1, p.stderr
    answer = json.loads(p.stdout)
    bob = [r for r in answer["rows"] if r["reason"] == "denied"]
    assert len(bob) == 1 and bob[0]["issuer"].startswith("CN=") and bob[0]["serial"], answer
    # text says as well as JSON until when an accepted one is valid
    assert answer["read"] > 0 and answer["unreadable"] == 0, p.stderr


@pytest.mark.parametrize("door", ("nginx", "apache"))
def test_a_kept_connection_has_one_line(logged, door):
    port = logged.nginx.port["TLS"] if door == "nginx" else logged.apache_port
    before = len(logged.lines(door, 0))
    with logged.web(port, logged.context()) as s:
        for _ in range(5):
            assert logged.request(s, close=False) == 200
    assert logged.enters(door)      # its line comes behind all of the others
    assert len(logged.lines(door, before + 2)) == before + 2


@pytest.mark.parametrize("door", ("nginx", "apache"))
def test_a_flood_is_counted(logged, door):
    """Two processes with twenty lines each in ten seconds; the rest is a number."""
    before, began = len(logged.lines(door, 0)), time.monotonic()
    for _ in range(150):
        assert not logged.enters(door, "bob")
    told = len(logged.lines(door, before + 20)) - before
    # the ten seconds may end in between, and more than once
    assert 20 <= told <= 40 * ((time.monotonic() - began) // 10 + 2), told
    end = time.monotonic() + 90
    while True:
        rest = [int(n) for n in re.findall(r"(\d+) more refusals were not logged: denied",
                                           logged.log_of(door))]
        rest += [int(n) for n in re.findall(r'unlogged"?[=:](\d+)', logged.log_of(door))]
        told = len([x for x in logged.lines(door, 0)[before:] if "denied" in x])
        if told + sum(rest) >= 150 or time.monotonic() > end:
            break
        logged.enters(door)         # Apache looks when somebody comes
        time.sleep(0.5)
    assert told + sum(rest) >= 150, (told, rest)


def explain(*args):
    return subprocess.run([os.path.join(BUILD, "certauth"), "explain", *args], capture_output=True,
                          text=True, timeout=60)


def test_a_refusal_is_found_again(logged):
    logs = {}
    for door in DOORS:
        before = len(logged.lines(door, 0))
        assert not logged.enters(door, "bob")
        # Dovecot's log comes later than its word; of a flood the web servers log nothing
        line = logged.lines(door, before + (door == "dovecot"))[-1]
        found = re.search(r'(?:id=|"id":")([^" ]+)', line)[1]
        path = logged.w.path(door + ".log")
        with open(path, "w", encoding="utf-8") as f:
            f.write(logged.log_of(door))
        logs[door] = (found, path)
    files = [a for _, path in logs.values() for a in ("--log", path)]
    for door, (found, _) in logs.items():
        r = explain("--id", found, *files)
        assert r.returncode == 0, r
        assert "denied" in r.stdout and door + ".log" in r.stdout and found in r.stdout
    r = explain("--id", "no-such-id", *files)
    assert r.returncode == 1 and "no-such-id" in r.stderr
    r = explain("--id", "x", "--log", logged.w.path("nowhere"))
    assert r.returncode == 2 and r.stdout == ""
