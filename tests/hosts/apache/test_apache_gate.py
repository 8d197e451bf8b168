"""The gate: CertAuthProfile alone refuses, whatever Require, Satisfy or a Redirect say."""

import re

import pytest

from apache_world import Connection, basic


REFUSALS = [("revoked", "revoked", 403), ("held", "on-hold", 403), ("denied", "denied", 403),
            ("unmapped", "no-user", 403), ("expired", "expired", 403), ("purpose", "purpose", 403),
            ("carol", "no-path", 403), ("mallory", "no-path", 403), (None, "no-certificate", 403)]


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_profile_alone_refuses_and_says_why(site, tls):
    site.run(site.vhost("CertAuthProfile staff"))
    good = site.get("/", "alice", tls=tls)
    assert (good.status, good.body) == (200, "ok\n")
    for who, slug, status in REFUSALS:
        mark = site.mark()
        a = site.get("/", who, tls=tls)
        assert a.status == status, (who, a)
        assert "(%s, " % slug in a.body, (who, a)
        # the same id on the page and in the log, at error level; but what anybody
        # can have a thousand times a second is no error
        level = "info" if slug == "no-certificate" else "error"
        log = re.search(r"Reason: .*\(%s, (\w+)\)" % slug, a.body)[1]
        line = site.wait_log(r"\[certauth:%s\].*certauth: REJECT \d+ %s .*id=%s" % (level, slug, log), mark)
        assert line, site.error_log(mark)


def test_require_all_granted_does_not_open(site):
    site.run(site.vhost('''CertAuthProfile staff
        <Location "/">
            Require all granted
        </Location>'''))
    assert site.get("/").status == 403
    assert site.get("/", "revoked").status == 403
    assert site.get("/", "alice").status == 200


def test_satisfy_any_and_requireany_do_not_open(site):
    site.write("passwd", "x:$apr1$ExampleS$KsiMq4Iq3KeP9Kg6bX/nD0\n")
    site.run(site.vhost('''CertAuthProfile staff
        <Location "/any/">
            Satisfy Any
            Order allow,deny
            Allow from all
        </Location>
        <Location "/either/">
            <RequireAny>
                Require all granted
                Require cert-group staff
            </RequireAny>
        </Location>'''))
    site.write("htdocs/any/index.html", "any\n")
    site.write("htdocs/either/index.html", "either\n")
    for path in ("/any/", "/either/"):
        assert site.get(path, "alice").status == 200
        for who in (None, "revoked", "mallory"):
            assert site.get(path, who).status == 403, (path, who)


def test_a_redirect_of_the_server_is_not_answered(site):
    site.run(site.vhost('''CertAuthProfile staff
        Redirect /old https://secret.example/
        RewriteEngine on
        RewriteRule ^/gone$ - [G]
        RewriteRule ^/moved$ https://secret.example/ [R]'''))
    for path, status in (("/old", 302), ("/moved", 302), ("/gone", 410)):
        a = site.get(path)
        assert a.status == 403 and "secret" not in str(a.headers) + a.body
        assert site.get(path, "alice").status == status


def test_optional_judges_and_refuses_nothing(site):
    site.run(site.vhost("CertAuthProfile staff optional"))
    for who, slug, _ in REFUSALS:
        a = site.get("/cgi-bin/env.cgi", who)
        assert a.status == 200, who
        assert a.env["CERTAUTH_REASON"] == slug
        assert a.env["CERTAUTH_VERDICT"] == ("reject" if who else "none")
        assert a.env["CERTAUTH_USER"] == "" and "REMOTE_USER" not in a.env
    a = site.get("/cgi-bin/env.cgi", "alice")
    assert (a.env["CERTAUTH_VERDICT"], a.env["CERTAUTH_USER"]) == ("accept", "alice")


