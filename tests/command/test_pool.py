"""
test_pool.py - does one command lead from nothing to a PersonalSign profile that works,
and does nothing get into its folders that the manifest does not name?

A family of our own in the shape of GlobalSign's: a root and its cross-certificate by an
older one, issuing CAs that are current, retired and not known. With the real certificates
where test_globalsign.py finds them.
"""

import csv
import datetime
import hashlib
import http.server
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import threading

import pytest

cryptography = pytest.importorskip("cryptography")
from cryptography import x509                                          # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization       # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, rsa             # noqa: E402
from cryptography.hazmat.primitives.serialization import pkcs7         # noqa: E402
from cryptography.x509.oid import ExtendedKeyUsageOID as EKU           # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

from terminal import on_terminal, shown                                # noqa: E402

SHIPPED = os.path.join(ROOT, "conf-examples", "personalsign")
BUILD = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"))
BINARY = os.path.join(BUILD, "certauth")
CAS = os.environ.get("GLOBALSIGN_CAS",
                     os.path.join(ROOT, "..", "shared", "personalsign", "cas.pem"))
NOW = datetime.datetime.utcnow().replace(microsecond=0)
DAY = datetime.timedelta(days=1)
MAILBOX, SPONSOR = "2.23.140.1.5.1.2", "2.23.140.1.5.3.2"
ANY = "2.5.29.32.0"

pytestmark = pytest.mark.skipif(not os.path.exists(BINARY), reason="certauth is not built")


class CA:
    """One key and its certificates, the first one by itself or its mother."""

    def __init__(self, name, mother=None, days=3000, policies=(ANY,), eku=None, key=None):
        self.name, self.mother, self.issued = name, mother, []
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.cert = self.make(name, self.key, mother, days, policies, eku)

    def make(self, name, key, mother, days, policies, eku):
        subject = x509.Name([
            x509.NameAttribute(x509.NameOID.COMMON_NAME, name),
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Throw-away nv-sa")])
        signer = mother or self
        b = (x509.CertificateBuilder().subject_name(subject)
             .issuer_name(subject if mother is None else mother.cert.subject)
             .public_key(key.public_key()).serial_number(x509.random_serial_number())
             .not_valid_before(NOW - 400 * DAY).not_valid_after(NOW + days * DAY)
             .add_extension(x509.BasicConstraints(True, None), True)
             .add_extension(x509.KeyUsage(True, False, False, False, False, True, True,
                                          False, False), True)
             .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
             .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                 signer.key.public_key()), False))
        if mother is not None and policies:
            b = b.add_extension(x509.CertificatePolicies(
                [x509.PolicyInformation(x509.ObjectIdentifier(p), None) for p in policies]), False)
        if eku:
            b = b.add_extension(x509.ExtendedKeyUsage(eku), False)
        return b.sign(signer.key, hashes.SHA256())

    def leaf(self, mailbox, policies=(MAILBOX,), eku=(EKU.CLIENT_AUTH, EKU.EMAIL_PROTECTION),
             bits=0, days=365, unit=None, key=None):
        key = key or (rsa.generate_private_key(65537, bits) if bits else
                      ec.generate_private_key(ec.SECP256R1()))
        return (x509.CertificateBuilder()
                .subject_name(x509.Name(
                    [x509.NameAttribute(x509.NameOID.COMMON_NAME, mailbox)] +
                    ([] if unit is None else [x509.NameAttribute(
                        x509.NameOID.ORGANIZATIONAL_UNIT_NAME, unit)])))
                .issuer_name(self.cert.subject).public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(NOW - DAY).not_valid_after(NOW + days * DAY)
                .add_extension(x509.BasicConstraints(False, None), True)
                .add_extension(x509.KeyUsage(True, False, True, False, False, False, False,
                                             False, False), True)
                .add_extension(x509.ExtendedKeyUsage(list(eku)), False)
                .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(mailbox)]), False)
                .add_extension(x509.CertificatePolicies(
                    [x509.PolicyInformation(x509.ObjectIdentifier(p), None)
                     for p in policies]), False)
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self.key.public_key()), False)
                .sign(self.key, hashes.SHA256()))

    def crl(self):
        return (x509.CertificateRevocationListBuilder().issuer_name(self.cert.subject)
                .last_update(NOW - DAY).next_update(NOW + 7 * DAY)
                .add_extension(x509.CRLNumber(1), False)
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self.key.public_key()), False)
                .sign(self.key, hashes.SHA256())
                .public_bytes(serialization.Encoding.PEM))


def der(cert):
    return cert.public_bytes(serialization.Encoding.DER)


def pem(*certs):
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certs)


def sha256(cert):
    return hashlib.sha256(der(cert)).hexdigest()


