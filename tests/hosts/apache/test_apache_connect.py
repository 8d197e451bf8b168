"""
`certauth check --connect` at a real httpd: what it asks, offers and answers.
"""

import connected
from connected import has


def connect(site, who=None):
    more = {} if who is None else {"cert": site.world.path(who + ".pem"),
                                   "key": site.world.path(who + ".key")}
    return connected.connect(site.tls_port, **more)


def test_at_the_request(site):
    site.run(site.vhost("CertAuthProfile staff\nErrorDocument 403 \"%{CERTAUTH_MESSAGE}\""))
    status, a = connect(site, "alice")
    assert status == 0, a
    has(a, "note", "TLS 1.2 and 1.3: asks for a certificate, and offers the names of 2 CAs")
    has(a, "note", "TLS 1.2 and 1.3: without a certificate refused: HTTP/1.1 403")
    has(a, "note", "TLS 1.2 and 1.3: with the certificate let in: HTTP/1.1 200")
    has(a, "note", "TLS 1.2 and 1.3: who comes back resumes the session, and is let in")
    status, a = connect(site, "revoked")
    assert status == 1
    assert has(a, "fault", "with the certificate refused")["text"].endswith(": revoked")


def test_in_the_handshake(site):
    site.run(site.vhost("CertAuthProfile staff\nCertAuthRefuse handshake"))
    status, a = connect(site, "revoked")
    assert status == 1
    has(a, "fault", "TLS 1.2 and 1.3: with the certificate refused: TLS alert certificate_revoked")


def test_in_one_place_only(site):
    site.run(site.vhost("<Location /staff>\nCertAuthProfile staff\n</Location>"))
    status, a = connect(site)
    assert status == 0
    has(a, "warning", "TLS 1.2 and 1.3: without a certificate there is a page: HTTP/1.1 200")
