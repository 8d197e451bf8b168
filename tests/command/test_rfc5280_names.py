"""
test_rfc5280_names.py - does every rule of RFC 5280 4.2.1.10 bind, and nothing more?

One CA with constraints and one leaf in each row; then, who is bound by whom.
"""

import itertools
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import pki  # noqa: E402
import question  # noqa: E402
from pki import (CA, dirname, dns, explicit, ia5, ip, oid, othername, rfc822,  # noqa: E402
                 seq, smtputf8, tlv, upn, uri, utf8)

ROWS = question.Rows()
ROOT = CA("Root")
CA_KEY, LEAF_KEY = pki.new_key(), pki.new_key()
ORG = [("C", "CH"), ("O", "Org")]
CN = [("CN", "x")]


def mails(values):
    return [rfc822(v) for v in values]


def row(name, expect, permitted, excluded, san, subject=CN):
    ca = CA("Constrained", ROOT, key=CA_KEY, permitted=permitted, excluded=excluded)
    leaf = ca.leaf(subject=subject, san=san, key=LEAF_KEY)
    ROWS.add(name, expect, leaf, ROOT, ca,
             reason="name-constraints" if expect == "reject" else "ok")


def form(name, expect, der, san, reason=None, critical=True):
    ca = CA("Constrained", ROOT, key=CA_KEY, extensions=[("name_constraints", critical, der)])
    ROWS.add(name, expect, ca.leaf("x", san=san, key=LEAF_KEY), ROOT, ca, reason=reason)


# ------------------------------------------------------------------------ mail

for _name, _expect, _permitted, _excluded, _names in [
        ("host-in", "accept", ["example.com"], [], ["a@example.com"]),
        ("host-below", "reject", ["example.com"], [], ["a@sub.example.com"]),
        ("host-suffix", "reject", ["example.com"], [], ["a@badexample.com"]),
        ("domain-below", "accept", [".example.com"], [], ["a@s.example.com"]),
        ("domain-deep", "accept", [".example.com"], [], ["a@t.s.example.com"]),
        ("domain-itself", "reject", [".example.com"], [], ["a@example.com"]),
        ("box", "accept", ["a@example.com"], [], ["a@example.com"]),
        ("box-host-case", "accept", ["a@EXAMPLE.com"], [], ["a@example.COM"]),
        ("box-local-case", "reject", ["A@example.com"], [], ["a@example.com"]),
        ("box-other", "reject", ["b@example.com"], [], ["a@example.com"]),
        ("not-host", "reject", [], ["example.com"], ["a@example.com"]),
        ("not-host-below", "accept", [], ["example.com"], ["a@s.example.com"]),
        ("not-domain", "reject", [], [".example.com"], ["a@s.example.com"]),
        ("not-domain-itself", "accept", [], [".example.com"], ["a@example.com"]),
        ("not-box", "reject", [], ["a@example.com"], ["a@example.com"]),
        ("not-box-other", "accept", [], ["b@example.com"], ["a@example.com"]),
        ("both", "reject", ["example.com"], ["a@example.com"], ["a@example.com"]),
        ("both-other", "accept", ["example.com"], ["a@example.com"], ["b@example.com"]),
        ("one-of-two", "reject", ["example.com"], [], ["a@example.com", "a@other.com"]),
        ("two-of-two", "accept", ["example.com", "other.com"], [],
         ["a@example.com", "a@other.com"]),
        ("octets", "accept", ["example.com"], [], ["a+b.c_d-e'f=g!#$%&*/?^`{|}~@example.com"]),
        ("literal", "reject", ["example.com"], [], ["a@[192.0.2.1]"]),
        ("literal-permitted", "reject", ["[192.0.2.1]"], [], ["a@[192.0.2.1]"]),
        ("line-end", "reject", ["example.com"], [], ["a\r\n@example.com"]),
        ("tab", "reject", ["example.com"], [], ["a\t@example.com"]),
        ("comma", "reject", ["example.com"], [], ["a,b@example.com"]),
        ("underscore", "accept", ["ex_ample.com"], [], ["a@ex_ample.com"]),
        ("base-no-local", "reject", ["@example.com"], [], ["a@example.com"]),
        ("base-space", "reject", [" example.com"], [], ["a@example.com"]),
        ("base-star", "reject", ["*.example.com"], [], ["a@s.example.com"]),
        ("not-base-star", "reject", [], ["*.example.com"], ["a@s.example.com"]),
        ("not-base-space", "reject", [], ["exa mple.com"], ["a@other.com"]),
        ("base-dot", "reject", ["."], [], ["a@other.com"]),
        ("base-last-dot", "reject", ["example.com."], [], ["a@example.com"]),
        ("label-64", "reject", [".example.com"], [], ["a@" + "x" * 64 + ".example.com"]),
        ("host-270", "reject", [".example.com"], [], ["a@" + "x." * 130 + "example.com"])]:
    row("mail-" + _name, _expect, mails(_permitted), mails(_excluded), mails(_names))

