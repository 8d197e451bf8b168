"""
test_rfc5280_paths.py - is the one good path found, and no bad one taken? RFC 5280 6.1.

Renewed and expired, twins, bridges, loops; path length and depth; what a CA may be;
purposes, keys, seconds and mailboxes at the command line.
"""

import itertools
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import pytest  # noqa: E402

import pki  # noqa: E402
import question  # noqa: E402
from pki import (CA, Cert, boolean, dirname, integer, make, oid, rfc822, seq, smtputf8,
  # noqa: E402
                 tampered, tlv)

ROWS = question.Rows()
row = ROWS.add
KEY = pki.new_key()
ROOT = CA("Root")
CA1 = CA("Issuing", ROOT)
LEAF = CA1.leaf("Leaf", email="a@example.com", key=KEY)
PAST = dict(not_before="2020-01-01", not_after="2021-01-01")
FUTURE = dict(not_before="2027-01-01")


def both(name, expect, leaf, roots, inter=(), **more):
    """In both orders of the pool, and of the roots."""
    roots, inter = question.listed(roots), question.listed(inter)
    row(name, expect, leaf, roots, inter, **more)
    row(name + "-reverse", expect, leaf, roots[::-1], inter[::-1], **more)


def many():
    old, new = (CA("Issuing", ROOT, key=CA1.key, **life) for life in (PAST, FUTURE))
    both("renewed", "accept", LEAF, ROOT, [old, CA1])
    both("renewed-and-next", "accept", LEAF, ROOT, [new, old, CA1])
    row("expired-alone", "reject", LEAF, ROOT, old, reason="issuer-expired")
    row("next-alone", "reject", LEAF, ROOT, new, reason="not-yet-valid")
    old_root = CA("Root", key=ROOT.key, **PAST)
    both("root-renewed", "accept", LEAF, [old_root, ROOT], CA1)
    row("root-expired", "reject", LEAF, old_root, CA1, reason="issuer-expired")
    twin, root_twin = CA("Issuing", ROOT), CA("Root")
    both("twin", "accept", LEAF, ROOT, [twin, CA1])
    both("root-twin", "accept", LEAF, [root_twin, ROOT], CA1)
    row("twin-alone", "reject", LEAF, ROOT, twin)
    row("root-twin-alone", "reject", LEAF, root_twin, CA1)
    both("twenty-twins", "accept", LEAF, ROOT, [CA("Issuing", ROOT) for _ in range(20)] + [CA1])
    plain = CA("Issuing", ROOT, key=CA1.key, drop=["ski", "aki"])
    twins = [CA("Issuing", ROOT, drop=["ski", "aki"]) for _ in range(20)]
    both("twenty-twins-no-ids", "accept", plain.leaf("x", drop=["aki"]), ROOT, twins + [plain])
    row("other-name", "reject", LEAF, ROOT, CA("Issuing B", ROOT, key=CA1.key))
    bad = [tampered(CA("Issuing", ROOT, key=CA1.key)) for _ in range(5)]
    both("forged-beside", "accept", LEAF, ROOT, bad + [CA1])
    row("forged-alone", "reject", LEAF, ROOT, bad, reason="bad-signature")
    # ten checks with such a key are the ceiling of one question
    slow = CA("Slow root", key="p384")
    forged = [tampered(CA("Issuing", slow, key=CA1.key)) for _ in range(20)]
    row("forged-slow-keys", "reject", LEAF, slow, forged, reason="path-limit")
    row("forged-slow-keys-few", "reject", LEAF, slow, forged[:5], reason="bad-signature")
    short = CA("Short", ROOT, pathlen=0)
    for name, issuer, more in [
            ("constraints", ROOT, dict(permitted=[rfc822("zzz.example")])),
            ("eku", ROOT, dict(eku=["serverAuth"])), ("length", short, {}),
            ("sha1", ROOT, dict(digest="sha1")),
            ("critical", ROOT, dict(extensions=[("1.2.3.4", True, pki.null())]))]:
        branch = CA("Issuing", issuer, key=CA1.key, **more)
        both("branch-" + name, "accept", LEAF, ROOT, [branch, CA1, short])
        row("branch-alone-" + name, "reject", LEAF, ROOT, [branch, short])