def test_off_in_a_directory_and_a_profile_in_another(site):
    site.write("htdocs/open/index.html", "open\n")
    site.write("htdocs/first/index.html", "first\n")
    site.run(site.vhost('''CertAuthProfile staff
        <Directory %s/open>
            CertAuthProfile off
        </Directory>
        <Location /first/>
            CertAuthProfile first
        </Location>''' % site.docroot))
    assert site.get("/").status == 403
    a = site.get("/open/")
    assert (a.status, a.body) == (200, "open\n")
    with site.connect("bob") as c:          # one connection, one handshake, two profiles
        assert c.get("/").status == 200
        a = c.get("/first/")
        assert a.status == 403 and "policy-required" in a.body
        assert c.get("/").status == 200
    assert site.get("/first/", "alice").status == 200


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_only_a_directory_has_a_profile(site, tls):
    """The vhost asks all the same: no renegotiation, no post-handshake authentication."""
    site.write("htdocs/in/index.html", "in\n")
    site.run(site.vhost('''<Location /in/>
        CertAuthProfile staff
    </Location>
    <Location /guests/>
        CertAuthProfile guests
    </Location>'''))
    assert site.get("/", tls=tls).status == 200
    assert site.get("/in/", tls=tls).status == 403
    with site.connect("alice", tls=tls) as c:
        assert c.get("/").status == 200
        assert c.get("/in/").status == 200
        a = c.get("/guests/")
        assert a.status == 403 and "no-path" in a.body
    with site.connect("carol", tls=tls) as c:
        assert c.get("/in/").status == 403
        assert c.get("/guests/").status == 404


def test_main_servers_directory_counts_for_each_vhost(site):
    site.write("htdocs/in/index.html", "in\n")
    site.run(site.vhost(""), main='''<Directory %s/in>
        CertAuthProfile staff
    </Directory>''' % site.docroot)
    assert site.get("/in/").status == 403
    assert site.get("/in/", "alice").status == 200


def test_plain_http_is_no_tls(site):
    site.run(site.vhost("CertAuthProfile staff"),
             site.vhost('''CertAuthProfile staff
             <Location /open>
                 CertAuthProfile off
             </Location>''', ssl=False))
    a = site.plain("/")
    assert a.status == 403 and "(no-tls, " in a.body
    assert site.plain("/open").status == 404


def test_plain_http_on_the_tls_port(site):
    site.run(site.vhost('CertAuthProfile staff\nErrorDocument 400 /index.html'))
    with Connection(site.tls_port) as c:
        a = c.get("/")
    assert a.status in (400, 403) and a.body != "ok\n"


def test_htaccess_must_not(site):
    site.write("htdocs/x/.htaccess", "CertAuthProfile off\n")
    site.run(site.vhost('CertAuthProfile staff\n<Directory %s>\nAllowOverride All\n</Directory>'
                        % site.docroot))
    assert site.get("/x/", "alice").status == 500
    assert "CertAuthProfile not allowed here" in site.error_log()


def test_methods(site):
    site.run(site.vhost("CertAuthProfile staff"))
    for method in ("GET", "HEAD", "OPTIONS", "POST", "DELETE", "PROPFIND", "TRACE"):
        with site.connect() as c:
            assert c.get("/", method=method).status == 403, method
    with site.connect() as c:
        assert c.get("*", method="OPTIONS").status == 403


def test_error_document_names_the_reason(site):
    site.write("htdocs/errors/refused.html", '<!--#echo var="REDIRECT_CERTAUTH_REASON" -->\n')
    site.write("htdocs/errors/inner.html", "inner\n")
    site.run(site.vhost('''CertAuthProfile staff
        AddOutputFilter INCLUDES .html
        <Directory %s/errors>
            Options +Includes
        </Directory>
        ErrorDocument 403 /errors/refused.html
        Header always set X-Reason "expr=%%{CERTAUTH_REASON}"''' % site.docroot))
    a = site.get("/", "revoked")
    assert a.status == 403 and a.body == "revoked\n" and a.headers["x-reason"] == "revoked"
    a = site.get("/")
    assert a.status == 403 and a.body == "no-certificate\n"
    # asked for by its own name it is a page like any other
    a = site.get("/errors/inner.html")
    assert a.status == 403 and "inner" not in a.body
    assert site.get("/errors/inner.html", "alice").body == "inner\n"


