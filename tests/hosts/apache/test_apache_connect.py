"""
`certauth check --connect` at a real httpd: what it asks, offers and answers.
"""

import json
import os
import subprocess

from apache_world import ROOT

COMMAND = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")


def connect(site, who=None):
    """(exit status, the answer)"""
    words = ["--connect", "localhost:%d" % site.tls_port]
    if who is not None:
        words += ["--cert", site.world.path(who + ".pem"), "--key",
                  site.world.path(who + ".key")]
    r = subprocess.run([COMMAND, "check", "--json", *words], stdin=subprocess.DEVNULL,
                       capture_output=True, text=True, timeout=300)
    assert r.stdout, r.stderr
    return r.returncode, json.loads(r.stdout)


def has(answer, severity, words):
    found = [x for x in answer["lines"] if words in x["text"]]
    assert len(found) == 1 and found[0]["severity"] == severity, answer["lines"]
    return found[0]


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
