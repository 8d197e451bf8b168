"""test_once.py - certauth-refresher --once against an HTTP server that tells the truth
and one that lies: what is taken, what is refused, and does the last good list stay?"""

import os
import socket
import subprocess
import time

import pytest
from world import CA, REFRESHER, Answer, Http, World, write_pem

from mounts import unshare         # (world knows where it lies)
from ports import free_port


@pytest.fixture(name="w")
def _w(tmp_path):
    with World(tmp_path) as w:
        yield w


def good(w, revoked=(), number=1, **more):
    """One good list at /a.crl, taken; returns its URL."""
    url = w.http.serve("/a.crl", w.crl(revoked, number, **more))
    w.policy(crl_urls=[url])
    w.once()
    return url


def test_taken(w):
    url = good(w, [w.alice], 7)
    assert w.show(w.alice) == "revoked"
    assert w.show(w.ca.leaf("Bob")) == "not-listed"
    row = w.source(url)
    assert (row["authority"], row["origin"], row["number"], row["entries"], row["error"]) == \
        ("test", "policy", "07", 1, "")
    assert row["issuer"] == "CN=Test Issuing CA"
    assert row["lastSuccess"] != "" and row["nextTry"] > row["lastSuccess"]
    assert len(w.spool()) == 1 and len(w.spool("url")) == 1
    assert "a.crl" not in w.spool() + w.spool("url")
    # the command compiles what lies in the spool as well
    assert w.command("compile", status=0).stdout.startswith("taken")
    assert w.show(w.alice) == "revoked"


def test_newer_comes_older_does_not(w):
    url = good(w, [], 5)
    assert w.show(w.alice) == "not-listed"
    w.http.serve("/a.crl", w.crl([w.alice], 6))
    w.once()
    assert w.show(w.alice) == "revoked"
    w.http.serve("/a.crl", w.crl([], 5))
    assert "older" in w.once(1)
    assert w.show(w.alice) == "revoked"
    assert "older" in w.source(url)["error"]
    w.http.serve("/a.crl", w.crl([], 7))
    w.once()
    assert w.show(w.alice) == "not-listed"
    assert w.source(url)["error"] == ""


def refused(w, answer, word, revoked=True):
    """After a good list comes a bad answer: refused with a reason, the good one stays."""
    url = good(w, [w.alice] if revoked else [], 5)
    w.http.serve("/a.crl", answer)
    out = w.once(1)
    assert word in out, out
    assert "the last good list stays" in out
    assert word in w.source(url)["error"]
    assert w.show(w.alice) == "revoked"
    assert not [n for n in w.spool() if n.endswith(".part")]
    return out