def facts(cert, name, role, groups, status="current", urls=()):
    """A stanza of a manifest."""
    key = cert.public_key().public_bytes(serialization.Encoding.DER,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)
    lines = ["ca " + name, "role " + role, "status " + status, "sha256 " + sha256(cert),
             "key " + hashlib.sha256(key).hexdigest(),
             "ski " + cert.extensions.get_extension_for_class(
                 x509.SubjectKeyIdentifier).value.digest.hex(),
             "valid %sZ %sZ" % (cert.not_valid_before.isoformat(),
                                cert.not_valid_after.isoformat())]
    if groups:
        lines.insert(2, "groups " + groups)
    return "\n".join(lines + ["get " + u for u in urls]) + "\n"


class Family:
    """Roots, a cross-certificate, issuing CAs, and the manifest that names most of them."""

    def __init__(self):
        self.old = CA("Root CA - R3")
        self.root = CA("Secure Mail Root R45")
        self.cross = self.root.make("Secure Mail Root R45", self.root.key, self.old, 2000,
                                    (ANY,), [EKU.EMAIL_PROTECTION])
        self.smime = CA("GCC R45 SMIME CA 2025", self.root,
                        eku=[EKU.CLIENT_AUTH, EKU.EMAIL_PROTECTION])
        self.before = CA("GCC R45 SMIME CA 2022", self.root)
        self.newer = CA("GCC R45 SMIME CA 2027", self.root)
        self.customer = CA("Customer CA 1", self.root)
        self.ps3 = CA("GCC R45 PersonalSign 3 CA 2026", self.root,
                      policies=("1.3.6.1.4.1.4146.1.40.60",))
        self.known = [self.root.cert, self.cross, self.smime.cert, self.before.cert, self.ps3.cert]
        self.all = self.known + [self.newer.cert, self.customer.cert]

    def manifest(self, base="http://127.0.0.1:9"):
        with open(os.path.join(SHIPPED, "manifest"), encoding="utf-8") as f:
            head = f.read().split("# ----", 1)[0]
        return head + "\n".join([
            facts(self.root.cert, "Secure Mail Root R45", "anchor", "smime ps3",
                  urls=[base + "/root.crt"]),
            facts(self.smime.cert, self.smime.name, "issuer", "smime", urls=[base + "/smime.crt"]),
            facts(self.ps3.cert, self.ps3.name, "issuer", "ps3", urls=[base + "/ps3.crt"]),
            facts(self.before.cert, self.before.name, "issuer", "smime", "retired"),
            facts(self.cross, "the cross", "apart", "", urls=[base + "/cross.crt"])])


@pytest.fixture(scope="module")
def family():
    return Family()


