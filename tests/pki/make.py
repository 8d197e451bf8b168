#!/usr/bin/python3
"""
make.py - the recipe of every certificate in this folder.

Run by hand when a case needs a new one: `tests/pki/make.py [SCENARIO...]` makes the
named scenarios (functions below) anew, all of them without a name. The results are
checked in; the tests never run this. The clock of all cases is 2026-03-01T12:00:00Z.
"""

import inspect
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

import pki  # noqa: E402
from pki import CA, Cert, write_pem  # noqa: E402

NOW = "2026-03-01T12:00:00Z"
LIFE = dict(not_before="2026-01-01", not_after="2027-01-01")
BOTH = ["clientAuth", "emailProtection"]


class Folder:
    """Writes into one scenario's folder."""

    def __init__(self, name):
        self.path = os.path.join(HERE, name)
        shutil.rmtree(self.path, ignore_errors=True)
        os.makedirs(self.path)

    def put(self, base, cert, chain=()):
        cert.write(self.path, base, chain)
        # Nobody's secrets: whoever runs the tests must be able to read them.
        for end in (".pem", ".key"):
            if os.path.exists(os.path.join(self.path, base + end)):
                os.chmod(os.path.join(self.path, base + end), 0o644)
        return cert

    def ca(self, base, name, issuer=None, **more):
        return self.put(base, CA(name, issuer, **more))

    def leaf(self, base, ca, cn=None, **more):
        more = dict(LIFE, **more)
        if "email" not in more and "san" not in more and "replace" not in more:
            more["email"] = "alice@example.com"
        return self.put(base, ca.leaf(cn or base, **more))

    def crl(self, base, ca, revoked=(), number=1, this_update="2026-02-28",
            next_update="2026-03-07", **more):
        crl = ca.crl(revoked, number, this_update=this_update, next_update=next_update, **more)
        crl.write(os.path.join(self.path, base + ".crl"))
        return crl

    def bytes(self, name, data):
        with open(os.path.join(self.path, name), "wb") as f:
            f.write(data)

    def tree(self, **more):
        """A root and one issuing CA."""
        title = os.path.basename(self.path)
        root = self.ca("root", "Root " + title)
        return root, self.ca("issuing", "Issuing CA " + title, root,
                             **dict(dict(eku=BOTH), **more))


# ------------------------------------------------------------------ scenarios


def two_level(f):
    """The common shape, with every sort of CRL."""
    root, ca = f.tree(pathlen=0)
    alice = f.leaf("alice", ca, "Alice Example", upn="alice@corp.example",
                   uri="https://id.example/alice", dns="alice.example")
    f.leaf("bob", ca, "Bob Example", email="bob@example.com")
    gone = ("2026-02-20T10:00:00Z", "keyCompromise")
    f.crl("root", root, next_update="2026-12-01")
    f.crl("issuing", ca)
    f.crl("revoked-alice", ca, [(alice, *gone), 77], number=2)
    f.crl("revoked-many", ca, [*range(1000, 3000), (alice, *gone), *range(5000, 7000)], number=2)
    f.crl("hold-alice", ca, [(alice, "2026-02-20", "certificateHold")], number=2)
    f.crl("lifted", ca, [], number=3, this_update="2026-03-01")
    f.crl("removed-alice", ca, [(alice, "2026-02-20", "removeFromCRL")], number=4)
    f.crl("number-same-later", ca, [(alice, *gone)], this_update="2026-03-01T06:00:00Z")
    f.crl("number-lower-later", ca, [(alice, *gone)], number=0,
          this_update="2026-03-01T06:00:00Z")
    f.crl("revoked-issuing", root, [(ca, "2026-02-20", "cACompromise")], number=2,
          next_update="2026-12-01")
    f.crl("stale", ca, this_update="2026-02-20", next_update="2026-02-27T12:00:00Z")
    f.crl("very-stale", ca, this_update="2026-01-01", next_update="2026-01-08")
    f.crl("very-stale-revoked", ca, [(alice, "2025-12-20", "keyCompromise")],
          this_update="2026-01-01", next_update="2026-01-08")
    f.crl("future", ca, number=50, this_update="2026-04-01", next_update="2026-04-08")
    f.crl("no-next-update", ca, next_update=None)
    f.crl("user-only", ca, idp=pki.idp_der(user_only=True))
    f.crl("ca-only", ca, idp=pki.idp_der(ca_only=True))
    f.crl("other-partition", ca, idp=pki.idp_der("http://crl.example/7.crl"))
    f.crl("some-reasons", ca, idp=pki.idp_der(reasons=b"\x06\x40"))
    f.crl("indirect", ca, idp=pki.idp_der(indirect=True))
    f.crl("delta", ca, number=9, delta=1)
    f.crl("critical", ca, extensions=[("1.2.3.4.5", True, pki.null())])
    f.crl("sha1", ca, digest="sha1")
    pki.tampered(ca.crl(number=5, this_update="2026-02-28", next_update="2026-03-07")
                 ).write(os.path.join(f.path, "tampered.crl"))
    # The CA's next key, its certificate, and a false one of that name.
    twin = f.ca("rekeyed", "Issuing CA " + os.path.basename(f.path), root, eku=BOTH)
    f.crl("other-key", twin, number=6)
    f.crl("other-key-revoked", twin, [(alice, *gone)], number=7)
    false = f.ca("rekeyed-false", "Issuing CA " + os.path.basename(f.path),
                 f.ca("false-root", "False Root"), eku=BOTH)
    f.crl("false-key", false, number=8)
    f.crl("false-key-revoked", false, [(alice, *gone)], number=9)
    f.crl("root-revoked-rekeyed", root, [(twin, "2026-02-20", "keyCompromise")], number=3,
          next_update="2026-12-01")
    f.crl("alien", CA("Somebody Else"), [alice], number=7)
    f.bytes("garbage.crl", b"-----BEGIN X509 CRL-----\nbm90IGEgQ1JM\n-----END X509 CRL-----\n")
    f.bytes("cut.crl", ca.crl(number=8, this_update="2026-02-28",
                              next_update="2026-03-07").der[:-9])
    part = f.leaf("part", ca, "Part", crldp=["http://crl.example/1.crl",
                                            "http://crl.example/2.crl"])
    f.crl("partition-1", ca, idp=pki.idp_der("http://crl.example/1.crl"))
    f.crl("partition-2", ca, [(part, *gone)], idp=pki.idp_der("http://crl.example/2.crl"))
    f.crl("partition-9", ca, idp=pki.idp_der("http://crl.example/9.crl"))
    nosign = f.ca("no-crl-sign", "CA without cRLSign", root, ku=["keyCertSign"])
    f.leaf("no-crl-sign-leaf", nosign)
    f.crl("no-crl-sign", nosign)
    deep = f.ca("sub", "Sub CA", f.ca("mid", "Middle CA", root), eku=BOTH)
    f.leaf("deep", deep)
    f.crl("sub", deep)


