"""
pki.py - throw-away certificates for tests: right ones in one line, wrong ones in two.

Needs Debian's python3-cryptography (keys and signatures only; the DER is written
here, byte by byte, so that a broken certificate is as easy as a good one).

    from pki import CA, write_pem
    root  = CA("Test Root")                              # self-signed, P-256
    ca    = CA("Test Issuing CA", issuer=root, eku=["clientAuth", "emailProtection"])
    alice = ca.leaf("Alice", email="alice@example.com", upn="alice@corp")
    alice.write(folder)                  # folder/alice.pem + alice.key (0600)
    alice.write(folder, "a", chain=[ca]) # a.pem (leaf + ca), a.key; returns the path of a.pem
    write_pem(folder / "anchors.pem", root, other_root)
    ca.crl([alice], number=7, next_update="+7d").write(folder / "ca.crl")
    ca.crl([(alice, "2026-02-01", "keyCompromise"), (0x1234, "-1h", "certificateHold")])
    srv   = root.server("localhost", "127.0.0.1")        # serverAuth, SAN dns + ip
    alice.p12(password, chain=[ca])      # bytes
    cross = ca.cross(other_root)         # same name and key, other issuer
    twin  = CA("Test Root")              # same name, other key

Times: a datetime, "2026-03-01T12:00:00Z", "2026-03-01", an epoch number, or relative
to now: "+90d", "-1h", "30s". set_now(t) moves what "now" means. Defaults: CAs
2020-01-01 to 2049-12-31, leaves -1d to +365d, CRLs -1h to +7d.

Names: a string is the CN; or a list of (attribute, text) or (attribute, (tag, bytes))
pairs, a nested list is one multi-valued RDN; or bytes: the DER of a whole Name.

Keys: "p256" (default) "p384" "p521" "p224" "secp256k1" "rsa1024" "rsa2048" ...
"ed25519" "ed448", or a private key object, or another Cert (its key is used again).

Escape hatches, on every certificate: extensions=[(oid, critical, der)] adds;
drop=["san", ...] leaves a default extension out; replace={"san": der} sets the raw
value of one; san=[general names]; digest="sha1"; serial=-5; version=1; outer_digest=
(signatureAlgorithm outside differs from the one inside); spki=der; pss=True;
tampered(cert) flips one bit of the signature; Cert(der, key) takes any bytes.
General names: rfc822(b"..."), dns(), uri(), ip(), dirname(), othername(oid, der),
upn(), smtputf8(); they take str or raw bytes, NUL and all.
"""

import base64
import datetime
import hashlib
import ipaddress
import os
import re

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12 as _pkcs12

# ------------------------------------------------------------------------- DER


