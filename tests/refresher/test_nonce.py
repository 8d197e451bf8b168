"""
`ocsp_nonce`: the answer must be the one to this question. With real answers of openssl in
test_daemon.py; here with a responder that lies.
"""

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from world import Answer, World

from ask import NOTHING, OCSP  # noqa: E402  (world knows where it lies)
from test_daemon import Oracle, aia, ask_once


@pytest.fixture(name="o")
def _o(tmp_path):
    with World(tmp_path) as w:
        o = Oracle(w)
        w.alice = w.ca.leaf("Alice", extensions=[aia([o.url])])
        w.policy(private_addresses=True, ocsp_nonce=True)
        yield o


def nonce_of(request):
    assert request.method == "POST"
    der = ocsp.load_der_ocsp_request(request.body)
    return der.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce


def test_brought_back(o):
    seen = []

    def how(request):
        seen.append(nonce_of(request))
        return Answer(o.response(o.w.alice, nonce=seen[-1]))
    o.how = how
    o.w.start()
    assert ask_once(o.w)[0] == OCSP
    bob = o.w.ca.leaf("Bob", extensions=[aia([o.url])])
    o.how = lambda r: (seen.append(nonce_of(r)),
                       Answer(o.response(bob, "revoked", nonce=seen[-1])))[1]
    assert ask_once(o.w, bob, o.w.ca, o.w.root)[0] == OCSP
    assert len(seen) == 2 and len(seen[0]) == len(seen[1]) == 32 and seen[0] != seen[1]


@pytest.mark.parametrize("status", ["good", "revoked"])
@pytest.mark.parametrize("lie, says", [
    (lambda n: None, "does not bring back"),
    (lambda n: bytes(32), "another request"),
    (lambda n: n[:31], "another request"),
    (lambda n: n[:31] + bytes([n[31] ^ 1]), "another request"),
    (lambda n: n[::-1], "another request")])
def test_not_brought_back(o, lie, says, status):
    o.how = lambda r: Answer(o.response(o.w.alice, status, nonce=lie(nonce_of(r))))
    o.w.start()
    result, text = ask_once(o.w)
    assert result == NOTHING and says in text.decode()


def test_replayed(o):
    """A true answer of before, when the next one is asked for."""
    first = []

    def how(request):
        if not first:
            first.append(o.response(o.w.alice, nonce=nonce_of(request)))
        return Answer(first[0])
    o.how = how
    p = o.w.start()
    assert ask_once(o.w)[0] == OCSP
    o.w.stop(p)
    p = o.w.start()
    result, text = ask_once(o.w)
    assert result == NOTHING and "another request" in text.decode()


def test_none_without_the_setting(o):
    """And an answer that brings one unasked is taken: it says nothing against it."""
    o.w.policy(private_addresses=True)
    o.how = lambda r: Answer(o.response(o.w.alice, nonce=bytes(32)))
    o.w.start()
    assert ask_once(o.w)[0] == OCSP
    assert o.methods == ["GET"]