def meshes():
    a, b, bridge = CA("Root A"), CA("Root B"), CA("Bridge")
    issuing = CA("Issuing B", b)
    leaf = issuing.leaf("x")
    pool = [bridge.cross(a), b.cross(bridge), a.cross(bridge), bridge.cross(b), issuing, bridge, b]
    for n, order in enumerate(itertools.islice(itertools.permutations(pool), 0, 5000, 599)):
        row("bridge-%d" % n, "accept", leaf, a, list(order))
    stranger = CA("New root")
    below = CA("Below", stranger)
    for n, order in enumerate(itertools.permutations([stranger, stranger.cross(ROOT), below])):
        row("cross-%d" % n, "accept", below.leaf("x"), ROOT, list(order))
    one = CA("One")
    two = CA("Two", one)
    back = CA("One", two, key=one.key)
    both("loop", "reject", two.leaf("x"), ROOT, [two, back, CA("Two", back, key=two.key), one])


def lengths():
    def chain(n, top):
        out = []
        for i in range(n):
            top = CA("C%d" % i, top)
            out.append(top)
        return out
    for limit, n in itertools.product(range(3), range(4)):
        top = CA("Root %d" % limit, pathlen=limit)
        below = chain(n, top)
        row("length-%d-of-%d" % (n, limit), "accept" if n <= limit else "reject",
            (below or [top])[-1].leaf("x"), top, below)
    top = CA("Rolling", pathlen=0)
    again = CA("Rolling", top)
    row("length-self-issued", "accept", again.leaf("x"), top, again)
    first = CA("IP", ROOT, pathlen=0)
    second = CA("IP", first)
    third = CA("IP", second)
    other = CA("Other", second)
    row("length-self-issued-twice", "accept", third.leaf("x"), ROOT, [first, second, third])
    row("length-self-issued-other", "reject", other.leaf("x"), ROOT, [first, second, other],
        reason="path-length")
    row("length-ca-leaf", "accept", CA("x", first, ku=["digitalSignature"]), ROOT, first)
    wide = [CA("W5", ROOT, pathlen=5)]
    wide.append(CA("W0", wide[0], pathlen=0))
    wide.append(CA("W9", wide[1], pathlen=9))
    row("length-shrinks", "reject", wide[-1].leaf("x"), ROOT, wide, reason="path-length")
    for name, expect, value in (("large", "accept", 1 << 70), ("negative", "reject", -1)):
        ca = CA("L", ROOT, replace={"bc": seq(boolean(True), integer(value))})
        row("length-" + name, expect, ca.leaf("x"), ROOT, ca)
    four = chain(4, ROOT)
    for depth in (0, 3, 4, 5, 32):
        row("depth-%d" % depth, "accept" if depth >= 4 else "reject", four[-1].leaf("x"), ROOT,
            four, args=["--max-depth", str(depth)])
    row("depth-0-no-ca", "accept", ROOT.leaf("x"), ROOT, args=["--max-depth", "0"])
    for n, expect, args in ((10, "accept", []), (11, "reject", []),
                            (30, "accept", ["--max-depth", "30"])):
        below = chain(n, ROOT)
        row("depth-of-%d" % n, expect, below[-1].leaf("x"), ROOT, below, args=args)
    rolling = [CA("Same", ROOT)]
    for _ in range(3):
        rolling.append(CA("Same", rolling[-1]))
    row("depth-self-issued", "accept", rolling[-1].leaf("x"), ROOT, rolling,
        args=["--max-depth", "1"])
    slow = CA("Slow root", key="p384")
    below = []
    for n in range(10):
        below.append(CA("S%d" % n, below[-1] if below else slow, key="p384"))
    row("depth-slow-keys", "accept", below[-1].leaf("x"), slow, below)


