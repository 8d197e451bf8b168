"""
certauth table export --format sssd: identity rules as sections of sssd.conf, there and
back, and SSSD's own library finds the same people by them. FLAVOUR names the build.
"""

import configparser
import ctypes
import ctypes.util
import hashlib
import json
import os
import re
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from test_exchange import POLICY, SSSD, certauth, run     # noqa: E402
from pki import CA, rfc822, write_pem     # noqa: E402

SECTIONS = SSSD + r"""
[certmap/example/more]
maprule = LDAPU1:(|(sid={sid})(serial={serial_number!dec})(ski={subject_key_id}))
matchrule = <KU>keyEncipherment,DIGITALSIGNATURE<EKU>msScLogin,1.3.6.1.5.2.3.4,emailProtection
priority = 20
[certmap/example/all of them]
maprule = LDAPU1:(digest={cert!sha256})
matchrule = <ISSUER>.*
priority = 30
[certmap/example/words]
maprule = (altSecurityIdentities=X509:<I>{issuer_dn!ad_x500}<S>{subject_dn!ad_x500})
matchrule = <SUBJECT>^CN=A\.B \(x\) [^]a-z]{2,3}\\$<SUBJECT>a+b*c?<SAN:ntPrincipalName>.*<SAN:uniformResourceIdentifier>^urn:.*<SAN:dNSName>\.example$
priority = 25
[certmap/example/default]
maprule = (|(upn={subject_principal})(uid={subject_nt_principal.short_name}))
"""


