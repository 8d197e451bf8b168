#!/usr/bin/python3
"""
make_validation.py - the recipe of tests/pki/names, tests/pki/encoding and tests/pki/malformed.

Run by hand, as make.py: `tests/pki/make_validation.py [names|encoding|malformed]`. One CA for
each kind of name constraint, leaves inside, outside and malformed; certificates whose
encoding no CA may write. What is expected of them stands in tests/cases.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import make  # noqa: E402
import pki  # noqa: E402
from pki import CA, dirname, dns, ip, rfc822, smtputf8, uri  # noqa: E402

RID = pki.tlv(0x88, pki.oid("1.2.3.4")[2:])
UPN = pki.upn("alice@corp.example")


def subtrees(permitted=b"", excluded=b""):
    return pki.seq(pki.explicit(0, permitted) if permitted else b"",
                   pki.explicit(1, excluded) if excluded else b"")


def names(f):
    """(CA, permitted, excluded, {leaf: its names})."""
    root = f.ca("root", "Root names")
    ten = [("C", "CH"), ("O", "Example  ag")]
    table = [
        ("not-www", [], [dns("www.example.com")], {
            "wildcard-over-excluded": [dns("*.example.com")],
            "wildcard-other": [dns("*.example.org")]}),
        ("not-deep", [], [dns("a.www.example.com")], {
            "wildcard-over-deeper": [dns("*.example.com")]}),
        ("only-www", [dns("www.example.com")], [], {
            "wildcard-over-permitted": [dns("*.example.com")]}),
        ("dns", [dns("Example.com")], [], {
            "wildcard-inside": [dns("*.example.com")],
            "dns-case": [dns("a.EXAMPLE.com")],
            "dns-dot-first": [dns(".example.com")],
            "dns-empty-label": [dns("a..example.com")],
            "dns-space": [dns("a b.example.com")],
            "dns-end-only": [dns("badexample.com")],
            "dns-nul": [dns(b"evil.example\0.example.com")],
            "dns-star-within": [dns("a.*.example.com")],
            "other-kinds": [rfc822("eve@other.example"), UPN]}),
        ("not-secret", [], [dns("secret.example.com")], {
            "dns-dot-last": [dns("x.secret.example.com.")]}),
        ("dotted", [dns(".example.com")], [], {
            "dotted-below": [dns("a.example.com")],
            "dotted-itself": [dns("example.com")]}),
        ("no-dns", [], [dns("")], {
            "no-dns-mail": [rfc822("alice@example.com")],
            "no-dns-dns": [dns("localhost")]}),
        ("mail", [rfc822("example.com")], [], {
            "mail-two-at": [rfc822("a@evil.example@example.com")],
            "mail-quoted": [rfc822("\"a@b\"@example.com")],
            "mail-brackets": [rfc822("Alice <alice@example.com")],
            "mail-dot-last": [rfc822("alice@example.com.")],
            "mail-no-host": [rfc822("example.com")],
            "utf8-inside": [smtputf8("\u00e4lice@example.com")],
            "utf8-outside": [smtputf8("\u00e4lice@other.example")],
            "utf8-not-utf8": [pki.othername("smtputf8", pki.ia5("a@example.com"))]}),
        ("not-mail", [], [rfc822("other.example")], {
            "not-mail-dot-last": [rfc822("eve@other.example.")],
            "not-mail-utf8": [smtputf8("\u00e8ve@other.example")]}),
        ("alice", [rfc822("alice@example.com")], [], {
            "mailbox-itself": [rfc822("alice@EXAMPLE.com")],
            "mailbox-other": [rfc822("bob@example.com")],
            "mailbox-case": [rfc822("Alice@example.com")]}),
        ("not-alice", [], [rfc822("ALICE@example.com")], {
            "not-mailbox-case": [rfc822("alice@example.com")]}),
        ("dotted-mail", [rfc822(".example.com")], [], {
            "dotted-mail-below": [rfc822("alice@sub.example.com")],
            "dotted-mail-itself": [rfc822("alice@example.com")]}),
        ("no-mail", [], [rfc822("")], {"no-mail-mail": [rfc822("alice@example.com")]}),
        ("a-label", [rfc822("xn--bcher-kva.example")], [], {
            "utf8-a-label": [smtputf8("\u00e4@xn--bcher-kva.example")],
            "utf8-u-label": [smtputf8("\u00e4@b\u00fccher.example")]}),
        ("not-a-label", [], [rfc822("xn--bcher-kva.example")], {
            "not-utf8-a-label": [smtputf8("\u00e4@xn--bcher-kva.example")]}),
        ("uri", [uri(".example.com")], [], {
            "uri-fragment": [uri("https://evil.example#.example.com")],
            "uri-query": [uri("https://evil.example?.example.com")],
            "uri-userinfo": [uri("https://id.example.com@evil.example/")],
            "uri-userinfo-good": [uri("https://joe@id.example.com/")],
            "uri-port": [uri("https://id.example.com:8443/x")],
            "uri-address": [uri("https://192.0.2.1/")],
            "uri-address-6": [uri("https://[2001:db8::1]/")],
            "uri-percent": [uri("https://evil%2e.example.com/")],
            "uri-backslash": [uri("https://evil.example\\.example.com/")],
            "uri-urn": [uri("urn:uuid:00000000-0000-4000-8000-000000000000")]}),
        ("uri-host", [uri("id.example.com")], [], {
            "uri-host-itself": [uri("https://ID.example.com/a")],
            "uri-host-below": [uri("https://a.id.example.com/")],
            "uri-host-userinfo": [uri("https://id.example.com:x@evil.example/")]}),
        ("ip", [ip("192.0.2.0/24")], [], {
            "ip-inside": [ip("192.0.2.7")], "ip-outside": [ip("198.51.100.7")],
            "ip-other-family": [ip("2001:db8::1")],
            "ip-five-octets": [ip(b"\xc0\0\2\7\0")]}),
        ("ip-6", [ip("2001:db8::/32")], [], {
            "ip-6-inside": [ip("2001:db8:1::1")], "ip-6-outside": [ip("2001:db9::1")]}),
        ("ip-mask", [ip(b"\xc0\0\2\0\xff\0\xff\0")], [], {"of-ip-mask": [ip("192.0.2.7")]}),
        ("dn", [dirname(ten)], [], {
            "dn-folded": [], "dn-in-san": [dirname([("C", "CH"), ("O", "Other")])],
            "dn-in-san-good": [dirname(ten + [("CN", "x")])],
            "dn-no-subject": [rfc822("alice@example.com")]}),
        ("not-dn", [], [dirname(ten)], {"not-dn-folded": []}),
        ("dn-all", [dirname([])], [], {"of-dn-all": []}),
        ("rid", [RID], [], {"rid-with": [RID], "rid-without": [rfc822("a@example.com")]}),
        ("no-x400", [], [pki.tlv(0xA3, pki.seq())], {
            "no-x400-without": [rfc822("alice@example.com")]}),
        ("upn", [UPN], [], {"upn-with": [UPN], "upn-without": [rfc822("a@example.com")]}),
    ]
    folded = [("C", "CH"), ("O", (0x13, b" example AG ")), ("CN", "Alice")]
    subjects = {"dn-folded": folded, "not-dn-folded": folded, "dn-no-subject": [],
                "dn-in-san": folded, "dn-in-san-good": folded}
    for base, permitted, excluded, leaves in table:
        ca = f.ca(base, "CA " + base, root, permitted=permitted, excluded=excluded)
        for leaf, san in leaves.items():
            f.leaf(leaf, ca, san=san, subject=subjects.get(leaf, [("CN", leaf)]))

    def raw(base, der, leaf=None, critical=True, **more):
        ca = f.ca(base, "CA " + base, root,
                  extensions=[("name_constraints", critical, der)])
        return f.leaf(leaf or "of-" + base, ca, **more)
    host = pki.seq(dns("example.com"))
    outside = dict(dns="a.example.org", email=[])
    raw("not-critical", subtrees(host), critical=False, **outside)
    raw("minimum-0", subtrees(pki.seq(dns("example.com"), pki.tlv(0x80, b"\0"))),
        dns="a.example.com", email=[])
    raw("minimum-1", subtrees(pki.seq(dns("example.com"), pki.tlv(0x80, b"\1"))),
        dns="a.example.com", email=[])
    raw("maximum", subtrees(pki.seq(dns("example.com"), pki.tlv(0x81, b"\5"))),
        dns="a.example.com", email=[])
    raw("empty-lists", pki.seq(pki.tlv(0xA0), pki.tlv(0xA1)))
    raw("empty", pki.seq())
    raw("bomb", subtrees(b"", b"".join(pki.seq(dns("x%d.example" % i)) for i in range(1500))),
        dns=["h%d.example.com" % i for i in range(500)], email=[])
    mail = [("CN", "A"), ("emailAddress", (0x0C, b"alice@example.com"))]
    by = CA("CA subject mail", root, permitted=[dns("example.com")])
    f.put("subject-mail", by)
    f.leaf("subject-mail-utf8", by, subject=mail, email=[])
    by = CA("CA subject mail constrained", root, permitted=[rfc822("example.com")])
    f.put("subject-mail-only", by)
    f.leaf("subject-mail-not-ia5", by, subject=mail, email=[])
    f.leaf("constraints-in-leaf", root, extensions=[
        ("name_constraints", True, pki.name_constraints_der([dns("example.com")]))])
    # Key rollover under a constraint that shuts the CA's own name out.
    old = f.ca("rollover-old", [("O", "Example"), ("CN", "Rolling CA")], root,
               permitted=[dirname([("O", "Example"), ("OU", "People")])])
    new = f.ca("rollover-new", [("O", "Example"), ("CN", "Rolling CA")], old)
    f.leaf("rollover-inside", new, subject=[("O", "Example"), ("OU", "People"), ("CN", "A")])
    f.leaf("rollover-self-issued", new, subject=[("O", "Example"), ("CN", "Rolling CA")])


def encoding(f):
    """What OpenSSL reads, and whether a CA may write it."""
    root, ca = f.tree()
    cn = pki.set_(pki.seq(pki.oid("CN"), pki.utf8("Alice")))
    f.leaf("long-length", ca, subject=b"\x30\x81" + bytes([len(cn)]) + cn)
    f.leaf("indefinite", ca, subject=b"\x30\x80" + cn + b"\0\0")
    f.leaf("constructed-string", ca, subject=pki.seq(pki.set_(pki.seq(
        pki.oid("CN"), b"\x2c\x07\x0c\x02Al\x0c\x01i"))))
    parts = [pki.seq(pki.oid("CN"), pki.utf8("Alice")), pki.seq(pki.oid("UID"), pki.utf8("a"))]
    parts.sort(reverse=True)
    f.leaf("unsorted-set", ca, subject=pki.seq(pki.tlv(0x31, *parts)))
    f.leaf("boolean-1", ca, extensions=[("bc", True, b"\x30\x03\x01\x01\x01")])
    f.leaf("ca-false-written", ca, extensions=[("bc", True, b"\x30\x03\x01\x01\x00")])
    f.leaf("usage-bits-left", ca, ku=None,
           extensions=[("key_usage", True, b"\x03\x02\x00\x80")])
    f.leaf("usage-bits-set", ca, ku=None,
           extensions=[("key_usage", True, b"\x03\x02\x07\x81")])
    f.leaf("of-padded-pathlen", f.ca(
        "padded-pathlen", "CA padded", root, drop=["bc"],
        extensions=[("bc", True, b"\x30\x07\x01\x01\xff\x02\x02\x00\x01")]))
    f.leaf("of-boolean-1", f.ca("boolean-1-ca", "CA boolean", root, drop=["bc"],
                                extensions=[("bc", True, b"\x30\x03\x01\x01\x01")]))
    f.leaf("version-4", ca, version=4)
    f.leaf("generalized-2026", ca, not_before=pki.timestamp("2026-01-01", True))
    nameless = f.ca("nameless-root", [])
    f.leaf("of-nameless", nameless)
    inner = f.ca("nameless-ca", [], root)
    f.leaf("of-nameless-ca", inner)
    qualified = pki.seq(pki.seq(pki.oid("1.2.3.4"), pki.seq(pki.seq(
        pki.oid("1.2.3.5"), pki.null()))))
    f.leaf("qualifier-critical", ca, extensions=[("policies", True, qualified)])
    f.leaf("qualifier", ca, extensions=[("policies", False, qualified)])
    f.leaf("sign-without-ca", ca, ku=["digitalSignature", "keyCertSign"])
    f.leaf("no-key-ids", f.ca("no-key-ids-ca", "CA without key ids", root, drop=["ski", "aki"]),
           drop=["ski", "aki"])
    f.leaf("aki-critical", ca, drop=["aki"], extensions=[
        ("aki", True, pki.seq(pki.tlv(0x80, ca.ski)))])
    loose = f.ca("loose-root", "Loose root", drop=["bc"],
                 extensions=[("bc", False, pki.basic_constraints_der(True))])
    f.leaf("of-loose-root", loose)
    f.leaf("maps-any", f.ca("maps-any-ca", "CA maps any", root, eku=make.BOTH,
                            policies=["1.2.3.4"],
                            policy_mappings=[("1.2.3.4", "anyPolicy")]), policies=["1.2.3.4"])
    bomb = root
    for n in range(4):
        oids = ["1.2.3.%d" % i for i in range(1, 120)]
        bomb = f.ca("policy-bomb-%d" % n, "Policy bomb %d" % n, bomb, policies=oids,
                    policy_mappings=[(a, b) for a in oids[:40] for b in oids[:40]])
    f.leaf("policy-bomb", bomb, policies=["1.2.3.1"])


def malformed(f):
    """One thing wrong in each, which OpenSSL reads without a word."""
    root, ca = f.tree()
    f.leaf("good", ca)
    key = pki.new_key()
    curve = pki.seq(pki.oid("1.2.840.10045.2.1"), pki.oid("1.2.840.10045.3.1.7"))
    point = pki.spki_of(key)[-65:]

    def ec(base, bits):
        f.leaf(base, ca, key=key, spki=pki.seq(curve, pki.bits(bits)))
    ec("key-compressed", bytes([2 + (point[-1] & 1)]) + point[1:33])
    ec("key-hybrid", bytes([6 + (point[-1] & 1)]) + point[1:])
    ec("key-infinity", b"\0")
    ec("key-off-curve", point[:-1] + bytes([point[-1] ^ 1]))
    rsa = pki.new_key("rsa2048")
    n = rsa.public_key().public_numbers().n
    algorithm = pki.seq(pki.oid("1.2.840.113549.1.1.1"), pki.null())

    def modulus(base, der):
        f.leaf(base, ca, key=rsa, spki=pki.seq(algorithm, pki.bits(
            pki.seq(der, pki.integer(65537)))))
    modulus("rsa-even", pki.integer(n - 1))
    modulus("rsa-padded", pki.tlv(2, b"\0\0" + n.to_bytes(256, "big")))
    modulus("rsa-negative", pki.tlv(2, n.to_bytes(256, "big")))
    f.leaf("empty-set", ca, subject=pki.seq(pki.tlv(0x31)))
    f.leaf("mail-in-pieces", ca, san=[pki.tlv(0xA1, pki.ia5("alice@example.com"))])
    f.leaf("dns-not-ascii", ca, san=[dns("b\u00fccher.example")])
    f.leaf("uri-not-ascii", ca, san=[uri("https://b\u00fccher.example/")])
    f.leaf("inhibit-any-negative", ca, extensions=[("inhibit_any", True, pki.integer(-1))])
    f.leaf("points-of-reasons", ca, extensions=[
        ("crldp", False, pki.seq(pki.seq(pki.tlv(0x81, b"\1\6"))))])
    f.leaf("uids-in-v1", ca, version=1, drop=["aki", "ski", "key_usage", "eku", "san"],
           spki=pki.spki_of(key) + pki.tlv(0x81, b"\0\1"), key=key)
    for base, begins in (
            ("time-without-seconds", b"2601010000Z"), ("time-with-offset", b"260101000000+0000"),
            ("time-without-z", b"260101000000"), ("time-second-60", b"260101000060Z"),
            ("time-february-30", b"260230000000Z")):
        f.leaf(base, ca, not_before=pki.tlv(0x17, begins))
    f.leaf("time-with-fraction", ca, not_before=pki.tlv(0x18, b"20260101000000.0Z"))
    f.leaf("of-pathlen-large", f.ca("pathlen-large", "CA large", root, drop=["bc"], extensions=[
        ("bc", True, pki.seq(pki.boolean(True), pki.integer(1 << 70)))]))
    only = f.ca("uri", "CA uri", root, permitted=[uri("a.example.com")])
    f.leaf("uri-scheme", only, san=[uri("1x://a.example.com/")])


if __name__ == "__main__":
    for scenario in sys.argv[1:] or ["names", "encoding", "malformed"]:
        pki.set_now(make.NOW)
        globals()[scenario](make.Folder(scenario))
