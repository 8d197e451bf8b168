"""`certauth_refuse handshake`, the alerts, and the names that are offered."""

import os
import re

import pytest

import pki
from nginx_world import VARS, VERSIONS, Alert, Client, run

both_versions = pytest.mark.parametrize("tls", VERSIONS, ids=["1.2", "1.3"])

HTTP = """
    server { listen @TLS@ ssl; server_name a.test; certauth staff; certauth_refuse handshake;
        location / { return 200 "VARS"; } location /deep/ { return 200 "VARS"; } }
    server { listen @TLS@ ssl; server_name r.test; certauth staff; return 200 "VARS"; }
""".replace("VARS", VARS)


@pytest.fixture(scope="module")
def site(shared_world):
    with shared_world.nginx(HTTP) as n:
        n.world, n.tls = shared_world, n.port["TLS"]
        yield n


@both_versions
@pytest.mark.parametrize("who,alert", [
    ("rita", "CERTIFICATE_REVOKED"), ("carol", "CERTIFICATE_EXPIRED"),
    ("mallory", "UNKNOWN_CA"), ("frank", "UNSUPPORTED_CERTIFICATE"),
    ("hugo", "BAD_CERTIFICATE"), (None, None)])
def test_alert(site, who, alert, tls):
    site.clear_log()
    # TLS 1.2 has no word of its own for none at all
    alert = alert or ("HANDSHAKE_FAILURE" if tls == VERSIONS[0] else "CERTIFICATE_REQUIRED")
    with pytest.raises(Alert) as e:
        Client(site.world, who, tls).get(site.tls)
    assert alert in str(e.value)
    if who is not None:
        said = site.wait_log("certauth: REJECT")
        assert re.search(r"\[info\] .*certauth: REJECT", said)
        assert "[crit]" not in said and "[error]" not in said


@both_versions
def test_the_good_one(site, tls):
    r = Client(site.world, "alice", tls).get(site.tls)
    assert r.vars["remote_user"] == "alice" and r.vars["ssl_client_verify"] == "SUCCESS"
    assert Client(site.world, "alice", tls).get(site.tls, "/deep/").status == 200


@both_versions
def test_who_is_nobody_here_is_told_so(site, tls):
    """No alert says "a good certificate, but not of anybody here": 403 does."""
    for who in ("dave", "erin"):
        assert Client(site.world, who, tls).get(site.tls).status == 403


@both_versions
def test_the_neighbour_refuses_at_the_request(site, tls):
    assert Client(site.world, "rita", tls).get(site.tls, sni="r.test").status == 400
    assert Client(site.world, None, tls).get(site.tls, sni="r.test").status == 400


def test_our_own_fault_does_not_blame_the_client(world):
    """No CRL at all: internal_error, and at the request 503."""
    world.write("certauth.conf", world.policy().replace("/crls\"", "/no-crls\""))
    with world.nginx(HTTP) as n:
        with pytest.raises(Alert) as e:
            Client(world, "alice").get(n.port["TLS"])
        assert "INTERNAL_ERROR" in str(e.value)
        assert Client(world, "alice").get(n.port["TLS"], sni="r.test").status == 503
        n.wait_log("revocation-unknown")


# -------------------------------------------------------------------- CA names


def names(port, sni="a.test"):
    out = run("openssl", "s_client", "-connect", "127.0.0.1:%d" % port, "-servername", sni,
              "-nameopt", "RFC2253")
    m = re.search(r"Acceptable client certificate CA names\n(.*?)(?:\nRequested|\nClient)", out,
                  re.S)
    return sorted(m[1].split("\n")) if m else []


def test_names(world):
    pki.write_pem(world.path("mine.pem"), world.stranger)
    server = "server { listen @TLS@ ssl; server_name %s.test; %s return 204; }"
    text = "".join(server % s for s in (
        ("issuers", "certauth staff;"),
        ("anchors", "certauth staff; certauth_names anchors;"),
        ("none", "certauth staff; certauth_names none;"),
        ("file", "certauth staff; certauth_names %s;" % world.path("mine.pem")),
        ("dot", "certauth staff; certauth_names ./none;"),
        ("two", "certauth staff; location /other { certauth other; }"),
        ("place", "location /x { certauth other; }"),
        ("off", "")))
    n = world.nginx(text)
    n.prepare()
    pki.write_pem(os.path.join(n.folder, "none"), world.stranger)
    with n:
        port = n.port["TLS"]
        assert names(port, "dot.test") == ["CN=Stranger Root"]
        assert names(port, "issuers.test") == ["CN=Test Issuing CA", "CN=Test Root"]
        assert names(port, "anchors.test") == ["CN=Test Root"]
        assert names(port, "none.test") == []
        assert names(port, "file.test") == ["CN=Stranger Root"]
        assert names(port, "two.test") == ["CN=Other CA", "CN=Other Root", "CN=Test Issuing CA",
                                           "CN=Test Root"]
        assert names(port, "place.test") == ["CN=Other CA", "CN=Other Root"]
        assert names(port, "off.test") == []
        # names are offers, they decide nothing
        assert Client(world, "alice").get(port, sni="file.test").status == 204
        assert Client(world, "mallory").get(port, sni="file.test").status == 400


def many(world, number):
    """Anchors whose names take `number` times 300 bytes."""
    key = pki.new_key("p256")
    return [pki.CA([("O", "x" * 60), ("OU", "y" * 60), ("L", "z" * 60), ("ST", "w" * 60),
                    ("CN", "Root %04d" % i)], key=key) for i in range(number)]


def test_c7_80_many_names(world):
    text = "server { listen @TLS@ ssl; server_name a.test; certauth staff; %s return 204; }"
    pki.write_pem(world.path("root.pem"), world.root, *many(world, 80))
    status, said = world.nginx(text % "").check()
    assert status == 0 and "bytes in every handshake" in said and "[warn]" in said
    pki.write_pem(world.path("root.pem"), world.root, *many(world, 300))
    status, said = world.nginx(text % "").check()
    assert status != 0 and "certauth_names anchors" in said
    status, said = world.nginx(text % "certauth_names none;").check()
    assert status == 0, said
    status, said = world.nginx(text % ("certauth_names %s;" % world.path("issuers.pem"))).check()
    assert status == 0 and "bytes" not in said, said
