"""AuthType CertAuth, the Require providers, and a password beside the certificate."""

import subprocess

import pytest

from apache_world import basic

AUTH = '''AuthType CertAuth
AuthName x
'''


def location(path, *lines):
    return "<Location %s>\n%s\n</Location>\n" % (path, "\n".join(lines))


def status(site, path, *people):
    return [site.get(path, who).status for who in people]


def test_remote_user_and_require_user_group(site):
    site.write("groups", "wheel: alice\nfolk: bob\n")
    site.run(site.vhost("CertAuthProfile staff\n" + location("/", AUTH, "Require valid-user")
                        + location("/u/", "Require user alice")
                        + location("/g/", "AuthGroupFile %s" % site.path("groups"),
                                   "Require group wheel")
                        + location("/not/", "<RequireAll>", "Require valid-user",
                                   "Require not user bob", "</RequireAll>")))
    a = site.get("/cgi-bin/env.cgi", "alice")
    assert a.env["REMOTE_USER"] == "alice" and a.env["AUTH_TYPE"] == "CertAuth"
    assert site.wait_access("|200|alice|accept|ok|alice|")
    for path in ("/u/", "/g/", "/not/"):
        assert status(site, path, "alice", "bob", None, "revoked") == [404, 403, 403, 403], path


def test_without_authtype_there_is_no_remote_user(site):
    site.run(site.vhost("CertAuthProfile staff"))
    assert "REMOTE_USER" not in site.get("/cgi-bin/env.cgi", "alice").env


def test_authtype_under_optional(site):
    site.run(site.vhost("CertAuthProfile staff optional\n"
                        + location("/in/", AUTH, "Require valid-user")
                        + location("/half/", AUTH, "Require all granted")))
    assert status(site, "/in/", "alice", None, "revoked", "mallory") == [404, 403, 403, 403]
    assert "(revoked, " in site.get("/in/", "revoked").body
    assert status(site, "/half/", "alice", None, "revoked") == [404, 404, 404]


def test_authtype_without_profile_is_no_way_in(site):
    site.run(site.vhost(location("/", AUTH, "Require valid-user")
                        + location("/off/", "CertAuthProfile off")
                        + location("/on/", "CertAuthProfile staff")))
    assert status(site, "/", "alice", None) == [500, 500]
    assert status(site, "/off/", "alice") == [500]
    assert status(site, "/on/", "alice", None) == [404, 403]
    assert "AuthType CertAuth without CertAuthProfile" in site.error_log()


def test_profile_without_identity_has_no_user(site):
    site.run(site.vhost("CertAuthProfile anyone\n"
                        + location("/in/", AUTH, "Require valid-user")))
    assert site.get("/", "carol").status == 200
    a = site.get("/in/", "carol")
    assert a.status == 403 and "(no-user, " in a.body


def test_profile_without_identity_says_so_once(site):
    """Accepted, and nobody by name: two words, each told once for a connection."""
    site.run(site.vhost("CertAuthProfile anyone\n"
                        + location("/in/", AUTH, "Require valid-user")))
    with site.connect("carol") as c:
        for _ in range(3):
            assert c.get("/in/").status == 403
            assert c.get("/").status == 200
    log = site.error_log()
    assert log.count("certauth: REJECT 1501 no-user") == 1, log
    assert log.count("certauth: ACCEPT 1000 ok") == 1, log


def test_cert_policy(site):
    site.run(site.vhost("CertAuthProfile staff\n"
                        + location("/p1/", "Require cert-policy 1.3.6.1.4.1.99999.1")
                        + location("/p12/", "Require cert-policy 1.3.6.1.4.1.99999.9 "
                                   "1.3.6.1.4.1.99999.1 1.3.6.1.4.1.99999.2")
                        + location("/near/", "Require cert-policy 1.3.6.1.4.1.99999 "
                                   "1.3.6.1.4.1.99999.11 3.6.1.4.1.99999.1")
                        + location("/not/", "<RequireAll>", "Require all granted",
                                   "Require not cert-policy 1.3.6.1.4.1.99999.2",
                                   "</RequireAll>")))
    assert status(site, "/p1/", "alice", "bob", "later") == [404, 403, 403]
    assert status(site, "/p12/", "alice", "bob", "later") == [404, 404, 403]
    assert status(site, "/near/", "alice", "bob") == [403, 403]
    assert status(site, "/not/", "alice", "bob") == [404, 403]