@pytest.mark.parametrize("answer,word", [
    (Answer(b"<html><body>Welcome</body></html>"), "CRL"),
    (Answer(b""), "empty"),
    (Answer(b"x", 404), "HTTP 404"),
    (Answer(b"x", 500), "HTTP 500"),
    (Answer(b"x", 204), "HTTP 204"),
    (Answer(b"x", 206), "HTTP 206"),
    (Answer(b"", 302, {"Location": "ftp://127.0.0.1/x"}), "http:"),
    (Answer(b"", 302, {"Location": "file:///etc/passwd"}), "redirect"),
    (Answer(b"", 302), "without a target"),
    (Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"), "larger than"),
    (Answer(raw=b"SSH-2.0-OpenSSH\r\n"), "HTTP/0.9"),
    (Answer(raw=b""), "Empty reply"),
    (Answer(b"", 304), "HTTP 304"),
], ids=lambda v: v if isinstance(v, str) else "")
def test_wrong_answers(w, answer, word):
    # without ETag and date nobody asked whether it changed: 304 is no answer
    refused(w, answer, word)


def test_truncated(w):
    body = w.crl([w.alice], 6)
    cut = len(body) // 2
    # "transfer closed with 126 bytes remaining to read", "end of response with 126 bytes missing"
    refused(w, Answer(body, cut=cut), " with %d bytes " % (len(body) - cut))


def test_truncated_without_a_length(w):
    body = w.crl([w.alice], 6)
    refused(w, Answer(raw=b"HTTP/1.0 200 OK\r\n\r\n" + body[:len(body) // 2]), "cut short")


def test_trailing_bytes(w):
    refused(w, Answer(w.crl([], 6) + b"x"), "behind the end")


def test_broken_signature(w):
    der = bytearray(w.crl([], 6))
    der[-5] ^= 1
    refused(w, Answer(bytes(der)), "signature")


def test_other_signer(w):
    twin = CA("Test Issuing CA", issuer=w.root)
    refused(w, Answer(twin.crl([], 6).der), "sign")


def test_stranger(w):
    refused(w, Answer(CA("Nobody").crl([], 6).der), "no CA")


def test_future(w):
    refused(w, Answer(w.crl([], 6, this_update="+1h", next_update="+7d")), "future")


def test_certificate_instead(w):
    refused(w, Answer(w.ca.der), "decode")


def test_stale_one_is_taken_when_newer(w):
    """A list that has ended still lists: newer than what is here, it comes in."""
    good(w, [], 5, this_update="-9d", next_update="-8d")
    assert w.show(w.alice) == "not-listed"
    w.http.serve("/a.crl", w.crl([w.alice], 6, this_update="-7d", next_update="-6d"))
    out = w.once()
    assert w.show(w.alice) == "revoked"
    assert "ALERT" in out and "ended" in out


def test_redirects(w):
    w.http.serve("/b", Answer(b"", 301, {"Location": "/c"}))
    w.http.serve("/c", Answer(b"", 307, {"Location": w.http.base + "/d"}))
    w.http.serve("/d", w.crl([w.alice], 2))
    w.policy(crl_urls=[w.http.base + "/b"])
    w.once()
    assert w.show(w.alice) == "revoked"


def test_redirect_loop(w):
    loop = w.http.serve("/a.crl", Answer(b"", 302, {"Location": "/a.crl"}))
    w.policy(crl_urls=[loop])
    assert "more than 5 redirects" in w.once(1)
    assert len(w.http.asked()) == 6


def test_redirect_to_another_private_address(w):
    """The administrator wrote one address, not everything that it points to."""
    other = Http()
    try:
        secret = other.serve("/secret", w.crl([], 9))
        url = w.http.serve("/a.crl", Answer(b"", 302, {"Location": secret}))
        w.policy(crl_urls=[url])
        assert "private address" in w.once(1)
        assert other.connections == 0
        w.policy(crl_urls=[url], private_addresses=True)
        w.once()
        assert other.connections == 1
    finally:
        other.close()


def test_refused_connection(w):
    url = "http://127.0.0.1:%d/a.crl" % free_port()
    w.policy(crl_urls=[url])
    assert "connect" in w.once(1)
    assert w.source(url)["failures"] == 1


def test_conditional(w):
    body = w.crl([w.alice], 3)

    def answer(request):
        if request.headers.get("if-none-match") == '"e1"':
            return Answer(b"", 304)
        return Answer(body, headers={"ETag": '"e1"',
                                     "Last-Modified": "Sun, 01 Nov 2026 10:00:00 GMT"})
    url = w.http.serve("/a.crl", answer)
    w.policy(crl_urls=[url])
    w.once()
    before = w.source(url)
    time.sleep(1.1)
    w.once()
    asked = w.http.asked("/a.crl")
    assert "if-none-match" not in asked[0].headers
    assert asked[1].headers["if-none-match"] == '"e1"'
    assert asked[1].headers["if-modified-since"] == "Sun, 01 Nov 2026 10:00:00 GMT"
    assert w.source(url)["lastSuccess"] > before["lastSuccess"]
    assert w.show(w.alice) == "revoked"
    # with the object lost nobody asks whether it changed
    for name in w.spool():
        os.unlink(os.path.join(w.state, "spool/crl", name))
    w.once()
    assert "if-none-match" not in w.http.asked("/a.crl")[2].headers
    assert w.show(w.alice) == "revoked"


def test_hostile_validator_is_not_sent_back(w):
    url = w.http.serve("/a.crl", Answer(w.crl(), headers={"ETag": '"\x01x"',
                                                          "Last-Modified": "y" * 5000}))
    w.policy(crl_urls=[url])
    w.once()
    w.once()
    headers = w.http.asked("/a.crl")[1].headers
    assert "if-none-match" not in headers and "if-modified-since" not in headers


def test_pem_and_bundle(w):
    both = w.root.crl([w.ca], 1).pem + w.ca.crl([w.alice], 1).pem
    w.policy(crl_urls=[w.http.serve("/a.pem", both)])
    w.once()
    assert w.show(w.alice) == "revoked"
    assert w.show(w.ca, w.root) == "revoked"


def test_file_url(w):
    with open(w.path("a.crl"), "wb") as f:
        f.write(w.crl([w.alice], 1))
    w.policy(crl_urls=["file://" + w.path("a.crl")])
    w.once()
    assert w.show(w.alice) == "revoked"


@pytest.mark.parametrize("kind", ["fifo", "folder", "missing"])
def test_file_url_that_is_none(w, kind):
    if kind == "fifo":
        os.mkfifo(w.path("a.crl"))
    elif kind == "folder":
        os.mkdir(w.path("a.crl"))
    w.policy(crl_urls=["file://" + w.path("a.crl")])
    w.once(1)


def test_two_sources_one_bad(w):
    """One CA's trouble stops nobody else's."""
    bad = w.http.serve("/bad", Answer(b"x", 500))
    ok = w.http.serve("/good", w.crl([w.alice]))
    w.policy(crl_urls=[bad, ok])
    w.once(1)
    assert w.show(w.alice) == "revoked"
    assert w.source(bad)["error"] == "HTTP 500" and w.source(ok)["error"] == ""


def test_dropped_address(w):
    """What the policy no longer names leaves the index."""
    good(w, [w.alice])
    other = w.http.serve("/root.crl", w.root.crl().der)
    w.policy(crl_urls=[other])
    w.once()
    assert w.show(w.alice) == "not-covered"
    assert len(w.spool()) == 1


def test_killed_before_publishing(w):
    """The object is in the spool, the index never came: the next start makes it."""
    good(w, [w.alice])
    for name in os.listdir(w.state):
        if name == "current" or name.endswith(".idx"):
            os.unlink(os.path.join(w.state, name))
    w.http.serve("/a.crl", Answer(b"", 500))
    w.once(1)
    assert w.show(w.alice) == "revoked"


# ------------------------------------------------------ what certificates name


def with_crldp(tmp_path, url):
    w = World(tmp_path)
    w.ca = CA("Test Issuing CA", issuer=w.root, crldp=[url])
    w.alice = w.ca.leaf("Alice")
    w.write_cas()
    return w


def test_urls_of_cas(tmp_path):
    with World(tmp_path) as w:
        url = w.http.base + "/root.crl"
        w.ca = CA("Test Issuing CA", issuer=w.root, crldp=[url])
        w.write_cas()
        w.http.serve("/root.crl", w.root.crl([w.ca]).der)
        w.policy()
        out = w.once()
        assert w.http.connections == 0, "a certificate led to a private address"
        assert "private address" in out
        w.policy(private_addresses=True)
        w.once()
        assert w.show(w.ca, w.root) == "revoked"
        assert w.source(url)["origin"] == "CA certificate"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "ip6-localhost", "[::1]",
                                  "[::ffff:127.0.0.1]", "0x7f000001", "2130706433", "127.1",
                                  "HOSTNAME"])
def test_private_addresses_of_certificates(tmp_path, host):
    """By number, by name, in IPv6's clothes: the socket's address counts."""
    if host == "HOSTNAME":
        host = socket.gethostname()
    six = Http("::1") if "ip6" in host or "::1" in host else None
    try:
        with World(tmp_path) as w:
            server = six or w.http
            w.ca = CA("Test Issuing CA", issuer=w.root,
                      crldp=["http://%s:%d/root.crl" % (host, server.port)])
            w.write_cas()
            server.serve("/root.crl", w.root.crl([w.ca]).der)
            w.policy()
            w.run("--once")
            assert server.connections == 0
            assert w.show(w.ca, w.root) != "revoked"
    finally:
        if six:
            six.close()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "/etc/passwd", "../../etc/passwd",
                                 "etc/passwd", "ldap:///CN=x?certificateRevocationList",
                                 "ldap://127.0.0.1/x", "gopher://127.0.0.1/x", "http://",
                                 "http:///x", "HTTP:///127.0.0.1/", "http://a b/", "http://user:pw@example.invalid/x",
                                 "scp://127.0.0.1/x", "\x00http://127.0.0.1/", "http://[::1",
                                 "http://x/" + "a" * 4000])