class Site:
    """/etc/certauth of a machine that has nothing yet."""

    def __init__(self, folder, manifest):
        self.folder = str(folder)
        self.shipped = os.path.join(self.folder, "shipped")
        shutil.copytree(SHIPPED, self.shipped)
        self.write("shipped/manifest", manifest)
        self.conf = os.path.join(self.folder, "etc", "certauth.conf")

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, data):
        if isinstance(data, str):
            data = data.encode()
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def run(self, *args, code=0):
        p = subprocess.run([BINARY, *args, "--json", "--config", self.conf],
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
        assert p.returncode == code, (args, p.returncode, p.stdout, p.stderr)
        self.said = p.stderr.decode()
        return json.loads(p.stdout) if p.stdout else None

    def setup(self, *files, code=0):
        return self.run("pool", "setup", "--from", self.shipped, *files, code=code)

    def shelf(self, group="smime"):
        """The certificates in a group's folders, by SHA-256."""
        out = {}
        for role in ("anchors", "issuers", "intermediates"):
            folder = self.path("etc", "personalsign", group, role)
            for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
                with open(os.path.join(folder, name), "rb") as f:
                    out[sha256(x509.load_pem_x509_certificate(f.read()))] = role
        return out

    def verify(self, leaf, profile="ps1", sent=()):
        """(decision, reason, user)"""
        args = [BINARY, "verify", "--json", "--config", self.conf, "--profile", profile]
        if sent:
            args += ["--sent=" + self.write("sent.pem", pem(*sent))]
        p = subprocess.run(args + [self.write("leaf.pem", pem(leaf))], stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=60, check=False)
        assert p.returncode in (0, 1), p.stderr
        answer = json.loads(p.stdout)
        self.message = answer["message"]
        return answer["result"], answer["reason"], answer["user"]


@pytest.fixture
def site(tmp_path, family):
    return Site(tmp_path, family.manifest())


def words(answer):
    return {(line["word"], line["sha256"]) for line in answer["lines"]}


def as_csv(path, certs, parents=None, status=None):
    with open(path, "w", newline="", encoding="utf-8") as f:
        w = csv.writer(f, quoting=csv.QUOTE_ALL)
        w.writerow(["CA Owner", "Certificate Name", "Parent SHA-256 Fingerprint",
                    "SHA-256 Fingerprint", "Revocation Status", "PEM Info"])
        for c in certs:
            w.writerow(["Owner, \"quoted\"\nin two lines",
                        c.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value,
                        (parents or {}).get(sha256(c), ""), sha256(c).upper(),
                        (status or {}).get(sha256(c), "Not Revoked"),
                        "'" + pem(c).decode().strip() + "'"])
    return str(path)


@pytest.mark.parametrize("form", ["pem", "der", "pkcs7", "csv"])
def test_only_what_the_manifest_names(site, family, form):
    if form == "der":
        files = [site.write("%d.crt" % i, der(c)) for i, c in enumerate(family.all)]
    elif form == "csv":
        files = [as_csv(site.path("record.csv"), family.all)]
    elif form == "pkcs7":
        files = [site.write("all.p7b", pkcs7.serialize_certificates(
            family.all, serialization.Encoding.DER))]
    else:
        files = [site.write("all.pem", pem(*reversed(family.all)))]
    answer = site.setup(*files)
    assert answer["result"] == "fine"
    # who publishes in the state folder is believed, where there is such a user
    own = open(site.conf, encoding="utf-8").read()
    if any(u.pw_name == "certauth" for u in pwd.getpwall()):
        assert '\nowner = "certauth";\n' in own
    else:
        assert '\n# owner = "certauth";\n' in own and "no user certauth yet" in site.said
    assert answer["counts"]["not of the family"] == 2
    assert site.shelf() == {sha256(family.root.cert): "anchors",
                            sha256(family.smime.cert): "issuers"}
    assert site.shelf("ps3") == {sha256(family.root.cert): "anchors",
                                 sha256(family.ps3.cert): "issuers"}
    assert ("left out", sha256(family.cross)) in words(answer)
    assert ("left out", sha256(family.before.cert)) in words(answer)
    # the second time changes nothing
    again = site.run("pool", "import", *files)
    assert again["counts"]["taken"] == 0 and again["counts"]["there already"] == 4
    assert site.run("pool", "check")["lines"] == []


def with_crls(site, family):
    """What an administrator adds who has CRLs of his own."""
    os.mkdir(site.path("crls"))
    for i, ca in enumerate((family.root, family.smime, family.newer, family.ps3)):
        site.write("crls/%d.crl" % i, ca.crl())
    for name in ("smime", "ps3"):
        path = site.path("etc", "personalsign", "authorities", name + ".conf")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        assert 'grace = "72h";' in text
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace('grace = "72h";', 'grace = "72h"; crls = [ "%s" ];'
                                 % site.path("crls")))


def test_from_nothing_to_a_login(site, family):
    site.setup(site.write("all.pem", pem(*family.all)))
    with_crls(site, family)
    alice = family.smime.leaf("alice@example.com")
    assert site.verify(alice) == ("reject", "no-user", "")
    with open(site.path("etc", "personalsign", "people.map"), "a", encoding="utf-8") as f:
        f.write("alice@example.com alice staff\n")
    assert site.verify(alice) == ("accept", "ok", "alice")
    # a client that sends the cross-certificate as well
    assert site.verify(alice, sent=[family.smime.cert, family.cross]) == ("accept", "ok", "alice")
    # another kind of certificate
    assert site.verify(alice, "ps2pro")[:2] == ("reject", "policy-required")
    assert site.verify(alice, "ps3")[:2] == ("reject", "no-path")
    assert site.verify(family.smime.leaf("alice@example.com", ("1.3.6.1.4.1.4146.1.40.60",)),
                       "ps3", sent=[family.smime.cert])[:2] == ("reject", "issuer-not-listed")
    assert site.verify(family.smime.leaf("alice@example.com", (SPONSOR,)), "ps2pro") == \
        ("accept", "ok", "alice")
    assert site.verify(family.ps3.leaf("alice@example.com", ("1.3.6.1.4.1.4146.1.40.60",)),
                       "ps3") == ("accept", "ok", "alice")