row("mail-none", "accept", [rfc822("example.com")], [], [dns("foo.example")])
for _name, _expect, _permitted, _excluded, _box in [
        ("in", "accept", ["example.com"], [], "\u00e4@example.com"),
        ("out", "reject", ["example.com"], [], "\u00e4@other.com"),
        ("not", "reject", [], ["example.com"], "\u00e4@example.com"),
        ("not-case", "reject", [], ["example.com"], "\u00e4@EXAMPLE.com"),
        ("domain", "accept", [".example.com"], [], "\u00e4@s.example.com"),
        ("a-label", "accept", [".xn--bcher-kva.example"], [], "\u00e4@s.xn--bcher-kva.example"),
        ("u-label", "reject", ["xn--bcher-kva.example"], [], "\u00e4@b\u00fccher.example"),
        ("not-u-label", "reject", [], ["xn--bcher-kva.example"], "\u00e4@b\u00fccher.example"),
        ("ascii", "accept", ["example.com"], [], "a@example.com"),
        ("box", "accept", ["a@example.com"], [], "a@example.com"),
        ("box-other", "reject", ["a@example.com"], [], "\u00e4@example.com"),
        ("two-at", "reject", ["example.com"], [], "\u00e4@evil@example.com")]:
    row("utf8-" + _name, _expect, mails(_permitted), mails(_excluded), [smtputf8(_box)])
row("utf8-no-mail-constraint", "accept", [dns("x.example")], [], [smtputf8("\u00e4@b\u00fc.ch")])
row("utf8-base", "reject", [smtputf8("\u00e4@a.ch")], [], [smtputf8("\u00e4@a.ch")])
row("utf8-base-unused", "accept", [smtputf8("\u00e4@a.ch")], [], [rfc822("a@a.ch")])
for _name, _raw in [("nul", b"a\0@example.com"), ("invalid", b"\xff@example.com"),
                    ("overlong", b"\xc0\x80@example.com")]:
    row("utf8-" + _name, "reject", mails(["example.com"]), [],
        [othername("smtputf8", tlv(12, _raw))])

for _name, _expect, _excluded, _san, _subject in [
        ("out", "reject", [], [], CN + [("emailAddress", "a@other.com")]),
        ("in", "accept", [], [], CN + [("emailAddress", "a@example.com")]),
        ("beside-san", "reject", [], ["a@example.com"], CN + [("emailAddress", "a@other.com")]),
        ("multi-valued", "reject", [], [], [CN + [("emailAddress", "a@other.com")]]),
        ("second", "reject", [], [],
         [("emailAddress", "a@example.com"), ("emailAddress", "a@other.com")])]:
    row("mail-subject-" + _name, _expect, mails(["example.com"]), mails(_excluded),
        mails(_san), _subject)
row("mail-subject-not", "reject", [], mails(["other.com"]), [],
    CN + [("emailAddress", "a@other.com")])

# ------------------------------------------------------------------- DNS and URI

