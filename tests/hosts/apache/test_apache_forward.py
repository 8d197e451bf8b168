"""
What an application behind Apache is told, and what a client may not tell it: RFC 9440,
headers that are believed, report-only, CORS preflights. Rows C8 of the bugs of others.
"""

import base64

import pytest

LIES = ["Client-Cert: :bGll:", "client-cert-chain: :bGll:", "X-SSL-Client-Verify: SUCCESS",
        "Remote-User: root", "X-Remote-User: root", "Certauth-User: root", "X-Client-Cert: lie",
        "CLIENT-CERT: again", "X-Certauth-Groups: wheel"]
TRUE = ["X-First: 1", "Client-Certificate-Not: kept", "X-Last: 2"]
NAMES = ["HTTP_CLIENT_CERT", "HTTP_CLIENT_CERT_CHAIN", "HTTP_X_SSL_CLIENT_VERIFY",
         "HTTP_REMOTE_USER", "HTTP_X_REMOTE_USER", "HTTP_CERTAUTH_USER", "HTTP_X_CLIENT_CERT",
         "HTTP_X_CERTAUTH_GROUPS"]
PREFLIGHT = ["Origin: https://x.example", "Access-Control-Request-Method: PUT"]
FORWARD = '''RequestHeader set Client-Cert "expr=%{CERTAUTH_CLIENT_CERT}" "expr=-n %{CERTAUTH_CLIENT_CERT}"
    RequestHeader set Client-Cert-Chain "expr=%{CERTAUTH_CLIENT_CERT_CHAIN}" "expr=-n %{CERTAUTH_CLIENT_CERT}"
'''


def clean(env):
    return not [n for n in NAMES if n in env]


def bare(file):
    """The one certificate of a PEM file, as RFC 9440 writes it."""
    with open(file, encoding="ascii") as f:
        lines = f.read().split("-----BEGIN CERTIFICATE-----")[1].split("-----END")[0]
    return ":%s:" % base64.b64encode(base64.b64decode(lines)).decode()


def test_c8_83_rfc_9440_byte_exact(site, world):
    site.run(site.vhost("CertAuthProfile staff\n" + FORWARD))
    for tls in ("1.2", "1.3"):
        e = site.get("/cgi-bin/env.cgi", "alice", headers=LIES, tls=tls).env
        assert e["HTTP_CLIENT_CERT"] == bare(world.path("alice.pem"))
        chain = e["HTTP_CLIENT_CERT_CHAIN"].split(", ")
        assert len(chain) == 2
        assert chain[0] == bare(world.path("issuing.pem")) and chain[1] == bare(world.path("root.pem"))


def test_c8_82_lies_are_not_passed_on(site):
    page = "ErrorDocument 403 /cgi-bin/env.cgi\n"
    site.run(site.vhost("CertAuthProfile staff\n" + page),
             site.vhost("CertAuthProfile staff optional\n" + FORWARD, "maybe.test"),
             site.vhost("", "open.test"),
             site.vhost("", "plain.test", ssl=False))
    e = site.get("/cgi-bin/env.cgi", "alice", headers=TRUE[:1] + LIES + TRUE[1:]).env
    assert clean(e) and e["HTTP_X_FIRST"] == "1" and e["HTTP_X_LAST"] == "2"
    assert e["HTTP_CLIENT_CERTIFICATE_NOT"] == "kept"
    for who in (None, "revoked"):
        a = site.get("/", who, headers=LIES)
        assert a.status == 403 and "CERTAUTH_REASON=" in a.body and clean(a.env), who
        a = site.get("/cgi-bin/env.cgi", who, host="maybe.test", headers=LIES)
        assert a.status == 200 and clean(a.env), who
    assert clean(site.get("/cgi-bin/env.cgi", host="open.test", headers=LIES).env)
    from apache_world import Connection
    with Connection(site.plain_port) as c:
        a = c.get("/cgi-bin/env.cgi", "plain.test", LIES + ["Client_Cert: lie", "REMOTE_USER: root"])
    assert a.status == 200 and clean(a.env) and "root" not in a.body