def test_fda_wants_the_very_certificate(site, family):
    site.setup(site.write("all.pem", pem(*family.all)))
    with_crls(site, family)
    for bits, good in ((2048, True), (3072, True), (4096, False), (0, False)):
        leaf = family.smime.leaf("alice@example.com", bits=bits)
        assert site.verify(leaf, "fda")[1] == "no-user"
        with open(site.path("etc", "personalsign", "exact.map"), "a", encoding="utf-8") as f:
            f.write("%s alice\n" % sha256(leaf))
        assert site.verify(leaf, "fda") == \
            (("accept", "ok", "alice") if good else ("reject", "no-user", ""))
    for wrong, reason in (({"days": 363}, "lifetime"), ({"unit": " "}, "bad-name")):
        leaf = family.smime.leaf("alice@example.com", bits=2048, **wrong)
        with open(site.path("etc", "personalsign", "exact.map"), "a", encoding="utf-8") as f:
            f.write("%s alice\n" % sha256(leaf))
        assert site.verify(leaf, "fda")[1] == reason


def test_mail_alone_is_an_opt_in(site, family):
    site.setup(site.write("all.pem", pem(*family.all)))
    with_crls(site, family)
    with open(site.path("etc", "personalsign", "people.map"), "a", encoding="utf-8") as f:
        f.write("alice@example.com alice staff\n")
    mail = family.smime.leaf("alice@example.com", eku=(EKU.EMAIL_PROTECTION,))
    for profile in ("ps1", "google-atlas", "fda"):
        if "profiles/%s.conf" % profile in open(site.path("etc", "personalsign",
                                                          "profiles.conf")).read():
            assert site.verify(mail, profile)[:2] == ("reject", "purpose")
    assert site.verify(mail, "email-only") == ("accept", "ok", "alice")


def test_profiles_without_their_cas_are_not_offered(site, family):
    answer = site.setup(site.write("some.pem", pem(family.root.cert, family.ps3.cert)))
    assert answer["result"] == "fine"
    with open(site.path("etc", "personalsign", "profiles.conf"), encoding="utf-8") as f:
        assert re.findall(r'"profiles/(.*)\.conf"', f.read()) == ["ps3"]
    # an anchor alone is no profile
    shutil.rmtree(site.path("etc"))
    assert site.setup(site.write("root.pem", pem(family.root.cert)), code=1)["result"] == "faults"
    assert "no profile" in site.said
    # and comes with what was missing
    site.run("pool", "import", site.write("all.pem", pem(*family.all)))
    with open(site.path("etc", "personalsign", "profiles.conf"), encoding="utf-8") as f:
        assert re.findall(r'"profiles/(.*)\.conf"', f.read()) == \
            ["ps1", "ps2pro", "ps2dept", "ps3", "email-only", "fda"]


def test_what_somebody_changed_stays(site, family):
    pems = site.write("all.pem", pem(*family.all))
    site.setup(pems)
    mine = site.path("etc", "personalsign", "profiles", "ps1.conf")
    for path in (mine, site.path("etc", "personalsign", "people.map"), site.conf):
        with open(path, "a", encoding="utf-8") as f:
            f.write("# mine\n")
    site.setup(pems)
    for path in (mine, site.path("etc", "personalsign", "people.map"), site.conf):
        with open(path, encoding="utf-8") as f:
            assert f.read().endswith("# mine\n")
    assert "stays" in site.said


def test_check_says_what_should_not_be(site, family):
    site.setup(site.write("all.pem", pem(*family.all)))
    issuers = site.path("etc", "personalsign", "smime", "issuers")
    for name, cert in (("cross", family.cross), ("before", family.before.cert),
                       ("mine", family.customer.cert), ("ps3", family.ps3.cert)):
        with open(os.path.join(issuers, name + ".pem"), "wb") as f:
            f.write(pem(cert))
    with open(os.path.join(issuers, "empty.pem"), "w", encoding="utf-8") as f:
        f.write("nothing\n")
    answer = site.run("pool", "check", code=1)
    assert words(answer) == {("wrong", sha256(family.cross)), ("wrong", sha256(family.ps3.cert)),
                             ("superseded", sha256(family.before.cert)),
                             ("own", sha256(family.customer.cert)), ("unreadable", "")}
    # a current one is gone, in a group that is in use and in one that is not
    for name in os.listdir(issuers):
        os.unlink(os.path.join(issuers, name))
    shutil.rmtree(site.path("etc", "personalsign", "ps3"))
    assert words(site.run("pool", "check", code=1)) == {("missing", sha256(family.smime.cert))}


def test_check_knows_what_ends(site, family):
    site.setup(site.write("all.pem", pem(*family.all)))
    soon = (family.smime.cert.not_valid_after - 30 * DAY).isoformat() + "Z"
    answer = site.run("pool", "check", "--time", soon)
    assert ("ending", sha256(family.smime.cert)) in words(answer)
    late = (family.smime.cert.not_valid_after + DAY).isoformat() + "Z"
    answer = site.run("pool", "check", "--time", late)
    assert ("superseded", sha256(family.smime.cert)) in words(answer)


