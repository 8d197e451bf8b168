"""certauth apply and rollback, for tests of servers; FLAVOUR names the build (default: test)."""

import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")


def certauth(conf, *args):
    """In force when it comes back."""
    p = subprocess.run([BINARY, args[0], "--config", conf, *args[1:]], stdin=subprocess.DEVNULL,
                       capture_output=True, text=True, timeout=120, check=False)
    assert p.returncode == 0, p
    return p.stdout


def half_saved(path):
    """As an editor leaves it that was killed; what it was comes back."""
    with open(path, "r+b") as f:
        whole = f.read()
        f.truncate(len(whole) // 2)
    return whole


def damage(conf, number):
    """One byte of that generation is another."""
    with open("%s.applied/%d" % (conf, number), "r+b") as f:
        f.seek(-10, os.SEEK_END)
        byte = f.read(1)
        f.seek(-10, os.SEEK_END)
        f.write(bytes([byte[0] ^ 1]))
