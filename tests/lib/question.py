"""
question.py - many questions to `certauth verify --roots`, each in one line of a table.

    ROWS = question.Rows()
    ROWS.add("expired", "reject", leaf, [root], [ca], reason="expired")
    test_rows = ROWS.test()            # one pytest test for each

Certificates are pki.Cert (written as PEM) or bytes (written as they are). Two rows
of one name are two tests.
"""

import collections
import json
import os
import subprocess

import pytest

import pki

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")
NOW = "2026-03-01T12:00:00Z"

Row = collections.namedtuple("Row", "name expect leaf roots inter crls args at reason policies")


def listed(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


class Rows(list):
    def add(self, name, expect, leaf, roots, inter=(), *, crls=(), args=(), at=NOW,
            reason=None, policies=None):
        self.append(Row(name, expect, leaf, listed(roots), listed(inter), listed(crls),
                        list(args), at, reason, policies))

    def test(self):
        @pytest.mark.parametrize("row", self, ids=[r.name for r in self])
        def rows(row, tmp_path):
            check(row, str(tmp_path))
        return rows


def write(folder, name, what):
    path = os.path.join(folder, name)
    with open(path, "wb") as f:
        f.write(what if isinstance(what, bytes) else what.pem)
    return path


def ask(row, folder):
    args = [BINARY, "verify", "--json", "--time", row.at]
    for option, files in (("--roots", row.roots), ("--intermediates", row.inter),
                          ("--crls", row.crls)):
        for n, what in enumerate(files):
            args += [option, write(folder, "%s-%d" % (option[2:], n), what)]
    p = subprocess.run(args + row.args + [write(folder, "leaf", row.leaf)],
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    assert p.returncode in (0, 1), p.stderr.decode()
    answer = json.loads(p.stdout)
    assert (p.returncode == 0) == (answer["result"] == "accept")
    return answer


def check(row, folder):
    answer = ask(row, folder)
    assert answer["result"] == row.expect, answer
    if row.reason is not None:
        assert answer["reason"] == row.reason, answer
    if row.policies is not None:
        assert sorted(answer["policies"]) == sorted(row.policies), answer


pki.set_now(NOW)
