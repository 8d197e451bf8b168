"""
What systemd hears: sd_notify on a socket of our own.
"""

import os
import signal
import socket
import subprocess
import time

import pytest

from world import BUILD, World


@pytest.fixture(name="heard")
def _heard(tmp_path):
    """A function: everything that was said within so many seconds, (when, word) each."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)

        def heard(seconds=0.0, word=None):
            said, end = [], time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                s.settimeout(left)
                try:
                    lines = s.recv(65536).decode().split("\n")
                except socket.timeout:
                    break
                said += [(time.monotonic(), line) for line in lines if line]
                if word in lines:
                    break
            return said
        heard.path = path
        yield heard


@pytest.fixture(name="w")
def _w(tmp_path):
    linked = subprocess.run(["ldd", os.path.join(BUILD, "certauth-refresher")], text=True,
                            stdout=subprocess.PIPE, check=True).stdout
    if "libsystemd" not in linked:
        pytest.skip("built without libsystemd")
    (tmp_path / "w").mkdir()
    with World(tmp_path / "w") as w:
        yield w


def words(said):
    return [word for _, word in said]


def test_life(w, heard):
    """READY when it answers, WATCHDOG in time while it has nothing to do, STATUS, STOPPING."""
    url = w.http.serve("/a.crl", w.crl())
    w.policy(crl_urls=[url, w.http.base + "/none"])
    p = w.start(NOTIFY_SOCKET=heard.path, WATCHDOG_USEC="2000000")
    said = heard(60, "READY=1")
    assert words(said)[-1] == "READY=1" and w.listens()
    while words(said).count("WATCHDOG=1") < 6:
        more = heard(60, "WATCHDOG=1")
        assert more
        said += more
    beats = [t for t, s in said if s in ("READY=1", "WATCHDOG=1")]
    # not each: where the machine stands still, one comes late
    assert sorted(b - a for a, b in zip(beats, beats[1:]))[3] < 2
    assert "STATUS=2 addresses, 1 failing" in words(said)
    assert "STOPPING=1" not in words(said)
    p.send_signal(signal.SIGTERM)
    assert "STOPPING=1" in words(heard(60, "STOPPING=1"))
    assert p.wait(60) == 0


def test_reload(w, heard):
    p = w.start(NOTIFY_SOCKET=heard.path)
    assert "READY=1" in words(heard(60, "READY=1"))
    p.send_signal(signal.SIGHUP)
    said = words(heard(60, "READY=1"))
    assert said.index("RELOADING=1") < said.index("READY=1")
    # systemd wants the time too (sd_notify(3), Type=notify-reload).
    assert any(s.startswith("MONOTONIC_USEC=") for s in said)


def test_a_hung_one_says_nothing(w, heard):
    """The watchdog's word comes from the loop that does the work, from nowhere else."""
    p = w.start(NOTIFY_SOCKET=heard.path, WATCHDOG_USEC="1000000")
    assert "WATCHDOG=1" in words(heard(60, "WATCHDOG=1"))
    p.send_signal(signal.SIGSTOP)
    heard(0.2)
    assert "WATCHDOG=1" not in words(heard(2))
    p.send_signal(signal.SIGCONT)
    assert "WATCHDOG=1" in words(heard(60, "WATCHDOG=1"))


def test_nobody_listens(w):
    """Without systemd, or with a socket that is gone, it works all the same."""
    p = w.start(NOTIFY_SOCKET=w.path("nobody"), WATCHDOG_USEC="rubbish")
    assert w.listens()
    assert w.stop(p) == 0