def anchors():
    own = make("Self", None, KEY, exts=[("bc", True, seq())])
    row("leaf-is-anchor", "accept", own, own)
    row("leaf-is-anchor-issued", "accept", LEAF, LEAF)
    row("leaf-is-anchor-ca", "reject", ROOT, ROOT)
    row("leaf-is-stranger", "reject", own, ROOT, CA1)
    for name, more in (("expired", PAST), ("purpose", dict(
            exts=[("eku", False, seq(oid("serverAuth")))]))):
        bad = make("Self", None, KEY, **more)
        row("leaf-is-anchor-" + name, "reject", bad, bad)
    row("anchor-is-intermediate", "accept", LEAF, CA1)
    row("anchor-is-intermediate-root-known", "accept", LEAF, CA1, ROOT)
    for name, expect, reason, options in [
            ("no-ca", "reject", "not-a-ca", dict(ca=False, ku=("keyCertSign",))),
            ("no-bc", "reject", "not-a-ca", dict(drop=["bc"])),
            ("no-ku", "accept", "ok", dict(ku=None)),
            ("no-cert-sign", "reject", "key-usage", dict(ku=("cRLSign",)))]:
        ca, anchor = CA("X", ROOT, **options), CA("X", **options)
        row("ca-" + name, expect, ca.leaf("x"), ROOT, ca, reason=reason)
        row("anchor-" + name, expect, anchor.leaf("x"), anchor, reason=reason)
    v1 = dict(version=1, drop=["bc", "ski", "key_usage", "aki"])
    old, issued = CA("Old", **v1), CA("Old", ROOT, **v1)
    row("anchor-v1", "accept", old.leaf("x", drop=["aki"]), old)
    row("anchor-v1-issued", "reject", issued.leaf("x"), issued)
    row("ca-v1", "reject", issued.leaf("x"), ROOT, issued)
    for usage, expect in ((["clientAuth"], "accept"), (["anyEKU"], "accept"), (None, "accept"),
                          (["serverAuth"], "reject")):
        ca, anchor = CA("E", ROOT, eku=usage), CA("E", eku=usage)
        row("ca-eku-%s" % usage, expect, ca.leaf("x"), ROOT, ca)
        row("anchor-eku-%s" % usage, expect, anchor.leaf("x"), anchor)
    mail = CA("Mail", ROOT, eku=["emailProtection"])
    client = CA("Client", mail, eku=["clientAuth"])
    row("ca-eku-common", "reject", client.leaf("x"), ROOT, [mail, client], reason="purpose")


