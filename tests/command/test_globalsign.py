"""
test_globalsign.py - are paths found among the real GlobalSign CAs, in every order?

Real CA certificates, cross-certificates included, are not part of this project. The test
runs where $GLOBALSIGN_CAS, or the folder `shared` beside this repository, holds them and
is skipped elsewhere. We have no leaf of theirs with a key, so issuing CAs stand for leaves: purpose
`any` looks at no usage, and an OID at the extended key usage alone.
"""

import json
import os
import random
import re
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

CAS = os.environ.get("GLOBALSIGN_CAS",
                     os.path.join(ROOT, "..", "shared", "personalsign", "cas.pem"))
BINARY = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")
CLIENT, MAIL = "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.4"
AT = "2026-05-15T12:00:00Z"
# First 16 hex digits of SHA-256.
R3, R6 = "cbb522d7b7f127ad", "2cabeafe37d06ca2"
MAIL_R45, MAIL_R45_BY_R3 = "319af0a7729e6f89", "5268c94573af66ba"
AUTH_R45, AUTH_R45_BY_R3 = "165c7e810bd37c1d", "3da135562e942799"
SMIME_2025, SMIME_2023 = "488f465d575607bc", "36d7314848accb3e"
PS3_2026, NAESB_2024, AUTH_2026 = "d50946d503951cb3", "1aa7f7fb618cfc8e", "8c8c66ee1974eccb"

pytestmark = [
    pytest.mark.skipif(not os.path.exists(CAS), reason="no real CA certificates here"),
    pytest.mark.skipif(not os.path.exists(BINARY), reason="certauth is not built"),
]


