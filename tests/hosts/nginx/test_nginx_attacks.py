"""What somebody tries who wants in where he should not be. Each was tried by hand first."""

import os

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from nginx_world import Client, basic, pki, until


def twin(cert):
    """The same certificate, the same signature of its CA, other bytes: in ECDSA (r, n - s)
    verifies whenever (r, s) does, so whoever has a certificate can write a second one."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551      # P-256
    c = x509.load_der_x509_certificate(cert.der)
    r, s = decode_dss_signature(c.signature)
    sig = encode_dss_signature(r, order - s)
    tbs = c.tbs_certificate_bytes
    at = cert.der.index(tbs) + len(tbs)
    algorithm = cert.der[at:at + cert.der[at + 1] + 2]
    return pki.Cert(pki.seq(tbs, algorithm, pki.bits(sig)), key=cert.key, name="twin")


def test_denied_by_fingerprint_comes_with_a_twin(world):
    other = twin(world.certs["alice"])
    assert other.sha256() != world.certs["alice"].sha256()
    other.write(world.folder, "twin", chain=[world.ca])
    world.certs["twin"] = other
    site = world.nginx("server { listen @TLS@ ssl; server_name a.test; certauth staff;"
                       " return 200 $certauth_user; }")
    with site:
        port = site.port["TLS"]
        for who in ("alice", "twin"):
            assert Client(world, who).get(port).status == 200
        world.write("denied", "cert:%s reason=stolen\n" % world.certs["alice"].sha256())
        assert until(lambda: Client(world, "alice").get(port).status == 403)
        assert Client(world, "twin").get(port).status == 403


def test_name_of_a_password_that_nobody_checked(world):
    """auth_basic without its file refuses without a challenge, auth_request lets in."""
    with world.nginx("""server {
            listen @TLS@ ssl; server_name a.test; certauth staff;
            satisfy any; auth_basic x; auth_basic_user_file @FOLDER@/users/$host;
            add_header X-User $remote_user always; root @FOLDER@;
            location / { auth_request /ask; try_files /page =404; }
            location = /ask { certauth off; return 204; } }""") as site:
        for name, text in (("page", "hello"), ("users/b.test", "eve:{PLAIN}x\n")):
            path = os.path.join(site.folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
        for host, user, password, seen in (("a.test", "admin", "x", ""), ("b.test", "eve", "x", "eve"),
                                           ("b.test", "eve", "wrong", "")):
            r = Client(world).get(site.port["TLS"], sni=None, host=host,
                                  headers=[basic(user, password)])
            assert (r.status, r.headers.get("x-user", "")) == (200, seen), host