def ocsp(f):
    """OCSP responses: right ones, and every way of being wrong."""
    root, ca = f.tree(pathlen=0)
    alice = f.leaf("alice", ca, "Alice Example")
    bob = f.leaf("bob", ca, "Bob Example")
    f.crl("root", root, next_update="2026-12-01")
    f.crl("issuing", ca)
    f.crl("issuing-stale", ca, this_update="2026-02-01", next_update="2026-02-08")
    f.crl("issuing-hold", ca, [(alice, "2026-02-20", "certificateHold")])
    f.crl("issuing-revoked", ca, [(alice, "2026-02-20", "keyCompromise")])
    signing = dict(eku=["OCSPSigning"], ku=["digitalSignature"], email=None)
    nocheck = ("1.3.6.1.5.5.7.48.1.5", False, pki.null())

    def delegate(cn, issuer=ca, **more):
        more = dict(LIFE, **dict(dict(signing, extensions=[nocheck]), **more))
        return issuer.leaf(cn, **more)

    def put(name, *singles, signer=ca, **more):
        pki.ocsp(singles, signer, **more).write(os.path.join(f.path, name + ".ocsp"))

    def said(status="good", about=alice, **more):
        return pki.ocsp_single(about, ca, status, **more)

    put("good", said())
    put("good-sha256", said(digest="sha256"))
    put("good-sha384", said(digest="sha384"))
    put("good-md5", said(digest="md5"))
    put("good-by-name", said(), by_key=False)
    put("good-extensions", said(extensions=[("1.3.6.1.5.5.7.48.1.6", False, pki.null())]),
        extensions=[("1.3.6.1.5.5.7.48.1.2", False, pki.octet(b"12345678")),
                    ("1.2.3.4", False, pki.null())])
    put("revoked", said("revoked"))
    put("revoked-no-reason", said("revoked", reason=None))
    put("revoked-stale", said("revoked", this_update="2026-01-01", next_update="2026-01-02"))
    put("hold", said("revoked", reason="certificateHold"))
    put("hold-older", said("revoked", reason="certificateHold", this_update="-3d"))
    put("unknown", said("unknown"))
    put("stale", said(this_update="-10d", next_update="-2d"))
    put("very-stale", said(this_update="-20d", next_update="-10d"))
    put("skew-stale", said(next_update="2026-03-01T11:56:00Z"))
    put("skew-over", said(next_update="2026-03-01T11:54:00Z"))
    put("future", said(this_update="+1h"))
    put("skew-future", said(this_update="2026-03-01T12:04:00Z"))
    put("produced-later", said(), produced="+1h")
    put("no-next", said(this_update="2026-03-01T11:59:00Z", next_update=None))
    put("no-next-old", said(this_update="2026-03-01T11:00:00Z", next_update=None))
    put("ends-before-it-begins", said(this_update="-1h", next_update="-2h"))
    put("other-serial", said(about=bob))
    put("other-name", said(name=root.subject))
    put("other-key", said(key=pki.key_bits(root.spki)))
    put("two-revoked-last", said(), said("revoked"))
    put("two-revoked-first", said("revoked"), said())
    put("two-unknown", said(), said("unknown"))
    put("two-other-revoked", said("revoked", about=bob), said())
    put("two-digests", said(digest="sha256"), said("revoked"))
    put("critical", said(), extensions=[("1.2.3.4", True, pki.null())])
    put("critical-single", said(extensions=[("1.2.3.4", True, pki.null())]))
    put("sha1-signed", said(), digest="sha1")
    put("version", said(), version=pki.explicit(0, pki.integer(0)))
    put("none")
    put("trailing", said(), tail=b"\0")
    put("trailing-inside", said(), inner_tail=b"\x05\0")
    put("malformed-request", status=1)
    put("try-later", status=3)
    put("unauthorized", status=6)
    good = pki.ocsp([said()], ca).der
    f.bytes("tampered.ocsp", good[:-5] + bytes([good[-5] ^ 1]) + good[-4:])
    f.bytes("cut.ocsp", good[:-9])
    f.bytes("html.ocsp", b"<html><head><title>503 Service Unavailable</title></head></html>")
    f.bytes("empty.ocsp", b"")
    f.bytes("huge.ocsp", good + bytes(70000))
    # Whoever signs instead of the CA.
    put("by-root", said(), signer=root)
    put("by-root-as-ca", said(), signer=root, responder=ca)
    put("by-stranger", said(), signer=CA("Issuing CA ocsp"))
    put("revoked-by-stranger", said("revoked"), signer=CA("Issuing CA ocsp"))
    put("by-alice", said(), signer=alice, certs=[alice])
    one = delegate("Responder")
    put("delegate", said(), signer=one, certs=[one])
    put("delegate-by-name", said(), signer=one, certs=[bob, one], by_key=False)
    put("delegate-absent", said(), signer=one)
    put("delegate-revokes", said("revoked"), signer=one, certs=[one])
    for name, more in (
            ("no-eku", dict(eku=["clientAuth"])), ("any-eku", dict(eku=["2.5.29.37.0"])),
            ("expired", dict(not_before="2025-01-01", not_after="2026-02-01")),
            ("not-yet", dict(not_before="2026-04-01", not_after="2027-01-01")),
            ("weak", dict(key="rsa1024")), ("ku", dict(ku=["keyAgreement"])),
            ("critical-extension", dict(extensions=[nocheck, ("1.2.3.4", True, pki.null())])),
            ("by-root", dict(issuer=root)),
            ("other-ca", dict(issuer=CA("Issuing CA ocsp"))),
            ("sha1", dict(digest="sha1"))):
        who = delegate("Responder " + name, **more)
        put("delegate-" + name, said(), signer=who, certs=[who])
    below = CA("Middle ocsp", ca)
    who = delegate("Responder below", below)
    put("delegate-two-steps", said(), signer=who, certs=[who, below])
    check = delegate("Responder checked", extensions=[])
    put("delegate-check", said(), signer=check, certs=[check])
    put("delegate-check-revokes", said("revoked"), signer=check, certs=[check])
    f.crl("issuing-responder-revoked", ca, [(check, "2026-02-20", "keyCompromise"),
                                            (one, "2026-02-20", "keyCompromise")])
    # With places to ask.
    aia = ("aia", False, pki.seq(pki.seq(pki.oid("1.3.6.1.5.5.7.48.1"),
                                         pki.uri("http://ocsp.example/"))))
    f.leaf("asks", ca, "Asks", extensions=[aia])


