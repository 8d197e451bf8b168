"""
Virtual hosts, SNI and Host, HTTP/2.

Rows of C2 in the list of other servers' past holes; a test's name begins with its row.
"""

import re
import socket
import ssl
import subprocess
import threading
import time

import pytest

from apache_world import Refused

TLS = ["1.2", "1.3"]
HOSTS = ("a.test", "b.test", "c.test", "d.wild.test")


def matrix(site, extra=""):
    """a: staff, b: guests, c: nothing, *.wild: the same rules as a under another name."""
    site.run(site.vhost("CertAuthProfile staff\n" + extra, "a.test"),
             site.vhost("CertAuthProfile guests\n" + extra, "b.test"),
             site.vhost(extra, "c.test"),
             site.vhost("ServerAlias *.wild.test\nCertAuthProfile staff\n" + extra, "wild.test"))


@pytest.mark.parametrize("tls", TLS)
def test_c2_12_14_sni_and_host_matrix(site, tls):
    matrix(site)
    fits = {"a.test": "alice", "d.wild.test": "alice", "b.test": "carol"}
    for sni in HOSTS:
        for host in HOSTS:
            for who in ("alice", "carol", None):
                with site.connect(who, tls, sni=sni) as c:
                    got = c.get("/", host).status
                if host == "c.test":
                    assert got == 200 or (sni != host and got == 421), (sni, host, who)
                elif sni == host or {sni, host} == {"a.test", "d.wild.test"}:
                    want = 200 if fits[host] == who else 403
                    # no false 421 where the rules are equal; mod_ssl may have its own
                    assert got == want, (sni, host, who, got)
                else:
                    assert got == 421, (sni, host, who, got)


def test_c2_12_two_hosts_on_one_connection(site):
    matrix(site)
    with site.connect("alice", sni="a.test") as c:
        assert c.get("/", "a.test").status == 200
        a = c.get("/", "b.test")
        assert a.status == 421
        assert c.get("/", "a.test").status == 200
        assert c.get("/", "d.wild.test").status == 200
    assert site.wait_log("certauth: REJECT 1105 misdirected.*connection made for a.test, "
                         "request for b.test")


def test_c2_12_same_rules_under_another_name_of_profile(site):
    """`same` is another profile with the same content: equal, no false 421."""
    site.run(site.vhost("CertAuthProfile staff", "a.test"),
             site.vhost("CertAuthProfile same", "b.test"))
    with site.connect("alice", sni="a.test") as c:
        assert c.get("/", "b.test").status == 200