def test_diff(site, family):
    site.setup(site.write("all.pem", pem(*family.all)))
    root = sha256(family.root.cert)
    parents = {sha256(c): root for c in (family.newer.cert, family.customer.cert,
                                         family.smime.cert, family.ps3.cert)}
    record = [family.root.cert, family.smime.cert, family.ps3.cert]
    assert site.run("pool", "diff", as_csv(site.path("same.csv"), record, parents))["lines"] == []
    answer = site.run("pool", "diff", as_csv(
        site.path("new.csv"), [family.root.cert, family.smime.cert, family.newer.cert,
                               family.customer.cert], parents,
        {sha256(family.smime.cert): "Revoked"}), code=1)
    assert words(answer) == {("new", sha256(family.newer.cert)),
                             ("revoked", sha256(family.smime.cert)),
                             ("gone", sha256(family.ps3.cert))}
    assert answer["counts"]["other"] == 1
    assert site.run("pool", "diff", site.write("x.csv", "a,b\n1,2\n"), code=2) is None
    assert "Common CA Database" in site.said


def test_a_manifest_that_lies_takes_nothing(tmp_path, family):
    """The hash decides, and what stands beside it must be true."""
    text = family.manifest()
    key = re.search(r"ca GCC R45 SMIME CA 2025\n(?:.*\n)*?key (\w+)", text).group(1)
    site = Site(tmp_path, text.replace(key, "0" * 64))
    answer = site.setup(site.write("all.pem", pem(*family.all)))
    left = [line for line in answer["lines"] if line["sha256"] == sha256(family.smime.cert)]
    assert [(line["word"], line["text"]) for line in left] == \
        [("left out", "the manifest has another key for it")]
    assert sha256(family.smime.cert) not in site.shelf()


def test_wrong_input(site, family):
    # before setup
    site.run("pool", "check", code=2)
    assert "pool setup" in site.said
    assert site.run("pool", "nonsense", code=2) is None
    site.setup(site.write("all.pem", pem(*family.all)))
    before = site.shelf()
    answer = site.run("pool", "import", site.write("x", "no certificate\n"), code=1)
    assert answer["counts"]["unreadable"] == 1
    assert site.run("pool", "import", site.path("not-there"), code=2) is None
    # a CSV that was cut, and one without certificates
    with open(as_csv(site.path("r.csv"), family.all), encoding="utf-8") as f:
        text = f.read()
    assert site.run("pool", "import", site.write("cut.csv", text[:-60]), code=2) is None
    assert "not closed" in site.said
    assert site.run("pool", "import", site.write(
        "none.csv", "Certificate Name,SHA-256 Fingerprint\nx,%s\n" % ("a" * 64)), code=2) is None
    assert "PEM" in site.said
    assert site.shelf() == before
    # a manifest in which somebody else could write
    os.chmod(site.path("etc", "personalsign", "manifest"), 0o666)
    assert site.run("pool", "check", code=2) is None


