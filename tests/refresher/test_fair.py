"""test_fair.py - one CA whose servers hang, or that names thousands of addresses, holds up
nobody but itself."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest
from world import CA, REFRESHER, ROOT, Answer, Http, World, until

import ask  # noqa: E402  (world knows where it lies)
from ask import NOTHING, OCSP, PUBLISHED, ocsp_response
from mounts import unshare
from pki import write_pem
from test_daemon import Client, aia


@pytest.fixture(name="w")
def _w(tmp_path):
    with World(tmp_path) as w:
        yield w


def two_authorities(w, bad, good, more=""):
    """`test` as ever, and `bad`, whose lists lie at `bad`."""
    w.bad = CA("Bad Root")
    write_pem(w.path("bad.pem"), w.bad)

    def urls(items):
        return "crl_urls = [ %s ];" % ", ".join('"%s"' % u for u in items) if items else ""
    with open(w.conf, "w", encoding="utf-8") as f:
        f.write('''version = 1; state = "state"; refresher = "r.sock";
authorities: {
  bad: { anchors = [ "bad.pem" ]; revocation: { %s private_addresses = true; %s }; };
  test: { anchors = [ "root.pem" ]; intermediates = [ "ca.pem" ];
          revocation: { check = "leaf"; %s private_addresses = true; }; };
};
profiles: { p: { authorities = [ "bad", "test" ]; purposes = [ "any" ]; }; };
''' % (urls(bad), more, urls(good)))


# Nearly two minutes of a drip: whoever waited for one would be seen.
LONG = b"x" * 20000


def drip(w, n, body=b"x" * 1000):
    """n lists that never end, and are not slow enough to be given up."""
    return [w.http.serve("/drip/%d" % i, Answer(body, drip=0.005, length=1 << 20))
            for i in range(n)]


def test_lists_that_drip(w):
    other = Http()
    try:
        good = other.serve("/good.crl", w.crl([w.alice], 1))
        two_authorities(w, drip(w, 60, LONG), [good])
        w.start()
        until(lambda: w.show(w.alice) == "revoked")
        # a share, and not one for each
        time.sleep(0.5)
        assert 1 <= len(w.http.requests) <= 8
    finally:
        other.close()


def test_questions_while_lists_drip(w):
    """Those of the very CA whose lists do not come, too."""
    two_authorities(w, drip(w, 60, LONG), [])
    bob = w.bad.leaf("Bob", email="bob@example.com", extensions=[aia([w.http.base + "/ocsp"])])
    w.http.serve("/ocsp/", lambda _: Answer(ocsp_response(bob, w.bad, "good",
                                                          next_update="+1h")))
    w.start()
    until(lambda: w.http.requests)
    c = Client(w.socket, 40)
    c.send(ask.question(ask.STATUS, "bad", [bob.der, w.bad.der]))
    assert c.reply()[1] == OCSP
    c.close()


def test_questions_beside_responders_that_hang(w):
    """A hundred clients of a CA whose responder is dead, and one of another."""
    two_authorities(w, [], [])
    w.http.serve("/dead", Answer(b"", hang=60))
    w.http.serve("/dead/", Answer(b"", hang=60))
    bad = [w.bad.leaf("B%d" % i, extensions=[aia([w.http.base + "/dead"])]) for i in range(100)]
    other = Http()
    alice = w.ca.leaf("Alice", extensions=[aia([other.base + "/ocsp"])])
    other.serve("/ocsp/", lambda _: Answer(ocsp_response(alice, w.ca, "good",
                                                         next_update="+1h")))
    try:
        w.start()
        waiting = Client(w.socket)
        waiting.send(*(ask.question(ask.STATUS, "bad", [b.der, w.bad.der]) for b in bad))
        until(lambda: w.http.requests)
        c = Client(w.socket)
        assert c.ask(alice, w.ca, w.root)[0] == OCSP
        c.close()
        # before any of the others is given up
        assert waiting.silent()
        waiting.close()
    finally:
        other.close()


def test_files_that_are_open(w):
    """A list takes a file when its turn comes."""
    w.policy(crl_urls=drip(w, 300))
    p = w.start()
    until(lambda: len(w.http.requests) >= 2)
    time.sleep(0.3)
    assert len(os.listdir("/proc/%d/fd" % p.pid)) < 100
    assert w.stop(p) == 0


def test_reload_while_lists_drip(w):
    """Neither the new policy nor anybody else's list waits for them."""
    url = w.http.serve("/a.crl", w.crl([], 1))
    w.policy(crl_urls=[url] + drip(w, 3, LONG), refresh="1s")
    p = w.start()
    until(lambda: w.show(w.alice) == "not-listed" and len(w.http.requests) >= 4)
    new = w.http.serve("/b.crl", w.crl([w.alice], 2))
    w.policy(crl_urls=[new], refresh="1s")
    p.send_signal(signal.SIGHUP)
    until(lambda: w.show(w.alice) == "revoked")
    until(lambda: [s["url"] for s in w.status()["sources"]] == [new])
    assert "reloaded" in w.log() and p.poll() is None
    assert w.stop(p) == 0


