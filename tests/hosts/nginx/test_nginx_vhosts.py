"""C2: which host was asked for in the handshake, and which in the request?"""

import ssl
import subprocess

import pytest

import pki
from nginx_world import V12, V13, VARS, VERSIONS, Alert, Client, curl, proxy

HTTP = """
    server { listen @TLS@ ssl http2; server_name strict.test; certauth staff; return 200 "strict VARS"; }
    server { listen @TLS@ ssl http2; server_name lax.test; return 200 "lax VARS"; }
    server { listen @TLS@ ssl http2; server_name other.test; certauth other; return 200 "other VARS"; }
    server { listen @TLS@ ssl http2; server_name same.test; certauth staff; return 200 "same VARS"; }
    server { listen @TLS@ ssl http2; server_name *.wild.test; certauth staff; return 200 "wild VARS"; }
    server { listen @TLS@ ssl http2; server_name place.test;
        location / { certauth staff; return 200 "place VARS"; } }
    server { listen @LAX@ ssl; server_name lax.test; return 200 "lax"; }
    server { listen @LAX@ ssl; server_name strict.test; certauth staff; return 200 "strict VARS"; }
""".replace("VARS", VARS)
HOSTS = ["strict.test", "lax.test", "other.test", "same.test", "x.wild.test", "place.test"]
MINE = {"strict.test": "alice", "same.test": "alice", "x.wild.test": "alice",
        "place.test": "alice", "other.test": "gina"}

both_versions = pytest.mark.parametrize("tls", VERSIONS, ids=["1.2", "1.3"])


@pytest.fixture(scope="module")
def site(shared_world):
    n = shared_world.nginx(HTTP, ports=("TLS", "LAX"))
    with n:
        n.world, n.tls = shared_world, n.port["TLS"]
        yield n


@both_versions
@pytest.mark.parametrize("sni", HOSTS + [None])
@pytest.mark.parametrize("host", HOSTS)
def test_c2_12_sni_and_host(site, sni, host, tls):
    """No strict page but through a handshake that asked for its certificate."""
    name = {"x.wild.test": "wild"}.get(host, host.split(".", maxsplit=1)[0])
    for who in (None, "alice", "gina", "rita", "mallory"):
        r = Client(site.world, who, tls).get(site.tls, sni=sni, host=host)
        if host == "lax.test":
            assert r.status == 200 and r.body.startswith("lax ")
            continue
        served = r.status == 200
        if served:
            assert r.body.startswith(name) and who == MINE[host]
            assert r.vars["remote_user"] == who
        else:
            assert r.status in (400, 403, 421) and name + " " not in r.body
        if sni == host:
            assert served == (who == MINE[host])
        elif sni is not None:
            assert not served       # nginx itself: another name than negotiated


@both_versions
def test_c2_17_no_sni_and_the_same_profile(site, tls):
    """Proxies that send no SNI work where nothing differs."""
    alice = Client(site.world, "alice", tls)
    for host in ("strict.test", "same.test", "x.wild.test", "place.test"):
        assert alice.get(site.tls, sni=None, host=host).status == 200
    assert alice.get(site.tls, sni=None, host="other.test").status == 421
    gina = Client(site.world, "gina", tls)
    r = gina.get(site.tls, sni=None, host="other.test")
    assert r.status == 421
    site.wait_log(" misdirected ")


@both_versions
def test_host_in_the_default_of_a_lax_port(site, tls):
    """The default server asked for nothing; a certificate was not even sent."""
    alice = Client(site.world, "alice", tls)
    assert alice.get(site.port["LAX"], sni=None, host="strict.test").status == 421
    assert alice.get(site.port["LAX"], sni="lax.test", host="strict.test").status == 421
    r = alice.get(site.port["LAX"], sni="strict.test")
    assert r.status == 200 and r.vars["remote_user"] == "alice"


@both_versions
def test_one_connection_many_hosts(site, tls):
    with Client(site.world, "alice", tls).connect(site.tls, None) as c:
        assert c.request("/", "strict.test").status == 200
        assert c.request("/", "other.test").status == 421
        assert c.request("/", "lax.test").status == 200
        assert c.request("/", "strict.test").vars["remote_user"] == "alice"


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
@both_versions
def test_c2_16_two_hosts_one_port(world, order, tls):
    """Settings belong to the host, not to the port, in both orders."""
    hosts = {"one": "certauth staff;", "two": "certauth other;"}
    text = "".join('server { listen @TLS@ ssl; server_name %s.test; %s return 200 "%s VARS"; }'
                   % (h, hosts[h], h) for h in order).replace("VARS", VARS)
    with world.nginx(text) as n:
        for who, host, status in (("alice", "one", 200), ("gina", "two", 200),
                                  ("alice", "two", 400), ("gina", "one", 400)):
            r = Client(world, who, tls).get(n.port["TLS"], sni=host + ".test")
            assert r.status == status
            if status == 200:
                assert r.vars["remote_user"] == who