def test_cert_issuer_names_an_authority(site):
    site.run(site.vhost("CertAuthProfile anyone\n"
                        + location("/s/", "Require cert-issuer staff-ca")
                        + location("/o/", "Require cert-issuer nobody other-ca")
                        + location("/n/", "Require cert-issuer staff")))
    assert status(site, "/s/", "alice", "carol") == [404, 403]
    assert status(site, "/o/", "alice", "carol") == [403, 404]
    assert status(site, "/n/", "alice", "carol") == [403, 403]


@pytest.mark.parametrize("good,bad", [
    ("email:alice@example.com", "email:lice@example.com"),
    ("email:alice@EXAMPLE.com", "email:Alice@example.com"),
    ("upn:alice@corp.example", "upn:alice@example.com"),
    ("uri:urn:person:alice", "uri:urn:person:ALICE"),
    ("dns:alice.example.com", "dns:*.example.com"),
])
def test_cert_san(site, good, bad):
    site.run(site.vhost("CertAuthProfile staff\n"
                        + location("/good/", "Require cert-san " + good)
                        + location("/two/", "Require cert-san %s %s" % (bad, good))
                        + location("/bad/", "Require cert-san " + bad)))
    assert status(site, "/good/", "alice", "bob", None) == [404, 403, 403]
    assert status(site, "/two/", "alice", "bob") == [404, 403]
    assert status(site, "/bad/", "alice", "bob") == [403, 403]


def test_cert_group_and_no_user_needed(site):
    site.run(site.vhost("CertAuthProfile staff\n"
                        + location("/a/", "Require cert-group admins")
                        + location("/two/", "Require cert-group nobody staff")
                        + location("/near/", "Require cert-group admin dmins staff,admins")
                        + location("/e/", 'Require cert-group %{req:X-Want}')))
    assert status(site, "/a/", "alice", "bob") == [404, 403]
    assert status(site, "/two/", "alice", "bob") == [404, 404]
    assert status(site, "/near/", "alice", "bob") == [403, 403]
    assert site.get("/e/", "alice", headers=["X-Want: admins"]).status == 404
    assert site.get("/e/", "alice", headers=["X-Want: wheel"]).status == 403
    assert site.get("/e/", "alice").status == 403


def test_providers_deny_where_the_certificate_is_not_accepted(site):
    """Optional and off: a provider never reads names from a refused certificate."""
    lines = ("<RequireAny>", "Require cert-group staff admins", "Require cert-issuer staff-ca",
             "Require cert-san email:revoked@example.com email:alice@example.com",
             "Require cert-policy 1.3.6.1.4.1.99999.1 2.5.29.32.0", "</RequireAny>")
    site.run(site.vhost("CertAuthProfile staff optional\n" + location("/", *lines)
                        + location("/off/", "CertAuthProfile off")))
    assert status(site, "/", "alice") == [200]
    assert status(site, "/", None, "revoked", "expired", "mallory", "purpose") == [403] * 5
    assert status(site, "/off/", "alice") == [403]


@pytest.mark.parametrize("line,says", [
    ("Require cert-policy", "at least one name"),
    ("Require cert-san alice@example.com", "is not TYPE:VALUE"),
    ("Require cert-san mail:alice@example.com", "email, upn, uri, dns"),
    ("Require cert-group %{nonsense", "cannot parse"),
])
def test_bad_require_lines(site, line, says):
    site.conf(site.main() + site.vhost("CertAuthProfile staff\n" + location("/", line)))
    code, out = site.configtest()
    assert code == 1 and says in out, out


# ------------------------------------------------------------- with a password


@pytest.fixture
def passwords(site):
    hashed = subprocess.run(["openssl", "passwd", "-apr1", "secret"], stdout=subprocess.PIPE,
                            check=True).stdout.decode().strip()
    site.write("passwd", "pat:%s\nalice:%s\n" % (hashed, hashed))
    return "AuthType Basic\nAuthName x\nAuthUserFile %s\n" % site.path("passwd")


def ask(site, path, who, *credentials):
    return site.get(path, who, headers=[basic(*credentials)] if credentials else []).status