def test_error_document_as_text_and_as_script(site):
    site.run(site.vhost('''CertAuthProfile staff
        ErrorDocument 403 "no: %{CERTAUTH_REASON} %{CERTAUTH_PROFILE}"
        <Location /cgi>
            ErrorDocument 403 /cgi-bin/env.cgi
        </Location>'''))
    assert site.get("/", "expired").body == "no: expired staff"
    a = site.get("/cgi", "expired", headers=["Certauth-User: alice"])
    assert a.status == 403
    assert a.env["REDIRECT_CERTAUTH_REASON"] == "expired" == a.env["CERTAUTH_REASON"]
    assert a.env["REDIRECT_CERTAUTH_USER"] == "" and "REMOTE_USER" not in a.env


def test_c5_53_error_page_is_shown_and_leads_nowhere(site):
    """Our refusal's page passes for one step, as nobody, although its folder wants a user."""
    site.write("htdocs/secret.html", "secret\n")
    site.write("cgi-bin/on.cgi", "#!/bin/sh\nprintf 'Location: /secret.html\\r\\n\\r\\n'\n", 0o755)
    site.write("htdocs/top.html", "top <!--#include virtual=\"/secret.html\" -->\n")
    site.write("htdocs/e/part.html", "part\n")
    site.write("htdocs/e/parts.html", "<!--#include virtual=\"part.html\" -->")
    site.write("htdocs/e/page.html", "page <!--#include virtual=\"/secret.html\" -->\n")
    site.run(site.vhost('''CertAuthProfile staff
        <Location />
            AuthType CertAuth
            AuthName x
            Require valid-user
        </Location>
        AddOutputFilter INCLUDES .html
        <Directory %s>
            Options +Includes
        </Directory>
        ErrorDocument 403 /e/page.html
        <Location /top>
            ErrorDocument 403 /top.html
        </Location>
        <Location /parts>
            ErrorDocument 403 /e/parts.html
        </Location>
        <Location /on>
            ErrorDocument 403 /cgi-bin/on.cgi
        </Location>''' % site.docroot))
    a = site.get("/")
    assert a.status == 403 and a.body.startswith("page ") and "secret\n" not in a.body
    a = site.get("/top")
    assert a.status == 403 and a.body.startswith("top ") and "secret\n" not in a.body
    assert site.get("/parts").body == "part\n"
    a = site.get("/on")
    assert "secret\n" not in a.body
    assert site.get("/secret.html", "alice").body == "secret\n"


def test_error_document_503_when_our_data_is_missing(site, world):
    text = open(world.path("certauth.conf")).read().replace('"issuing.crl", ', "")
    world.text("stale.conf", text)
    site.run(site.vhost("CertAuthProfile staff\nErrorDocument 503 %{CERTAUTH_REASON}"),
             main="CertAuthConfig %s" % world.path("stale.conf"))
    a = site.get("/", "alice")
    assert a.status == 503 and a.body == "revocation-unknown"


