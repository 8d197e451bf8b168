"""
metrics.py - reads Prometheus text, and asks promtool what it thinks of it.

    m = Metrics(text)
    m["certauth_verdicts_total", {"profile": "staff", "reason": "ok"}]     # sum of all that match
    m.names()
    lint(text)          # promtool check metrics must have nothing to say
"""

import re
import shutil
import subprocess

PROMTOOL = shutil.which("promtool")
LINE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)\Z')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|\Z)')


class Metrics:
    def __init__(self, text):
        self.rows, self.types = [], {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name not in self.types, line
                self.types[name] = kind
            elif not line.startswith("#"):
                name, labels, value = LINE.match(line).groups()
                labels = labels or ""
                assert "".join(m.group(0) for m in LABEL.finditer(labels)) == labels, line
                self.rows.append((name, dict(LABEL.findall(labels)), float(value)))

    def names(self):
        return {name for name, _, _ in self.rows}

    def all(self, name, labels):
        return [(have, value) for n, have, value in self.rows
                if n == name and all(have.get(k) == v for k, v in labels.items())]

    def __getitem__(self, key):
        name, labels = key
        found = self.all(name, labels)
        assert found, "no %s %s" % (name, labels)
        return sum(value for _, value in found)

    def verdicts(self, profile):
        """{reason: count} of what is not zero."""
        return {have["reason"]: int(value) for have, value in
                self.all("certauth_verdicts_total", {"profile": profile}) if value}


def lint(text):
    if PROMTOOL is None:
        return
    p = subprocess.run([PROMTOOL, "check", "metrics"], input=text, text=True, check=False,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    assert p.returncode == 0 and p.stdout == "", p.stdout