for _name, _expect, _permitted, _excluded, _host in [
        ("itself", "accept", ["example.com"], [], "example.com"),
        ("below", "accept", ["example.com"], [], "a.b.example.com"),
        ("suffix", "reject", ["example.com"], [], "badexample.com"),
        ("above", "reject", ["a.example.com"], [], "example.com"),
        ("top-level", "accept", ["com"], [], "example.com"),
        ("all", "accept", [""], [], "example.com"),
        ("not-all", "reject", [], [""], "example.com"),
        ("star", "accept", ["example.com"], [], "*.example.com"),
        ("star-wider", "reject", ["a.example.com"], [], "*.example.com"),
        ("not-star", "reject", [], ["a.example.com"], "*.example.com"),
        ("not-star-parent", "reject", [], ["example.com"], "*.example.com"),
        ("not-star-dotted", "reject", [], [".example.com"], "*.example.com"),
        ("star-dotted", "accept", [".example.com"], [], "*.example.com"),
        ("star-inside", "reject", ["example.com"], [], "a.*.example.com"),
        ("star-part", "reject", ["example.com"], [], "a*.example.com"),
        ("star-alone", "reject", [], ["example.com"], "*"),
        ("a-label-case", "accept", ["XN--BCHER-KVA.example"], [], "a.xn--bcher-kva.EXAMPLE"),
        ("space", "reject", ["example.com"], [], " example.com"),
        ("address", "reject", ["example.com"], [], "192.0.2.1"),
        ("nul", "reject", ["example.com"], [], "evil.com\0.example.com"),
        ("not-case", "reject", [], ["EXAMPLE.com"], "example.COM"),
        ("not-last-dot", "reject", [], ["example.com"], "example.com."),
        ("not-base-last-dot", "reject", [], ["example.com."], "example.com"),
        ("port", "reject", ["example.com"], [], "example.com:443"),
        ("base-star", "reject", ["*.example.com"], [], "a.example.com"),
        ("not-base-star", "reject", [], ["*.example.com"], "a.example.com")]:
    row("dns-" + _name, _expect, [dns(v) for v in _permitted], [dns(v) for v in _excluded],
        [dns(_host)])
row("dns-common-name", "accept", [dns("example.com")], [], [], [("CN", "www.other.com")])

for _name, _expect, _permitted, _excluded, _uri in [
        ("host", "accept", ["example.com"], [], "http://example.com/x"),
        ("host-below", "reject", ["example.com"], [], "http://a.example.com/x"),
        ("domain", "accept", [".example.com"], [], "http://a.b.example.com"),
        ("domain-itself", "reject", [".example.com"], [], "http://example.com"),
        ("case", "accept", ["EXAMPLE.com"], [], "HTTP://example.COM"),
        ("port", "accept", ["example.com"], [], "http://example.com:80/"),
        ("port-empty", "accept", ["example.com"], [], "http://example.com:/"),
        ("user", "accept", ["example.com"], [], "http://u@example.com/"),
        ("user-host", "reject", ["example.com"], [], "http://example.com@evil.com/"),
        ("user-port", "reject", ["example.com"], [], "http://example.com:80@evil.com/"),
        ("fragment", "reject", ["example.com"], [], "http://evil.com#@example.com/"),
        ("query", "reject", ["example.com"], [], "http://evil.com?@example.com/"),
        ("backslash", "reject", ["example.com"], [], "http://evil.com\\@example.com/"),
        ("address", "reject", ["192.0.2.1"], [], "http://192.0.2.1/"),
        ("not-address", "reject", [], ["example.com"], "http://192.0.2.1/"),
        ("address-6", "reject", ["example.com"], [], "http://[::1]/"),
        ("urn", "reject", ["example.com"], [], "urn:x:y"),
        ("not-urn", "reject", [], ["example.com"], "urn:x:y"),
        ("mailto", "reject", ["example.com"], [], "mailto:a@example.com"),
        ("no-scheme", "reject", ["example.com"], [], "//example.com"),
        ("scheme-digit", "reject", ["example.com"], [], "1http://example.com/"),
        ("empty", "reject", ["example.com"], [], ""),
        ("last-dot", "accept", ["example.com"], [], "http://example.com./"),
        ("not-last-dot", "reject", [], ["example.com"], "http://example.com./"),
        ("not", "reject", [], [".example.com"], "http://a.example.com/"),
        ("base-is-uri", "reject", ["http://example.com"], [], "http://example.com/"),
        ("base-empty", "reject", [""], [], "http://example.com/"),
        ("percent", "reject", ["example.com"], [], "http://ex%61mple.com/")]:
    row("uri-" + _name, _expect, [uri(v) for v in _permitted], [uri(v) for v in _excluded],
        [uri(_uri)])

# ------------------------------------------------------------ addresses, directory

