"""
terminal.py - a program as a person at a terminal sees it.

    raw, status = on_terminal([binary, "verify", ...], columns=60, env={"NO_COLOR": "1"})
    shown(raw)      what stands on the screen in the end, colours left out
"""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios

import pytest

# Generous: nothing here waits for it unless something is wrong.
LIMIT = 120


# <asm-generic/ioctls.h>
TIOCSPTLCK, TIOCGPTN = 0x40045431, 0x80045430


def open_pair():
    """(master, slave). In a chroot with /dev/pts and no /dev/ptmx root finds one there."""
    try:
        return pty.openpty()
    except OSError:
        master = os.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(master, TIOCSPTLCK, struct.pack("i", 0))
    number, = struct.unpack("I", fcntl.ioctl(master, TIOCGPTN, bytes(4)))
    return master, os.open("/dev/pts/%d" % number, os.O_RDWR | os.O_NOCTTY)


class Terminal:
    """A child whose stdout and stderr are a terminal, unless `streams` has others."""

    def __init__(self, args, columns=80, env=None, **streams):
        try:
            self.master, slave = open_pair()
        except OSError as e:
            pytest.skip("no pseudo-terminals here: %s" % e)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        whole = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
        whole.update({"TERM": "xterm"}, **(env or {}))
        files = {"stdin": subprocess.DEVNULL, "stdout": slave, "stderr": slave, **streams}
        self.child = subprocess.Popen([str(a) for a in args], env=whole, **files)
        os.close(slave)
        self.raw = b""

    def read(self):
        """Some more; False: nobody has the terminal open any more."""
        ready = select.select([self.master], [], [], LIMIT)[0]
        assert ready, "the terminal is silent; so far: %r" % self.raw
        with contextlib.suppress(OSError):      # EIO: the last one has closed it
            data = os.read(self.master, 65536)
            self.raw += data
            return bool(data)
        return False

    def end(self):
        """All that was written, and the exit status."""
        while self.read():
            pass
        os.close(self.master)
        return self.raw.decode(), self.child.wait(LIMIT)


def on_terminal(args, **how):
    return Terminal(args, **how).end()


def shown(raw):
    """After the terminal has obeyed: colours away, a line that was erased is gone."""
    lines = []
    for line in re.sub(r"\x1b\[[0-9]*m", "", raw).replace("\r\n", "\n").split("\n"):
        screen = ""
        for part in re.split(r"(\r|\x1b\[K)", line):
            if part == "\r":
                at = 0
            elif part == "\x1b[K":
                screen = screen[:at]
            elif part:
                at = 0 if not screen else at
                screen = screen[:at] + part + screen[at + len(part):]
                at += len(part)
        lines.append(screen)
    text = "\n".join(lines)
    assert "\x1b" not in text, text
    return text