def tlv(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    if n < 128:
        return bytes([tag, n]) + body
    size = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def seq(*parts):
    return tlv(0x30, *parts)


def set_(*parts):
    return tlv(0x31, *sorted(parts))


def octet(data):
    return tlv(0x04, data)


def bits(data, unused=0):
    return tlv(0x03, bytes([unused]), data)


def utf8(text):
    return tlv(0x0C, _bytes(text))


def ia5(text):
    return tlv(0x16, _bytes(text))


def boolean(value):
    return tlv(0x01, b"\xff" if value else b"\0")


def null():
    return b"\x05\0"


def integer(n):
    size = 1
    while not -(1 << (8 * size - 1)) <= n < (1 << (8 * size - 1)):
        size += 1
    return tlv(0x02, n.to_bytes(size, "big", signed=True))


def explicit(n, *parts):
    return tlv(0xA0 | n, *parts)


def oid(dotted):
    dotted = OIDS.get(dotted, dotted)
    a, b, *rest = [int(x) for x in dotted.split(".")]
    out = b""
    for arc in [40 * a + b] + rest:
        part = bytes([arc & 0x7F])
        while arc >> 7:
            arc >>= 7
            part = bytes([0x80 | (arc & 0x7F)]) + part
        out += part
    return tlv(0x06, out)


def timestamp(t, generalized=False):
    """UTCTime up to 2049, GeneralizedTime after (RFC 5280 4.1.2.5)."""
    t = when(t)
    if generalized or not 1950 <= t.year < 2050:
        return tlv(0x18, t.strftime("%Y%m%d%H%M%SZ").rjust(15, "0").encode())
    return tlv(0x17, t.strftime("%y%m%d%H%M%SZ").encode())


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode("utf-8")


# ------------------------------------------------------------------------ times

_now = None


def set_now(t):
    """What "now" and relative times mean from here on; None: the clock."""
    global _now
    _now = None if t is None else when(t)


def when(t):
    utc = datetime.timezone.utc
    if isinstance(t, datetime.datetime):
        return t if t.tzinfo else t.replace(tzinfo=utc)
    if isinstance(t, (int, float)):
        return datetime.datetime.fromtimestamp(t, utc)
    m = re.fullmatch(r"([+-]?)(\d+)([smhdy])", t)
    if m or t == "now":
        now = _now or datetime.datetime.now(utc).replace(microsecond=0)
        if t == "now":
            return now
        unit = {"s": 1, "m": 60, "h": 3600, "d": 86400, "y": 365 * 86400}[m[3]]
        return now + datetime.timedelta(seconds=int(m[1] + m[2]) * unit)
    t = datetime.datetime.fromisoformat(t.replace("Z", "+00:00"))
    return t if t.tzinfo else t.replace(tzinfo=utc)


# ------------------------------------------------------------------------ names

OIDS = {
    "CN": "2.5.4.3", "SN": "2.5.4.4", "serialNumber": "2.5.4.5", "C": "2.5.4.6",
    "L": "2.5.4.7", "ST": "2.5.4.8", "O": "2.5.4.10", "OU": "2.5.4.11",
    "title": "2.5.4.12", "GN": "2.5.4.42", "pseudonym": "2.5.4.65",
    "organizationIdentifier": "2.5.4.97", "UID": "0.9.2342.19200300.100.1.1",
    "DC": "0.9.2342.19200300.100.1.25", "emailAddress": "1.2.840.113549.1.9.1",
    # extended key usages
    "anyEKU": "2.5.29.37.0", "serverAuth": "1.3.6.1.5.5.7.3.1",
    "clientAuth": "1.3.6.1.5.5.7.3.2", "codeSigning": "1.3.6.1.5.5.7.3.3",
    "emailProtection": "1.3.6.1.5.5.7.3.4", "timeStamping": "1.3.6.1.5.5.7.3.8",
    "OCSPSigning": "1.3.6.1.5.5.7.3.9",
    "msSmartcardLogin": "1.3.6.1.4.1.311.20.2.2", "msEFS": "1.3.6.1.4.1.311.10.3.4",
    # extensions
    "ski": "2.5.29.14", "key_usage": "2.5.29.15", "san": "2.5.29.17",
    "bc": "2.5.29.19", "name_constraints": "2.5.29.30", "crldp": "2.5.29.31",
    "policies": "2.5.29.32", "policy_mappings": "2.5.29.33", "aki": "2.5.29.35",
    "policy_constraints": "2.5.29.36", "eku": "2.5.29.37",
    "inhibit_any": "2.5.29.54", "aia": "1.3.6.1.5.5.7.1.1",
    "anyPolicy": "2.5.29.32.0", "upn": "1.3.6.1.4.1.311.20.2.3",
    "smtputf8": "1.3.6.1.5.5.7.8.9",
}
_IA5_ATTRS = {"DC", "emailAddress"}
_PRINTABLE_ATTRS = {"C", "serialNumber"}


def dn(name):
    """A Name's DER; see the top of the file for what `name` may be."""
    if isinstance(name, bytes):
        return name
    if isinstance(name, str):
        name = [("CN", name)]
    rdns = []
    for item in name:
        pairs = item if isinstance(item, list) else [item]
        out = []
        for attr, value in pairs:
            if isinstance(value, tuple):
                value = tlv(value[0], value[1])
            elif attr in _IA5_ATTRS:
                value = ia5(value)
            elif attr in _PRINTABLE_ATTRS:
                value = tlv(0x13, _bytes(value))
            else:
                value = utf8(value)
            out.append(seq(oid(attr), value))
        rdns.append(set_(*out))
    return seq(*rdns)


def _cn(name):
    if isinstance(name, str):
        return name
    if isinstance(name, bytes):
        return "cert"
    flat = [p for i in name for p in (i if isinstance(i, list) else [i])]
    for want in ("CN", "emailAddress", "O"):
        for attr, value in flat:
            if attr == want and isinstance(value, str):
                return value
    return "cert"


# general names (RFC 5280 4.2.1.6)
def rfc822(value):
    return tlv(0x81, _bytes(value))


def dns(value):
    return tlv(0x82, _bytes(value))


def uri(value):
    return tlv(0x86, _bytes(value))


def ip(value):
    """An address; for name constraints an "address/bits" network."""
    if isinstance(value, bytes):
        return tlv(0x87, value)
    if "/" in value:
        net = ipaddress.ip_network(value)
        return tlv(0x87, net.network_address.packed + net.netmask.packed)
    return tlv(0x87, ipaddress.ip_address(value).packed)


def dirname(name):
    return explicit(4, dn(name))


def othername(type_oid, der):
    return explicit(0, oid(type_oid), explicit(0, der))


def upn(value):
    return othername("upn", utf8(value))


def smtputf8(value):
    return othername("smtputf8", utf8(value))


def _list(value):
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


# ------------------------------------------------------------------------- keys

_CURVES = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1,
           "p224": ec.SECP224R1, "secp256k1": ec.SECP256K1}


