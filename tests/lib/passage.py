"""
passage.py - may the users that servers run as pass the root folder at all?

In a chroot made by hand "/" is often open to root alone (mktemp makes it so). Then no
process of www-data or dovenull reaches any file, and every server fails in its own odd
way. As root, and only then, passage is given for as long as we run.
"""

import contextlib
import os
import stat
import sys


@contextlib.contextmanager
def open_root(folder="/"):
    mode = stat.S_IMODE(os.stat(folder).st_mode)
    if os.geteuid() != 0 or mode & stat.S_IXOTH:
        yield
        return
    print("%s has mode %04o: nobody but root can pass, so no server could run. "
          "Opened for passage (%04o) meanwhile." % (folder, mode, mode | 0o011),
          file=sys.stderr, flush=True)
    os.chmod(folder, mode | 0o011)
    try:
        yield
    finally:
        os.chmod(folder, mode)