def test_urls_that_nobody_fetches(tmp_path, url):
    """T39: whatever a certificate says, no file is read and nobody is called."""
    with with_crldp(tmp_path, url) as w:
        w.policy(private_addresses=True)
        w.once()
        assert w.http.connections == 0
        assert w.status()["sources"] == []
        assert w.spool("url") == []
        everything = [os.path.join(d, f) for d, _, fs in os.walk(w.state) for f in fs]
        assert not [f for f in everything if "passwd" in f]


def test_hostless_ldap_is_no_error_with_crl_urls(tmp_path):
    with with_crldp(tmp_path, "ldap:///CN=CA,DC=corp?certificateRevocationList?base") as w:
        w.policy(crl_urls=[w.http.serve("/a.crl", w.crl([w.alice]))])
        out = w.once()
        assert "ldap:" not in out
        assert w.show(w.alice) == "revoked"


def test_unproven_certificates_ask_nobody(tmp_path):
    """T38: an intermediate in the pool that no anchor vouches for."""
    with World(tmp_path) as w:
        stranger = CA("Stranger")
        w.ca = CA("Evil CA", issuer=stranger, crldp=[w.http.base + "/x"])
        forged = CA("Forged CA", issuer=CA("Test Root"), crldp=[w.http.base + "/y"])
        ended = CA("Ended CA", issuer=w.root, crldp=[w.http.base + "/z"], not_after="-1d")
        write_pem(w.path("ca.pem"), w.ca, forged, ended)
        w.policy(private_addresses=True)
        w.once()
        assert w.http.connections == 0