@pytest.mark.parametrize("text", [SSSD, SECTIONS], ids=["few", "all"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_there_and_back(tmp_path, text, ends):
    ours = run("import", "sssd", tmp_path, text.replace("\n", ends))
    assert ours.returncode == 0, ours.stderr
    theirs = run("export", "sssd", tmp_path, ours.stdout.replace("\n", ends), "--map", "example")
    assert theirs.returncode == 0, theirs.stderr
    again = run("import", "sssd", tmp_path, theirs.stdout)
    assert again.returncode == 0 and again.stdout == ours.stdout
    # and in the order and with the priorities that say so
    names = re.findall(r"^\[certmap/example/(.*)\]$", theirs.stdout, re.M)
    wanted = re.findall(r"^\[certmap/example/(.*)\]$", text, re.M)
    assert sorted(names) == sorted(wanted)
    assert re.findall(r"^priority = (.*)$", theirs.stdout, re.M) == \
        [str(i + 1) for i in range(len(names))]


def rule(settings):
    return 'identity = ( { name = "a"; %s } );\n' % settings


KEY = 'key = "{san.email}"; table = "mail.map";'


@pytest.mark.parametrize("settings,match,search", [
    (KEY, "<ISSUER>.*", "(mail={subject_rfc822_name})"),
    ('key = "{ san.email.local }"; table = "maps/uid.map"; on_miss = "next";', "<ISSUER>.*",
     "(uid={subject_rfc822_name.short_name})"),
    ('key = "{cert.sha256}"; table = "/etc/certauth/userCertificate.map";', "<ISSUER>.*",
     "(userCertificate;binary={cert!bin})"),
    ('key = "X509:<SKI>{ski}"; table = "altSecurityIdentities.map";', "<ISSUER>.*",
     "LDAPU1:(altSecurityIdentities=X509:<SKI>{subject_key_id!hex_u})"),
    (KEY + r' when = "san.email matches \'.*@example\\.com\'";',
     r"<SAN:rfc822Name>@example\.com$", "(mail={subject_rfc822_name})"),
    (KEY + r' when = "issuer.dn matches \'^CN=.*,O=X$\' and subject.dn.rfc4514 matches \".*a\"";',
     "<ISSUER>^CN=.*,O=X$<SUBJECT>a$", "(mail={subject_rfc822_name})"),
    (KEY + r' when = "subject.dn matches \'.*a\\\\.*\'";', r"<SUBJECT>a\\",
     "(mail={subject_rfc822_name})"),
    (KEY + r' when = "subject.dn matches \'.*a\\.*\'";', r"<SUBJECT>a\.*$",
     "(mail={subject_rfc822_name})"),
    (KEY + ' when = "(san.dns == host.example) and (eku in msSmartcardLogin and ku == cRLSign)";',
     r"<SAN:dNSName>^host\.example$<EKU>1.3.6.1.4.1.311.20.2.2<KU>cRLSign",
     "(mail={subject_rfc822_name})")])
def test_as_administrators_write(tmp_path, settings, match, search):
    r = run("export", "sssd", tmp_path, rule(settings.replace("\\'", "'")))
    assert r.returncode == 0, r.stderr
    assert "\n[certmap/certauth/a]\nmatchrule = %s\nmaprule = %s\npriority = 1\n" % \
        (match, search) in r.stdout
    back = run("import", "sssd", tmp_path, r.stdout)
    assert back.returncode == 0, back.stderr


NO_EQUAL = [
    ('user = "{san.email}";', "`user`"), (KEY + ' must_exist = "x.list";', "`must_exist`"),
    (KEY + ' groups = "a";', "`groups`"), (KEY + ' users: { web = "{user}"; };', "`users`"),
    (KEY + ' authorities = [ "a" ];', "`authorities`"),
    (KEY + ' continuity = "san.uri";', "`continuity`"),
    ('key = "{san.email|lower}"; table = "mail.map";', "the key"),
    ('key = "{spki.sha256}"; table = "mail.map";', "the key"),
    ('key = "{san.email}"; table = "people";', "ATTRIBUTE.map"),
    ('key = "{san.email}"; table = "people.2.map";', "ATTRIBUTE.map"),
    (KEY + ' when = "san.email.domain == example.com";', "with a transform"),
    (KEY + ' when = "not eku == clientAuth";', "or, or not"),
    (KEY + ' when = "ku == cRLSign or eku == clientAuth";', "or, or not"),
    (KEY + ' when = "eku in clientAuth, emailProtection";', "found a test of eku"),
    (KEY + ' when = "san.email present";', "found a test of san.email"),
    (KEY + ' when = "san.email count == 1";', "found a test of san.email"),
    (KEY + ' when = "issuer.dn == \\"CN=a\\"";', "found issuer.dn"),
    (KEY + ' when = "subject.CN == a";', "found subject.CN"),
    (KEY + ' when = "key.bits >= 3072";', "found key.bits"),
    (KEY + " when = \"issuer.dn matches 'CN=a '  and san.dns matches '.*a .*'\";", "blank at the end"),
    ('key = "{san.email"; table = "mail.map";', "not closed"), ('key = "{san.email}";', "without table")]


@pytest.mark.parametrize("settings,word", NO_EQUAL, ids=[str(i) for i in range(len(NO_EQUAL))])
def test_no_equal(tmp_path, settings, word):
    text = 'identity = (\n  { name = "first"; %s },\n  { name = "a"; %s } );\n' % (KEY, settings)
    r = run("export", "sssd", tmp_path, text)
    assert r.returncode == 1 and r.stdout == ""
    assert "/in:3: " in r.stderr and word in r.stderr, r.stderr


# What PCRE2 and regex(7) do not both have, or take for something else.
@pytest.mark.parametrize("pattern", [
    "a|b", "(?:a)", "(a)?+", "a*?", "a++", "\\\\d", "\\\\bx", "(a)\\\\1", "[[:alpha:]]", "[\\\\d]",
    "a{,3}", "a{256}", "a{x}", "}", "x^y", "x$y", "\u00fc", "[\u00fc]", "a<b", "a\\\"b", "()", "\\\\<a",
    "(*ACCEPT)", "\\\\Qa"])
def test_patterns_that_differ(tmp_path, pattern):
    ours = "when = \"subject.dn matches '.*%s.*'\"; " % pattern
    r = run("export", "sssd", tmp_path, rule(ours + KEY))
    assert r.returncode == 1 and r.stdout == "" and "in:1: " in r.stderr, r.stderr
    theirs = pattern.replace('\\"', '"').replace("\\\\", "\\")
    r = run("import", "sssd", tmp_path, "[certmap/x/r]\nmaprule = (mail={subject_rfc822_name})\n"
            "matchrule = <SUBJECT>%s\n" % theirs)
    assert r.returncode == 1 and r.stdout == "" and "in:1: " in r.stderr, r.stderr


def test_one_search_of_several(tmp_path):
    """SSSD stops at the first rule that matches: only one `when` can go on to the next."""
    pair = 'identity = ( { name = "a"; key = "{cert.sha256}"; table = "userCertificate.map"; ' \
        'on_miss = "next"; %s },\n  { name = "b"; %s %s } );\n'
    same = ' when = "eku == clientAuth";'
    r = run("export", "sssd", tmp_path, pair % (same, KEY, same))
    assert r.returncode == 0 and r.stdout.count("[certmap") == 1, r.stderr
    assert "(|(userCertificate;binary={cert!bin})(mail={subject_rfc822_name}))" in r.stdout
    r = run("export", "sssd", tmp_path, pair % (same, KEY, ""))
    assert r.returncode == 1 and r.stdout == "" and "in:2: " in r.stderr
    assert "another `when`" in r.stderr
    r = run("export", "sssd", tmp_path, (pair % (same, KEY, "")).replace("next", "refuse"))
    assert r.returncode == 0 and r.stdout.count("[certmap") == 2, r.stderr


@pytest.mark.parametrize("name,domain", [("a]b", "x"), ("a/b", "x"), (" a", "x"), ("a", "x]"), ("a", "")])
def test_names(tmp_path, name, domain):
    r = run("export", "sssd", tmp_path, 'identity = ( { name = "%s"; %s } );\n' % (name, KEY),
            "--map", domain)
    assert r.returncode in (1, 2) and r.stdout == "" and r.stderr != ""


TWO = """version = 1; state = "/nowhere/state";
authorities: { ours = { anchors = [ "root.pem" ]; }; };
profiles: {
  web: { authorities = [ "ours" ];
@include "rules"
  };
  staff: { base = "web"; }; bare: { authorities = [ "ours" ]; };
};
"""


def test_profiles(tmp_path):
    """A policy file: of the profile that is named, with its bases and includes; the files
    that it names need not be here."""
    (tmp_path / "rules").write_text(rule(KEY))
    r = run("export", "sssd", tmp_path, TWO)
    assert r.returncode == 1 and r.stdout == "" and "in:3: " in r.stderr and "--profile" in r.stderr
    r = run("export", "sssd", tmp_path, TWO, "--profile", "staff")
    assert r.returncode == 0 and "(mail={subject_rfc822_name})" in r.stdout, r.stderr
    r = run("export", "sssd", tmp_path, TWO, "--profile", "bare")
    assert r.returncode == 1 and r.stdout == "" and "identity" in r.stderr
    r = run("export", "sssd", tmp_path, TWO, "--profile", "nobody")
    assert r.returncode == 1 and r.stdout == "" and "no profile" in r.stderr
    r = run("export", "sssd", tmp_path, rule(KEY), "--profile", "web")
    assert r.returncode == 1 and r.stdout == "" and "policy file" in r.stderr
    (tmp_path / "rules").write_text("\n" + rule('user = "{san.email}";'))
    r = run("export", "sssd", tmp_path, TWO, "--profile", "staff")
    assert r.returncode == 1 and r.stdout == "" and "/rules:2: " in r.stderr, r.stderr
    assert certauth("table", "export", "--format", "sssd", tmp_path / "nothere").returncode == 2


# ------------------------------------------------------------- the same decisions

RULES = r"""identity = (
  { name = "pinned"; when = "issuer.dn matches 'CN=Test Issuing CA' and eku == clientAuth";
    key = "{cert.sha256}"; table = "userCertificate.map"; on_miss = "next"; },
  { name = "number"; when = "issuer.dn matches 'CN=Test Issuing CA' and eku == clientAuth";
    key = "X509:<I>{issuer.dn.ad}<SR>{serial.reversed}"; table = "altSecurityIdentities.map";
    on_miss = "next"; },
  { name = "mail"; when = "issuer.dn matches 'CN=Test Issuing CA' and eku == clientAuth";
    key = "{san.email}"; table = "mail.map"; },
  { name = "cards"; when = "san.upn matches '.*@corp\\.example' and ku == digitalSignature";
    key = "{san.upn|local}"; table = "uid.map"; },
  { name = "named"; when = "subject.dn matches 'CN=[A-Z][a-z]+ \\(dev\\),O=Example ag' and san.dns matches 'a.*'";
    key = "X509:<I>{issuer.dn.ad}<S>{subject.dn.ad}"; table = "dn.map"; }
);
"""


class Sssd:
    """SSSD's library: which search does it make of a certificate?"""

    def __init__(self, text):
        self.lib = ctypes.CDLL("libsss_certmap.so.0")
        self.context = ctypes.c_void_p()
        assert self.lib.sss_certmap_init(None, None, None, ctypes.byref(self.context)) == 0
        conf = configparser.RawConfigParser(delimiters="=", comment_prefixes="#", strict=True)
        conf.read_string(text)
        for section in conf.sections():
            assert section.startswith("certmap/example/")
            got = self.lib.sss_certmap_add_rule(
                self.context, ctypes.c_uint32(int(conf[section]["priority"])),
                conf[section]["matchrule"].encode(), conf[section]["maprule"].encode(), None)
            assert got == 0, (section, got)

    def search(self, der):
        found, domains = ctypes.c_char_p(), ctypes.c_void_p()
        got = self.lib.sss_certmap_get_search_filter(
            self.context, der, ctypes.c_size_t(len(der)), ctypes.byref(found), ctypes.byref(domains))
        text = found.value if got == 0 else None
        self.lib.sss_certmap_free_filter_and_domains(found, domains)
        return text.decode() if text is not None else None

    def user(self, der, maps):
        """The first of a (|...) that finds somebody, as ours."""
        for attribute, value in re.findall(r"\(([A-Za-z;]+)=([^()]*)\)", self.search(der) or ""):
            raw = re.sub(rb"\\([0-9a-fA-F]{2})", lambda m: bytes.fromhex(m[1].decode()), value.encode())
            if attribute == "userCertificate;binary":
                raw = hashlib.sha256(raw).hexdigest().encode()
            # attributes are compared without regard to case
            one = maps[attribute.split(";")[0]].get(raw.decode().lower())
            if one is not None:
                return one
        return None


def people(root):
    """Name, certificate, and whom the rules mean."""
    other = CA("Other CA")
    yield "pinned", root.leaf("pinned", email="mail@example.com"), "pia"
    yield "number", root.leaf("number", email="mail@example.com"), "nora"
    yield "mail", root.leaf("mail", email="mail@example.com"), "mia"
    yield "nobody", root.leaf("nobody", email="nobody@example.com"), None
    # the first rule that matches decides: no search of the cards' rule
    yield "no-next", root.leaf("no-next", email="x@example.com", upn="carl@corp.example"), None
    yield "card", root.leaf("card", upn="carl@corp.example", eku=["emailProtection"]), "carl"
    yield "card-elsewhere", root.leaf("c", upn="carl@corp.example.net", eku=["emailProtection"]), None
    yield "card-usage", root.leaf("d", upn="carl@corp.example", eku=["emailProtection"],
                                  ku=["keyEncipherment"]), None
    yield "device", root.leaf(None, subject=[("O", "Example ag"), ("CN", "Pump (dev)")], dns="a.example",
                              eku=["serverAuth"]), "pump"
    yield "device-2", root.leaf(None, subject=[("O", "Example ag"), ("CN", "pump (dev)")], dns="a.example",
                                eku=["serverAuth"]), None
    yield "device-3", root.leaf(None, subject=[("O", "Example ag"), ("CN", "Pump (dev)")], dns="b.a.example",
                                eku=["serverAuth"]), None
    yield "stranger", other.leaf("mail", email="mail@example.com"), None
    yield "two", root.leaf("two", email="none@example.com", san=[rfc822("mail@example.com")],
                           eku=["serverAuth"]), None


def judge(folder, rules, leaf):
    (folder / "certauth.conf").write_text(POLICY % (folder, 'purposes = [ "any" ]; ' + rules))
    out = certauth("verify", "--json", "--config", folder / "certauth.conf", "--profile", "web", leaf)
    assert out.returncode in (0, 1), out.stderr
    return json.loads(out.stdout)["user"] or None


@pytest.fixture
def arranged(tmp_path):
    """The tables, the certificates (in files by name), and the rules as SSSD's sections."""
    root = CA("Test Issuing CA")
    write_pem(tmp_path / "root.pem", root)
    everybody = {name: (leaf, user) for name, leaf, user in people(root)}
    serial = bytes.fromhex(everybody["number"][0].serial_hex)[::-1].hex()
    maps = {"userCertificate": {everybody["pinned"][0].sha256(): "pia"},
            "altSecurityIdentities": {"X509:<I>CN=Test Issuing CA<SR>" + serial: "nora"},
            "mail": {"mail@example.com": "mia"}, "uid": {"carl": "carl"},
            "dn": {"X509:<I>CN=Test Issuing CA<S>O=Example ag,CN=Pump (dev)": "pump"}}
    for name, lines in maps.items():
        (tmp_path / (name + ".map")).write_text("".join('"%s" %s\n' % line for line in lines.items()))
    for name, (leaf, _) in everybody.items():
        leaf.write(tmp_path, name)
    theirs = run("export", "sssd", tmp_path, RULES, "--map", "example")
    assert theirs.returncode == 0, theirs.stderr
    return theirs.stdout, maps, everybody


def test_same_decisions(tmp_path, arranged):
    """The rules, and what they come back as: the same people."""
    back = run("import", "sssd", tmp_path, arranged[0])
    assert back.returncode == 0, back.stderr
    for name, (_, user) in arranged[2].items():
        file = tmp_path / (name + ".pem")
        assert judge(tmp_path, RULES, file) == user, name
        assert judge(tmp_path, back.stdout, file) == user, name


@pytest.mark.skipif(not ctypes.util.find_library("sss_certmap"), reason="no libsss-certmap0")
def test_sssd_finds_the_same_people(arranged):
    sssd = Sssd(arranged[0])
    maps = {name: {key.lower(): user for key, user in lines.items()} for name, lines in arranged[1].items()}
    for name, (leaf, user) in arranged[2].items():
        assert sssd.user(leaf.der, maps) == user, name
