"""
`certauth check --connect` at a real Dovecot: each protocol, TLS from the first byte and by
STARTTLS; who is logged in, who is refused and in which words.
"""

import os

import pytest

import connected
import dovecot_server
from connected import has

IMPLICIT = ["imaps", "pop3s", "submissions"]
STARTTLS = ["imap", "pop3", "submission", "sieve"]


def connect(d, name, world=None, who=None):
    more = {"starttls": name} if name in STARTTLS else {}
    if who is not None:
        more.update(cert=world.cert(who), key=world.cert(who)[:-len(".pem")] + ".key")
    return connected.connect(d.port[name], **more)


@pytest.mark.parametrize("name", IMPLICIT + STARTTLS)
def test_each_protocol(world, external, name):
    status, a = connect(external, name, world, "alice")
    assert status == 0, a
    has(a, "note", "TLS 1.2 and 1.3: asks for a certificate, and offers the names of 2 CAs")
    has(a, "note", "TLS 1.2 and 1.3: without a certificate EXTERNAL is not offered")
    has(a, "note", "TLS 1.2 and 1.3: with the certificate logged in")
    assert len([v for v in a["visits"] if v["let_in"]]) >= 2
    status, a = connect(external, name, world, "revoked")
    line = has(a, "fault", "TLS 1.2 and 1.3: with the certificate refused")
    assert status == 1 and line["text"].endswith(": revoked") and line["remedy"]
    assert "Client certificate refused: revoked:" in line["text"]


def test_without_a_certificate(external):
    status, a = connect(external, "imaps")
    assert status == 0 and not [v for v in a["visits"] if v["external"]]


def test_the_wrong_way(world, external):
    """STARTTLS where TLS is from the first byte, and the other way round."""
    d = external
    status, a = connected.connect(d.port["imap"])
    assert status == 1 and "--starttls" in has(a, "fault", "no TLS")["remedy"]
    status, error = connected.connect(d.port["imap"], starttls="pop3")
    assert status == 2 and "another protocol" in error


def test_without_the_plugin(world, start):
    """Dovecot by itself: who was let in and resumes the session is refused."""
    world.servers += 1
    d = start(dovecot_server.Dovecot(
        os.path.join(world.folder, "stock%d" % world.servers), cert=world.server,
        # one process, which knows its own tickets again
        key=world.server[:-len(".pem")] + ".key", service_count=0, passdb="passdb {\n  driver = static\n"
        "  args = nopassword=yes\n  mechanisms = external\n}", conf="ssl_ca = <%s\n"
        "ssl_verify_client_cert = yes\nssl_require_crl = no\nauth_ssl_username_from_cert = yes\n"
        "auth_mechanisms = plain external\n" % write_cas(world)))
    status, a = connect(d, "imaps", world, "alice")
    has(a, "note", "with the certificate logged in")
    line = has(a, "fault", "who was let in and comes back, to resume the session, is refused")
    assert status == 1 and "session id context" in line["text"]


def write_cas(world):
    with open(world.folder + "/both.pem", "w", encoding="ascii") as f:
        for name in ("root.pem", "issuing.pem"):
            with open(world.etc + "/" + name, encoding="ascii") as g:
                f.write(g.read())
    return f.name