def test_alternative_off_means_both(site, passwords):
    """Default: a password never replaces a refused certificate."""
    site.run(site.vhost("CertAuthProfile staff\n"
                        + location("/", passwords, "Require valid-user")
                        + location("/any/", "Satisfy Any")))
    for path in ("/", "/any/"):
        for who in (None, "revoked", "expired", "mallory", "unmapped"):
            assert ask(site, path, who, "pat", "secret") == 403, (path, who)
    assert ask(site, "/", "alice") == 401
    assert ask(site, "/", "alice", "pat", "secret") == 200
    assert ask(site, "/", "alice", "pat", "wrong") == 401


def test_alternative_on(site, passwords):
    site.run(site.vhost("CertAuthProfile staff\nCertAuthAlternative on\n"
                        + location("/", passwords, "Require valid-user")
                        + location("/open/", "Require all granted")
                        + location("/any/", "Satisfy Any")
                        + location("/cert/", "AuthType CertAuth", "Require valid-user")
                        + location("/none/", "AuthType None", "Require all granted")
                        + location("/user/", "Require user alice")))
    site.write("htdocs/open/index.html", "open\n")
    # no certificate: the password may
    assert ask(site, "/", None) == 401
    assert ask(site, "/", None, "pat", "wrong") == 401
    assert ask(site, "/", None, "pat", "secret") == 200
    e = site.get("/cgi-bin/env.cgi", None, headers=[basic("pat", "secret")]).env
    assert (e["REMOTE_USER"], e["AUTH_TYPE"], e["CERTAUTH_VERDICT"]) == ("pat", "Basic", "none")
    # a certificate: no password asked
    assert ask(site, "/", "alice") == 200
    e = site.get("/cgi-bin/env.cgi", "alice").env
    assert (e["REMOTE_USER"], e["AUTH_TYPE"]) == ("alice", "CertAuth")
    e = site.get("/cgi-bin/env.cgi", "bob", headers=[basic("pat", "secret")]).env
    assert e["REMOTE_USER"] == "bob"
    # a refused certificate is never rescued, final or not
    for who in ("revoked", "held", "denied", "expired", "mallory", "unmapped", "purpose"):
        assert ask(site, "/", who, "pat", "secret") == 403, who
    # the alternative is a real one: somebody is named, whatever Require and Satisfy say
    assert ask(site, "/open/", None) == 401
    assert ask(site, "/open/", None, "pat", "secret") == 200
    assert ask(site, "/any/", None) == 403
    # where there is no other AuthType there is no alternative
    assert ask(site, "/cert/", None, "pat", "secret") == 403
    assert ask(site, "/none/", None, "pat", "secret") in (403, 500)
    # and the certificate's user is what Require user sees
    assert ask(site, "/user/", "alice") == 404
    assert ask(site, "/user/", "bob", "alice", "secret") == 403
    assert ask(site, "/user/", None, "alice", "secret") == 404


def test_alternative_needs_tls(site, passwords):
    site.run(site.vhost(""), site.vhost("CertAuthProfile staff\nCertAuthAlternative on\n"
                                        + location("/", passwords, "Require valid-user"),
                                        ssl=False))
    assert site.plain("/").status == 403


def test_alternative_with_profile_in_a_directory(site, passwords):
    site.write("htdocs/in/index.html", "in\n")
    site.run(site.vhost('''<Directory %s/in>
        CertAuthProfile staff
        CertAuthAlternative on
        %s
        Require valid-user
    </Directory>''' % (site.docroot, passwords)))
    assert ask(site, "/in/", None) == 401
    assert ask(site, "/in/", None, "pat", "secret") == 200
    assert ask(site, "/in/", "alice") == 200
    assert ask(site, "/in/", "revoked", "pat", "secret") == 403


def test_fake_basic_auth_under_a_strict_profile(site):
    """mod_ssl's own naming works where every certificate has been judged."""
    site.write("fake", "/CN=Alice:xxj31ZMTZzkVA\n")
    site.run(site.vhost("CertAuthProfile staff\n"
                        + location("/", "SSLOptions +FakeBasicAuth", "AuthType Basic",
                                   "AuthName x", "AuthUserFile %s" % site.path("fake"),
                                   "Require valid-user")))
    assert site.get("/", "revoked").status == 403
    assert site.get("/", None, headers=[basic("/CN=Alice", "password")]).status == 403
    assert site.get("/", "bob").status == 401
