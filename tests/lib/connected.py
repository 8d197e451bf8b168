"""
connected.py - what `certauth check --connect` says of a server, for the tests of all three.

    status, answer = connect("localhost:443", cert="alice.pem", key="alice.key")
    has(answer, "fault", "with the certificate refused")    # the one line that says so

FLAVOUR names the build (default: test).
"""

import json
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMAND = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")
# A command that waits for a hanging server has ended long before.
PATIENCE = 600


def connect(where, **options):
    """(exit status, the answer; with status 2 what was complained of). A port is localhost's."""
    words = ["--connect", "localhost:%d" % where if isinstance(where, int) else where]
    for name, value in options.items():
        words += ["--" + name.replace("_", "-"), value]
    r = subprocess.run([COMMAND, "check", "--json", *words], stdin=subprocess.DEVNULL,
                       capture_output=True, text=True, timeout=PATIENCE)
    if r.returncode == 2:
        assert r.stdout == ""
        return 2, r.stderr
    return r.returncode, json.loads(r.stdout)


def has(answer, severity, words):
    """The only line with these words."""
    found = [x for x in answer["lines"] if words in x["text"]]
    assert len(found) == 1 and found[0]["severity"] == severity, answer["lines"]
    return found[0]
