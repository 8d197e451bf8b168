"""
certauth table import and export: maps of other programs, there and back; and what has no
equal is refused with its line. FLAVOUR names the build.
"""

import base64
import os
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

from pki import CA, write_pem     # noqa: E402

BINARY = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")


def certauth(*args):
    return subprocess.run([BINARY, *map(str, args)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)


def run(what, fmt, folder, text, *more):
    file = folder / "in"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(0o640)
    return certauth("table", what, "--format", fmt, file, *more)


def rows(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


GRID = '''# comment
"/C=DE/O=Grid/CN=Alice Smith" alice
"/C=DE/O=Grid/CN=Bob/emailAddress=bob@example.com"   bob

/C=CH/CN=carol carol
'''
PG = '''# MAPNAME SYSTEM DATABASE
certs   alice            alice
certs   "Bob ""B"" Baker"  "bob"   # a remark
certs   CN=carol,O=X     carol
'''
SKI = "0123456789abcdef0123456789abcdef01234567"
AD = """dn: CN=Alice,DC=example,DC=com
changetype: modify
sAMAccountName: alice
altSecurityIdentities: X509:<SKI>%s
altSecurityIdentities: X509:<I>DC=com,DC=example,CN=Issuing CA<SR>1200000000AC11000000002B
altSecurityIdentities: Kerberos:alice@EXAMPLE.COM

dn: uid=bob
altSecurityIdentities: X509:<SHA1-PUKEY>%s
altSecurityIdentities: X509:<RFC822>Bob@Example.COM
uid: bob

dn: CN=Carol
uid: ignored
sAMAccountName: carol
altSecurityIdentities: X509:<I>C=CH,O=Example ag,
  CN=Issuing CA<S>C=CH,CN=Carol
altSecurityIdentities:: %s
""" % (SKI.upper(), SKI, base64.b64encode("X509:<I>C=CH<S>CN=J\u00fcrg".encode()).decode())


@pytest.mark.parametrize("fmt,text,want", [
    ("grid-mapfile", GRID, ['"/C=DE/O=Grid/CN=Alice Smith" alice',
                            '"/C=DE/O=Grid/CN=Bob/emailAddress=bob@example.com" bob',
                            '"/C=CH/CN=carol" carol']),
    ("pg_ident", PG, ["alice alice", '"Bob \\"B\\" Baker" bob', '"CN=carol,O=X" carol']),
    ("ad", AD, ["X509:<SKI>%s alice" % SKI,
                '"X509:<I>DC=com,DC=example,CN=Issuing CA<SR>1200000000ac11000000002b" alice',
                "X509:<SHA1-PUKEY>%s bob" % SKI, "X509:<RFC822>Bob@example.com bob",
                '"X509:<I>C=CH,O=Example ag, CN=Issuing CA<S>C=CH,CN=Carol" carol',
                '"X509:<I>C=CH<S>CN=J\u00fcrg" carol'])])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_there_and_back(tmp_path, fmt, text, want, ends):
    r = run("import", fmt, tmp_path, text.replace("\n", ends))
    assert r.returncode == 0, r.stderr
    assert rows(r.stdout) == want
    back = run("export", fmt, tmp_path, r.stdout)
    assert back.returncode == 0, back.stderr
    again = run("import", fmt, tmp_path, back.stdout)
    assert again.returncode == 0 and rows(again.stdout) == want
    # also by way of a compiled table
    (tmp_path / "map").write_text(r.stdout)
    assert certauth("table", "build", "--output", tmp_path / "t", tmp_path / "map").returncode == 0
    assert certauth("table", "export", "--format", fmt, tmp_path / "t").stdout == back.stdout


@pytest.mark.parametrize("fmt,text,line,word", [
    ("grid-mapfile", '"/C=DE/CN=a" a\n"/C=DE/CN=b" b,c\n', 2, "several accounts"),
    ("grid-mapfile", '"/C=DE/CN=a" .pool\n', 1, "pool"),
    ("grid-mapfile", '"/atlas/Role=production" a\n', 1, "VOMS"),
    ("grid-mapfile", '"/C=DE/CN=J\\xc3rg" a\n', 1, "backslash"),
    ("grid-mapfile", '"/C=DE/CN=a a\n', 1, "closing"),
    ("grid-mapfile", '"/C=DE/CN=a"\n', 1, "no user"),
    ("grid-mapfile", 'alice alice\n', 1, "expected a name"),
    ("pg_ident", "m /^(.*)@example\\.com$ \\1\n", 1, "regular expression"),
    ("pg_ident", "m a all\n", 1, "all"), ("pg_ident", "m a +admins\n", 1, "admins"),
    ("pg_ident", "m a a\nn b b\n", 2, "--map"), ("pg_ident", "m a\n", 1, "three words"),
    ("pg_ident", "include other.conf\n", 1, "include"),
    ("ad", "uid: a\naltSecurityIdentities: X509:<S>CN=a\n", 2, "no equal"),
    ("ad", "uid: a\naltSecurityIdentities: X509:<SKI>xyz\n", 2, "hexadecimal"),
    ("ad", "uid: a\naltSecurityIdentities: X509:<RFC822>abc\n", 2, "mailbox"),
    ("ad", "uid: a\naltSecurityIdentities: X509:<I>C=CH<SR>12345\n", 2, "no equal"),
    ("ad", "cn: a\naltSecurityIdentities: X509:<SKI>ab12\n", 2, "without sAMAccountName"),
    ("ad", "uid: a\naltSecurityIdentities:: !!!\n", 2, "base64"), ("ad", "rubbish\n", 1, "LDIF"),
    ("sssd", "[domain/x]\na = b\n", 3, "no [certmap"),
    ("sssd", "[certmap/x/r]\nmatchrule = <EKU>clientAuth\n", 1, "no maprule"),
    ("sssd", "[certmap/x/r]\nmatchrule = ||<EKU>clientAuth<ISSUER>^CN=a$\n"
             "maprule = (mail={subject_rfc822_name})\n", 1, "||"),
    ("sssd", "[certmap/x/r]\nmatchrule = <ISSUER>(a|b)\nmaprule = (mail={subject_rfc822_name})\n",
     1, "without |"),
    ("sssd", "[certmap/x/r]\nmatchrule = <SAN:directoryName>a\n"
             "maprule = (mail={subject_rfc822_name})\n", 1, "no equal"),
    ("sssd", "[certmap/x/r]\nmaprule = (&(a={cert!bin})(b={cert!bin}))\n", 1, "expected"),
    ("sssd", "[certmap/x/r]\nmaprule = (mail={subject_x400_address})\n", 1, "no equal"),
    ("sssd", "[certmap/x/r]\npriority = high\n", 2, "priority"),
    ("sssd", "[certmap/x/r]\nmatchrule = <KU>cRLSign x\nmaprule = (mail={subject_rfc822_name})\n", 1, "usage"),
    ("sssd", "[certmap/x/r]\nmatchrule = <EKU>clientauth,nothing\nmaprule = (mail={subject_rfc822_name})\n",
     1, "usage"),
    ("sssd", "[certmap/x/r]\nwish = x\n", 2, "no equal")])
def test_no_equal(tmp_path, fmt, text, line, word):
    r = run("import", fmt, tmp_path, text)
    assert r.returncode == 1 and r.stdout == ""
    assert "in:%d: " % line in r.stderr and word in r.stderr, r.stderr


@pytest.mark.parametrize("fmt,text", [
    ("grid-mapfile", '"/CN=a" a\n"/CN=a" b\n'), ("pg_ident", "m a a\nm a b\n"),
    ("pg_ident", 'm a ""\n'), ("ad", "uid: a\naltSecurityIdentities: X509:<SKI>ab\n\nuid: b\n"
                                     "altSecurityIdentities: X509:<SKI>AB\n")])
def test_what_would_be_no_map(tmp_path, fmt, text):
    """Two people of one key, above all."""
    r = run("import", fmt, tmp_path, text)
    assert r.returncode == 1 and r.stdout == "" and "map with a fault" in r.stderr, r.stderr


@pytest.mark.parametrize("fmt,text,word", [
    ("grid-mapfile", '"/CN=a" a staff\n', "groups"), ("pg_ident", "a a not-after=2027-01-01\n", "not-after"),
    ("grid-mapfile", "a@x a\n", "/C=DE"), ("ad", "a@x a\n", "X509:<"), ("pg_ident", "/a a\n", "regular"),
    ("sssd", "a a\n", "no equal"), ("ldif", "a a\n", "--format")])
def test_no_way_out(tmp_path, fmt, text, word):
    r = run("export", fmt, tmp_path, text)
    assert r.returncode == (2 if fmt == "ldif" else 1) and r.stdout == "" and word in r.stderr, r.stderr


def test_one_of_several_maps(tmp_path):
    text = "m a a\nn a other\n"
    assert rows(run("import", "pg_ident", tmp_path, text, "--map", "n").stdout) == ["a other"]


SSSD = """[sssd]
domains = example
[certmap/example/smartcards]
maprule = (|(userCertificate;binary={cert!bin})(mail={subject_rfc822_name}))
matchrule = <ISSUER>^CN=Test Issuing CA$<EKU>clientAuth<KU>digitalSignature
priority = 10
[certmap/example/first]
maprule = LDAPU1:(altSecurityIdentities=X509:<I>{issuer_dn!ad_x500}<SR>{serial_number!hex_ur})
matchrule = KRB5:&&<SAN:rfc822Name>@example\\.com$
priority = 1
domains = example
[nss]
x = y
"""
POLICY = """version = 1; state = "%s/state";
authorities: { ours = { anchors = [ "root.pem" ]; revocation: { check = "none"; }; }; };
profiles: { web: { authorities = [ "ours" ]; %s }; };
"""


def test_sssd_rules_decide(tmp_path):
    """The rules are taken by the policy as they come, and lead where they should."""
    r = run("import", "sssd", tmp_path, SSSD)
    assert r.returncode == 0, r.stderr
    root = CA("Test Issuing CA")
    write_pem(tmp_path / "root.pem", root)
    certs = {}
    for name, email in (("alice", "alice@example.com"), ("bob", "bob@elsewhere.test"),
                        ("carol", "carol@example.com")):
        certs[name] = root.leaf(name, email=email)
        certs[name].write(tmp_path, name)
    root.leaf("dave", email="bob@elsewhere.test", eku=["clientAuth"], ku=None).write(tmp_path, "dave")
    serial = "%x" % certs["alice"].serial
    serial = bytes.fromhex("0" * (len(serial) % 2) + serial)[::-1].hex()
    ldif = "uid: anna\naltSecurityIdentities: X509:<I>CN=Test Issuing CA<SR>%s\n" % serial
    (tmp_path / "altSecurityIdentities.map").write_text(run("import", "ad", tmp_path, ldif).stdout)
    (tmp_path / "userCertificate.map").write_text("")
    (tmp_path / "mail.map").write_text("bob@elsewhere.test robert\n")
    (tmp_path / "certauth.conf").write_text(POLICY % (tmp_path, r.stdout))

    def user(name):
        out = certauth("verify", "--json", "--config", tmp_path / "certauth.conf", "--profile", "web",
                       tmp_path / (name + ".pem"))
        return out.stdout + out.stderr
    assert '"user":"anna"' in user("alice"), user("alice")
    assert '"user":"robert"' in user("bob"), user("bob")
    assert "no-user" in user("carol")
    assert "no-user" in user("dave")    # no key usage: <KU> does not match