for _name, _expect, _permitted, _excluded, _address in [
        ("in", "accept", ["10.0.0.0/8"], [], "10.1.2.3"),
        ("out", "reject", ["10.0.0.0/8"], [], "11.1.2.3"),
        ("not", "reject", [], ["10.0.0.0/8"], "10.1.2.3"),
        ("other-family", "reject", ["10.0.0.0/8"], [], "::1"),
        ("not-other-family", "accept", [], ["10.0.0.0/8"], "::1"),
        ("mapped", "reject", ["10.0.0.0/8"], [], "::ffff:10.1.2.3"),
        ("all", "accept", ["0.0.0.0/0"], [], "192.0.2.1"),
        ("not-all", "reject", [], ["0.0.0.0/0"], "192.0.2.1"),
        ("not-all-6", "accept", [], ["::/0"], "192.0.2.1"),
        ("host", "accept", ["192.0.2.1/32"], [], "192.0.2.1"),
        ("base-host-bits", "accept", [b"\x0a\1\2\3\xff\0\0\0"], [], "10.9.9.9"),
        ("base-address", "reject", [b"\x0a\0\0\1"], [], "10.0.0.1"),
        ("base-hole", "reject", [b"\x0a\0\0\0\xff\0\xff\0"], [], "10.0.0.1"),
        ("five-octets", "reject", ["10.0.0.0/8"], [], b"\x0a\0\0\1\0"),
        ("eight-octets", "reject", ["10.0.0.0/8"], [], b"\x0a\0\0\1\xff\0\0\0")]:
    row("ip-" + _name, _expect, [ip(v) for v in _permitted], [ip(v) for v in _excluded],
        [ip(_address)])

for _name, _expect, _permitted, _excluded, _subject in [
        ("in", "accept", [ORG], [], ORG + CN),
        ("itself", "accept", [ORG], [], ORG),
        ("out", "reject", [ORG], [], [("C", "CH"), ("O", "Org2")] + CN),
        ("shorter", "reject", [ORG], [], [("C", "CH")]),
        ("order", "reject", [ORG], [], [("O", "Org"), ("C", "CH")] + CN),
        ("no-prefix", "reject", [[("O", "Org")]], [], ORG + CN),
        ("case", "accept", [ORG], [], [("C", "ch"), ("O", "ORG")]),
        ("space", "accept", [[("O", "A B")]], [], [("O", " a   b ")]),
        ("types", "accept", [[("O", (0x13, b"Org"))]], [],
         [("O", (0x1E, "ORG".encode("utf-16-be")))]),
        ("not", "reject", [], [ORG], ORG + CN),
        ("not-case", "reject", [], [ORG], [("C", "ch"), ("O", "ORG")] + CN),
        ("not-types", "reject", [], [[("O", (0x13, b"Org"))]], [("O", (0x14, b"ORG"))]),
        ("not-all", "reject", [], [[]], CN), ("all", "accept", [[]], [], CN),
        ("multi-valued", "accept", [[[("O", "Org"), ("OU", "U")]]], [],
         [[("OU", "u"), ("O", "org")], ("CN", "x")]),
        ("multi-valued-part", "reject", [[[("O", "Org")]]], [],
         [[("O", "org"), ("OU", "u")], ("CN", "x")])]:
    row("directory-" + _name, _expect, [dirname(v) for v in _permitted],
        [dirname(v) for v in _excluded], [], _subject)
row("directory-san", "reject", [dirname(ORG)], [], [dirname([("O", "Z")])], ORG + CN)
row("directory-no-subject", "accept", [dirname(ORG)], [], mails(["a@b.example"]), [])

# ------------------------------------------------------------- other kinds, forms

RID = tlv(0x88, oid("1.2.3")[2:])
X400 = tlv(0xA3, seq())
EDI = tlv(0xA5, tlv(0xA1, utf8("x")))
row("rid", "reject", [RID], [], [RID])
row("rid-not", "reject", [], [RID], [RID])
row("rid-unused", "accept", [], [RID], mails(["a@b.example"]))
row("x400", "reject", [X400], [], [X400])
row("edi", "reject", [EDI], [], [EDI])
row("upn", "reject", [upn("a@b")], [], [upn("a@b")])
row("other-oid", "accept", [othername("1.2.3.4", utf8("a"))], [], [upn("a@b")])