@pytest.mark.parametrize("name", ["STRICT.test", "Strict.Test", "strict.test."])
@both_versions
def test_c2_15_case_and_dot(site, name, tls):
    """In SNI and Host, alone and together."""
    for sni, host in ((name, name), ("strict.test", name), ("lax.test", name)):
        for who, good in (("alice", True), (None, False), ("rita", False)):
            try:
                r = Client(site.world, who, tls).get(site.tls, sni=sni, host=host)
            except (ValueError, Alert, ssl.SSLError):
                continue            # Python does not send such an SNI
            if sni == "lax.test":
                assert r.status == 421
            elif r.status == 200:
                assert good
            else:
                assert r.status in (400, 421)


@both_versions
def test_c2_14_wildcard(site, tls):
    for who, status in (("alice", 200), (None, 400), ("rita", 400), ("gina", 400)):
        assert Client(site.world, who, tls).get(site.tls, sni="deep.wild.test").status == status
        if who == "alice":
            r = Client(site.world, who, tls).get(site.tls, sni="lax.test", host="a.wild.test")
            assert r.status == 421


def splitter(port, sizes):
    """The client's first record arrives as many small records and packets."""
    def first(client, server):
        data = b""
        while len(data) < 5 or len(data) < 5 + int.from_bytes(data[3:5], "big"):
            data += client.recv(65536)
        n = int.from_bytes(data[3:5], "big")
        body, rest, i = data[5:5 + n], data[5 + n:], 0
        while body:
            size = sizes[i % len(sizes)]
            part, body, i = body[:size], body[size:], i + 1
            record = data[:3] + len(part).to_bytes(2, "big") + part
            server.sendall(record[:3])
            server.sendall(record[3:])
        server.sendall(rest)
    return proxy(port, first)


@pytest.mark.parametrize("sizes", [(100,), (60, 10), (200,)])
@both_versions
def test_c2_13_client_hello_in_pieces(site, sizes, tls):
    """A server that loses the SNI would take its default, here the lax host."""
    for who, status in (("alice", 200), (None, 400), ("rita", 400)):
        port = splitter(site.port["LAX"], sizes)
        r = Client(site.world, who, tls).get(port, sni="strict.test")
        assert r.status == status
        if status == 200:
            assert r.body.startswith("strict ")


def test_c2_19_strict_over_http2(site):
    for who, status in (("alice", 200), (None, 400), ("rita", 400), ("gina", 400)):
        out = curl(site.world, site.tls, "/", who, "strict.test", "--http2", "-o", "/dev/null",
                   "-w", "%{http_version} %{http_code}")
        assert out == "2 %d" % status
    out = curl(site.world, site.tls, "/", "alice", "lax.test", "--http2", "-H",
               "Host: strict.test", "-o", "/dev/null", "-w", "%{http_version} %{http_code}")
    assert out == "2 421"


def test_c2_20_renegotiation(site):
    """TLS 1.2, started by the client: refused, and nothing spins."""
    p = subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % site.tls, "-servername",
         "strict.test", "-tls1_2", "-cert", site.world.path("alice.pem"), "-key",
         site.world.path("alice.key"), "-legacy_renegotiation"],
        input=b"R\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    said = p.stdout.decode(errors="replace")
    assert "RENEGOTIATING" in said and "no renegotiation" in said.lower(), said
    assert Client(site.world, "alice", V12).get(site.tls, sni="strict.test").status == 200


def test_c2_23_c5_51_possession(site):
    """Somebody else's certificate without its key does not end a handshake."""
    stolen = site.world.certs["bob"]
    cert = site.world.path("stolen.pem")
    key = site.world.path("stolen.key")
    pki.write_pem(cert, stolen, site.world.ca)
    with open(key, "wb") as f:
        f.write(pki.key_pem(pki.new_key("p256")))
    p = subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % site.tls, "-servername",
         "strict.test", "-cert", cert, "-key", key],
        input=b"GET / HTTP/1.0\r\n\r\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=60, check=False)
    assert "200 OK" not in p.stdout.decode(errors="replace")
    assert Client(site.world, None, V13).get(site.tls, sni="strict.test").status == 400
