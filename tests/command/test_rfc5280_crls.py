"""
test_rfc5280_crls.py - which list speaks of which certificate? RFC 5280 5 and 6.3.

Hard fail throughout: what no valid, fresh list of the right issuer and scope says is
"revocation-unknown", never good. Delta and indirect lists have their cases below
tests/cases/revocation.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import pki  # noqa: E402
import question  # noqa: E402
from pki import CA, boolean, dirname, extension, idp_der, null, seq, tampered, tlv  # noqa: E402

ROWS = question.Rows()
KEY = pki.new_key()
ROOT = CA("Root")
ISSUING = CA("Issuing", ROOT)
LEAF = ISSUING.leaf("Leaf", key=KEY)
OTHER = ISSUING.leaf("Other", key=KEY)
GOOD, TOP = ISSUING.crl([]), ROOT.crl([])


def row(name, expect, crls, leaf=LEAF, roots=ROOT, inter=ISSUING, check="leaf"):
    """`expect`: "accept", or the reason."""
    ROWS.add(name, "accept" if expect == "accept" else "reject", leaf, roots, inter, crls=crls,
             args=["--revocation", check], reason="ok" if expect == "accept" else expect)


UNKNOWN = "revocation-unknown"

# ------------------------------------------------------------------ who and whether

row("good", "accept", GOOD)
row("chain", "accept", [GOOD, TOP], check="chain")
row("chain-no-root-list", UNKNOWN, GOOD, check="chain")
row("chain-no-issuing-list", UNKNOWN, TOP, check="chain")
row("no-list", UNKNOWN, [])
row("unasked", "accept", ISSUING.crl([LEAF]), check="none")
row("revoked", "revoked", ISSUING.crl([LEAF]))
row("other-revoked", "accept", ISSUING.crl([OTHER]))
row("on-hold", "on-hold", ISSUING.crl([(LEAF, "-1h", "certificateHold")]))
row("issuer-revoked", "issuer-revoked", [GOOD, ROOT.crl([ISSUING])], check="chain")
row("issuer-revoked-unasked", "accept", [GOOD, ROOT.crl([ISSUING])])
row("date-to-come", "revoked", ISSUING.crl([(LEAF, "+1h", None)]))
row("twice", "revoked", ISSUING.crl([OTHER, LEAF, OTHER, LEAF]))
row("anchor-is-intermediate", "accept", GOOD, roots=ISSUING, inter=[], check="chain")
for _name, _serial, _listed, _expect in [
        ("prefix", LEAF.serial, LEAF.serial >> 8, "accept"),
        ("minus", LEAF.serial, -LEAF.serial, "accept"),
        ("high-bit", 0x80, 0x80, "revoked"), ("high-bit-minus", 0x80, -0x80, "accept"),
        ("negative", -5, -5, "revoked"), ("negative-plus", -5, 5, "accept"),
        ("zero", 0, 0, "revoked")]:
    row("serial-" + _name, _expect, ISSUING.crl([_listed]),
        ISSUING.leaf("z", key=KEY, serial=_serial))

# -------------------------------------------------------------------------- dates

OLD = dict(this_update="-10d", next_update="-5d")
row("stale", "revocation-stale", ISSUING.crl([], **OLD))
row("stale-revoked", "revoked", ISSUING.crl([LEAF], **OLD))
row("stale-one-second", "revocation-stale", ISSUING.crl([], this_update="-1d", next_update="-1s"))
row("first-second", "accept", ISSUING.crl([], this_update="0s"))
row("to-come", "revocation-stale", ISSUING.crl([], this_update="+1h", next_update="+2h"))
row("no-next", "revocation-stale", ISSUING.crl([], next_update=None))
row("no-next-revoked", "revoked", ISSUING.crl([LEAF], next_update=None))
row("newer-revokes", "revoked",
    [ISSUING.crl([], number=1, this_update="-2h"), ISSUING.crl([LEAF], number=2)])
row("newer-revokes-first", "revoked",
    [ISSUING.crl([LEAF], number=2), ISSUING.crl([], number=1, this_update="-2h")])
row("newer-releases", "accept",
    [ISSUING.crl([LEAF], number=1, this_update="-2h"), ISSUING.crl([], number=2)])

# ------------------------------------------------------------------------ signers

TWIN = CA("Issuing", ROOT)
row("twin", UNKNOWN, TWIN.crl([]))
row("twin-no-id", UNKNOWN, TWIN.crl([], aki=False))
row("twin-beside", "accept", [TWIN.crl([LEAF]), GOOD])
row("twin-vouched", "accept", TWIN.crl([]), inter=[ISSUING, TWIN])
for _name, _more in [("sha1", dict(digest="sha1")), ("rsa-1024", dict(key=pki.new_key("rsa1024"))),
                     ("expired", dict(not_before="2020-01-01", not_after="2021-01-01"))]:
    _twin = CA("Issuing", ROOT, **_more)
    row("twin-vouched-" + _name, UNKNOWN, _twin.crl([]), inter=[ISSUING, _twin])
row("forged", UNKNOWN, tampered(GOOD))
row("other-issuer", UNKNOWN, TOP)
row("root-for-issuing", UNKNOWN, ROOT.crl([], issuer_name=ISSUING.subject))
SILENT, PLAIN = CA("Silent", ROOT, ku=("keyCertSign",)), CA("Plain", ROOT, ku=None)
row("no-crl-sign", UNKNOWN, SILENT.crl([]), SILENT.leaf("x", key=KEY), inter=SILENT)
row("no-key-usage", "accept", PLAIN.crl([]), PLAIN.leaf("x", key=KEY), inter=PLAIN)
row("signer-renewed", "accept", GOOD, inter=[ISSUING, CA(
    "Issuing", ROOT, key=ISSUING.key, not_before="2020-01-01", not_after="2021-01-01")])
row("no-key-id", "accept", ISSUING.crl([], aki=False))
row("sha1", UNKNOWN, ISSUING.crl([], digest="sha1"))

# ------------------------------------------------------------------------- scopes

for _name, _expect, _der in [
        ("users", "accept", idp_der(user_only=True)), ("cas", UNKNOWN, idp_der(ca_only=True)),
        ("attributes", UNKNOWN, seq(tlv(0x85, b"\xff"))),
        ("point", UNKNOWN, idp_der("http://x/a")),
        ("both", UNKNOWN, idp_der(user_only=True, ca_only=True)),
        ("none", UNKNOWN, seq()), ("other", UNKNOWN, null()),
        ("behind", UNKNOWN, idp_der(user_only=True) + b"\0")]:
    row("scope-" + _name, _expect, ISSUING.crl([], idp=_der))
for _name, _expect, _der in [
        ("users", "accept", idp_der(user_only=True)), ("cas", UNKNOWN, idp_der(ca_only=True)),
        ("point", UNKNOWN, idp_der("http://x/a"))]:
    row("scope-not-critical-" + _name, _expect, ISSUING.crl([], idp=_der, critical_idp=False))
row("scope-users-revoked", "revoked", ISSUING.crl([LEAF], idp=idp_der(user_only=True)))
row("scope-cas-of-ca", "accept", [GOOD, ROOT.crl([], idp=idp_der(ca_only=True))], check="chain")
row("scope-users-of-ca", UNKNOWN, [GOOD, ROOT.crl([], idp=idp_der(user_only=True))], check="chain")
for _name, _expect, _points in [
        ("one", "accept", ["http://x/a"]), ("second", "accept", ["http://x/b", "http://x/a"]),
        ("other", UNKNOWN, ["http://x/c"]), ("case", UNKNOWN, ["http://x/A"])]:
    _leaf = ISSUING.leaf("D", key=KEY, crldp=_points)
    row("point-" + _name, _expect, ISSUING.crl([], idp=idp_der("http://x/a")), _leaf)
    row("point-%s-full" % _name, "accept", GOOD, _leaf)

# -------------------------------------------------------------- lists and entries

row("critical", UNKNOWN, ISSUING.crl([], extensions=[("1.2.3.4", True, null())]))
row("not-critical", "accept", ISSUING.crl([], extensions=[("1.2.3.4", False, null())]))
CRITICAL = extension("1.2.3.4", True, null())
row("entry-not-critical", "revoked", ISSUING.crl(
    [(LEAF, "-1h", None, [extension("1.2.3.4", False, null())])]))
row("entry-invalidity", "revoked", ISSUING.crl(
    [(LEAF, "-1h", None, [extension("2.5.29.24", False, tlv(0x18, b"20200101000000Z"))])]))
for _name, _entry in [
        ("critical", (LEAF, "-1h", None, [CRITICAL])),
        ("critical-other", (OTHER, "-1h", None, [CRITICAL])),
        ("issuer", (LEAF, "-1h", None, [extension("2.5.29.29", True, seq(dirname("No")))])),
        ("reason-99", (LEAF, "-1h", 99)), ("reason-7", (LEAF, "-1h", 7))]:
    ROWS.add("entry-" + _name, "reject", LEAF, ROOT, ISSUING, crls=ISSUING.crl([_entry]),
             args=["--revocation", "leaf"])
row("no-number", "accept", ISSUING.crl([], number=None))
row("large-number", "accept", ISSUING.crl([], number=2**150))
row("v1", "accept", ISSUING.crl([], version=1))
row("v1-revoked", "revoked", ISSUING.crl([LEAF], version=1))
row("delta-alone", UNKNOWN, ISSUING.crl([], delta=1))
row("junk", UNKNOWN, b"not a list")
row("junk-beside", "accept", [b"junk", GOOD])
row("bundle", "accept", TOP.pem + GOOD.pem, check="chain")
row("der", "accept", GOOD.der)
row("der-behind", UNKNOWN, GOOD.der + b"\0")
row("called-certificate", UNKNOWN, GOOD.pem.replace(b"X509 CRL", b"CERTIFICATE"))
row("false-written", UNKNOWN, ISSUING.crl([], idp=seq(tlv(0x81, boolean(False)[2:]))))

test_rows = ROWS.test()