def test_reload_while_questions_come(w):
    """Answers are published all the time: there is no moment in which nothing waits."""
    leaves = [w.ca.leaf("L%d" % i, extensions=[aia([w.http.base + "/ocsp/%d" % i])])
              for i in range(120)]
    for i, leaf in enumerate(leaves):
        w.http.serve("/ocsp/%d/" % i, lambda _, leaf=leaf: Answer(
            ocsp_response(leaf, w.ca, "good", next_update="+1h")))
    w.policy(private_addresses=True)
    p = w.start()
    c = Client(w.socket)
    for i, leaf in enumerate(leaves):
        assert c.ask(leaf, w.ca, w.root)[0] == OCSP
        if i == 5:
            p.send_signal(signal.SIGHUP)
        if i > 5 and "reloaded" in w.log():
            break
        time.sleep(0.05)
    assert "reloaded" in w.log()
    c.close()


def test_addresses_of_one_ca_only(w):
    """A CA that writes another address into each certificate fills its own share."""
    two_authorities(w, [], [])
    w.http.serve("/", Answer(b"", hang=60))
    urls = [w.http.base + "/%d.crl" % i for i in range(560)]
    many = [w.bad.leaf("M%d" % i, crldp=urls[4 * i:4 * i + 4]) for i in range(140)]
    other = Http()
    alice = w.ca.leaf("Alice", crldp=[other.serve("/alice.crl", w.crl([], 1))])
    w.start()
    waiting = Client(w.socket)
    waiting.send(*(ask.question(ask.STATUS, "bad", [m.der, w.bad.der]) for m in many))
    until(lambda: len(w.spool("url")) == 512)
    time.sleep(1)
    assert len(w.spool("url")) == 512
    c = Client(w.socket, 40)
    assert c.ask(alice, w.ca, w.root)[0] == PUBLISHED
    c.close()
    waiting.close()
    other.close()


@pytest.mark.skipif(unshare() is None, reason="a name server of our own needs mounts of our own")
def test_name_server_that_is_dead(w):
    """Nobody who is known waits for it."""
    w.policy(crl_urls=[w.http.serve("/a.crl", w.crl([], 1)), "http://a.example/x.crl",
                       "http://b.example/y.crl"])
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # a name server has port 53, but there are many machines on lo
    host = "127.%d.%d.%d" % (random.randrange(1, 255), random.randrange(256),
                             random.randrange(1, 255))
    silent.bind((host, 53))
    with open(w.path("resolv.conf"), "w", encoding="ascii") as f:
        f.write("nameserver %s\noptions timeout:30 attempts:3\n" % host)
    p = subprocess.Popen(unshare() + ["sh", "-c", 'mount --bind "$0" /etc/resolv.conf && '
                          'exec "$@"', w.path("resolv.conf"), REFRESHER, "--config", w.conf],
                         stdin=subprocess.DEVNULL, stdout=open(w.path("log"), "ab"),
                         stderr=subprocess.STDOUT)
    w.daemons.append(p)
    try:
        until(lambda: w.listens() and w.show(w.alice) == "not-listed")
        end = time.monotonic() + 14     # libcurl gives up after 10
        while time.monotonic() < end:
            c = Client(w.socket, 8)
            # (alice's question would wait for her CA's lists)
            assert c.ask(w.alice, w.ca, w.root, authority="nobody")[0] == NOTHING
            c.close()
            time.sleep(0.2)
        assert w.log().count("example/") >= 2, w.log()
    finally:
        silent.close()