def test_environment_headers_logs_and_rewrite(site):
    site.run(site.vhost('''CertAuthProfile staff
        RequestHeader set X-User "expr=%{CERTAUTH_USER}"
        RequestHeader set X-Groups "%{CERTAUTH_GROUPS}e"
        Header set X-Serial "expr=%{CERTAUTH_SERIAL}"
        RewriteEngine on
        RewriteCond expr "%{CERTAUTH_USER} == 'bob'"
        RewriteRule ^/rw$ /cgi-bin/env.cgi [PT]
        <Location /dir-rw>
            RewriteEngine on
            RewriteCond %{ENV:CERTAUTH_GROUPS} admins
            RewriteRule . - [F]
        </Location>
        <If "%{CERTAUTH_USER} == 'alice'">
            Header set X-If yes
        </If>'''))
    a = site.get("/cgi-bin/env.cgi", "alice", headers=["X-User: root", "X-Groups: wheel"])
    e = a.env
    assert e["HTTP_X_USER"] == "alice" and e["HTTP_X_GROUPS"] == "staff,admins"
    assert a.headers["x-serial"] == e["CERTAUTH_SERIAL"] and a.headers["x-if"] == "yes"
    assert (e["CERTAUTH_VERDICT"], e["CERTAUTH_REASON"], e["CERTAUTH_PROFILE"]) == \
        ("accept", "ok", "staff")
    assert e["CERTAUTH_EMAIL"] == "alice@example.com" and e["CERTAUTH_POLICIES"]
    assert e["CERTAUTH_SUBJECT"] == "CN=Alice" and e["CERTAUTH_ISSUER"] == "CN=Test Issuing CA"
    assert re.fullmatch("[0-9a-fA-F]{64}", e["CERTAUTH_FINGERPRINT"])
    assert e["CERTAUTH_DAYS_LEFT"] in ("364", "365") and e["CERTAUTH_MESSAGE"] and e["CERTAUTH_ID"]
    assert "CERTAUTH_USER=bob" in site.get("/rw", "bob").body
    assert site.get("/rw", "alice").status == 404
    assert site.get("/dir-rw/x", "alice").status == 403
    assert site.get("/dir-rw/x", "bob").status == 404
    assert site.wait_access("|200|-|accept|ok|alice|")


def test_subrequest_and_internal_redirect_keep_the_verdict(site):
    site.write("htdocs/inc/index.html", 'a <!--#include virtual="/cgi-bin/env.cgi" -->')
    site.run(site.vhost('''CertAuthProfile staff
        AddOutputFilter INCLUDES .html
        <Directory %s/inc>
            Options +Includes
        </Directory>
        FallbackResource /cgi-bin/env.cgi''' % site.docroot))
    assert "CERTAUTH_USER=alice" in site.get("/inc/", "alice").body
    assert "CERTAUTH_USER=bob" in site.get("/nothing/there", "bob").body


def test_ssl_client_verify_never_says_success_for_a_bad_one(site):
    site.write("htdocs/closed/index.html", "closed\n")
    site.run(site.vhost('''CertAuthProfile staff optional
        SSLOptions +StdEnvVars
        Header always set X-Verify "expr=%{SSL_CLIENT_VERIFY}"
        <Location /closed/>
            Require expr "%{SSL_CLIENT_VERIFY} == 'SUCCESS'"
        </Location>
        <Location /closed2>
            Require ssl-verify-client
        </Location>'''))
    for tls in ("1.2", "1.3"):
        with site.connect("revoked", tls=tls) as c:
            for _ in range(3):
                a = c.get("/cgi-bin/env.cgi")
                assert a.status == 200 and a.env["SSL_CLIENT_VERIFY"].startswith("FAILED"), a
                assert a.headers["x-verify"].startswith("FAILED")
                assert c.get("/closed/").status == 403
                assert c.get("/closed2").status == 403
        with site.connect("alice", tls=tls) as c:
            for _ in range(2):
                assert c.get("/cgi-bin/env.cgi").env["SSL_CLIENT_VERIFY"] == "SUCCESS"
                assert c.get("/closed/").status == 200
        assert site.get("/cgi-bin/env.cgi", tls=tls).env["SSL_CLIENT_VERIFY"] == "NONE"


def test_forged_authorization_is_nobody(site):
    """Nothing the client says about its name counts."""
    site.run(site.vhost('''CertAuthProfile staff
        <Location />
            AuthType CertAuth
            AuthName x
            Require valid-user
        </Location>'''))
    for headers in ([basic("alice", "password")], [basic("/CN=Alice", "password")],
                    ["Remote-User: alice", "X-Remote-User: alice"]):
        assert site.get("/", headers=headers).status == 403
        assert site.get("/", "revoked", headers=headers).status == 403
        a = site.get("/cgi-bin/env.cgi", "bob", headers=headers)
        if a.status == 200:
            assert a.env["REMOTE_USER"] == "bob"
        else:                       # mod_ssl itself refuses a FakeBasicAuth spoof
            assert a.status == 403