def trap(f):
    """The GlobalSign cross-certificate trap: one CA key, self-signed and cross-signed."""
    old = f.ca("old-root", "Old Root R3")
    new = f.ca("new-root", "Secure Mail Root R45")
    f.put("cross", new.cross(old, eku=["emailProtection", "1.3.6.1.4.1.311.21.5",
                                       "1.3.6.1.4.1.311.10.3.4"]))
    ca = f.ca("issuing", "GCC R45 SMIME CA 2025", new, eku=BOTH, pathlen=0)
    f.leaf("alice", ca)
    f.leaf("mail-only", ca, eku=["emailProtection"])
    good = f.ca("auth-root", "Client Authentication Root R45")
    f.put("auth-cross", good.cross(old, eku=["clientAuth"]))
    f.leaf("device", f.ca("auth-issuing", "GCC R45 Client Authentication CA", good,
                          eku=["clientAuth"]), eku=["clientAuth"])


def dates(f):
    """Validity of leaf, CA and anchor."""
    root, ca = f.tree()
    f.leaf("good", ca)
    f.leaf("expired", ca, not_before="2025-01-01", not_after="2026-02-01")
    f.leaf("future", ca, not_before="2026-04-01", not_after="2027-01-01")
    f.leaf("edge", ca, not_before="2026-03-01T12:00:00Z", not_after="2026-03-02T12:00:00Z")
    f.leaf("forever", ca, not_before="2026-01-01",
           not_after=pki.tlv(0x18, b"99991231235959Z"))
    f.leaf("bad-time", ca, not_after=pki.tlv(0x17, b"270101000000+0000"))
    old = f.ca("ca-expired", "Old CA", root, eku=BOTH, not_after="2026-02-01")
    f.leaf("of-expired-ca", old)
    f.put("ca-renewed", CA("Old CA", root, key=old, eku=BOTH))
    f.leaf("of-future-ca", f.ca("ca-future", "Future CA", root, eku=BOTH,
                                not_before="2026-04-01"))
    gone = f.ca("root-expired", "Expired Root", not_after="2026-02-01")
    f.leaf("of-expired-root", gone)
    soon = f.ca("root-future", "Future Root", not_before="2026-04-01")
    f.leaf("of-future-root", soon)
    f.leaf("all-expired", old, not_before="2025-01-01", not_after="2026-01-15")
    f.leaf("backwards", ca, not_before="2027-01-01", not_after="2026-01-01")
    gone2 = f.leaf("expired-revoked", ca, not_before="2025-01-01", not_after="2026-02-01")
    f.crl("issuing", ca, [(gone2, "2026-01-10", "keyCompromise")])
    f.crl("root", root)