def test_a_policy_of_ones_own(site, family):
    """It is not touched, the lists are ready for it, and it may include them."""
    os.mkdir(site.path("etc"))
    alone(site, family)
    own = open(site.conf, encoding="utf-8").read().replace('"root.pem"', '"../alone/root.pem"')
    own = own.replace('"issuers"', '"../alone/issuers"').replace('"crls"', '"../alone/crls"')
    site.conf = site.path("etc", "certauth.conf")
    site.write("etc/certauth.conf", own)
    old = os.umask(0o077)
    try:
        p = subprocess.run([BINARY, "pool", "setup", "--from", site.shipped, "--config",
                            site.conf, site.write("all.pem", pem(*family.all))],
                           capture_output=True, timeout=60, check=False)
    finally:
        os.umask(old)
    assert p.returncode == 0 and b"includes none of them" in p.stdout, (p.stdout, p.stderr)
    assert open(site.conf, encoding="utf-8").read() == own
    # whatever the umask, the servers can read it
    for folder, _, _ in os.walk(site.path("etc", "personalsign")):
        assert os.stat(folder).st_mode & 0o777 == 0o755, folder
    site.write("etc/certauth.conf", own.replace(
        "authorities: {", 'authorities: {\n@include "personalsign/authorities.conf"\n', 1).replace(
        "profiles: {", 'profiles: {\n@include "personalsign/profiles.conf"\n', 1))
    assert site.verify(family.smime.leaf("alice@example.com"), "ps1")[1] == "no-user"
    assert site.verify(family.smime.leaf("alice@example.com"), "web")[0] == "accept"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def web(tmp_path):
    """A folder that is served on 127.0.0.1, and its URL."""
    folder = tmp_path / "web"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *a: Quiet(*a, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield folder, "http://127.0.0.1:%d" % server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.skipif(not os.path.exists(os.path.join(BUILD, "certauth-refresher")),
                    reason="the refresher is not built")
def test_fetch(tmp_path, family, web):
    """From nothing, by the network alone; a server that gives something else harms nobody."""
    folder, base = web
    (folder / "root.crt").write_bytes(der(family.root.cert))
    (folder / "smime.crt").write_bytes(der(family.customer.cert))
    (folder / "cross.crt").write_bytes(der(family.cross))
    site = Site(tmp_path, family.manifest(base))
    answer = site.setup(code=1)
    assert site.shelf() == {sha256(family.root.cert): "anchors"}
    assert answer["counts"]["not of the family"] == 1
    assert ("missing", sha256(family.smime.cert)) in words(answer)
    (folder / "smime.crt").write_bytes(der(family.smime.cert))
    (folder / "ps3.crt").write_bytes(pem(family.ps3.cert))
    site.run("pool", "fetch")
    assert site.shelf() == {sha256(family.root.cert): "anchors",
                            sha256(family.smime.cert): "issuers"}
    assert sha256(family.ps3.cert) in site.shelf("ps3")
    raw, _ = on_terminal([BINARY, "pool", "fetch", "--config", site.conf], columns=200,
                         env={"CERTAUTH_PROGRESS_AT_ONCE": "1"})
    assert re.search(r"\r\x1b\[Kpool fetch: 3 of \d, \S+\.crt, \d+ s\r", raw), raw
    assert "there already" in shown(raw) and "pool fetch:" not in shown(raw)
    with_crls(site, family)
    assert site.verify(family.smime.leaf("bob@example.com"))[1] == "no-user"


def test_every_shipped_file_is_used(tmp_path):
    """conf-examples/personalsign has a file for each group and profile, and no other."""
    with open(os.path.join(SHIPPED, "manifest"), encoding="utf-8") as f:
        text = f.read()
    for kind, folder in (("group", "authorities"), ("profile", "profiles")):
        named = sorted(n + ".conf" for n in re.findall(r"^%s (\S+)$" % kind, text, re.M))
        assert sorted(os.listdir(os.path.join(SHIPPED, folder))) == named
    assert sorted(os.listdir(SHIPPED)) == ["authorities", "authorities.conf", "certauth.conf",
                                           "denied", "exact.map", "manifest", "people.map",
                                           "profiles", "profiles.conf"]


def test_every_shipped_file_is_taken(tmp_path):
    """With a CA of our own in each folder the whole example is a policy."""
    etc = tmp_path / "etc"
    shutil.copytree(SHIPPED, etc / "personalsign")
    shipped = open(os.path.join(SHIPPED, "certauth.conf"), encoding="utf-8").read()
    assert '\nowner = "certauth";\n' in shipped
    # that user need not be on a machine that builds
    (etc / "certauth.conf").write_text(shipped.replace('owner = "certauth";', ""))
    for name in os.listdir(os.path.join(SHIPPED, "authorities")):
        root = CA("Root")
        for role, certs in (("anchors", [root.cert]), ("issuers", [CA("I", root).cert]),
                            ("intermediates", [])):
            folder = etc / "personalsign" / name[:-5] / role
            folder.mkdir(parents=True)
            for c in certs:
                (folder / "ca.pem").write_bytes(pem(c))
    leaf = tmp_path / "leaf.pem"
    leaf.write_bytes(pem(root.leaf("alice@example.com")))
    for name in os.listdir(os.path.join(SHIPPED, "profiles")):
        p = subprocess.run([BINARY, "verify", "--json", "--config", str(etc / "certauth.conf"),
                            "--profile", name[:-5], str(leaf)], stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=60, check=False)
        assert p.returncode == 1, (name, p.stderr)
        assert json.loads(p.stdout)["result"] == "reject"


@pytest.mark.skipif(not os.path.exists(CAS), reason="no real CA certificates: GLOBALSIGN_CAS names "
                    "no file, and ../shared/personalsign/cas.pem is not there")
def test_the_real_family(tmp_path):
    """The manifest's facts are those of the certificates, each of them."""
    with open(os.path.join(SHIPPED, "manifest"), encoding="utf-8") as f:
        site = Site(tmp_path, f.read())
    answer = site.setup(CAS)
    assert answer["result"] == "fine"
    assert answer["counts"]["not of the family"] == 0
    left = [line for line in answer["lines"] if line["word"] == "left out"]
    assert {line["text"] for line in left} == {"retired", "apart: it is never taken"}
    taken = {line["sha256"] for line in answer["lines"] if line["word"] == "taken"}
    assert len(taken) + len(left) == 112
    for never in ("5268c94573af66ba", "5b87841e80aafe87", "ebd41040e4bb3ec7"):
        assert not [t for t in taken if t.startswith(never)]
    assert site.run("pool", "check", "--time", "2026-09-01")["counts"]["missing"] == 0
    with open(site.path("etc", "personalsign", "profiles.conf"), encoding="utf-8") as f:
        assert len(re.findall("@include", f.read())) == 9


# ------------------------------------------------------------- CAs that are not listed

def alone(site, family, **settings):
    """One authority with the listed CA of 2025; settings are added to it."""
    for name in ("issuers", "crls"):
        os.makedirs(site.path("alone", name), exist_ok=True)
    site.write("alone/root.pem", pem(family.root.cert))
    site.write("alone/issuers/smime.pem", pem(family.smime.cert))
    for i, ca in enumerate((family.root, family.smime, family.newer, family.customer)):
        site.write("alone/crls/%d.crl" % i, ca.crl())
    site.conf = site.write("alone/certauth.conf", """version = 1;
authorities: { ours: { anchors = [ "root.pem" ]; issuers = [ "issuers" ]; %s
  revocation: { crls = [ "crls" ]; }; }; };
profiles: { web: { authorities = [ "ours" ]; %s }; };
""" % (settings.get("authority", ""), settings.get("profile", "")))


def test_accept_what_was_refused(site, family):
    alone(site, family)
    leaf = family.newer.leaf("alice@example.com")
    assert site.verify(leaf, "web", [family.newer.cert])[:2] == ("reject", "issuer-not-listed")
    hint = re.search(r'certauth (pool accept [0-9a-f]{64}) "ours"', site.message)
    assert hint, site.message
    line = "REJECT 1104 issuer-not-listed user=\"\" subject=\"%%s\" detail=\"%s\"" % \
        site.message.replace("\\", "\\\\").replace('"', '\\"')
    bait = "CN=x certauth pool accept " + 64 * "a"
    log = site.write("error.log", "x\n2026/01/01 [error] certauth: %s\n\x1b[31m%s\n"
                     % (line % bait, "certauth: " + line.replace("1104 issuer-not-listed",
                                                                "1201 expired") % bait))
    answer = site.run("pool", "pending", log)
    assert [line["sha256"] for line in answer["lines"]] == [sha256(family.newer.cert)]
    assert "2027" in answer["lines"][0]["name"]
    words_ = hint.group(1).split()
    # nobody has its bytes
    site.run(*words_, code=1)
    assert "name a file" in site.said
    site.run(*words_, "ours", site.write("ca.crt", der(family.newer.cert)))
    assert site.verify(leaf, "web")[:2] == ("accept", "ok")
    site.run(*words_, "ours", site.path("ca.crt"), code=1)
    assert "already" in site.said


def test_accept_refuses(site, family):
    alone(site, family)
    ca = site.write("ca.pem", pem(*family.all))
    # no CA under this anchor, no CA at all, another hash, no hash
    other = CA("Other Root")
    stranger = CA("Stranger", other)
    site.write("stranger.pem", pem(stranger.cert))
    leaf = family.smime.leaf("alice@example.com")
    site.write("alice.pem", pem(leaf))
    for cert, name in ((stranger.cert, "stranger.pem"), (leaf, "alice.pem")):
        site.run("pool", "accept", sha256(cert), site.path(name), code=1)
        assert "no CA in force" in site.said
    site.run("pool", "accept", "0" * 64, ca, code=1)
    assert site.run("pool", "accept", "0" * 63, ca, code=2) is None
    assert site.run("pool", "accept", code=2) is None
    assert os.listdir(site.path("alone", "issuers")) == ["smime.pem"]
    # what the manifest says is apart
    site.conf = site.path("etc", "certauth.conf")
    site.setup(ca)
    site.run("pool", "accept", sha256(family.cross), "smime", ca, code=1)
    assert "apart" in site.said
    # two authorities have that anchor
    site.run("pool", "accept", sha256(family.newer.cert), ca, code=1)
    assert "name the authority" in site.said
    site.run("pool", "accept", sha256(family.newer.cert), "ps3", ca)
    assert ("own", sha256(family.newer.cert)) in words(site.run("pool", "check"))


def test_new_issuers(site, family):
    newer = family.newer.leaf("alice@example.com")
    other = family.customer.leaf("alice@example.com")
    sent = [family.newer.cert, family.customer.cert]
    # a CRL counts once its signer's certificate is in the pool
    pool = 'intermediates = [ "pool.pem" ];'
    for word, expected in ((pool, "issuer-not-listed"),
                           (pool + 'new_issuers = "refuse";', "issuer-not-listed"),
                           ('new_issuers = "accept";', "revocation-unknown"),
                           (pool + 'new_issuers = "accept";', "ok")):
        os.makedirs(site.path("alone"), exist_ok=True)
        site.write("alone/pool.pem", pem(family.newer.cert))
        alone(site, family, authority=word)
        assert site.verify(newer, "web", sent)[1] == expected
        # another name, whatever the setting
        assert site.verify(other, "web", sent)[1] == "issuer-not-listed"
    alone(site, family, authority='new_issuers = "maybe";')
    with pytest.raises(AssertionError):
        site.verify(newer, "web", sent)


def test_new_issuers_are_of_the_same_anchor_and_organization(site, family):
    """The same name, but by another CA, or for somebody else."""
    sub = CA("Sub CA", family.root)
    below = CA("GCC R45 SMIME CA 2027", sub)
    class Firm(CA):
        def make(self, name, key, mother, days, policies, eku):
            cert = CA.make(self, name, key, mother, days, policies, eku)
            return (x509.CertificateBuilder().subject_name(x509.Name([
                x509.NameAttribute(x509.NameOID.COMMON_NAME, name),
                x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Somebody else")]))
                .issuer_name(cert.issuer).public_key(key.public_key())
                .serial_number(cert.serial_number).not_valid_before(cert.not_valid_before)
                .not_valid_after(cert.not_valid_after)
                .add_extension(x509.BasicConstraints(True, None), True)
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    mother.key.public_key()), False).sign(mother.key, hashes.SHA256()))
    firm = Firm("GCC R45 SMIME CA 2027", family.root)
    alone(site, family, authority='new_issuers = "accept";')
    for i, ca in enumerate((sub, below, firm)):
        site.write("alone/crls/more%d.crl" % i, ca.crl())
    for ca, sent in ((below, [below.cert, sub.cert]), (firm, [firm.cert])):
        assert site.verify(ca.leaf("alice@example.com"), "web", sent)[:2] == \
            ("reject", "issuer-not-listed")


# -------------------------------------------------------- what can never match

def check_lines(site):
    p = subprocess.run([BINARY, "check", "--json", "--config", site.conf],
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    return {(line["severity"], line["text"]) for line in json.loads(p.stdout)["lines"]
            if "may assert" in line["text"]}


def test_check_warns_of_what_can_never_match(site, family):
    alone(site, family)
    site.write("alone/issuers/smime.pem", pem(family.ps3.cert))
    for policies, severity in ((["1.3.6.1.4.1.4146.1.40.60"], None),
                               (["1.3.6.1.4.1.4146.1.40.60", MAILBOX], "warning"),
                               ([MAILBOX], "fault")):
        alone_conf = open(site.conf, encoding="utf-8").read()
        site.write("alone/certauth.conf", re.sub(
            r'(authorities = \[ "ours" \];).*\}; \};', r'\1 policies = [ %s ]; }; };'
            % ", ".join('"%s"' % p for p in policies), alone_conf))
        lines = check_lines(site)
        if severity is None:
            assert lines == set()
            continue
        assert {s for s, _ in lines} == {severity}
        text = next(iter(lines))[1]
        assert text.startswith(MAILBOX) and "allows 1.3.6.1.4.1.4146.1.40.60" in text
        assert ("nobody can ever enter" in text) == (severity == "fault")
    # classes are judged by themselves, by their names
    for profile, start, end in (
            ('classes = [ "mailbox", "sponsor" ];', "mailbox, sponsor: ", "these classes"),
            ('policies = [ "1.3.6.1.4.1.4146.1.40.60" ]; classes = [ "individual" ];',
             "individual: ", "this class")):
        alone(site, family, profile=profile)
        site.write("alone/issuers/smime.pem", pem(family.ps3.cert))
        (severity, text), = check_lines(site)
        assert severity == "fault" and text.startswith(start), text
        assert "may assert %s, so nobody can ever enter" % end in text
    alone(site, family)
    site.write("alone/issuers/smime.pem", pem(family.ps3.cert))
    site.write("alone/certauth.conf", re.sub(
        r'(authorities = \[ "ours" \];).*\}; \};', r'\1 policies = [ "%s" ]; }; };' % MAILBOX,
        open(site.conf, encoding="utf-8").read()))
    # the refusal says both sides
    assert site.verify(family.ps3.leaf("a@example.com", (MAILBOX,)), "web")[1] == \
        "policy-required"
    assert "carries %s; its issuer allows 1.3.6.1.4.1.4146.1.40.60." % MAILBOX in site.message
    # any policy, or no pinned issuers at all: nothing to warn of
    alone(site, family, profile='policies = [ "%s" ];' % MAILBOX)
    assert check_lines(site) == set()
