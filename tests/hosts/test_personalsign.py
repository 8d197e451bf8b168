"""
PersonalSign from nothing, to the end: one command gets the CAs that the manifest names, the
daemon gets their CRLs, and people log in to nginx. A family of the same shape is made here
and served on 127.0.0.1.
"""

import http.client
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time

import pytest

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
for folder in ("lib", "command"):
    sys.path.insert(0, os.path.join(ROOT, "tests", folder))

import nginx_server  # noqa: E402
import pki  # noqa: E402
from test_pool import BUILD, SPONSOR, Site, der, family, pem, web  # noqa: E402, F401

REFRESHER = os.path.join(BUILD, "certauth-refresher")
pytestmark = pytest.mark.skipif(
    not os.path.exists(REFRESHER) or nginx_server.available() is not None,
    reason="no nginx, or the refresher is not built")
PATIENCE = 60


def until(holds):
    """Its answer, as soon as it has one."""
    end = time.monotonic() + PATIENCE
    while True:
        answer = holds()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.1)


class Person:
    def __init__(self, site, family, name, policies=None):  # noqa: F811
        key = ec.generate_private_key(ec.SECP256R1())
        more = {} if policies is None else {"policies": policies}
        self.cert = family.smime.leaf(name + "@example.com", key=key, **more)
        self.file = site.write("%s%d.pem" % (name, len(more)), pem(self.cert) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))

    def get(self, port):
        """(status, body, reason) of one request."""
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        ctx.load_cert_chain(self.file)
        c = http.client.HTTPSConnection("127.0.0.1", port, context=ctx, timeout=60)
        try:
            c.request("GET", "/")
            r = c.getresponse()
            return r.status, r.read().decode().strip(), r.headers.get("X-Reason")
        finally:
            c.close()


@pytest.fixture
def site(family, web):  # noqa: F811
    """Short, for a Unix socket, and where nginx's user may look."""
    place = tempfile.mkdtemp(prefix="ca-ps-", dir="/tmp")
    os.chmod(place, 0o755)
    folder, base = web
    for name, cert in (("root", family.root.cert), ("smime", family.smime.cert),
                       ("ps3", family.ps3.cert), ("cross", family.cross)):
        (folder / (name + ".crt")).write_bytes(der(cert))
    for name, ca in (("root", family.root), ("smime", family.smime)):
        (folder / (name + ".crl")).write_bytes(ca.crl())
    made = Site(place, family.manifest(base))
    made.base = base
    yield made
    shutil.rmtree(place, ignore_errors=True)


def changed(path, old, new):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    assert old in text, text
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new, 1))


def test_from_nothing_to_a_login_at_nginx(site, family):  # noqa: F811
    site.setup()                            # the one command
    etc = site.path("etc", "personalsign")
    # What is not of this machine: where the state is, and whence the CRLs of this family come.
    changed(site.conf, "version = 1;", 'version = 1; state = "%s"; refresher = "%s";'
            % (site.path("state"), site.path("sock")))
    changed(os.path.join(etc, "authorities", "smime.conf"), 'grace = "72h";',
            'grace = "72h"; refresh = "1s"; crl_urls = [ "%s/root.crl", "%s/smime.crl" ];'
            % (site.base, site.base))
    with open(os.path.join(etc, "people.map"), "a", encoding="utf-8") as f:
        f.write("alice@example.com alice staff\n")
    for folder, _, names in os.walk(site.path("etc")):
        os.chmod(folder, 0o755)
        for name in names:
            os.chmod(os.path.join(folder, name), 0o644)
    alice = Person(site, family, "alice")
    bob = Person(site, family, "bob")
    firm = Person(site, family, "alice", (SPONSOR,))
    assert site.verify(alice.cert)[:2] == ("reject", "revocation-unknown")
    os.makedirs(site.path("state"), exist_ok=True)
    with open(site.path("log"), "ab") as log:
        daemon = subprocess.Popen([REFRESHER, "--config", site.conf, "--foreground"],
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        assert until(lambda: site.verify(alice.cert) == ("accept", "ok", "alice")), \
            (site.message, open(site.path("log"), encoding="utf-8").read())
        server = pki.CA("Web").server("localhost", "127.0.0.1")
        server.write(site.folder, "server")
        with nginx_server.Nginx(site.path("nginx"), http="""
    certauth_config %s; ssl_certificate %s; ssl_certificate_key %s;
    add_header X-Reason $certauth_reason always;
    server { listen @TLS@ ssl; certauth ps1; return 200 "$certauth_user $certauth_groups\n"; }
""" % (site.conf, site.path("server.pem"), site.path("server.key"))) as nginx:
            port = nginx.port["TLS"]
            assert alice.get(port) == (200, "alice staff", "ok"), nginx.log()
            assert bob.get(port)[::2] == (403, "no-user")
            # another class of the same family is another profile's
            assert firm.get(port)[2] == "policy-required"
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(20)