def twins(f):
    """One name, several keys; one key, several certificates."""
    root = f.ca("root", "Root")
    f.put("root-again", CA("Root", key=root, not_before="2021-01-01"))
    f.put("root-expired", CA("Root", key=root, not_after="2025-01-01"))
    false = f.ca("root-twin", "Root")
    f.leaf("false-leaf", false)
    f.leaf("false-noaki", false, drop=["aki"])
    one, two = f.ca("issuing-1", "Issuing", root), f.ca("issuing-2", "Issuing", root)
    f.leaf("leaf-1", one)
    f.leaf("leaf-2", two)
    f.leaf("noaki-1", one, drop=["aki"])
    f.leaf("noaki-2", two, drop=["aki"])
    f.leaf("wrong-aki", one, replace={"aki": pki.seq(pki.tlv(0x80, two.ski))},
           email="alice@example.com")
    fake = f.put("issuing-fake", CA("Issuing", false, ski=one.ski))
    f.leaf("fake-leaf", fake)
    f.put("tampered", pki.tampered(one.leaf("Tampered", email="alice@example.com", **LIFE)))
    f.put("ca-tampered", pki.tampered(CA("Tampered CA", root, eku=BOTH, key=one)))
    f.leaf("of-ca-tampered", CA("Tampered CA", root, key=one, eku=BOTH))
    other = f.ca("other-root", "Other Root")
    f.put("root-by-other", root.cross(other))
    f.leaf("stranger", other)
    junk = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    f.bytes("bundle.pem", root.pem + junk + one.pem + junk + two.pem + two.pem)
    f.bytes("bundle.der", one.der)
    f.bytes("bundle.p7c", pki.pkcs7(one, two, root))
    f.bytes("text.pem", b"subject=CN = Root\n\n" + root.pem + b"\ntrailing words\n")
    f.bytes("junk.pem", junk)
    f.bytes("empty.pem", b"")
    f.bytes("cut.pem", root.pem[:300])


def weak(f):
    """Keys and digests below the floor and above the ceiling."""
    root, ca = f.tree()
    rsa_root = f.ca("rsa-root", "RSA Root", key="rsa2048")
    for key in ("rsa1024", "rsa2048", "rsa3072", "p384", "p521", "p224", "secp256k1",
                "ed25519", "ed448"):
        f.leaf(key, ca, key=key)
    big = pki.new_key("rsa8208")
    f.leaf("rsa8208", ca, key=big)
    f.leaf("of-rsa8208", f.ca("ca-rsa8208", "Huge CA", root, key=big, eku=BOTH))
    f.leaf("of-rsa1024", f.ca("ca-rsa1024", "Small CA", root, key="rsa1024", eku=BOTH))
    f.leaf("of-root-rsa1024", f.ca("root-rsa1024", "Small Root", key="rsa1024"))
    wide = pki.rsa_key_with_exponent(2048, (1 << 33) + 1)
    f.leaf("exponent", ca, key=wide)
    f.leaf("of-exponent", f.ca("ca-exponent", "Exponent CA", root, key=wide, eku=BOTH))
    f.leaf("of-root-exponent", f.ca("root-exponent", "Exponent Root", key=wide))
    curve = pki.new_key()
    written = pki.explicit_curve_spki(curve)
    f.leaf("explicit", ca, key=curve, spki=written)
    f.leaf("of-explicit", f.ca("ca-explicit", "Explicit CA", root, key=curve, spki=written,
                               eku=BOTH))
    odd = pki.new_key()
    f.leaf("unknown-key", ca, key=odd, spki=pki.seq(pki.seq(pki.oid("1.2.3.4.5")),
                                                   pki.bits(b"\x01\x02")))
    f.leaf("x25519", ca, spki=pki.seq(pki.seq(pki.oid("1.3.101.110")), pki.bits(b"\x09" * 32)))
    f.leaf("bad-point", ca, spki=pki.spki_of(odd)[:-2] + b"\0\0")
    f.leaf("of-unknown", f.ca("ca-unknown", "Unknown key CA", root, eku=BOTH, key=odd,
                              spki=pki.seq(pki.seq(pki.oid("1.2.3.4.5")), pki.bits(b"\x01"))))
    for digest in ("sha1", "sha224", "sha384", "sha512", "md5"):
        f.leaf(digest, rsa_root, digest=digest)
    f.leaf("ec-sha1", ca, digest="sha1")
    f.leaf("of-sha1-ca", f.ca("ca-sha1", "SHA-1 CA", rsa_root, digest="sha1", eku=BOTH))
    f.leaf("of-sha1-root", f.ca("root-sha1", "SHA-1 Root", key="rsa2048", digest="sha1"),
           digest="sha256")
    f.leaf("pss", rsa_root, pss=True)
    f.leaf("pss-sha1", rsa_root, pss=True, digest="sha1")
    f.leaf("outer-differs", rsa_root, outer_digest="sha512")


