"""
test_ocsp.py - real OCSP responses, as `openssl ocsp` writes them today, through
`certauth verify --ocsp-response` of the release build; and what the option refuses.
"""

import json
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import pki  # noqa: E402
from pki import CA  # noqa: E402

CERTAUTH = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")


def sh(*args):
    p = subprocess.run([str(a) for a in args], stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=60, check=False)
    assert p.returncode == 0, p.stderr.decode()
    return p.stdout.decode()


class World:
    def __init__(self, folder):
        self.folder = str(folder)
        self.root = CA("OCSP Root")
        self.ca = CA("OCSP Issuing", self.root)
        self.leaf = self.ca.leaf("Alice", email="alice@example.com")
        self.delegate = self.ca.leaf(
            "Responder", eku=["OCSPSigning"], ku=["digitalSignature"],
            extensions=[("1.3.6.1.5.5.7.48.1.5", False, pki.null())])
        for name, cert in (("root", self.root), ("ca", self.ca), ("leaf", self.leaf),
                           ("delegate", self.delegate)):
            cert.write(self.folder, name)

    def path(self, name):
        return os.path.join(self.folder, name)

    def index(self, status):
        """openssl ca's database: V or R (with when and why), end, serial, name."""
        when = "260101000000Z,keyCompromise" if status == "R" else ""
        with open(self.path("index.txt"), "w", encoding="ascii") as f:
            if status:
                f.write("%s\t491231235959Z\t%s\t%s\tunknown\t/CN=Alice\n" % (
                    status, when, self.leaf.serial_hex))

    def respond(self, status, *more, signer="ca"):
        self.index(status)
        sh("openssl", "ocsp", "-no_nonce", "-issuer", self.path("ca.pem"), "-cert",
           self.path("leaf.pem"), "-reqout", self.path("req.der"))
        sh("openssl", "ocsp", "-index", self.path("index.txt"), "-CA", self.path("ca.pem"),
           "-rsigner", self.path(signer + ".pem"), "-rkey", self.path(signer + ".key"),
           "-reqin", self.path("req.der"), "-respout", self.path("resp.der"), *more)
        return self.path("resp.der")

    def verify(self, *more):
        p = subprocess.run(
            [CERTAUTH, "verify", "--json", "--roots", self.path("root.pem"), "--intermediates",
             self.path("ca.pem"), "--revocation", "leaf", *more, self.path("leaf.pem")],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
        return p.returncode, p.stdout.decode(), p.stderr.decode()

    def reason(self, *more):
        status, out, err = self.verify(*more)
        answer = json.loads(out)
        assert status == (0 if answer["result"] == "accept" else 1), err
        return answer["reason"]


@pytest.fixture(scope="module", name="world")
def fixture_world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("ocsp"))


@pytest.mark.parametrize("signer", ["ca", "delegate"])
def test_openssl_responder(world, signer):
    good = world.respond("V", "-ndays", "1", signer=signer)
    assert world.reason("--ocsp-response", good) == "ok"
    revoked = world.respond("R", "-ndays", "1", signer=signer)
    assert world.reason("--ocsp-response", revoked) == "revoked"
    unknown = world.respond("", "-ndays", "1", signer=signer)
    assert world.reason("--ocsp-response", unknown) == "revocation-unknown"


def test_key_hash_and_short_life(world):
    """-resp_key_id names the signer by key; no -ndays is no nextUpdate."""
    assert world.reason("--ocsp-response",
                        world.respond("V", "-resp_key_id")) == "ok"


def test_sha256_and_rsa(world):
    assert world.reason("--ocsp-response",
                        world.respond("V", "-nmin", "5", "-rmd", "sha384")) == "ok"


def test_no_status_without_it(world):
    assert world.reason() == "revocation-unknown"


def test_unreadable_is_no_status(world):
    bad = world.path("bad.der")
    with open(bad, "wb") as f:
        f.write(b"certainly no DER")
    assert world.reason("--ocsp-response", bad) == "revocation-unknown"
    good = world.respond("V", "-ndays", "1")
    assert world.reason("--ocsp-response", bad, good) == "ok"
    assert world.reason("--ocsp-response", good, "--ocsp-response", bad) == "ok"


def test_usage(world):
    good = world.respond("V", "-ndays", "1")
    status, out, err = world.verify("--ocsp-response", world.path("missing.der"))
    assert (status, out) == (2, "") and "missing.der" in err
    p = subprocess.run([CERTAUTH, "verify", "--json", "--config", "/nonexistent", "--profile",
                        "p", "--ocsp-response", good, world.path("leaf.pem")],
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    assert p.returncode == 2 and p.stdout == b"" and b"--ocsp-response" in p.stderr