def test_crl_urls_replace_the_certificates(tmp_path):
    with World(tmp_path) as w:
        w.ca = CA("Test Issuing CA", issuer=w.root, crldp=[w.http.base + "/own"])
        w.alice = w.ca.leaf("Alice")
        w.write_cas()
        w.policy(crl_urls=[w.http.serve("/a.crl", w.crl([w.alice]))], private_addresses=True)
        w.once()
        assert [r.path for r in w.http.requests] == ["/a.crl"]


@pytest.mark.parametrize("setting", [{"check": "none"}, {"sources": ["ocsp"]}])
def test_nothing_to_fetch(w, setting):
    w.policy(crl_urls=[w.http.serve("/a.crl", w.crl())], **setting)
    w.once()
    assert w.http.connections == 0


# ------------------------------------------------------------------- the program


def test_now(w):
    w.policy(crl_urls=[w.http.serve("/a.crl", w.crl([w.alice]))])
    p = w.run("--now", "test")
    assert p.returncode == 0, p.stdout
    assert w.show(w.alice) == "revoked"
    p = w.run("--now", "other")
    assert p.returncode == 2 and 'no authority "other"' in p.stdout


@pytest.mark.parametrize("args", [["--what"], ["extra"], ["--config"],
                                  ["--state", "/somewhere/else", "--once"]])