def shape(f):
    """Path length, CAs that are none, key usage of CAs and leaves."""
    root = f.ca("root", "Root shape")
    zero = f.ca("zero", "Zero CA", root, pathlen=0)
    one = f.ca("one", "One CA", root, pathlen=1)
    f.leaf("too-long", f.ca("below-zero", "Below Zero CA", zero))
    f.leaf("long-enough", f.ca("below-one", "Below One CA", one))
    rolled = f.put("zero-rolled", CA("Zero CA", zero, key="p256", pathlen=0))
    f.leaf("self-issued", rolled)
    ca = root
    for n in range(1, 8):
        ca = f.ca("deep-%d" % n, "Deep CA %d" % n, ca)
        if n >= 5:
            f.leaf("leaf-%d" % n, ca)
    short = f.ca("root-zero", "Root with pathlen 0", pathlen=0)
    f.leaf("of-root-zero", short)
    f.leaf("below-root-zero", f.ca("ca-root-zero", "CA under pathlen 0", short))

    def issuer(base, *args, **more):
        """A certificate of any kind that signs a leaf."""
        cert = f.ca(base, *args, **more)
        f.leaf("of-" + base, cert)
    issuer("ca-false", "Not a CA", root, ca=False)
    issuer("no-bc", "No Constraints", root, drop=["bc"])
    issuer("v1", "Version 1", root, version=1,
           drop=["bc", "ski", "key_usage", "aki"])
    issuer("no-sign", "CA that may not sign", root, ku=["cRLSign"])
    issuer("no-ku", "CA without key usage", root, ku=None)
    issuer("root-false", "Root that is no CA", ca=False)
    issuer("root-v1", "Root of Version 1", version=1,
           drop=["bc", "ski", "key_usage"])
    end = f.leaf("end", one, "End Entity")
    forged = CA("End Entity", one, key=end)
    f.leaf("of-leaf", forged, drop=["aki"])
    for base, ku in (("ku-encipher", ["keyEncipherment"]), ("ku-none", None),
                     ("ku-sign", ["digitalSignature"]), ("ku-nonrep", ["nonRepudiation"])):
        f.leaf(base, one, ku=ku)
    f.leaf("pinned", root)
    f.put("self", CA("Self Signed Leaf", ca=False, ku=["digitalSignature"],
                     extensions=[("san", False, pki.seq(pki.rfc822("alice@example.com")))]))
    f.put("self-ca", CA("Self Signed CA", ku=["digitalSignature", "keyCertSign"]))


def purpose(f):
    """Extended key usage of leaves and CAs."""
    root, ca = f.tree()
    for base, eku in (("client", ["clientAuth"]), ("mail", ["emailProtection"]),
                      ("both", BOTH), ("none", None), ("any", ["anyEKU"]),
                      ("server", ["serverAuth"]), ("smartcard", ["msSmartcardLogin"]),
                      ("server-client", ["serverAuth", "clientAuth"])):
        f.leaf(base, ca, eku=eku)
    f.leaf("mail-nonrep", ca, eku=["emailProtection"], ku=["nonRepudiation"])
    f.leaf("critical-mail", ca, eku=None, extensions=[
        ("eku", True, pki.seq(pki.oid("emailProtection")))])
    for base, eku in (("ca-mail", ["emailProtection"]), ("ca-none", None),
                      ("ca-any", ["anyEKU"]), ("ca-server", ["serverAuth"]),
                      ("ca-smartcard", ["msSmartcardLogin"])):
        f.leaf("of-" + base, f.ca(base, "CA " + base, root, eku=eku), eku=None)
    f.leaf("of-root-mail", f.ca("root-mail", "Root for mail", eku=["emailProtection"]),
           eku=None)


def constraints(f):
    """Name constraints."""
    root = f.ca("root", "Root constraints")

    def below(base, permitted=(), excluded=()):
        return f.ca(base, "CA " + base, root, permitted=permitted, excluded=excluded)
    mail = below("mail", [pki.rfc822("example.com")])
    f.leaf("mail-in", mail)
    f.leaf("mail-out", mail, email="alice@other.example")
    f.leaf("mail-sub", mail, email="alice@sub.example.com")
    f.leaf("mail-case", mail, email="alice@EXAMPLE.com")
    f.leaf("mail-both", mail, email=["alice@example.com", "eve@other.example"])
    f.leaf("mail-subject", mail, subject=[("CN", "A"), ("emailAddress", "eve@other.example")])
    host = below("dns", [pki.dns("example.com")])
    f.leaf("dns-in", host, dns="a.example.com", email=[])
    f.leaf("dns-out", host, dns="a.example.org", email=[])
    out = below("not-dns", (), [pki.dns("secret.example.com")])
    f.leaf("not-dns-in", out, dns="open.example.com", email=[])
    f.leaf("not-dns-out", out, dns="x.secret.example.com", email=[])
    org = [("C", "CH"), ("O", "Example ag")]
    dn = below("dn", [pki.dirname(org)])
    f.leaf("dn-in", dn, subject=org + [("CN", "Alice")])
    f.leaf("dn-out", dn, subject=[("C", "CH"), ("O", "Other ag"), ("CN", "Alice")])
    f.leaf("dn-shuffled", dn, subject=[("O", "Example ag"), ("C", "CH"), ("CN", "Alice")])
    anchor = f.ca("anchor", "Constrained Root", permitted=[pki.rfc822("example.com")])
    f.leaf("anchor-in", anchor)
    f.leaf("anchor-out", anchor, email="alice@other.example")
    deep = f.ca("below-mail", "CA below mail", mail)
    f.leaf("below-out", deep, email="alice@other.example")
    link = below("uri", [pki.uri(".example.com")])
    f.leaf("uri-in", link, uri="https://id.example.com/a", email=[])
    f.leaf("uri-out", link, uri="https://id.example.org/a", email=[])


