#!/usr/bin/python3
"""
make_crls.py - the recipe of tests/pki/crls: delta, indirect, partial and partitioned CRLs.

Run by hand, as make.py. One issuing CA, a second one, and a signer of CRLs that issues no
certificates; lists of every kind that RFC 5280 5.2.5 and 5.2.4 know, right and nearly right.
What is expected of them stands in tests/cases/revocation.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import make  # noqa: E402
import pki  # noqa: E402
from pki import dirname, explicit, seq, tlv, uri  # noqa: E402

FIRST = b"\x05\x60"         # keyCompromise, cACompromise
SECOND = b"\x07\x1f\x80"    # all others
GONE = ("2026-02-20T10:00:00Z", "keyCompromise")
HOLD = ("2026-02-20T10:00:00Z", "certificateHold")
REMOVE = ("2026-02-20T10:00:00Z", "removeFromCRL")
SIGNER = "CRL Signer crls"


def point(names=b"", reasons=None, issuer=None, relative=None):
    """One DistributionPoint (RFC 5280 4.2.1.13)."""
    out = explicit(0, explicit(0, names)) if names else b""
    if relative is not None:
        out = explicit(0, explicit(1, relative))
    out += tlv(0x81, reasons) if reasons is not None else b""
    out += explicit(2, dirname(issuer)) if issuer is not None else b""
    return seq(out)


def points(*all_of_them):
    return dict(extensions=[("crldp", False, seq(*all_of_them))])


def of(issuer):
    """certificateIssuer of an entry."""
    return [pki.extension("2.5.29.29", True, seq(dirname(issuer)))]


def rdn(cn):
    """The inside of one RDN."""
    return seq(pki.oid("2.5.4.3"), pki.utf8(cn))


def deltas(f, ca, twin, alice, bob):
    def full(base, revoked, number, **more):
        f.crl("full-" + base, ca, revoked, number=number, **more)

    def delta(base, revoked, number, start, signer=ca, **more):
        f.crl("delta-" + base, signer, revoked, number=number, delta=start, **more)

    stale = dict(this_update="2026-02-01", next_update="2026-02-08")
    full("4", [], 4)
    full("5", [], 5)
    full("7", [], 7)
    full("5-hold", [(alice, *HOLD)], 5)
    full("5-stale", [], 5, **stale)
    full("no-number", [(alice, *HOLD)], None)
    delta("5-6", [], 6, 5)
    delta("5-6-bob", [(bob, *GONE)], 6, 5)
    delta("5-6-revoked", [(alice, *GONE)], 6, 5)
    delta("5-6-hold", [(alice, *HOLD)], 6, 5)
    delta("5-6-removed", [(alice, *REMOVE)], 6, 5)
    delta("6-7", [], 7, 6)
    delta("6-7-removed", [(alice, *REMOVE)], 7, 6)
    delta("6-7-revoked", [(alice, *GONE)], 7, 6)
    delta("5-6-removed-stale", [(alice, *REMOVE)], 6, 5, **stale)
    delta("5-6-stale", [], 6, 5, **stale)
    delta("5-6-future", [(alice, *REMOVE)], 6, 5, this_update="2026-03-05",
          next_update="2026-03-12")
    delta("5-6-removed-users", [(alice, *REMOVE)], 6, 5, idp=pki.idp_der(user_only=True))
    delta("5-6-removed-other-key", [(alice, *REMOVE)], 6, 5, signer=twin)
    delta("no-number", [(alice, *REMOVE)], None, 5)
    delta("newer-base", [(alice, *REMOVE)], 5, 6)


def indirect(f, root, ca, two, signer):
    where = point(uri("http://crl.example/i.crl"), issuer=SIGNER)
    leaf = f.leaf("indirect", ca, **points(where))
    f.leaf("indirect-two", two, serial=leaf.serial, **points(where))
    f.leaf("indirect-nameless", ca, **points(point(issuer=SIGNER)))
    f.leaf("indirect-second-point", ca, **points(point(uri("http://crl.example/x.crl")), where))
    mine, other = of("Issuing CA crls"), of("Second CA crls")

    def crl(base, revoked=(), by=signer, idp=pki.idp_der(indirect=True), **more):
        f.crl("indirect-" + base, by, revoked, idp=idp, **more)

    crl("empty")
    crl("revoked", [(leaf, *GONE, mine)])
    crl("carried", [(77, *GONE, mine), (leaf, *GONE)])
    crl("back-and-forth", [(1, *GONE), (2, *GONE, mine), (3, *GONE, other),
                           (leaf, *GONE, mine), (5, *GONE, other)])
    crl("own", [(leaf, *GONE), (78, *GONE, mine)])
    crl("other", [(77, *GONE, mine), (leaf, *GONE, other)])
    crl("not-indirect", idp=None)
    crl("named", idp=pki.idp_der("http://crl.example/i.crl", indirect=True))
    crl("named-other", idp=pki.idp_der("http://crl.example/j.crl", indirect=True))
    crl("named-by-issuer", idp=pki.idp_der(dirname(SIGNER), indirect=True))
    crl("entry-of-nobody", [(leaf, *GONE, [pki.extension("2.5.29.29", True, seq(
        uri("http://ca.example/")))])])
    crl("direct-with-issuer", [(77, *GONE, mine)], by=ca, idp=None, number=3)
    false = f.ca("false-signer", SIGNER, f.ca("false-root", "False Root crls"),
                 ku=["cRLSign"], ca=False)
    crl("false", by=false)
    weak = f.ca("no-crl-sign", SIGNER, root, ku=["digitalSignature"], ca=False)
    crl("no-crl-sign", by=weak)
    crl("delta-revoked", [(leaf, *GONE, mine)], number=2, delta=1)
    f.crl("root-revoked-signer", root, [(signer, *GONE)], number=2, next_update="2026-12-01")


def partial(f, ca, alice):
    def crl(base, revoked=(), **more):
        f.crl(base, ca, revoked, **more)

    crl("reasons-1", idp=pki.idp_der(reasons=FIRST))
    crl("reasons-2", idp=pki.idp_der(reasons=SECOND))
    crl("reasons-1-revoked", [(alice, *GONE)], idp=pki.idp_der(reasons=FIRST))
    crl("reasons-2-stale", idp=pki.idp_der(reasons=SECOND), this_update="2026-02-01",
        next_update="2026-02-08")
    crl("reasons-all", idp=pki.idp_der(reasons=b"\x07\x7f\x80"))
    crl("reasons-none", idp=pki.idp_der(reasons=b"\x07\x80"))
    leaf = f.leaf("two-points", ca, **points(
        point(uri("http://crl.example/1.crl"), reasons=FIRST),
        point(uri("http://crl.example/2.crl"), reasons=SECOND)))
    crl("point-1", idp=pki.idp_der("http://crl.example/1.crl"))
    crl("point-2", idp=pki.idp_der("http://crl.example/2.crl"))
    crl("point-2-revoked", [(leaf, "2026-02-20T10:00:00Z", "superseded")],
        idp=pki.idp_der("http://crl.example/2.crl"))
    f.leaf("relative", ca, **points(point(relative=rdn("part 7"))))
    relative = explicit(0, explicit(1, rdn("part 7")))
    crl("relative", idp=seq(relative))
    crl("relative-other", idp=seq(explicit(0, explicit(1, rdn("part 8")))))
    crl("relative-full", idp=pki.idp_der(explicit(4, pki.dn([
        ("CN", "Issuing CA crls"), ("CN", "part 7")]))))
    crl("named-issuer", idp=pki.idp_der(dirname("Issuing CA crls")))
    crl("attributes", idp=seq(tlv(0x85, b"\xff")))
    critical = [pki.extension("1.2.3.4", True, pki.null())]
    crl("entry-critical", [(77, "2026-02-20T10:00:00Z", None, critical)])
    crl("entry-not-critical", [(77, "2026-02-20T10:00:00Z", None, [
        pki.extension("1.2.3.4", False, pki.null())])])


def crls(f):
    root, ca = f.tree()
    two = f.ca("second", "Second CA crls", root, eku=make.BOTH)
    twin = f.ca("rekeyed", "Issuing CA crls", root, eku=make.BOTH)
    signer = f.ca("signer", SIGNER, root, ku=["cRLSign"], ca=False)
    alice = f.leaf("alice", ca)
    bob = f.leaf("bob", ca, email="bob@example.com")
    f.crl("root", root, next_update="2026-12-01")
    f.crl("second", two)
    deltas(f, ca, twin, alice, bob)
    indirect(f, root, ca, two, signer)
    partial(f, ca, alice)


if __name__ == "__main__":
    pki.set_now(make.NOW)
    crls(make.Folder("crls"))