def new_key(kind="p256"):
    if isinstance(kind, Cert):
        return kind.key
    if not isinstance(kind, str):
        return kind
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind]())
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    return {"ed25519": ed25519.Ed25519PrivateKey,
            "ed448": ed448.Ed448PrivateKey}[kind].generate()


def rsa_key_with_exponent(size, exponent):
    """An RSA key whose public exponent is any odd number (slow checks in others)."""
    while True:
        k = rsa.generate_private_key(65537, size).private_numbers()
        phi = (k.p - 1) * (k.q - 1)
        try:
            d = pow(exponent, -1, phi)
        except ValueError:
            continue
        pub = rsa.RSAPublicNumbers(exponent, k.p * k.q)
        return rsa.RSAPrivateNumbers(
            k.p, k.q, d, d % (k.p - 1), d % (k.q - 1), k.iqmp, pub).private_key()


def spki_of(key):
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def explicit_curve_spki(key):
    """The public key of a P-256 `key`, its curve written out instead of named."""
    p = 2**256 - 2**224 + 2**192 + 2**96 - 1
    a, order = p - 3, 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    g = ("046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"
         "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5")
    params = seq(integer(1), seq(oid("1.2.840.10045.1.1"), integer(p)),
                 seq(octet(a.to_bytes(32, "big")), octet(b.to_bytes(32, "big"))),
                 octet(bytes.fromhex(g)), integer(order), integer(1))
    point = key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return seq(seq(oid("1.2.840.10045.2.1"), params), bits(point))


def key_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption())