def extension(f):
    """Extensions that are critical and unknown, twice, or unreadable."""
    root, ca = f.tree()
    odd = ("1.3.6.1.4.1.55555.1", True, pki.octet(b"x"))
    f.leaf("critical", ca, extensions=[odd])
    f.leaf("harmless", ca, extensions=[(odd[0], False, odd[2])])
    f.leaf("of-critical-ca", f.ca("critical-ca", "Critical CA", root, eku=BOTH,
                                  extensions=[odd]))
    san = pki.seq(pki.rfc822("alice@example.com"))
    f.leaf("san-twice", ca, extensions=[("san", False, san)])
    f.leaf("eku-twice", ca, extensions=[("eku", False, pki.seq(pki.oid("clientAuth")))])
    f.leaf("odd-twice", ca, extensions=[("1.3.6.1.4.1.55555.1", False, pki.null())] * 2)
    f.leaf("san-garbage", ca, replace={"san": b"\x30\x05\x81\x20a@b"}, email="x@y.example")
    f.leaf("san-empty", ca, replace={"san": pki.seq()}, email="x@y.example")
    f.leaf("san-trailing", ca, replace={"san": san + b"\0\0"}, email="x@y.example")
    f.leaf("eku-empty", ca, eku=None, extensions=[("eku", False, pki.seq())])
    f.leaf("eku-garbage", ca, eku=None, extensions=[("eku", False, b"\x04\x01x")])
    f.leaf("ku-garbage", ca, ku=None, extensions=[("key_usage", True, b"\x30\0")])
    f.leaf("bc-garbage", ca, extensions=[("bc", True, b"\x04\x00")])
    f.leaf("bc-false-pathlen", ca, extensions=[
        ("bc", True, pki.basic_constraints_der(False, 0))])
    f.leaf("aki-garbage", ca, replace={"aki": b"\x01"}, email="alice@example.com")
    f.leaf("policies-garbage", ca, extensions=[("policies", False, b"\x30\x03\x02\x01\x05")])
    f.leaf("policies-twice", ca, policies=["1.2.3.4", "1.2.3.4"])
    f.leaf("crldp-garbage", ca, extensions=[("crldp", False, b"\x30\x01\x30")])
    f.leaf("v1-extensions", ca, version=1)
    f.leaf("serial-zero", ca, serial=0)
    f.leaf("serial-negative", ca, serial=-5)
    f.leaf("serial-20", ca, serial=1 << 158)
    f.leaf("serial-huge", ca, serial=1 << 200)
    f.leaf("no-names", ca, subject=[], email=[])
    bad = CA("Bad CA", root, eku=BOTH, replace={"name_constraints": b"\x30\x02\xa0\x09"},
             permitted=[pki.rfc822("example.com")])
    f.put("bad-nc-ca", bad)
    f.leaf("of-bad-nc-ca", bad)
    f.leaf("issuer-name-differs", ca, issuer_name="Issuing CA of another name")
    f.leaf("many-names", ca, email=["a%d@example.com" % i for i in range(600)])
    f.leaf("names-500", ca, email=["a%d@example.com" % i for i in range(500)])
    f.leaf("large", ca, extensions=[("1.3.6.1.4.1.55555.2", False, pki.octet(b"x" * 70000))])


def policy(f):
    """Certificate policies."""
    root = f.ca("root", "Root policy")
    SPONSOR, MAILBOX = "1.3.6.1.4.1.4146.10.3.2", "1.3.6.1.4.1.4146.10.3.3"
    ca = f.ca("issuing", "Issuing policy", root, eku=BOTH, policies=["anyPolicy"])
    f.leaf("sponsor", ca, policies=[SPONSOR, "2.23.140.1.5.3.2"])
    f.leaf("mailbox", ca, policies=[MAILBOX])
    f.leaf("both", ca, policies=[MAILBOX, SPONSOR])
    f.leaf("none", ca)
    f.leaf("any", ca, policies=["anyPolicy"])
    narrow = f.ca("narrow", "Narrow CA", root, eku=BOTH, policies=[MAILBOX])
    f.leaf("of-narrow", narrow, policies=[SPONSOR])
    f.leaf("of-narrow-mailbox", narrow, policies=[MAILBOX])
    f.leaf("of-silent", f.ca("silent", "Silent CA", root, eku=BOTH), policies=[SPONSOR])
    mapped = f.ca("mapping", "Mapping CA", root, eku=BOTH, policies=[SPONSOR],
                  policy_mappings=[(SPONSOR, "1.2.3.4")])
    f.leaf("of-mapping", mapped, policies=["1.2.3.4"])
    f.leaf("of-mapping-plain", mapped, policies=["1.2.3.5"])
    strict = f.ca("strict", "Strict CA", root, eku=BOTH, policies=[SPONSOR], require_policy=0)
    f.leaf("of-strict", strict, policies=[SPONSOR])
    f.leaf("of-strict-none", strict)
    noany = f.ca("no-any", "No Any CA", root, eku=BOTH, policies=[SPONSOR], inhibit_any=0)
    f.leaf("of-no-any", noany, policies=["anyPolicy"])


