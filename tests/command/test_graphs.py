"""
test_graphs.py - does the command find a path exactly where there is one?

Random graphs of CAs that certify each other, most of their certificates broken in one
of twelve ways. Whether a leaf can be reached over whole certificates is a walk of ten
lines; certauth must agree, whatever the order of the files.
"""

import json
import os
import random
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import pki  # noqa: E402
from pki import CA  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
BINARY = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")
NOW = "2026-03-01T12:00:00Z"
PAST = dict(not_before="2024-01-01", not_after="2025-01-01")
FUTURE = dict(not_before="2027-01-01", not_after="2028-01-01")
FAULTS = ("past", "future", "constraints", "purpose", "no-bc", "not-ca", "sha-1", "critical",
          "signature", "no-sign", "twice", "twin")
KEYS = []


def key(n):
    while len(KEYS) <= n:
        KEYS.append(pki.new_key())
    return KEYS[n]


def certify(issuer, name, name_key, fault):
    more = {
        "past": PAST, "future": FUTURE, "constraints": dict(permitted=[pki.rfc822("x.example")]),
        "purpose": dict(eku=["emailProtection"]), "no-bc": dict(drop=["bc"]),
        "not-ca": dict(ca=False), "sha-1": dict(digest="sha1"),
        "critical": dict(extensions=[("1.2.3.4.5", True, pki.null())]),
        "no-sign": dict(ku=("cRLSign",)),
        "twice": dict(extensions=[("ski", False, pki.octet(b"x" * 20))]),
    }.get(fault, {})
    if fault == "twin":
        name_key = key(99)
    cert = CA(name, issuer, key=name_key, **more)
    return pki.tampered(cert) if fault == "signature" else cert


def reachable(edges, whole, anchors, leaf_issuer):
    seen, todo = set(), list(anchors)
    while todo:
        at = todo.pop()
        if at in seen:
            continue
        seen.add(at)
        todo += [b for a, b in edges if a == at and (a, b) in whole]
    return leaf_issuer in seen


def ask(folder, *args):
    p = subprocess.run(
        [BINARY, "verify", "--json", "--time", NOW, "--max-depth", "30",
         "--roots", folder / "roots.pem", *args, folder / "leaf.pem"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    answer = json.loads(p.stdout)
    del answer["id"]
    return answer


@pytest.mark.parametrize("seed", range(60))
def test_a_path_where_there_is_one(seed, tmp_path):
    rng = random.Random(seed)
    pki.set_now(NOW)
    size = rng.choice([3, 5, 8, 12, 20])
    names = ["CA %d" % n for n in range(size)]
    density, broken = rng.choice([.1, .2, .4]), rng.choice([.2, .5, .8, .9])
    only = rng.choice(FAULTS + (None,) * 6)
    edges = [(a, b) for a in names for b in names if a != b and rng.random() < density]
    whole = {e for e in edges if rng.random() >= broken}
    cas = {n: CA(n, key=key(i)) for i, n in enumerate(names)}
    pool = [certify(cas[a], b, cas[b].key, None if (a, b) in whole else
                    only or rng.choice(FAULTS)) for a, b in edges]
    anchors = rng.sample(names, rng.choice([1, 1, 2]))
    issuer = rng.choice(names)
    leaf = cas[issuer].leaf("Leaf", email="a@example.com")
    leaf.write(tmp_path, "leaf")
    pki.write_pem(tmp_path / "roots.pem", *[cas[n] for n in anchors])
    answers = []
    for turn in ("a", "b"):
        rng.shuffle(pool)
        path = tmp_path / ("pool-%s.pem" % turn)
        pki.write_pem(path, *pool)
        answers.append(ask(tmp_path, *(["--intermediates", path] if pool else [])))
    want = reachable(edges, whole, anchors, issuer)
    assert answers[0]["result"] == ("accept" if want else "reject"), answers[0]
    assert answers[0] == answers[1]