def load():
    """sha256 -> certificate, and its PEM text."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    out = {}
    with open(CAS, encoding="utf-8") as f:
        blocks = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n",
                            f.read(), re.S)
    for pem in blocks:
        cert = x509.load_pem_x509_certificate(pem.encode())
        cert_id = cert.fingerprint(hashes.SHA256()).hex()[:16]
        out[cert_id] = (cert, pem)
    return out


@pytest.fixture(scope="module")
def cas():
    return load()


def self_signed(cert):
    return cert.issuer == cert.subject


def valid(cert):
    from datetime import datetime
    now = datetime(2026, 5, 15, 12)
    return cert.not_valid_before <= now <= cert.not_valid_after


def verify(folder, leaf, roots, pool=(), purpose="any"):
    """The verdict; every argument is PEM text."""
    for name, pems in (("leaf", [leaf]), ("roots", roots), ("pool", pool)):
        with open(os.path.join(folder, name + ".pem"), "w", encoding="utf-8") as f:
            f.write("".join(pems))
    args = [BINARY, "verify", "--json", "--time", AT, "--purpose", purpose,
            "--roots", os.path.join(folder, "roots.pem")]
    if pool:
        args += ["--intermediates", os.path.join(folder, "pool.pem")]
    p = subprocess.run(args + [os.path.join(folder, "leaf.pem")], stdin=subprocess.DEVNULL,
                       capture_output=True, timeout=60, check=False)
    assert p.returncode in (0, 1), p.stderr
    answer = json.loads(p.stdout)
    assert (p.returncode == 0) == (answer["result"] == "accept")
    return answer


def orders(pems):
    yield list(pems)
    yield list(reversed(pems))
    for seed in (1, 2):
        shuffled = list(pems)
        random.Random(seed).shuffle(shuffled)
        yield shuffled


def test_every_issuing_ca_finds_its_root(tmp_path, cas):
    """All roots are anchors, all others the pool: each valid CA has a path."""
    roots = [(i, c, p) for i, (c, p) in sorted(cas.items()) if self_signed(c)]
    others = [(i, c, p) for i, (c, p) in sorted(cas.items()) if not self_signed(c)]
    known = {c.subject for _, c, _ in roots + others}
    accepted = 0
    for cert_id, cert, pem in others:
        answer = verify(tmp_path, pem, [p for _, _, p in roots], [p for _, _, p in others])
        what = "%s %s: %s" % (cert_id, cert.subject.rfc4514_string(), answer)
        digest = cert.signature_hash_algorithm.name
        if not valid(cert):
            assert answer["result"] == "reject", what
            assert answer["reason"] in ("expired", "not-yet-valid", "no-path"), what
        elif cert.issuer not in known:
            assert answer["reason"] == "no-path", what
        elif digest == "sha1":
            assert answer["reason"] == "weak-signature", what
        else:
            # Revocation is not asked here; what remains is a path or an expired issuer.
            assert answer["reason"] in ("ok", "issuer-expired"), what
        accepted += answer["result"] == "accept"
    assert accepted >= 30


def test_order_of_files_never_matters(tmp_path, cas):
    roots = [p for c, p in (cas[i] for i in sorted(cas)) if self_signed(c)]
    others = [p for c, p in (cas[i] for i in sorted(cas)) if not self_signed(c)]
    for leaf in (SMIME_2025, SMIME_2023, PS3_2026, NAESB_2024, AUTH_2026, AUTH_R45_BY_R3):
        answers = [verify(tmp_path, cas[leaf][1], r, o)
                   for r, o in zip(orders(roots), orders(others))]
        assert answers[0]["result"] == "accept", answers[0]
        for other in answers[1:]:
            assert {k: other[k] for k in ("result", "reason", "path")} == \
                {k: answers[0][k] for k in ("result", "reason", "path")}


def test_everything_an_anchor(tmp_path, cas):
    """Also with cross-certificates among the anchors, as one big CA file has them."""
    everything = [cas[i][1] for i in sorted(cas)]
    for leaf in (SMIME_2023, PS3_2026, NAESB_2024, AUTH_2026):
        pems = [p for p in everything if p != cas[leaf][1]]
        for order in orders(pems):
            assert verify(tmp_path, cas[leaf][1], order)["result"] == "accept"


def test_trap_all_in_one_file(tmp_path, cas):
    """Secure Mail Root R45 and its cross by R3, which is not for clientAuth."""
    three = [cas[i][1] for i in (R3, MAIL_R45_BY_R3, MAIL_R45)]
    for order in orders(three):
        answer = verify(tmp_path, cas[SMIME_2025][1], order, (), CLIENT)
        assert answer["result"] == "accept", answer
        assert len(answer["path"]) == 2, answer


def test_trap_cross_in_pool(tmp_path, cas):
    for roots in orders([cas[R3][1], cas[MAIL_R45][1]]):
        answer = verify(tmp_path, cas[SMIME_2025][1], roots, [cas[MAIL_R45_BY_R3][1]], CLIENT)
        assert answer["result"] == "accept", answer


def test_trap_old_root_only(tmp_path, cas):
    answer = verify(tmp_path, cas[SMIME_2025][1], [cas[R3][1]], [cas[MAIL_R45_BY_R3][1]],
                    CLIENT)
    assert (answer["result"], answer["reason"]) == ("reject", "purpose"), answer
    answer = verify(tmp_path, cas[SMIME_2025][1], [cas[R3][1]], [cas[MAIL_R45_BY_R3][1]], MAIL)
    assert answer["result"] == "accept" and len(answer["path"]) == 3, answer
    answer = verify(tmp_path, cas[SMIME_2025][1], [cas[R3][1]], [], CLIENT)
    assert answer["reason"] == "no-path", answer


def test_authentication_cross_has_no_trap(tmp_path, cas):
    answer = verify(tmp_path, cas[PS3_2026][1], [cas[R3][1]], [cas[AUTH_R45_BY_R3][1]], CLIENT)
    assert answer["result"] == "accept" and len(answer["path"]) == 3, answer
    answer = verify(tmp_path, cas[PS3_2026][1], [cas[AUTH_R45][1]], [], CLIENT)
    assert answer["result"] == "accept" and len(answer["path"]) == 2, answer


def test_r6_alone_does_not_vouch_for_r45(tmp_path, cas):
    answer = verify(tmp_path, cas[SMIME_2025][1], [cas[R6][1]],
                    [cas[MAIL_R45_BY_R3][1], cas[MAIL_R45][1]], CLIENT)
    assert (answer["result"], answer["reason"]) == ("reject", "no-path"), answer