def test_inbound_keep(site):
    site.run(site.vhost("CertAuthProfile staff\n"),
             site.vhost("CertAuthInbound keep\n", "behind.test", ssl=False))
    from apache_world import Connection
    with Connection(site.plain_port) as c:
        a = c.get("/cgi-bin/env.cgi", "behind.test", LIES)
    assert a.env["HTTP_CLIENT_CERT_CHAIN"] == ":bGll:"


@pytest.mark.parametrize("auth", ["", "AuthType CertAuth\nAuthName x\nRequire valid-user\n"],
                         ids=["gate", "AuthType"])
def test_cors_preflight(site, auth):
    site.run(site.vhost('''CertAuthProfile staff
        <Location /cgi-bin>
            CertAuthPreflight allow
            %s
        </Location>''' % auth))
    with site.connect() as c:
        a = c.get("/cgi-bin/env.cgi", headers=PREFLIGHT + LIES, method="OPTIONS")
    assert a.status == 200 and "CERTAUTH_VERDICT=none" in a.body
    assert clean(a.env) and "REMOTE_USER" not in a.env and not a.env.get("CERTAUTH_USER")
    for method, headers, path, who in (
            ("GET", PREFLIGHT, "/cgi-bin/env.cgi", None),
            ("OPTIONS", PREFLIGHT[:1], "/cgi-bin/env.cgi", None),
            ("OPTIONS", PREFLIGHT[1:], "/cgi-bin/env.cgi", None),
            ("OPTIONS", PREFLIGHT + ["Content-Length: 1\r\n\r\nx"], "/cgi-bin/env.cgi", None),
            ("OPTIONS", PREFLIGHT, "/", None),
            ("OPTIONS", PREFLIGHT, "/cgi-bin/env.cgi", "revoked")):
        with site.connect(who) as c:
            assert c.get(path, headers=headers, method=method).status == 403, (method, headers, path)
    assert site.get("/cgi-bin/env.cgi", "alice").env["CERTAUTH_USER"] == "alice"


AND = "<RequireAll>\n%s\nRequire valid-user\n</RequireAll>"


@pytest.mark.parametrize("require, passes", [
    ("Require valid-user", True),
    ("Require user alice", True),
    ("Require cert-group staff", True),
    (AND % "Require ip 127.0.0.1", True),
    (AND % "Require not ip 127.0.0.1", False),
    (AND % "Require ip 10.0.0.0/8", False),
    ("Require all denied", False),
])
def test_as_nobody_only_past_what_wants_a_user(site, require, passes):
    """A preflight, and the page of our own refusal: addresses still count."""
    site.run(site.vhost('''CertAuthProfile staff
        ErrorDocument 403 /cgi-bin/env.cgi
        <Location /cgi-bin>
            CertAuthPreflight allow
            AuthType CertAuth
            AuthName x
            %s
        </Location>''' % require))
    for more in ([], ["Content-Length: 0"]):
        with site.connect() as c:
            a = c.get("/cgi-bin/env.cgi", headers=PREFLIGHT + more, method="OPTIONS")
        assert a.status == (200 if passes else 403), a
        assert ("CERTAUTH_VERDICT=none" in a.body) == passes, a.body
    a = site.get("/", "revoked")
    assert a.status == 403 and ("CERTAUTH_REASON=revoked" in a.body) == passes, a.body


def test_report_changes_nothing_and_says_so_once(site):
    site.run(site.vhost('''CertAuthProfile staff
        CertAuthReport guests
        <Location /quiet>
            CertAuthReport off
        </Location>'''))
    with site.connect("alice") as c:
        for _ in range(3):
            assert c.get("/cgi-bin/env.cgi").env["CERTAUTH_USER"] == "alice"
    log = site.error_log() if hasattr(site, "error_log") else open(site.path("logs/error.log")).read()
    assert log.count("certauth: report: profile guests would say REJECT") == 1
    assert 'in force is ok with user "alice"' in log


def test_report_of_a_profile_that_is_not_there(site):
    site.conf(site.main("") + site.vhost("CertAuthProfile staff\nCertAuthReport nobody\n"))
    status, said = site.configtest()
    assert status != 0 and "nobody" in said