_HASHES = {"md5": hashes.MD5, "sha1": hashes.SHA1, "sha224": hashes.SHA224,
           "sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}
_RSA_SIG = {"md5": 4, "sha1": 5, "sha224": 14, "sha256": 11, "sha384": 12, "sha512": 13}
_EC_SIG = {"sha1": "1", "sha224": "3.1", "sha256": "3.2", "sha384": "3.3", "sha512": "3.4"}
_HASH_OID = {"sha1": "1.3.14.3.2.26", "sha224": "2.16.840.1.101.3.4.2.4",
             "sha256": "2.16.840.1.101.3.4.2.1", "sha384": "2.16.840.1.101.3.4.2.2",
             "sha512": "2.16.840.1.101.3.4.2.3"}


def signature_algorithm(key, digest="sha256", pss=False):
    """AlgorithmIdentifier's DER."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return seq(oid("1.3.101.112"))
    if isinstance(key, ed448.Ed448PrivateKey):
        return seq(oid("1.3.101.113"))
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return seq(oid("1.2.840.10045.4." + _EC_SIG[digest]))
    if pss:
        alg = seq(oid(_HASH_OID[digest]), null())
        return seq(oid("1.2.840.113549.1.1.10"), seq(
            explicit(0, alg), explicit(1, seq(oid("1.2.840.113549.1.1.8"), alg)),
            explicit(2, integer(_HASHES[digest].digest_size))))
    return seq(oid("1.2.840.113549.1.1.%d" % _RSA_SIG[digest]), null())


def signature(key, data, digest="sha256", pss=False):
    if isinstance(key, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)):
        return key.sign(data)
    algorithm = _HASHES[digest]()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(algorithm))
    if pss:
        return key.sign(data, padding.PSS(padding.MGF1(algorithm), algorithm.digest_size),
                        algorithm)
    return key.sign(data, padding.PKCS1v15(), algorithm)


# ----------------------------------------------------------------- extensions

_KU = ["digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment",
       "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"]


def key_usage_der(names):
    value = 0
    for n in names:
        value |= 1 << (15 - _KU.index(n))
    raw = value.to_bytes(2, "big").rstrip(b"\0")
    unused = (raw[-1] & -raw[-1]).bit_length() - 1 if raw else 0
    return bits(raw, unused)


def basic_constraints_der(ca, pathlen=None):
    return seq(boolean(True) if ca else b"", integer(pathlen) if pathlen is not None else b"")


def name_constraints_der(permitted=(), excluded=()):
    """Lists of general names: rfc822("example.com"), dns(...), dirname(...)."""
    def trees(n, names):
        return explicit(n, *[seq(g) for g in names]) if names else b""
    return seq(trees(0, permitted), trees(1, excluded))


def policies_der(oids):
    return seq(*[seq(oid(o)) for o in oids])


def policy_mappings_der(pairs):
    return seq(*[seq(oid(a), oid(b)) for a, b in pairs])


def policy_constraints_der(require=None, inhibit=None):
    def part(n, value):
        return b"" if value is None else tlv(0x80 | n, integer(value)[2:])
    return seq(part(0, require), part(1, inhibit))


def crldp_der(points):
    """One DistributionPoint with one URI (or general name's DER) each."""
    return seq(*[seq(explicit(0, explicit(0, p if isinstance(p, bytes) else uri(p))))
                 for p in points])


def idp_der(point=None, user_only=False, ca_only=False, reasons=None, indirect=False):
    """IssuingDistributionPoint (RFC 5280 5.2.5); `point` a URI or general names' DER."""
    out = b""
    if point is not None:
        names = point if isinstance(point, bytes) else uri(point)
        out += explicit(0, explicit(0, names))
    out += tlv(0x81, b"\xff") if user_only else b""
    out += tlv(0x82, b"\xff") if ca_only else b""
    if reasons is not None:
        out += tlv(0x83, reasons)
    out += tlv(0x84, b"\xff") if indirect else b""
    return seq(out)


def extension(name, critical, der):
    return seq(oid(name), boolean(True) if critical else b"", octet(der))


# --------------------------------------------------------------- certificates


class Cert:
    """A certificate's bytes and, when we have it, its key."""

    def __init__(self, der, key=None, subject=None, serial=None, name="cert", issuer=None):
        self.der, self.key, self.subject, self.serial = der, key, subject, serial
        self.name, self.issuer = name, issuer
        self.spki = spki_of(key) if key is not None else None

    @property
    def pem(self):
        b = base64.encodebytes(self.der).replace(b"\n", b"")
        lines = [b[i:i + 64] for i in range(0, len(b), 64)]
        return b"-----BEGIN CERTIFICATE-----\n" + b"\n".join(lines) + \
            b"\n-----END CERTIFICATE-----\n"

    @property
    def key_pem(self):
        return key_pem(self.key)

    @property
    def serial_hex(self):
        """As $certauth_serial has it: upper case, whole octets."""
        raw = "%X" % self.serial
        return raw if len(raw) % 2 == 0 else "0" + raw

    def sha256(self):
        return hashlib.sha256(self.der).hexdigest()

    def spki_sha256(self):
        return hashlib.sha256(self.spki).hexdigest()

    def file_name(self):
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-") or "cert"

    def write(self, folder, base=None, chain=()):
        """BASE.pem (with `chain` behind it) and BASE.key; returns BASE.pem's path."""
        base = os.path.join(str(folder), base or self.file_name())
        write_pem(base + ".pem", self, *chain)
        if self.key is not None:
            fd = os.open(base + ".key", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(fd, "wb") as f:
                f.write(self.key_pem)
        return base + ".pem"

    def p12(self, password=None, chain=()):
        enc = serialization.NoEncryption() if password is None else \
            serialization.BestAvailableEncryption(_bytes(password))
        load = x509.load_der_x509_certificate
        return _pkcs12.serialize_key_and_certificates(
            _bytes(self.name), self.key, load(self.der),
            [load(c.der) for c in chain], enc)


class Crl:
    def __init__(self, der):
        self.der = der

    @property
    def pem(self):
        b = base64.b64encode(self.der)
        lines = [b[i:i + 64] for i in range(0, len(b), 64)]
        return b"-----BEGIN X509 CRL-----\n" + b"\n".join(lines) + b"\n-----END X509 CRL-----\n"

    def write(self, path, der=False):
        """New file + rename, as an administrator should: a server polls."""
        path = str(path)
        with open(path + ".part", "wb") as f:
            f.write(self.der if der else self.pem)
        os.rename(path + ".part", path)
        return path


def make(subject, issuer=None, key="p256", *, issuer_name=None, sign_key=None,
         not_before="-1d", not_after="+365d", serial=None, version=3, digest=None,
         pss=False, outer_digest=None, spki=None, exts=(), extensions=(), drop=(),
         replace=None, cls=Cert):
    """
    The general form behind CA() and leaf(): `exts` is [(name, critical, der)], then
    the escape hatches. `issuer` None: self-signed.
    """
    key = new_key(key)
    signer = sign_key or (issuer.key if issuer is not None else key)
    subject_der = dn(subject)
    issuer_der = dn(issuer_name) if issuer_name is not None else \
        issuer.subject if issuer is not None else subject_der
    if digest is None:
        digest = {"secp384r1": "sha384", "secp521r1": "sha512"}.get(
            getattr(getattr(signer, "curve", None), "name", None), "sha256")
    if serial is None:
        serial = int.from_bytes(os.urandom(16), "big") >> 1 | 1 << 120
    replace = replace or {}
    all_exts = [extension(n, c, replace.get(n, d)) for n, c, d in exts if n not in drop]
    all_exts += [extension(n, c, d) for n, c, d in extensions]
    alg = signature_algorithm(signer, digest, pss)
    spki = spki or spki_of(key)
    tbs = seq(explicit(0, integer(version - 1)) if version > 1 else b"",
              integer(serial), alg, issuer_der,
              seq(_time(not_before), _time(not_after)), subject_der, spki,
              explicit(3, seq(*all_exts)) if all_exts else b"")
    outer = signature_algorithm(signer, outer_digest, pss) if outer_digest else alg
    der = seq(tbs, outer, bits(signature(signer, tbs, digest, pss)))
    cert = cls.__new__(cls)
    Cert.__init__(cert, der, key, subject_der, serial, _cn(subject), issuer)
    cert.spki = spki
    return cert


def _time(t):
    return t if isinstance(t, bytes) else timestamp(t)      # bytes: raw DER


def ski_of(cert):
    return hashlib.sha1(cert.spki).digest()


class CA(Cert):
    """
    CA(name, issuer=None, key="p256", eku=[...], policies=[...], pathlen=0,
       permitted=[general names], excluded=[...], policy_mappings=[(a, b)],
       require_policy=0, inhibit_mapping=0, inhibit_any=0, ku=[...], crldp=[...],
       ca=True, + everything make() takes)
    """

    def __init__(self, name, issuer=None, key="p256", *, eku=None, policies=None,
                 pathlen=None, permitted=(), excluded=(), policy_mappings=None,
                 require_policy=None, inhibit_mapping=None, inhibit_any=None,
                 ku=("keyCertSign", "cRLSign"), crldp=None, ca=True,
                 not_before="2020-01-01", not_after="2049-12-31", ski=None, **more):
        key = new_key(key)
        spki = more.get("spki") or spki_of(key)
        exts = [("bc", True, basic_constraints_der(ca, pathlen)),
                ("ski", False, octet(ski or hashlib.sha1(spki).digest()))]
        if ku:
            exts.append(("key_usage", True, key_usage_der(ku)))
        if issuer is not None:
            exts.append(("aki", False, seq(tlv(0x80, issuer.ski))))
        if eku:
            exts.append(("eku", False, seq(*[oid(e) for e in eku])))
        if policies:
            exts.append(("policies", False, policies_der(policies)))
        if permitted or excluded:
            exts.append(("name_constraints", True, name_constraints_der(permitted, excluded)))
        if policy_mappings:
            exts.append(("policy_mappings", True, policy_mappings_der(policy_mappings)))
        if require_policy is not None or inhibit_mapping is not None:
            exts.append(("policy_constraints", True,
                         policy_constraints_der(require_policy, inhibit_mapping)))
        if inhibit_any is not None:
            exts.append(("inhibit_any", True, integer(inhibit_any)))
        if crldp:
            exts.append(("crldp", False, crldp_der(crldp)))
        other = make(name, issuer, key, not_before=not_before, not_after=not_after,
                     exts=exts, **more)
        self.__dict__.update(other.__dict__)
        self.ski = ski or hashlib.sha1(spki).digest()
        self._made = dict(name=name, eku=eku, policies=policies, pathlen=pathlen)

    def cross(self, issuer, **more):
        """Another certificate for this CA's name and key, signed by `issuer`."""
        args = dict(self._made, key=self.key)
        args.update(more)
        return CA(args.pop("name"), issuer=issuer, **args)

    def leaf(self, cn=None, *, email=None, upn=None, uri=None, dns=None, ip=None, san=None,
             eku=("clientAuth", "emailProtection"), ku=("digitalSignature", "keyEncipherment"),
             policies=None, crldp=None, subject=None, key="p256", **more):
        """
        `email`, `upn`, `uri`, `dns`, `ip`: one value or a list; `san`: further general
        names. eku=None, ku=None: without that extension. cn=None with subject=[] gives
        an empty subject.
        """
        key = new_key(key)
        spki = more.get("spki") or spki_of(key)
        exts = [("aki", False, seq(tlv(0x80, self.ski))),
                ("ski", False, octet(hashlib.sha1(spki).digest()))]
        if ku:
            exts.append(("key_usage", True, key_usage_der(ku)))
        if eku:
            exts.append(("eku", False, seq(*[oid(e) for e in eku])))
        names = [rfc822(v) for v in _list(email)] + \
            [globals()["upn"](v) for v in _list(upn)] + \
            [globals()["uri"](v) for v in _list(uri)] + \
            [globals()["dns"](v) for v in _list(dns)] + \
            [globals()["ip"](v) for v in _list(ip)] + _list(san)
        if names:
            exts.append(("san", False, seq(*names)))
        if policies:
            exts.append(("policies", False, policies_der(policies)))
        if crldp:
            exts.append(("crldp", False, crldp_der(crldp)))
        if subject is None:
            subject = cn if cn is not None else []
        return make(subject, self, key, exts=exts, **more)

    def server(self, *hosts, **more):
        """A server certificate for names and addresses."""
        hosts = hosts or ("localhost", "127.0.0.1")
        addresses = [h for h in hosts if re.fullmatch(r"[0-9.]+|.*:.*", h)]
        more.setdefault("eku", ["serverAuth"])
        return self.leaf(hosts[0], dns=[h for h in hosts if h not in addresses],
                         ip=addresses, **more)

    def crl(self, revoked=(), number=1, *, this_update="-1h", next_update="+7d", idp=None,
            delta=None, extensions=(), digest="sha256", key=None, issuer_name=None, aki=True,
            critical_idp=True, version=2):
        """
        `revoked`: certificates or serials, or (certificate, date, reason word) or
        (certificate, date, reason, raw entry extensions). number=None: none;
        next_update=None: none. idp: idp_der(...). delta: base CRL number.
        """
        signer = key or self.key
        rows = []
        for row in revoked:
            row = tuple(row) if isinstance(row, (tuple, list)) else (row,)
            cert, date, reason, more = row + ("-1h", None, ())[len(row) - 1:]
            serial = cert if isinstance(cert, int) else cert.serial
            exts = list(more)
            if reason is not None:
                code = reason if isinstance(reason, int) else _REASONS.index(reason)
                exts.append(extension("2.5.29.21", False, tlv(0x0A, bytes([code]))))
            rows.append(seq(integer(serial), timestamp(date), seq(*exts) if exts else b""))
        exts = []
        if aki:
            exts.append(extension("aki", False, seq(tlv(0x80, self.ski))))
        if number is not None:
            exts.append(extension("2.5.29.20", False, integer(number)))
        if delta is not None:
            exts.append(extension("2.5.29.27", True, integer(delta)))
        if idp is not None:
            exts.append(extension("2.5.29.28", critical_idp, idp))
        exts += [extension(n, c, d) for n, c, d in extensions]
        alg = signature_algorithm(signer, digest)
        tbs = seq(integer(1) if version == 2 else b"", alg,
                  dn(issuer_name) if issuer_name is not None else self.subject,
                  timestamp(this_update), timestamp(next_update) if next_update else b"",
                  seq(*rows) if rows else b"",
                  explicit(0, seq(*exts)) if exts and version == 2 else b"")
        return Crl(seq(tbs, alg, bits(signature(signer, tbs, digest))))


_REASONS = ["unspecified", "keyCompromise", "cACompromise", "affiliationChanged",
            "superseded", "cessationOfOperation", "certificateHold", "?", "removeFromCRL",
            "privilegeWithdrawn", "aACompromise"]


def tampered(cert, offset=-5):
    """The same certificate or CRL with one bit of its signature flipped."""
    der = bytearray(cert.der)
    der[offset] ^= 1
    out = object.__new__(type(cert))
    out.__dict__.update(cert.__dict__)
    out.der = bytes(der)
    return out


class Ocsp:
    """An OCSP response, or what somebody sends instead."""

    def __init__(self, der):
        self.der = der

    def write(self, path):
        with open(str(path), "wb") as f:
            f.write(self.der)
        return str(path)


def key_bits(spki):
    """What is in the BIT STRING of a SubjectPublicKeyInfo."""
    def take(data):
        """(value, what is behind it) of the first element."""
        n, at = data[1], 2
        if n > 127:
            at = 2 + (n & 127)
            n = int.from_bytes(data[2:at], "big")
        return data[at:at + n], data[at + n:]
    return take(take(take(spki)[0])[1])[0][1:]


def ocsp_single(cert, issuer, status="good", *, this_update="-1h", next_update="+1d",
                digest="sha1", since="-2d", reason="keyCompromise", serial=None, name=None,
                key=None, extensions=()):
    """
    One single response: status "good", "revoked", "unknown"; next_update None: none;
    reason None: none; serial, name, key (bytes that are hashed) other than the certificate's.
    """
    oids = {"sha1": "1.3.14.3.2.26", "sha256": "2.16.840.1.101.3.4.2.1",
            "sha384": "2.16.840.1.101.3.4.2.2", "md5": "1.2.840.113549.2.5"}
    h = getattr(hashlib, digest)
    cert_id = seq(seq(oid(oids[digest]), null()),
                  octet(h(name or issuer.subject).digest()),
                  octet(h(key or key_bits(issuer.spki)).digest()),
                  integer(cert.serial if serial is None else serial))
    if status == "revoked":
        code = b"" if reason is None else \
            explicit(0, tlv(0x0A, bytes([_REASONS.index(reason)])))
        state = tlv(0xA1, timestamp(since, True), code)
    else:
        state = tlv(0x80) if status == "good" else tlv(0x82)
    exts = [extension(n, c, d) for n, c, d in extensions]
    return seq(cert_id, state, timestamp(this_update, True),
               explicit(0, timestamp(next_update, True)) if next_update else b"",
               explicit(1, seq(*exts)) if exts else b"")


def ocsp(singles, signer, *, certs=(), by_key=True, responder=None, produced="-1h",
         digest="sha256", extensions=(), status=0, tail=b"", inner_tail=b"", version=b""):
    """
    A response with these single responses, signed with signer's key. `certs` go with it;
    responder: whose name or key stands there; status other than 0: nothing but that.
    """
    if status:
        return Ocsp(seq(tlv(0x0A, bytes([status]))) + tail)
    who = responder or signer
    name = explicit(2, octet(hashlib.sha1(key_bits(who.spki)).digest())) if by_key else \
        explicit(1, who.subject)
    exts = [extension(n, c, d) for n, c, d in extensions]
    tbs = seq(version, name, timestamp(produced, True), seq(*singles),
              explicit(1, seq(*exts)) if exts else b"")
    basic = seq(tbs, signature_algorithm(signer.key, digest),
                bits(signature(signer.key, tbs, digest)),
                explicit(0, seq(*[c.der for c in certs])) if certs else b"") + inner_tail
    return Ocsp(seq(tlv(0x0A, b"\0"),
                    explicit(0, seq(oid("1.3.6.1.5.5.7.48.1.1"), octet(basic)))) + tail)


def write_pem(path, *certs):
    """One PEM file of any number of certificates and CRLs; returns the path."""
    path = str(path)
    with open(path, "wb") as f:
        f.write(b"".join(c.pem for c in certs))
    return path


def pkcs7(*certs):
    """A certs-only PKCS#7 (degenerate SignedData), DER."""
    data = seq(integer(1), set_(), seq(oid("1.2.840.113549.1.7.1")),
               tlv(0xA0, *[c.der for c in certs]), set_())
    return seq(oid("1.2.840.113549.1.7.2"), explicit(0, data))