def test_c2_13_client_hello_in_pieces(site):
    """A ClientHello cut into tiny records and packets still selects the right host."""
    matrix(site)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    ctx = site.context(None)
    tls = ctx.wrap_bio(incoming, outgoing, server_hostname="a.test")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = outgoing.read()
    body = hello[5:]
    with socket.create_connection(("127.0.0.1", site.tls_port), 10) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(0, len(body), 60):
            part = body[i:i + 60]
            s.sendall(hello[:3] + len(part).to_bytes(2, "big") + part)
            time.sleep(0.005)
        s.settimeout(10)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                if outgoing.pending:
                    s.sendall(outgoing.read())
                data = s.recv(16384)
                assert data
                incoming.write(data)
        tls.write(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        s.sendall(outgoing.read())
        text = b""
        while b"\r\n\r\n" not in text:
            try:
                text += tls.read(4096)
            except ssl.SSLWantReadError:
                incoming.write(s.recv(16384))
        assert text.startswith(b"HTTP/1.1 403"), text


@pytest.mark.parametrize("tls", TLS)
def test_c2_15_case_and_trailing_dot(site, tls):
    matrix(site)
    for name in ("A.Test", "a.test.", "A.TEST."):
        with site.connect(None, tls, sni=name.rstrip(".")) as c:
            assert c.get("/", name).status in (403, 421, 400), name
        with site.connect("carol", tls, sni="b.test") as c:
            assert c.get("/", name).status in (421, 400), name


@pytest.mark.parametrize("order", [("a.test", "b.test"), ("b.test", "a.test")])
@pytest.mark.parametrize("tls", TLS)
def test_c2_16_two_cas_on_one_port_both_orders(site, order, tls):
    profile = {"a.test": "staff", "b.test": "guests"}
    site.run(*[site.vhost("CertAuthProfile " + profile[h], h) for h in order])
    for who, opens in (("alice", "a.test"), ("carol", "b.test")):
        for host in order:
            assert site.get("/", who, host, tls=tls).status == (200 if host == opens else 403)


def test_c2_17_no_sni(site):
    """Without SNI the first vhost's rules are in force; equal rules elsewhere still work."""
    matrix(site)
    with site.connect("alice", sni=None) as c:
        assert c.get("/", "a.test").status == 200
        assert c.get("/", "d.wild.test").status == 200
        assert c.get("/", "b.test").status == 421
    with site.connect("alice", sni="unknown.test") as c:
        assert c.get("/", "a.test").status in (200, 421)


@pytest.mark.parametrize("tls", TLS)
def test_c2_18_directory_profile_with_and_without_pha(site, tls):
    """No post-handshake authentication is used, so no client can lack it; and the second
    request on a connection is looked at like the first."""
    site.write("htdocs/in/index.html", "in\n")
    site.run(site.vhost("<Location /in/>\nCertAuthProfile staff\n</Location>"))
    for pha in (False, True):
        ctx = site.context("alice", tls)
        ctx.post_handshake_auth = pha
        with site.connect(context=ctx) as c:
            assert [c.get(p).status for p in ("/", "/in/", "/", "/in/")] == [200] * 4
        ctx = site.context(None, tls)
        ctx.post_handshake_auth = pha
        with site.connect(context=ctx) as c:
            assert [c.get(p).status for p in ("/", "/in/", "/in/")] == [200, 403, 403]


def test_c2_18_sslverifyclient_in_htaccess_trusts_nobody(site):
    """mod_ssl starts a handshake of its own there: only accepted certificates pass it."""
    site.write("htdocs/ht/index.html", "ht\n")
    site.write("htdocs/ht/.htaccess", "SSLVerifyClient require\n")
    site.run(site.vhost('''CertAuthProfile staff optional
        <Directory %s>
            AllowOverride All
        </Directory>''' % site.docroot))
    for tls in TLS:
        for who in ("revoked", "mallory", None):
            ctx = site.context(who, tls)
            ctx.post_handshake_auth = True
            try:
                with site.connect(context=ctx) as c:
                    assert c.get("/ht/").status != 200, (tls, who)
            except Refused:
                pass


def test_c2_23_c5_51_no_proof_of_possession_no_identity(site):
    """A client that cannot sign with the certificate's key does not get in."""
    site.run(site.vhost("CertAuthProfile staff"))
    w = site.world
    from apache_world import pki
    other = pki.CA("x").leaf("x")
    other.write(w.folder, "otherkey")
    p = subprocess.run(["openssl", "s_client", "-quiet", "-connect",
                        "127.0.0.1:%d" % site.tls_port, "-servername", "localhost",
                        "-cert", w.path("alice.pem"), "-key", w.path("otherkey.key")],
                       input=b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n",
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert b"200 OK" not in p.stdout
    # the names of RFC 7250 are not offered: OpenSSL 3.0 knows no raw public keys


# --------------------------------------------------------------------- HTTP/2


def nghttp(site, who, *paths, host="localhost", extra=()):
    argv = ["nghttp", "-v", "--no-dep", "-H", ":authority: %s:%d" % (host, site.tls_port), *extra]
    if who:
        argv += ["--cert=" + site.world.path(who + ".pem"), "--key=" + site.world.path(who + ".key")]
    argv += ["https://localhost:%d%s" % (site.tls_port, p) for p in paths]
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    out = p.stdout.decode("utf-8", "replace")
    return [int(s) for s in re.findall(r":status: (\d+)", out)], out


def test_c2_19_http2_is_gated(site):
    site.run(site.vhost("CertAuthProfile staff"))
    status, body, version = site.curl("/", None, "--http2")
    assert (status, version) == (403, "2") and "(no-certificate, " in body
    status, body, version = site.curl("/cgi-bin/env.cgi", "alice", "--http2")
    assert (status, version) == (200, "2") and "CERTAUTH_USER=alice" in body
    assert "HTTP2=on" in body or "SERVER_PROTOCOL=HTTP/2" in body
    status, body, version = site.curl("/", "revoked", "--http2")
    assert (status, version) == (403, "2") and "(revoked, " in body


def test_c2_19_http2_directory_profile(site):
    site.write("htdocs/in/index.html", "in\n")
    site.run(site.vhost("<Location /in/>\nCertAuthProfile staff\n</Location>"))
    for who, want in ((None, 403), ("revoked", 403), ("alice", 200)):
        assert site.curl("/", who, "--http2")[0] == 200
        status, _, version = site.curl("/in/", who, "--http2")
        assert (status, version) == (want, "2")


def test_http2_parallel_streams_agree(site):
    """Requests of one connection run in parallel threads: every stream has its answer."""
    site.write("htdocs/first/index.html", "first\n")
    site.run(site.vhost('''CertAuthProfile staff
        Header always set X-U "expr=%{CERTAUTH_USER}"
        <Location /first/>
            CertAuthProfile first
        </Location>'''))
    wrong = []

    def run(who, want):
        for _ in range(3):
            paths = ["/?%d" % i for i in range(50)] + ["/first/?%d" % i for i in range(50)]
            got, out = nghttp(site, who, *paths)
            ok = (got.count(200), got.count(403))
            users = set(re.findall(r"x-u: (\S*)", out))
            if ok != want or users - {who, ""} or (who and who not in users):
                wrong.append((who, ok, users))

    threads = [threading.Thread(target=run, args=a) for a in
               [("alice", (100, 0)), ("bob", (50, 50)), (None, (0, 100))]]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_http2_swap_under_load(site, world):
    """CRLs replaced while parallel streams run: nobody good is refused, the revoked one is."""
    site.run(site.vhost("CertAuthProfile staff"))
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            world.crls()
            time.sleep(0.3)

    t = threading.Thread(target=swap)
    t.start()
    try:
        for _ in range(6):
            got, out = nghttp(site, "alice", *["/?%d" % i for i in range(100)])
            assert got == [200] * 100, [g for g in got if g != 200]
            got, out = nghttp(site, "revoked", *["/?%d" % i for i in range(50)])
            assert got == [403] * 50
    finally:
        stop.set()
        t.join()


def test_http2_revocation_bites_on_a_living_connection(site, world):
    site.write("cgi-bin/slow.cgi", "#!/bin/sh\nsleep 1\nprintf 'Content-Type: text/plain\\r\\n"
               "\\r\\nslow\\n'\n", 0o755)
    site.run(site.vhost("CertAuthProfile staff"))
    argv = ["curl", "-s", "--http2", "--cacert", world.server_ca,
            "--cert", world.path("later.pem"), "--key", world.path("later.key"), "-o", "/dev/null",
            "-w", "%{http_code}/%{num_connects} "]
    url = "https://localhost:%d/cgi-bin/slow.cgi" % site.tls_port
    mark = site.mark()
    p = subprocess.Popen(argv + [url, "-o", "/dev/null"] * 6 + [url], stdout=subprocess.PIPE)
    try:
        assert site.wait_log("certauth: ACCEPT", mark, 20)
        world.revoke("later")
        out = p.communicate(timeout=60)[0].decode().split()
    finally:
        world.unrevoke("later")
    codes = [o.split("/")[0] for o in out]
    assert codes[0] == "200" and codes[-1] == "403", out
    assert sum(int(o.split("/")[1]) for o in out) == 1, out     # one connection


def test_http2_other_host_is_421(site):
    matrix(site)
    argv = ("--http2", "--connect-to", "b.test:%d:127.0.0.1:%d" % (site.tls_port, site.tls_port))
    status, _, version = site.curl("/", "alice", *argv, "-H", "Host: b.test", host="a.test")
    assert (status, version) == (421, "2")
    status, _, version = site.curl("/", "alice", *argv, "-H", "Host: d.wild.test", host="a.test")
    assert (status, version) == (200, "2")


# ------------------------------------------------------------- names, other MPMs


def acceptable(site, *options):
    out = site.s_client(None, *options)
    m = re.search(r"Acceptable client certificate CA names\n(.*?)\n(?:Client|Requested|Shared|Peer)",
                  out, re.S)
    # 3.0 prints "CN=x", 3.5 "CN=x"
    return m[1].replace(" = ", "=").split("\n") if m else []


@pytest.mark.parametrize("setting,names", [
    ("", ["CN=Test Issuing CA", "CN=Test Root"]),
    ("CertAuthNames issuers", ["CN=Test Issuing CA", "CN=Test Root"]),
    ("CertAuthNames anchors", ["CN=Test Root"]),
    ("CertAuthNames none", []),
    ("CertAuthNames %(folder)s/other.pem", ["CN=Other CA"]),
])
def test_names_offered(site, setting, names):
    site.run(site.vhost("CertAuthProfile staff\n" + setting % {"folder": site.world.folder}))
    assert sorted(acceptable(site)) == names


def test_names_of_all_profiles_of_a_vhost(site):
    site.run(site.vhost("CertAuthProfile staff\n<Location /g>\nCertAuthProfile guests\n</Location>"),
             site.vhost("", "c.test"))
    assert sorted(acceptable(site)) == ["CN=Other CA", "CN=Other Root", "CN=Test Issuing CA",
                                        "CN=Test Root"]
    assert "No client certificate CA names sent" in site.s_client(None, "-servername", "c.test")


@pytest.mark.parametrize("mpm", ["worker", "prefork"])
def test_other_mpms(make_site, world, mpm):
    site = make_site(mpm, mpm=mpm)
    site.run(site.vhost('''CertAuthProfile staff
        <Location />
            AuthType CertAuth
            AuthName x
            Require valid-user
        </Location>'''))
    a = site.get("/cgi-bin/env.cgi", "alice")
    assert a.status == 200 and a.env["REMOTE_USER"] == "alice"
    assert site.get("/", "revoked").status == 403 and site.get("/").status == 403
    ctx = site.context("later")
    with site.connect(context=ctx) as c:
        assert c.get("/").status == 200
        session = c.session
        try:
            world.revoke("later")
            assert site.eventually(lambda: c.get("/").status, 403) == 403

            def again():        # maybe of another child
                with site.connect(context=ctx, session=session) as one:
                    a = one.get("/")
                    return a.status, a.resumed
            assert site.eventually(again, (403, False)) == (403, False)
        finally:
            world.unrevoke("later")
    site.graceful()
    assert site.get("/", "alice").status == 200