def test_usage(w, args):
    assert w.run(*args).returncode == 2


def test_version_and_help(w):
    assert w.run("--version").stdout.startswith("certauth ")
    p = w.run("--help")
    assert p.returncode == 0 and "--once" in p.stdout


def test_wrong_policy(w):
    with open(w.conf, "w", encoding="utf-8") as f:
        f.write("nonsense")
    p = w.run("--once")
    assert p.returncode == 2 and "certauth.conf" in p.stdout


def test_new_key_of_a_ca(w):
    """A CA with a new key and its old name and address counts from one again; with the key
    that is here nobody goes back."""
    new = CA("Test Issuing CA", issuer=w.root)
    bob = new.leaf("Bob")
    with open(w.path("ca.pem"), "w", encoding="ascii") as f:
        f.write(w.ca.pem.decode() + new.pem.decode())
    url = w.http.serve("/a.crl", w.crl([w.alice], 9))
    w.policy(crl_urls=[url])
    w.once()
    w.http.serve("/a.crl", new.crl([bob], 1, this_update="-2h").der)
    w.once()
    assert w.source(url)["number"] == "01" and w.show(bob, new) == "revoked"
    w.http.serve("/a.crl", new.crl([], 0, this_update="-3h").der)
    assert "older" in w.once(1)
    assert w.show(bob, new) == "revoked"


def test_more_lists_than_an_engine_reads(w):
    """The spool has room for every address that is remembered."""
    folder = os.path.join(w.state, "spool", "crl")
    os.makedirs(folder)
    for i in range(4097):
        os.symlink("pushed-old.crl", os.path.join(folder, "pushed-%04d.crl" % i))
    with open(os.path.join(folder, "pushed-old.crl"), "wb") as f:
        f.write(w.root.crl().der)
    w.policy(crl_urls=[w.http.serve("/a.crl", w.crl([w.alice]))])
    w.once()
    assert w.show(w.alice) == "revoked" and w.show(w.ca, w.root) == "not-listed"


def test_list_that_is_not_taken_is_told(w):
    """What the compilation refuses is in the log, in the status and in the exit."""
    with open(w.path("own.crl"), "wb") as f:
        f.write(CA("Nobody").crl().der)
    w.policy(crl_urls=[w.http.serve("/a.crl", w.crl([w.alice]))], crls=[w.path("own.crl")])
    assert "own.crl" in w.once(1)
    assert w.show(w.alice) == "revoked"
    assert "own.crl" in w.status()["publishFault"] and w.status()["publishError"] == ""
    assert "own.crl" in w.command("check").stdout
    with open(w.path("own.crl"), "wb") as f:
        f.write(w.root.crl().der)
    w.once()
    assert w.status()["publishFault"] == ""


def test_metrics(w):
    url = w.http.serve("/a.crl", w.crl([w.alice]))
    w.policy(crl_urls=[url, w.http.base + "/none"])
    p = w.run("--once", "--metrics", w.path("m.prom"))
    assert p.returncode == 1
    with open(w.path("m.prom"), encoding="utf-8") as f:
        text = f.read()
    labels = '{authority="test",issuer="CN=Test Issuing CA",url="%s"}' % url
    assert "certauth_crl_entries%s 1\n" % labels in text
    assert "certauth_crl_failures%s 0\n" % labels in text
    assert 'url="%s/none"} 1\n' % w.http.base in text
    assert "certauth_fetches_total 2\n" in text
    assert "certauth_published_total 1\n" in text
    # every line is a comment or name{labels} number
    for line in text.splitlines():
        assert line.startswith("# ") or line.rsplit(" ", 1)[1].lstrip("-").isdigit()