# ---------------------------------------------------------------- the unit of systemd


def filter_sets(name, seen):
    """All system calls of one of systemd's sets."""
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    for word in text.split("\n")[1:]:
        word = word.strip()
        if word.startswith("@"):
            filter_sets(word, seen)
        elif word and not word.startswith("#"):
            seen.add(word)
    return seen


def unit_lines(name):
    with open(os.path.join(ROOT, "conf-examples", "certauth-refresher.service"),
              encoding="ascii") as f:
        return [line.split("=", 1)[1].split() for line in f if line.startswith(name + "=")]


@pytest.mark.skipif(unshare() is None or shutil.which("strace") is None or
                    shutil.which("systemd-analyze") is None,
                    reason="needs mounts of our own, strace and systemd-analyze")
def test_the_unit_lets_it_live(w):
    """Every system call it makes, in a machine that has the group, is one that its unit
    allows: any other would be its end."""
    allowed = set()
    for names in unit_lines("SystemCallFilter"):
        bad = names[0].startswith("~")
        for name in names:
            found = filter_sets(name.lstrip("~"), set())
            allowed = allowed - found if bad else allowed | found
    assert "openat" in allowed and "chown" not in allowed
    os.mkdir(w.state)
    os.chown(w.state, 65534, 65534)
    os.chown(w.folder, 65534, 65534)
    for part in (os.path.dirname(w.folder), os.path.dirname(os.path.dirname(w.folder))):
        if part.startswith("/tmp/"):
            os.chmod(part, 0o755)
    with open(w.path("group"), "w", encoding="ascii") as f:
        f.write("root:x:0:\nnogroup:x:65534:\ncertauth:x:65534:\n")
    w.alice = w.ca.leaf("Alice", extensions=[aia([w.http.base + "/ocsp"])])
    w.http.serve("/ocsp/", lambda _: Answer(ocsp_response(w.alice, w.ca, "good",
                                                          next_update="+1h")))
    w.policy(crl_urls=[w.http.serve("/a.crl", w.crl([], 1))], private_addresses=True,
             sources=["ocsp", "crl"], top='owner = "nobody";')
    p = subprocess.Popen(unshare() + ["sh", "-c", 'mount --bind "$0" /etc/group && '
                          'exec "$@"', w.path("group"), "strace", "-f", "-qq", "-o",
                          w.path("trace"), REFRESHER, "--config", w.conf],
                         stdin=subprocess.DEVNULL, stdout=open(w.path("log"), "ab"),
                         stderr=subprocess.STDOUT)
    w.daemons.append(p)
    until(lambda: w.listens() and w.show(w.alice) == "not-listed")
    c = Client(w.socket, 40)
    got = c.ask(w.alice, w.ca, w.root)
    assert got[0] == OCSP, got
    c.close()
    until(lambda: [n for n in os.listdir(w.state) if n.startswith("answers.")])
    with open(w.path("trace"), encoding="utf-8", errors="replace") as f:
        lines = f.read().split("\n")
    # what it does while it is root, it does not do as a service
    start = max(i for i, line in enumerate(lines) if "setuid(0)" in line)
    calls = {m.group(1) for m in (re.match(r"\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed)", line)
                                  for line in lines[start + 1:]) if m}
    assert {"socket", "renameat", "flock"} <= calls
    assert calls - allowed == set()
    with open("/proc/%d/task/%d/children" % (p.pid, p.pid), encoding="ascii") as f:
        os.kill(int(f.read().split()[0]), signal.SIGTERM)
    assert p.wait(60) == 0