def issuers(f):
    """Two issuing CAs under one root, one of them listed."""
    root = f.ca("root", "Root R6")
    old = f.ca("smime-2023", [("C", "BE"), ("O", "GlobalSign nv-sa"),
                              ("CN", "GCC R6 SMIME CA 2023")], root, eku=BOTH)
    new = f.ca("smime-2026", [("C", "BE"), ("O", "GlobalSign nv-sa"),
                              ("CN", "GCC R6 SMIME CA 2026")], root, eku=BOTH)
    f.leaf("old", old)
    leaf = f.leaf("new", new)
    f.leaf("new-expired", new, not_before="2025-01-01", not_after="2026-02-01")
    f.put("smime-2023-renewed", CA(old.subject, root, key=old, eku=BOTH, not_before="2025-01-01"))
    twin = f.ca("smime-2023-twin", [("C", "BE"), ("O", "GlobalSign nv-sa"),
                                    ("CN", "GCC R6 SMIME CA 2023")], root, eku=BOTH)
    f.leaf("of-twin", twin)
    sub = f.ca("customer", "Customer CA", old, eku=BOTH)
    f.leaf("of-customer", sub)
    f.leaf("of-root", root)
    f.crl("new", new, [(leaf, "2026-02-20", "keyCompromise")])
    f.crl("root", root)
    f.crl("new-clean", new)
    other = f.ca("in-house", "In-house CA")
    f.leaf("device", other, "device-1")
    f.leaf("pretender", other, "Alice of the other CA", email="alice@example.com")


def formats(f):
    """One leaf in all the files that a person may have."""
    root, ca = f.tree()
    alice = f.leaf("alice", ca)
    bob = f.leaf("bob", ca, email="bob@example.com")
    f.bytes("alice.cer", alice.der)
    f.bytes("alice.p7b", pki.pkcs7(alice, ca, root))
    f.bytes("alice.pfx", alice.p12(chain=[ca, root]))
    # The first certificate is not the one of the key.
    f.bytes("others-first.pem", alice.pem + ca.pem + bob.pem)
    f.bytes("words.pem", b"Bag Attributes\n    friendlyName: alice\n" + alice.pem + b"\n-- \n")
    f.bytes("crlf.pem", alice.pem.replace(b"\n", b"\r\n"))
    f.bytes("noise.pem", b"no certificate at all\n")
    f.bytes("empty.pem", b"")
    f.bytes("key-only.pem", alice.key_pem)
    f.bytes("cut.cer", alice.der[:-20])


def lifetime(f):
    root, ca = f.tree()
    f.leaf("year", ca)
    f.leaf("three-years", ca, not_before="2025-01-01", not_after="2028-01-01")