def test_works_as_the_owner_of_the_state(w):
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    os.chmod(w.folder, 0o755)
    for part in (w.folder, os.path.dirname(w.folder), os.path.dirname(os.path.dirname(w.folder))):
        if part.startswith("/tmp/") and part != "/tmp/":
            os.chmod(part, 0o755)
    os.mkdir(w.state)
    os.chown(w.state, 65534, 65534)
    good(w, [w.alice])
    for folder, _, files in os.walk(w.state):
        assert os.stat(folder).st_uid == 65534
        for name in files:
            assert os.stat(os.path.join(folder, name)).st_uid == 65534, name
    w.policy(top='owner = "nobody";')
    assert w.command("compile").returncode == 0


def test_proxy_of_the_environment(w):
    """A proxy may be private; what a certificate names through it may not be a number of
    a private network."""
    proxy = Http()
    try:
        proxy.serve("http://crl.example.com/a.crl", w.crl([w.alice]))
        w.policy(crl_urls=["http://crl.example.com/a.crl"])
        w.once(http_proxy=proxy.base)
        assert w.show(w.alice) == "revoked"
        w.ca = CA("Test Issuing CA", issuer=w.root,
                  crldp=["http://crl.example.com/b.crl", "http://10.1.2.3/c.crl"])
        w.write_cas()
        proxy.serve("http://crl.example.com/b.crl", w.root.crl().der)
        w.policy()
        w.once(http_proxy=proxy.base)
        assert [r.path for r in proxy.requests] == ["http://crl.example.com/a.crl",
                                                    "http://crl.example.com/b.crl"]
    finally:
        proxy.close()


@pytest.mark.skipif(unshare() is None, reason="a name of our own needs mounts of our own")
@pytest.mark.parametrize("variable,opens", [("https_proxy", 0), ("http_proxy", 1),
                                            ("all_proxy", 1)])
def test_proxy_of_the_other_scheme(w, variable, opens):
    """Where https: alone goes through a proxy, no http: URL of a certificate leads to it."""
    proxy = Http()
    try:
        url = "http://proxy.example:%d/b.crl" % proxy.port
        w.ca = CA("Test Issuing CA", issuer=w.root, crldp=[url])
        w.write_cas()
        w.policy()
        with open(w.path("hosts"), "w", encoding="ascii") as f:
            f.write("127.0.0.1 localhost proxy.example\n")
        p = subprocess.run(unshare() + ["sh", "-c", 'mount --bind "$0" /etc/hosts && '
                            'exec "$@"', w.path("hosts"), REFRESHER, "--config", w.conf,
                            "--once"], capture_output=True, text=True, timeout=60,
                           env=dict(os.environ, **{variable: proxy.base}))
        assert p.returncode == 1, p.stderr
        assert bool(proxy.connections) == bool(opens)
        assert ("private" in w.source(url)["error"]) == (not opens)
    finally:
        proxy.close()


def test_https_needs_a_ca(w):
    """ca_file decides whom we believe; without it the test CA is a stranger."""
    import ssl
    import threading
    cert = w.root.server("localhost", "127.0.0.1")
    pem = cert.write(w.folder, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, w.path("server.key"))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(8)
        body = w.crl([w.alice])

        def talk():
            while True:
                try:
                    conn, _ = s.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(conn, server_side=True) as tls:
                        tls.recv(4096)
                        tls.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + body)
                        tls.unwrap()
                except OSError:
                    pass
        threading.Thread(target=talk, daemon=True).start()
        url = "https://localhost:%d/a.crl" % s.getsockname()[1]
        w.policy(crl_urls=[url])
        assert "certificate" in w.once(1)
        w.policy(crl_urls=[url], ca_file="root.pem")
        w.once()
        assert w.show(w.alice) == "revoked"


def test_builds_say_when_curl_is_missing():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    p = subprocess.run(["make", "-n", "HAVE_CURL=", "refresher"], cwd=root, check=False,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "libcurl4-openssl-dev" in p.stdout