def leaves():
    for name, aki in [
            ("wrong", seq(tlv(0x80, b"1" * 20))),
            ("wrong-serial", seq(tlv(0x80, CA1.ski), tlv(0xA1, dirname("No")), tlv(0x82, b"\1")))]:
        row("aki-" + name, "accept", CA1.leaf("x", replace={"aki": aki}), ROOT, CA1)
    row("issuer-name", "reject", make("x", CA1, KEY, issuer_name="Wrong"), ROOT, CA1)
    for eku, ku, purpose, expect in [
            ("emailProtection", "digitalSignature", "email", "accept"),
            ("emailProtection", "nonRepudiation", "email", "accept"),
            ("emailProtection", "keyEncipherment", "email", "reject"),
            ("emailProtection", None, "email", "accept"), (None, None, "email", "accept"),
            ("clientAuth", "digitalSignature", "email", "reject"),
            ("clientAuth", "nonRepudiation", "client", "reject"),
            ("clientAuth", "keyAgreement", "client", "reject"),
            ("clientAuth", None, "client", "accept"),
            (None, "digitalSignature", "client", "accept"),
            (None, "digitalSignature", "1.2.3.4", "accept"),
            ("1.2.3.4", "keyEncipherment", "1.2.3.4", "accept"),
            ("1.2.3.5", "digitalSignature", "1.2.3.4", "reject"),
            ("anyEKU", "digitalSignature", "1.2.3.4", "accept"),
            ("serverAuth", "keyEncipherment", "any", "accept")]:
        leaf = CA1.leaf("x", key=KEY, eku=[eku] if eku else None, ku=[ku] if ku else None)
        row("purpose-%s-%s-%s" % (eku, ku, purpose), expect, leaf, ROOT, CA1,
            args=["--purpose", purpose])
    leaf = CA1.leaf("x", key=KEY, not_before="2026-01-01", not_after="2026-12-31T23:59:59Z")
    for at, expect in [
            ("2025-12-31T23:59:59Z", "reject"), ("2025-12-31T23:59:59.999Z", "reject"),
            ("2026-01-01T00:00:00Z", "accept"), ("2026-01-01T00:00:00.001Z", "accept"),
            ("2026-12-31T23:59:59Z", "accept"), ("2027-01-01T00:00:00Z", "reject"),
            ("2026-01-01T01:00:00+01:00", "accept"), ("2026-01-01T00:59:59+01:00", "reject"),
            ("2025-12-31T19:00:00-05:00", "accept"), ("2026-06-01t12:00:00z", "accept"),
            ("@1767225600", "accept"), ("@1767225599", "reject"), ("@1798761599", "accept"),
            ("@1798761600", "reject")]:
        row("at-" + at, expect, leaf, ROOT, CA1, at=at)
    for kind, expect in [("p224", "reject"), ("secp256k1", "reject"), ("rsa1024", "reject"),
                         ("ed25519", "accept"), ("ed448", "accept"), ("p521", "accept"),
                         ("rsa2048", "accept")]:
        key = pki.new_key(kind)
        ca, anchor = CA("K", ROOT, key=key), CA("K", key=key)
        row("key-leaf-" + kind, expect, CA1.leaf("x", key=key), ROOT, CA1)
        row("key-ca-" + kind, expect, ca.leaf("x"), ROOT, ca)
        row("key-anchor-" + kind, expect, anchor.leaf("x"), anchor)
    for digest, expect in (("sha1", "reject"), ("sha224", "reject"), ("sha384", "accept"),
                           ("sha512", "accept")):
        anchor = CA("D", digest=digest)
        row("digest-" + digest, expect, CA1.leaf("x", digest=digest), ROOT, CA1)
        row("digest-anchor-" + digest, "accept", anchor.leaf("x"), anchor)
    for name, san, asked, expect in [
            ("same", rfc822("a@example.com"), "a@example.com", "accept"),
            ("host-case", rfc822("a@EXAMPLE.com"), "a@example.com", "accept"),
            ("local-case", rfc822("A@example.com"), "a@example.com", "reject"),
            ("other", rfc822("b@example.com"), "a@example.com", "reject"),
            ("last-dot", rfc822("a@example.com."), "a@example.com", "reject"),
            ("nul", rfc822(b"a@example.com\0.evil"), "a@example.com", "reject"),
            ("utf8", smtputf8("\u00e4@example.com"), "\u00e4@example.com", "accept"),
            ("a-label", rfc822("a@xn--bcher-kva.ch"), "a@XN--bcher-kva.ch", "accept")]:
        row("email-" + name, expect, CA1.leaf("x", key=KEY, san=[rfc822("z@x.example"), san]),
            ROOT, CA1, args=["--email", asked])


for _family in (many, meshes, lengths, anchors, leaves):
    _family()

test_rows = ROWS.test()


@pytest.mark.parametrize("who", ["leaf", "ca"])
def test_every_octet_is_signed(who, tmp_path):
    """One bit changed in one octet, chosen by chance: nothing is accepted."""
    good = LEAF if who == "leaf" else CA1
    rng = random.Random(5280)
    for n in rng.sample(range(len(good.der)), 150):
        der = bytearray(good.der)
        der[n] ^= 1 << rng.randrange(8)
        bad = Cert(bytes(der))
        question.check(question.Row(
            "", "reject", bad if who == "leaf" else LEAF, [ROOT], [CA1 if who == "leaf" else bad],
            [], [], question.NOW, None, None), str(tmp_path))