def identity(f):
    """What may stand where a name is expected."""
    root, ca = f.tree()
    t = pki.tlv

    def mail(base, value, **more):
        f.leaf(base, ca, san=[pki.rfc822(value)], **more)

    def cn(base, value, **more):
        f.leaf(base, ca, subject=[("CN", value)], **more)
    alice = f.leaf("alice", ca, "Alice Example", serial=0x0A1B2C3D4E5F60718293)
    f.bytes("alice-cert.denied", b"cert:%s reason=lost card\n" % alice.sha256().encode())
    f.bytes("alice-key.denied", b"key:%s\n" % alice.spki_sha256().encode())
    f.bytes("alice-cert.map", b"%s alice staff,admin\n" % alice.sha256().encode())
    f.bytes("alice-key.map", b"%s alice staff\n" % alice.spki_sha256().encode())
    f.bytes("alice-ski.map", b"%s alice\n" % pki.ski_of(alice).hex().encode())
    f.leaf("same-key", ca, "Alice Example", key=alice, serial=0x77)
    f.leaf("serial-leading-zero", ca, serial=0x00F1)
    mail("capitals", "Alice@EXAMPLE.com")
    mail("local-capital", "Alice@example.com")
    f.leaf("two", ca, email=["alice@example.com", "alice.example@example.com"])
    f.leaf("two-users", ca, email=["alice@example.com", "bob@example.com"])
    f.leaf("case-twins", ca, email=["First.Last@example.com", "first.last@example.com"])
    f.leaf("foreign-second", ca, email=["alice@example.com", "alice@other.example"])
    f.leaf("upn", ca, email=[], upn="alice@corp.example")
    f.leaf("upn-and-mail", ca, upn="alice@corp.example")
    f.leaf("uri", ca, email=[], uri="https://id.example/alice")
    f.leaf("dns", ca, email=[], dns="host.example")
    f.leaf("no-san", ca, "Alice Example", email=[])
    f.leaf("subject-mail", ca, subject=[("CN", "Alice"), ("emailAddress", "alice@example.com")],
           email=[])
    f.leaf("no-cn", ca, subject=[("emailAddress", "alice@example.com")])
    f.leaf("empty-subject", ca, subject=[])
    f.leaf("long-names", ca, subject=[("CN", "CC-12345P678901, LAST FIRST"),
                                      ("organizationIdentifier", "NTRUS+DE-6610117")])
    # NUL, control characters, invalid UTF-8 (row 63)
    mail("mail-nul", b"alice@example.com\0.evil.example")
    mail("mail-nul-end", b"alice@example.com\0")
    mail("mail-newline", b"alice@example.com\n")
    mail("mail-cr", b"alice\r@example.com")
    mail("mail-tab", b"alice\t@example.com")
    mail("mail-escape", b"alice\x1b[2J@example.com")
    mail("mail-del", b"alice\x7f@example.com")
    mail("mail-latin1", b"alic\xe9@example.com")
    mail("mail-space", "alice smith@example.com")
    mail("mail-long", "a" * 400 + "@example.com")
    mail("mail-star", "*@example.com")
    mail("mail-empty", "")
    mail("mail-no-local", "@example.com")
    mail("mail-no-domain", "alice@")
    mail("mail-two-at", "alice@evil.example@example.com")
    mail("mail-ldap", "*()\\'@example.com")
    mail("mail-colon", "alice:admin@example.com")
    mail("mail-slash", "../alice@example.com")
    mail("mail-comma", "alice@example.com, DNS:admin.example")
    mail("mail-brackets", "Alice <alice@example.com>")
    f.leaf("second-nul", ca, san=[pki.rfc822("alice@example.com"),
                                  pki.rfc822(b"bob@example.com\0x")])
    f.leaf("upn-nul", ca, san=[pki.upn(b"alice@corp.example\0x")])
    f.leaf("upn-utf8", ca, san=[pki.upn(b"alice\xff@corp.example")])
    f.leaf("upn-overlong-utf8", ca, san=[pki.upn(b"alice\xc0\xaf@corp.example")])
    f.leaf("upn-surrogate", ca, san=[pki.upn(b"alice\xed\xa0\x80@corp.example")])
    f.leaf("upn-ia5", ca, san=[pki.othername("upn", pki.ia5("alice@corp.example"))])
    f.leaf("upn-octets", ca, san=[pki.othername("upn", pki.octet(b"alice@corp.example"))])
    f.leaf("other-oid", ca, san=[pki.othername("1.3.6.1.4.1.311.20.2.4",
                                               pki.utf8("alice@corp.example"))])
    f.leaf("uri-nul", ca, san=[pki.uri(b"https://id.example/alice\0x")])
    f.leaf("dns-nul", ca, san=[pki.dns(b"host.example\0.evil.example")])
    f.leaf("mail-as-dns", ca, san=[pki.dns("alice@example.com")])
    f.leaf("mail-as-uri", ca, san=[pki.uri("alice@example.com")])
    f.leaf("mail-in-dirname", ca, san=[pki.dirname([("emailAddress", "alice@example.com")])])
    cn("cn-nul", (0x0C, b"alice\0evil"))
    cn("cn-newline", (0x0C, b"alice\nadmin"))
    cn("cn-invalid", (0x0C, b"alice\xff"))
    cn("cn-bmp", (0x1E, "älice".encode("utf-16-be")))
    cn("cn-bmp-nul", (0x1E, "alice\0x".encode("utf-16-be")))
    cn("cn-t61", (0x14, b"alic\xe9"))
    cn("cn-printable", (0x13, b"alice"))
    cn("cn-slash", "x/CN=admin")
    f.leaf("cn-multi", ca, subject=[("O", "Example"), [("CN", "alice"), ("UID", "a1")]])
    f.leaf("cn-two", ca, subject=[("CN", "alice"), ("CN", "admin")])
    f.leaf("bob", ca, "Bob", email="bob@example.com")
    evil = [("CN", (0x0C, b"x\r\nSet-Cookie: a=b\x1b[2J\xc2\x85\" }{\\ %s%n"))]
    f.leaf("hostile", ca, subject=evil)
    f.leaf("of-hostile", f.ca("hostile-ca", evil, root, eku=BOTH))
    f.leaf("smtputf8", ca, san=[pki.smtputf8("\u00e4lice@example.com")])
    f.leaf("smtputf8-nul", ca, san=[pki.smtputf8(b"alice@example.com\0x")])
    # rows 66, 59: see purpose/


def mesh(f):
    """CAs that all certify each other, layer by layer (row 77)."""
    root = f.ca("root", "Root mesh")
    layers, width = 6, 3
    above, certs = [root], []
    for layer in range(layers):
        here = []
        for n in range(width):
            name, key = "Mesh %d.%d" % (layer, n), pki.new_key()
            made = [CA(name, up, key=key) for up in above]
            certs += made
            here.append(made[0])
        above = here
    write_pem(os.path.join(f.path, "mesh.pem"), *certs)
    f.leaf("leaf", above[0])
    f.leaf("expired", above[0], not_before="2025-01-01", not_after="2026-02-01")
    f.leaf("mail-only", above[0], eku=["emailProtection"])
    f.ca("other-root", "Unrelated Root")
    write_pem(os.path.join(f.path, "many.pem"),
              *[CA("Sent %d" % n) for n in range(40)])
    # Sorted as the search has to try them where nothing else tells them apart.
    crowd = sorted((CA("Crowd", root) for n in range(90)), key=lambda c: c.sha256())
    write_pem(os.path.join(f.path, "crowd.pem"), *crowd)
    f.leaf("crowd-leaf", crowd[-1], drop=["aki"])
    f.leaf("crowd-aki", crowd[-1])
    a, b = CA("Loop A"), CA("Loop B")
    write_pem(os.path.join(f.path, "loop.pem"), a.cross(b), b.cross(a))
    f.leaf("loop-leaf", a)


SCENARIOS = {n.replace("_", "-"): fn for n, fn in list(globals().items())
             if inspect.isfunction(fn) and fn.__module__ == __name__}


def main():
    for name in sys.argv[1:] or sorted(SCENARIOS):
        pki.set_now(NOW)
        SCENARIOS[name](Folder(name))
        print(name, len(os.listdir(os.path.join(HERE, name))))


if __name__ == "__main__":
    main()
