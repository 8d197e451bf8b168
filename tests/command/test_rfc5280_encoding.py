"""
test_rfc5280_encoding.py - which bytes are a certificate? RFC 5280 4.1 and 4.2, X.690.

A leaf that is good, and beside it two hundred that differ in one place. What is
accepted although no CA may write it stands in docs/conformance.md.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import pki  # noqa: E402
import question  # noqa: E402
from pki import (CA, Cert, bits, boolean, dirname, dn, dns, explicit, extension,  # noqa: E402
                 ia5, integer, ip, key_usage_der, null, octet, oid, rfc822, seq, tlv, uri, utf8)

ROWS = question.Rows()
KEY = pki.new_key()
ROOT = CA("Root")
ISSUING = CA("Issuing", ROOT)
DIGITAL = key_usage_der(["digitalSignature"])
PLAIN = [("bc", True, seq()), ("key_usage", True, DIGITAL),
         ("eku", False, seq(oid("clientAuth"))), ("san", False, seq(rfc822("a@example.com")))]
V2, V3 = explicit(0, integer(1)), explicit(0, integer(2))
ECDSA = "1.2.840.10045.4.3.2"


def raw(version=V3, serial=integer(0x1234), algorithm=None, outer=None, issuer=None, validity=None,
        subject=None, spki=None, ids=b"", exts=PLAIN, tail=b"", wrap=None, value=bits):
    key = ISSUING.key
    algorithm = algorithm or pki.signature_algorithm(key)
    if not isinstance(exts, bytes):
        exts = explicit(3, seq(*[e if isinstance(e, bytes) else extension(*e)
                                 for e in exts])) if exts else b""
    tbs = seq(version, serial, algorithm, ISSUING.subject if issuer is None else issuer,
              validity or seq(pki.timestamp("2026-01-01"), pki.timestamp("2026-12-31")),
              dn("Leaf") if subject is None else subject, spki or pki.spki_of(KEY), ids, exts, tail)
    tbs = wrap(tbs) if wrap else tbs
    return Cert(seq(tbs, outer or algorithm, value(pki.signature(key, tbs))), KEY)


def row(name, expect, **how):
    ROWS.add(name, expect, raw(**how), ROOT, ISSUING)


def put(name, critical, der):
    """The plain extensions with this one instead of, or beside, its like."""
    if any(e[0] == name for e in PLAIN):
        return [(name, critical, der) if e[0] == name else e for e in PLAIN]
    return PLAIN + [(name, critical, der)]


row("good", "accept")

# ------------------------------------------------------------- 4.1.2.1, 4.1.2.8, 4.1.2.9

IDS = tlv(0x81, b"\0\1\2")
for _name, _expect, _how in [
        ("v1", "accept", dict(version=b"", exts=[])), ("v2", "accept", dict(version=V2, exts=[])),
        ("v3-bare", "accept", dict(exts=[])),
        ("v1-extensions", "reject", dict(version=b"")),
        ("v2-extensions", "reject", dict(version=V2)),
        ("v4", "reject", dict(version=explicit(0, integer(3)))),
        ("version-negative", "reject", dict(version=explicit(0, integer(-1)))),
        ("version-padded", "reject", dict(version=explicit(0, b"\2\2\0\2"))),
        ("v3-ids", "accept", dict(ids=IDS)),
        ("v2-ids", "accept", dict(version=V2, exts=[], ids=IDS + tlv(0x82, b"\0\1"))),
        ("v1-ids", "reject", dict(version=b"", exts=[], ids=IDS)),
        ("ids-order", "reject", dict(ids=tlv(0x82, b"\0\1") + IDS)),
        ("extensions-none", "reject", dict(exts=explicit(3, seq()))),
        ("extensions-void", "reject", dict(exts=explicit(3))),
        ("extensions-two-lists", "reject", dict(exts=explicit(3, seq(
            extension("bc", True, seq())), seq()))),
        ("behind-extensions", "reject", dict(tail=null())),
        ("long-length", "reject", dict(wrap=lambda t: b"\x30\x83\0" + t[2:4] + t[4:]))]:
    row(_name, _expect, **_how)

for _name, _expect, _der in [
        ("zero", "accept", integer(0)), ("negative", "accept", integer(-128)),
        ("void", "reject", b"\2\0"), ("padded", "reject", b"\2\3\0\0\x12"),
        ("negative-padded", "reject", b"\2\2\xff\x80"), ("high-bit", "accept", b"\2\2\0\x80"),
        ("20", "accept", tlv(2, b"\x7f" * 20)),
        ("20-and-sign", "accept", tlv(2, b"\0" + b"\xff" * 20)),
        ("21", "reject", tlv(2, b"\x7f" * 21)), ("enumerated", "reject", b"\x0a\1\5")]:
    row("serial-" + _name, _expect, serial=_der)

# ------------------------------------------------------------------------ 4.1.2.5

UTC_END, UTC_BEGIN = b"271231000000Z", b"260101000000Z"
for _name, _expect, _begin, _end in [
        ("no-seconds", "reject", b"2601010000Z", UTC_END),
        ("offset", "reject", b"260101000000+0000", UTC_END),
        ("no-z", "reject", b"260101000000", UTC_END),
        ("small-z", "reject", b"260101000000z", UTC_END),
        ("1950", "accept", b"500101000000Z", UTC_END),
        ("ends-1950", "reject", UTC_BEGIN, b"500101000000Z"),
        ("2049", "accept", UTC_BEGIN, b"491231235959Z"),
        ("month-13", "reject", b"251301000000Z", UTC_END),
        ("month-0", "reject", b"260001000000Z", UTC_END),
        ("february-31", "reject", UTC_BEGIN, b"270231000000Z"),
        ("february-29-2027", "reject", UTC_BEGIN, b"270229000000Z"),
        ("february-29-2028", "accept", UTC_BEGIN, b"280229000000Z"),
        ("day-0", "reject", b"260100000000Z", UTC_END),
        ("hour-24", "reject", b"260101240000Z", UTC_END),
        ("minute-60", "reject", b"260101006000Z", UTC_END),
        ("second-60", "reject", b"260101000060Z", UTC_END),
        ("ends-second-60", "reject", UTC_BEGIN, b"271231235960Z"),
        ("space", "reject", b"26 101000000Z", UTC_END),
        ("sign", "reject", b"+60101000000Z", UTC_END),
        ("nul", "reject", b"260101000000\0", UTC_END), ("swapped", "reject", UTC_END, UTC_BEGIN),
        ("one-second", "accept", b"260301120000Z", b"260301120000Z"),
        ("generalized", "accept", b"20260101000000Z", b"20271231000000Z"),
        ("fraction", "reject", b"20260101000000.5Z", UTC_END),
        ("ends-fraction", "reject", UTC_BEGIN, b"20271231000000.0Z"),
        ("generalized-no-z", "reject", UTC_BEGIN, b"20271231000000"),
        ("generalized-no-seconds", "reject", UTC_BEGIN, b"202712310000Z"),
        ("generalized-offset", "reject", UTC_BEGIN, b"20271231000000+0100"),
        ("2050", "accept", UTC_BEGIN, b"20500101000000Z"),
        ("9999", "accept", UTC_BEGIN, b"99991231235959Z"),
        ("year-0", "accept", b"00000101000000Z", UTC_END)]:
    row("time-" + _name, _expect, validity=seq(*[
        tlv(0x18 if len(t) > 13 and t[:2] in (b"20", b"99", b"00") else 0x17, t)
        for t in (_begin, _end)]))
TIME = pki.timestamp("2026-12-31")
row("time-printable", "reject", validity=seq(tlv(0x13, UTC_BEGIN), TIME))
row("time-three", "reject", validity=seq(pki.timestamp("2026-01-01"), TIME, TIME))
row("time-one", "reject", validity=seq(TIME))
row("time-none", "reject", validity=seq())

# ------------------------------------------------------------ 4.1.1.2, 4.1.1.3

row("outer-null", "reject", outer=seq(oid(ECDSA), null()))
row("outer-other", "reject", outer=seq(oid("1.2.840.10045.4.3.3")))
row("inner-other", "reject", algorithm=seq(oid("1.2.840.10045.4.3.3")), outer=seq(oid(ECDSA)))
row("signature-unused-bits", "reject", value=lambda s: bits(s, 4))
row("signature-octets", "reject", value=octet)
row("signature-void", "reject", value=lambda s: bits(b""))
row("signature-behind", "reject", value=lambda s: bits(s + b"\0"))
row("signature-zero", "reject", value=lambda s: bits(seq(integer(0), integer(0))))
row("signature-padded", "reject",
    value=lambda s: bits(seq(tlv(2, b"\0" + s[4:4 + s[3]]), s[4 + s[3]:])))
row("signature-long-length", "reject", value=lambda s: bits(b"\x30\x81" + s[1:]))
ROWS.add("behind", "reject", Cert(raw().der + b"\0", KEY), ROOT, ISSUING)
ROWS.add("behind-signature", "reject", Cert(seq(raw().der[4:], null()), KEY), ROOT, ISSUING)

# --------------------------------------------------------------------------- 4.2

URL = uri("http://x/")
for _name, _expect, _ext, _critical, _der in [
        ("bc-other", "reject", "bc", True, null()),
        ("bc-behind", "reject", "bc", True, seq() + b"\0"),
        ("bc-void", "reject", "bc", True, b""),
        ("bc-true-1", "reject", "bc", True, seq(tlv(1, b"\1"))),
        ("bc-third", "reject", "bc", True, seq(boolean(False), integer(0), null())),
        ("bc-false", "accept", "bc", True, seq(boolean(False))),
        ("ku-no-bits", "reject", "key_usage", True, bits(b"")),
        ("ku-zero", "reject", "key_usage", True, bits(b"\0")),
        ("ku-unused-set", "reject", "key_usage", True, b"\3\2\5\xff"),
        ("ku-unused-8", "reject", "key_usage", True, b"\3\2\x08\x80"),
        ("ku-zeros-behind", "accept", "key_usage", True, bits(b"\x80\0\0\0")),
        ("ku-octets", "reject", "key_usage", True, octet(b"\x80")),
        ("ku-behind", "reject", "key_usage", True, DIGITAL + b"\0"),
        ("ku-other-usage", "reject", "key_usage", False, key_usage_der(["keyEncipherment"])),
        ("ku-signs-certs", "reject", "key_usage", True, key_usage_der(["keyCertSign"])),
        ("eku-none", "reject", "eku", False, seq()), ("eku-set", "reject", "eku", False,
                                                       tlv(0x31, oid("clientAuth"))),
        ("eku-bad-oid", "reject", "eku", False, seq(tlv(6, b"\x80\1"))),
        ("eku-void-oid", "reject", "eku", False, seq(tlv(6), oid("clientAuth"))),
        ("eku-cut-oid", "reject", "eku", False, seq(tlv(6, b"\x2b\x86"), oid("clientAuth"))),
        ("eku-behind", "reject", "eku", False, seq(oid("clientAuth")) + null()),
        ("eku-any", "accept", "eku", True, seq(oid("anyEKU"))),
        ("eku-server", "reject", "eku", False, seq(oid("serverAuth"))),
        ("san-none", "reject", "san", False, seq()),
        ("san-critical", "accept", "san", True, seq(rfc822("a@example.com"))),
        ("san-tag-9", "reject", "san", False, seq(tlv(0x89, b"x"))),
        ("san-mail-in-pieces", "reject", "san", False, seq(tlv(0xA1, ia5("a@example.com")))),
        ("san-mail-not-ascii", "reject", "san", False, seq(rfc822(b"\xe4@example.com"))),
        ("san-dns-not-ascii", "reject", "san", False, seq(dns(b"\xe4.example.com"))),
        ("san-uri-not-ascii", "reject", "san", False, seq(uri(b"http://\xe4.example.com"))),
        ("san-relative-uri", "accept", "san", False, seq(uri("/x"))),
        ("san-x400", "accept", "san", False, seq(tlv(0xA3, seq()))),
        ("san-edi", "accept", "san", False, seq(tlv(0xA5, tlv(0xA1, utf8("x"))))),
        ("san-rid", "accept", "san", False, seq(tlv(0x88, oid("1.2.3")[2:]))),
        ("san-rid-bad", "reject", "san", False, seq(tlv(0x88, b"\x80"))),
        ("san-other-no-value", "reject", "san", False, seq(tlv(0xA0, oid("1.2.3")))),
        ("san-other-two", "reject", "san", False, seq(tlv(0xA0, oid("1.2.3"),
                                                          explicit(0, null(), null())))),
        ("aki-other", "reject", "aki", False, octet(b"")),
        ("aki-bare", "accept", "aki", False, seq()),
        ("aki-wrong", "accept", "aki", False, seq(tlv(0x80, b"nonsense"))),
        ("aki-wrong-serial", "accept", "aki", False, seq(
            tlv(0x80, ISSUING.ski), tlv(0xA1, dirname("Wrong")), tlv(0x82, b"\5"))),
        ("aki-critical", "reject", "aki", True, seq(tlv(0x80, ISSUING.ski))),
        ("ski-void", "accept", "ski", False, octet(b"")),
        ("ski-other", "reject", "ski", False, seq()),
        ("ski-critical", "reject", "ski", True, octet(b"abc")),
        ("aia-other", "reject", "aia", False, octet(b"")),
        ("aia-none", "reject", "aia", False, seq()),
        ("aia-critical", "reject", "aia", True, seq(seq(oid("1.3.6.1.5.5.7.48.1"), URL))),
        ("crldp-none", "reject", "crldp", False, seq()),
        ("crldp-other", "reject", "crldp", False, integer(1)),
        ("crldp-void-point", "reject", "crldp", False, seq(seq())),
        ("crldp-reasons", "reject", "crldp", False, seq(seq(tlv(0x81, b"\1\6")))),
        ("policies-none", "reject", "policies", False, seq()),
        ("policies-other", "reject", "policies", False, null()),
        ("policies-behind", "reject", "policies", False, pki.policies_der(["1.2.3"]) + b"\0"),
        ("policies-twice", "reject", "policies", False, pki.policies_der(["1.2.3", "1.2.3"])),
        ("constraints-in-leaf", "reject", "name_constraints", True,
         pki.name_constraints_der([rfc822("example.com")])),
        ("policy-constraints-negative", "reject", "policy_constraints", True,
         seq(tlv(0x80, b"\xff"))),
        ("policy-constraints-none", "reject", "policy_constraints", True, seq()),
        ("inhibit-any-negative", "reject", "inhibit_any", True, integer(-1)),
        ("inhibit-any-large", "accept", "inhibit_any", True, integer(1 << 70)),
        ("issuer-name-other", "reject", "2.5.29.18", False, null()),
        ("issuer-name-none", "reject", "2.5.29.18", False, seq()),
        ("unknown", "accept", "1.2.3.4", False, null()),
        ("unknown-void", "accept", "1.2.3.4", False, b""),
        ("unknown-critical", "reject", "1.2.3.4", True, null()),
        ("usage-period-critical", "reject", "2.5.29.16", True, seq(tlv(0x80, b"20260101000000Z"))),
        ("netscape-critical", "reject", "2.16.840.1.113730.1.1", True, bits(b"\x80", 7)),
        ("precertificate", "reject", "1.3.6.1.4.1.11129.2.4.3", True, null())]:
    row(_name, _expect, exts=put(_ext, _critical, _der))

for _name, _expect, _more in [
        ("unknown-twice", "reject", PLAIN + [("1.2.3.4", False, b"")] * 2),
        ("known-twice", "reject", PLAIN + [("eku", False, seq(oid("clientAuth")))]),
        ("no-bc", "accept", PLAIN[1:]),
        ("critical-false", "accept", PLAIN[1:] + [seq(oid("bc"), boolean(False), octet(seq()))]),
        ("critical-1", "reject", PLAIN[1:] + [seq(oid("bc"), tlv(1, b"\1"), octet(seq()))]),
        ("value-bits", "reject", PLAIN[1:] + [seq(oid("bc"), bits(seq()))]),
        ("value-none", "reject", PLAIN[1:] + [seq(oid("bc"))]),
        ("value-second", "reject", PLAIN[1:] + [seq(oid("bc"), octet(seq()), null())]),
        ("value-first", "reject", PLAIN[1:] + [seq(oid("bc"), octet(seq()), boolean(True))])]:
    row("extension-" + _name, _expect, exts=_more)

# ------------------------------------------------------------ 4.1.2.4, 4.1.2.6, 7.1


def cn(tag, data):
    return dn([("CN", (tag, data))])


for _name, _expect, _subject in [
        ("empty", "accept", seq()), ("empty-set", "reject", seq(tlv(0x31))),
        ("no-value", "reject", seq(tlv(0x31, seq(oid("CN"))))),
        ("three", "reject", seq(tlv(0x31, seq(oid("CN"), utf8("x"), null())))),
        ("not-utf8", "reject", cn(0x0C, b"\xff\xfe")), ("odd-bmp", "reject", cn(0x1E, b"abc")),
        ("odd-universal", "reject", cn(0x1C, b"abc")),
        ("not-printable", "accept", cn(0x13, b"a@_")),
        ("long", "accept", dn("x" * 300))]:
    row("subject-" + _name, _expect, subject=_subject)
for _name, _expect, _issuer in [
        ("other", "reject", dn("Other")), ("case", "accept", dn("ISSUING")),
        ("empty", "reject", seq()),
        ("printable", "accept", cn(0x13, b"Issuing")), ("t61", "accept", cn(0x14, b"Issuing")),
        ("bmp", "accept", cn(0x1E, "Issuing".encode("utf-16-be"))),
        ("space", "accept", dn("  Issuing ")), ("space-inside", "reject", dn("Iss uing"))]:
    row("issuer-" + _name, _expect, issuer=_issuer)

# ------------------------------------------------------------------------ 4.1.2.7

POINT = pki.spki_of(KEY)[-65:]
P256 = seq(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7"))
RSA = seq(oid("1.2.840.113549.1.1.1"), null())
N = pki.new_key("rsa2048").public_key().public_numbers().n
for _name, _expect, _algorithm, _key in [
        ("compressed", "accept", P256, bytes([2 + (POINT[-1] & 1)]) + POINT[1:33]),
        ("hybrid", "reject", P256, bytes([6 + (POINT[-1] & 1)]) + POINT[1:]),
        ("off-curve", "reject", P256, POINT[:-1] + bytes([POINT[-1] ^ 1])),
        ("infinity", "reject", P256, b"\0"), ("short", "reject", P256, POINT[:-1]),
        ("behind", "reject", P256, POINT + b"\0"),
        ("no-curve", "reject", seq(oid("1.2.840.10045.2.1")), POINT),
        ("null-curve", "reject", seq(oid("1.2.840.10045.2.1"), null()), POINT),
        ("ecdh", "reject", seq(oid("1.3.132.1.12"), oid("1.2.840.10045.3.1.7")), POINT),
        ("ed25519-null", "reject", seq(oid("1.3.101.112"), null()), b"\1" * 32),
        ("ed25519-31", "reject", seq(oid("1.3.101.112")), b"\1" * 31),
        ("dsa", "reject", seq(oid("1.2.840.10040.4.1"), seq(integer(7), integer(3), integer(2))),
         integer(4)),
        ("rsa", "accept", RSA, seq(integer(N), integer(65537))),
        ("rsa-e-3", "accept", RSA, seq(integer(N), integer(3))),
        ("rsa-e-32-bits", "accept", RSA, seq(integer(N), integer(2**32 - 1))),
        ("rsa-e-33-bits", "reject", RSA, seq(integer(N), integer(2**32 + 1))),
        ("rsa-e-even", "reject", RSA, seq(integer(N), integer(65536))),
        ("rsa-e-1", "reject", RSA, seq(integer(N), integer(1))),
        ("rsa-e-0", "reject", RSA, seq(integer(N), integer(0))),
        ("rsa-e-negative", "reject", RSA, seq(integer(N), integer(-3))),
        ("rsa-negative", "reject", RSA, seq(tlv(2, N.to_bytes(256, "big")), integer(65537))),
        ("rsa-even", "reject", RSA, seq(integer(N - 1), integer(65537))),
        ("rsa-2047", "reject", RSA, seq(integer(N >> 1 | 1), integer(65537))),
        ("rsa-zero", "reject", RSA, seq(integer(0), integer(65537))),
        ("rsa-padded", "reject", RSA, seq(tlv(2, b"\0\0" + N.to_bytes(256, "big")),
         integer(65537))),
        ("rsa-behind", "reject", RSA, seq(integer(N), integer(65537)) + b"\0"),
        ("rsa-third", "reject", RSA, seq(integer(N), integer(65537), null())),
        ("rsa-oaep", "reject", seq(oid("1.2.840.113549.1.1.7")), seq(integer(N), integer(65537)))]:
    row("key-" + _name, _expect, spki=seq(_algorithm, bits(_key)))
row("key-unused-bits", "reject", spki=seq(P256, tlv(3, b"\4", POINT[:-1], b"\0")))
row("key-third", "reject", spki=seq(P256, bits(POINT), null()))
row("key-explicit-curve", "reject", spki=pki.explicit_curve_spki(KEY))
row("key-address", "accept", exts=put("san", False, seq(ip("192.0.2.1"))))

test_rows = ROWS.test()
