"""
ports.py - ports for servers that tests start, and who listens.

    from ports import free_port, free_ports, listens
    free_ports(3)           # of 127.0.0.1, for servers that bind them a little later
    listens(pid)            # True while that process holds a listening TCP socket
    children(pid)

A port asked of the kernel, closed and bound later may be somebody else's by then: of
another suite beside this one, or of any connection that goes out. So these lie below
the range that the kernel gives away, and each block of them is held, as long as this
process lives, by the name of an abstract unix socket, which belongs to the same network
namespace as the ports do. Only the standard library.
"""

import collections
import os
import random
import socket
import threading

LOWEST, HIGHEST, BLOCK = 20000, 32768, 16
# A port comes round again when so many others were given; a server that is being
# stopped keeps its own, so there must be many.
ENOUGH = 256

_lock = threading.Lock()
_given = collections.deque()    # ports of ours, the longest ago first
_fresh = collections.deque()    # of blocks of ours, never given yet
_names = []                     # the sockets that hold the blocks


def _range():
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
            top = min(int(f.read().split()[0]), HIGHEST)
    except (OSError, ValueError):
        top = HIGHEST
    # A machine that gives away these too leaves us no better place.
    return range(LOWEST, top if top >= LOWEST + 100 * BLOCK else HIGHEST, BLOCK)


def _take_block():
    blocks = list(_range())
    random.shuffle(blocks)
    for first in blocks:
        s = socket.socket(socket.AF_UNIX)
        try:
            s.bind("\0certauth-test-ports-%d" % first)
        except OSError:
            s.close()
            continue
        _names.append(s)
        _fresh.extend(range(first, first + BLOCK))
        return
    raise RuntimeError("no block of ports is free")


def _unused(port):
    """Nobody listens there, on whatever address; what lingers of old connections is fine."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("", port))
        except OSError:
            return False
    return True


def free_port():
    with _lock:
        # As many tries as there may be ports in use by servers that still run.
        for _ in range(len(_given) - ENOUGH):
            port = _given.popleft()
            _given.append(port)
            if _unused(port):
                return port
        while True:
            if not _fresh:
                _take_block()
            port = _fresh.popleft()
            _given.append(port)
            if _unused(port):
                return port


def free_ports(number):
    return [free_port() for _ in range(number)]


# --------------------------------------------------------------------- who listens


def _listening():
    """The inodes of all TCP sockets that listen."""
    inodes = set()
    for name in ("tcp", "tcp6"):
        try:
            with open("/proc/net/" + name, encoding="ascii") as f:
                rows = f.read().splitlines()[1:]
        except FileNotFoundError:
            continue
        inodes.update(row.split()[9] for row in rows if row.split()[3] == "0A")
    return inodes


def children(pid):
    """The processes that it started and that still live."""
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
            return sorted(int(p) for p in f.read().split())
    except OSError:
        return []


def listens(pid):
    """Whether that process could still accept a connection."""
    folder = "/proc/%d/fd" % pid
    inodes = _listening()
    try:
        for fd in os.listdir(folder):
            try:
                target = os.readlink(os.path.join(folder, fd))
            except FileNotFoundError:
                continue
            if target.startswith("socket:[") and target[len("socket:["):-1] in inodes:
                return True
    except (FileNotFoundError, ProcessLookupError):
        pass
    return False
