"""
mounts.py - may a program of a test see another file in place of one of this machine's?

    words()     what starts a program in mounts of its own
    unshare()   the same, or None: not here, or somebody else would see them too

Only root may. In a chroot / is no mount that could be made private: whoever made the
chroot did that (tests/lib/chroot.sh does), or what is mounted is seen outside as well.
"""

import functools
import os
import subprocess
import tempfile


def mounted(folder):
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        return any(line.split()[4] == folder for line in f)


def words():
    return ["unshare", "--mount", "--propagation", "private" if mounted("/") else "unchanged"]


@functools.lru_cache()
def unshare():
    if os.geteuid() != 0:
        return None
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(words() + ["mount", "-t", "tmpfs", "tmpfs", folder],
                              capture_output=True, check=False).returncode == 0
        if mounted(folder):
            subprocess.run(["umount", folder], check=True)
            return None
    return words() if done else None
