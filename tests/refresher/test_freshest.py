"""
A list that names where its delta CRLs are (freshestCRL): they are fetched too.
"""

import pytest

from world import World

from pki import crldp_der  # noqa: E402  (world knows where it lies)


def freshest(*urls):
    return [("2.5.29.46", False, crldp_der(list(urls)))]


@pytest.fixture(name="w")
def _w(tmp_path):
    with World(tmp_path) as w:
        w.base = w.http.base + "/base.crl"
        w.delta = w.http.serve("/delta.crl", w.crl([w.alice], 6, delta=5))
        w.http.serve("/base.crl", w.crl([], 5, extensions=freshest(w.delta)))
        rebuild(w)
        yield w


def rebuild(w):
    """The list's address in the client's CA's certificate: no crl_urls in the policy."""
    from pki import CA
    key = w.ca.key
    w.ca = CA("Test Issuing CA", issuer=w.root, key=key, crldp=[w.base])
    w.alice = w.ca.leaf("Alice", email="alice@example.com")
    w.write_cas()
    w.http.serve("/delta.crl", w.crl([w.alice], 6, delta=5))
    w.http.serve("/base.crl", w.crl([], 5, extensions=freshest(w.delta)))


def test_fetched_and_in_force(w):
    w.policy(private_addresses=True)
    w.once()
    assert len(w.http.asked("/delta.crl")) == 1
    assert w.source(w.delta)["error"] == ""
    assert w.show(w.alice) == "revoked"
    # Remembered: asked again although the list has not changed.
    w.once()
    assert len(w.http.asked("/delta.crl")) == 2


def test_the_rule_of_addresses(w):
    """A list's word is like a certificate's: no file, no ldap."""
    w.http.serve("/base.crl", w.crl([], 5, extensions=freshest(
        "file:///etc/passwd", "ldap://127.0.0.1/cn=x", "gopher://127.0.0.1/x")))
    w.policy(private_addresses=True)
    w.once()
    assert [s["url"] for s in w.status()["sources"]] == [w.base]


def test_not_beside_crl_urls(w):
    """The administrator's addresses replace those of others."""
    w.policy(crl_urls=[w.base], private_addresses=True)
    w.once()
    assert not w.http.asked("/delta.crl")
    assert w.show(w.alice) == "not-listed"


def test_at_most_four(w):
    w.http.serve("/base.crl", w.crl([], 5, extensions=freshest(
        *["%s/d%d" % (w.http.base, i) for i in range(9)])))
    w.policy(private_addresses=True)
    w.once(status=1)
    assert len([r for r in w.http.requests if r.path.startswith("/d")]) == 4


def test_a_bad_delta_hurts_nobody(w):
    w.http.serve("/delta.crl", b"rubbish")
    w.policy(private_addresses=True)
    w.once(status=1)
    assert w.source(w.delta)["error"]
    assert w.show(w.alice) == "not-listed"