TREE = seq(dns("example.com"))
IN, OUT = [dns("example.com")], [dns("other.com")]
form("form-empty", "reject", seq(), IN, "bad-extension")
form("form-empty-list", "reject", seq(tlv(0xA0)), IN, "bad-extension")
form("form-trailing", "reject", seq(explicit(0, TREE)) + b"\5\0", IN, "bad-extension")
form("form-other-tag", "reject", seq(explicit(0, TREE), explicit(2, TREE)), IN, "bad-extension")
form("form-order", "reject", seq(explicit(1, TREE), explicit(0, TREE)), IN, "bad-extension")
form("not-critical-out", "reject", seq(explicit(0, TREE)), OUT, "name-constraints", False)
form("not-critical-in", "accept", seq(explicit(0, TREE)), IN, None, False)
form("minimum", "reject", seq(explicit(0, seq(IN[0], tlv(0x80, b"\1")))), IN, "name-constraints")
form("minimum-unused", "accept", seq(explicit(0, seq(IN[0], tlv(0x80, b"\1")))), [])
form("maximum", "reject", seq(explicit(0, seq(IN[0], tlv(0x81, b"\3")))), IN, "name-constraints")
form("no-base", "reject", seq(explicit(0, seq())), IN)
form("base-not-ascii", "reject", seq(explicit(0, seq(dns("b\u00fc.com")))), IN)
form("base-in-pieces", "reject", seq(explicit(1, seq(explicit(2, ia5("example.com"))))), IN)

# --------------------------------------------- two kinds, each permitted or excluded

# A DNS name and an address in the leaf, permitted and excluded trees of each kind: none,
# the good one or the bad one. Every eighth of the 729; one kind never binds the other.
PAIRS = [(dns("good.example"), dns("bad.example")),
         (ip("10.1.2.3"), ip("192.0.2.1"))]
TREES = [(dns("good.example"), dns("bad.example")),
         (ip("10.0.0.0/8"), ip("192.0.2.0/24"))]


def fits(name, permitted, excluded):
    return name == 0 or (permitted in (0, name) and excluded != name)


def chosen(of, *which):
    return [of[kind][w - 1] for kind, w in enumerate(which) if w > 0]


for _n, (_d, _i, _pd, _pi, _xd, _xi) in enumerate(itertools.product(range(3), repeat=6)):
    if _n % 8 == 1 and (_pd, _pi, _xd, _xi) != (0, 0, 0, 0):
        row("table-%d" % _n, "accept" if fits(_d, _pd, _xd) and fits(_i, _pi, _xi)
            else "reject", chosen(TREES, _pd, _pi), chosen(TREES, _xd, _xi),
            chosen(PAIRS, _d, _i))

# ------------------------------------------------------------------ who is bound


def bound(name, expect, leaf, roots, inter=()):
    ROWS.add(name, expect, leaf, roots, inter,
             reason="name-constraints" if expect == "reject" else "ok")


def bounds():
    top = CA("Constrained root", permitted=mails(["example.com"]))
    ca = CA("Below", top)
    bound("by-anchor", "reject", ca.leaf("x", email="a@other.com"), top, ca)
    bound("by-anchor-in", "accept", ca.leaf("x", email="a@example.com"), top, ca)
    bound("by-anchor-itself", "reject", top.leaf("x", email="a@other.com"), top)
    person = ORG + [("CN", "Alice")]
    org = CA(ORG + [("CN", "CA")], ROOT, permitted=[dirname(ORG)])
    other = CA([("O", "Other")], org)
    bound("intermediate", "reject", other.leaf(subject=person), ROOT, [org, other])
    old = CA(ORG + [("CN", "Rolling")], ROOT, permitted=[dirname([("O", "Else")])])
    new = CA(ORG + [("CN", "Rolling")], old)
    bound("self-issued", "accept", new.leaf(subject=[("O", "Else")] + CN), ROOT, [old, new])
    bound("self-issued-leaf", "reject", old.leaf(subject=ORG + [("CN", "Rolling")]), ROOT, old)
    a = CA("A", ROOT, permitted=mails(["example.com", "other.com"]))
    b = CA("B", a, permitted=mails(["other.com", "third.com"]))
    for host, expect in (("other.com", "accept"), ("example.com", "reject"),
                         ("third.com", "reject")):
        bound("both-cas-" + host, expect, b.leaf("x", email="a@" + host), ROOT, [a, b])
    narrow = CA("Narrow", ROOT, permitted=[dns("example.com")])
    wide = CA("Wide", narrow, permitted=[dns("other.com")])
    bound("no-widening", "reject", wide.leaf("x", dns="other.com"), ROOT, [narrow, wide])
    named = CA("Named", narrow, extensions=[("san", False, seq(dns("evil.example")))])
    bound("intermediate-san", "reject", named.leaf("x", dns="a.example.com"), ROOT,
          [narrow, named])
    own = CA("Own", permitted=[dns("example.com")],
             extensions=[("san", False, seq(dns("evil.example")))])
    bound("anchor-san", "accept", own.leaf("x", dns="a.example.com"), own)


bounds()
test_rows = ROWS.test()
