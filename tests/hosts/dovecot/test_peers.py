"""
What went wrong in other servers, tried here. The names of the tests are those of the
rows in the project's list of past bugs (class and number).
"""

import os
import socket
import ssl
import struct
import subprocess

import pytest

import dovecot_24
from mail_clients import IMPLICIT, PROTOCOLS, Connection, authenticate, b64, connect, context, \
    greet, login, starttls
from pki import CA, rfc822, write_pem
from test_external import refused
from test_live import until

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
versions = pytest.mark.parametrize("tls", VERSIONS)
protocols = pytest.mark.parametrize("protocol", PROTOCOLS)


@protocols
@versions
@pytest.mark.parametrize("service_count", [0, 1])
def test_c1_10_a_client_that_resumes_logs_in_and_is_judged_anew(own_world, start, protocol, tls,
                                                               service_count):
    w = own_world
    d = start(w.dovecot("resume", service_count=service_count))
    ctx = context(w.cert("later"), tls)
    first = connect(protocol, d, ctx=ctx)
    assert login(protocol, d, "EXTERNAL", c=first).user == "later"
    session = first.sock.session
    first.close()
    # the server gives nothing that could be resumed; what there is changes nothing
    usable = session if session is not None and (session.id or session.has_ticket) else None
    assert usable is None or not usable.has_ticket
    second = connect(protocol, d, ctx=ctx, session=usable)
    assert second.sock.session_reused is not True
    assert login(protocol, d, "EXTERNAL", c=second).user == "later"
    second.close()
    w.revoke("later", number=2)                 # C1 08: revoked, then resumed
    until(lambda: not login(protocol, d, "EXTERNAL", cert=w.cert("later")).ok)
    third = connect(protocol, d, ctx=ctx, session=usable)
    assert third.sock.session_reused is not True
    refused(login(protocol, d, "EXTERNAL", c=third), protocol, "revoked")
    third.close()


@protocols
def test_c2_22_bytes_behind_starttls_are_not_run(world, external, protocol):
    """Plaintext injected behind STARTTLS never runs inside TLS."""
    begin = {"imap": "s STARTTLS", "pop3": "STLS"}.get(protocol, "STARTTLS")
    evil = {"imap": "e AUTHENTICATE EXTERNAL =", "pop3": "AUTH EXTERNAL =",
            "submission": "AUTH EXTERNAL =", "sieve": 'AUTHENTICATE "EXTERNAL" ""'}[protocol]
    with Connection(external.port[protocol]) as c:
        mark = external.mark()
        greet(c, protocol)
        c.sock.sendall((begin + "\r\n" + evil + "\r\n").encode())
        c.line()
        try:
            c.wrap(context(world.cert("alice")))
            if protocol == "sieve":
                # its capabilities come unasked
                while not c.line().startswith("OK"):
                    pass
            c.send({"imap": "n NOOP", "submission": "NOOP", "pop3": "CAPA",
                    "sieve": 'NOOP "n"'}[protocol])
            answer = c.line()
            assert answer.startswith({"imap": "n OK", "submission": "250", "pop3": "+OK",
                                      "sieve": "OK"}[protocol]) and "ogged in" not in answer
        except (ssl.SSLError, ConnectionError):
            pass                # dropping the connection is as good
        assert "Login: user" not in external.log_since(mark)


@protocols
def test_c2_sni_other_local_name(world, start, protocol):
    """Another certificate of the server by SNI: still asks, still judges."""
    key = world.second[:-len(".pem")] + ".key"
    d = start(world.dovecot("sni", conf="local_name second.test {\n  ssl_cert = <%s\n"
                            "  ssl_key = <%s\n}\n" % (world.second, key)))
    with connect(protocol, d, world.cert("alice"), sni="second.test") as c:
        der = c.sock.getpeercert(True)
        with open(world.second, encoding="ascii") as f:
            assert der == ssl.PEM_cert_to_DER_cert(f.read())
        assert login(protocol, d, "EXTERNAL", c=c).user == "alice"
    with connect(protocol, d, world.cert("revoked"), sni="second.test") as c:
        refused(login(protocol, d, "EXTERNAL", c=c), protocol, "revoked")
    with connect(protocol, d, None, sni="second.test") as c:
        refused(login(protocol, d, "EXTERNAL", c=c), protocol, "no-certificate")


def test_c4_44_outgoing_tls_is_not_ours(world, start):
    """The proxy of the login process, a TLS client: not asked, not judged, works."""
    back = start(world.dovecot("back"))
    front = start(world.dovecot("front", mode="require", conf="ssl_client_ca_file = %s\n"
                                % (world.etc + "/root.pem"), passdb="""
passdb {
  driver = static
  args = password=hush proxy=y host=127.0.0.1 port=%d ssl=any-cert pass=hush
  mechanisms = plain
}""" % back.port["imaps"]))
    with connect("imap", front, world.cert("bob")) as c:
        r = authenticate(c, "imap", "PLAIN", b64("\0bob\0hush"))
        assert r.ok, (r, front.log())
        back.wait_log("imap-login: Info: Login: user=<bob>, method=PLAIN")
    with connect("imap", front, world.cert("alice")) as c:
        r = authenticate(c, "imap", "PLAIN", b64("\0bob\0hush"))
        assert not r.ok and "wrong-user" in r.text, r


@protocols
def test_c5_52_an_internal_fault_denies(world, start, protocol):
    """A certificate far over the ceilings: refused, nothing ends, passwords go on."""
    names = [rfc822("x%d@example.com" % i) for i in range(700)]
    world.leafs["huge"] = world.ca.leaf("huge", san=names)
    world.leafs["huge"].write(world.certs, "huge")
    d = start(world.dovecot("huge"))
    r = login(protocol, d, "EXTERNAL", cert=world.cert("huge"))
    assert not r.ok and "Client certificate refused" in r.text, r
    assert login(protocol, d, "PLAIN", user="bob", password="hush", cert=world.cert("huge")).ok


@protocols
def test_c5_54_no_certificate_is_never_enough(world, external, require, protocol):
    for server in (external, require):
        for authzid in (None, "alice"):
            r = login(protocol, server, "EXTERNAL", authzid=authzid)
            refused(r, protocol, "no-certificate")


@protocols
def test_c6_58_a_missing_field_is_not_filled_by_the_client(world, external, require, protocol):
    """No mailbox in the certificate: the typed name must not become the user."""
    world.leafs["blank"] = world.ca.leaf("alice")
    world.leafs["blank"].write(world.certs, "blank")
    for server in (external, require):
        for authzid in (None, "alice", "alice@example.com"):
            r = login(protocol, server, "EXTERNAL", authzid=authzid, cert=world.cert("blank"))
            assert not r.ok and "no-user" in r.text, r
    r = login(protocol, require, "PLAIN", user="alice", password="secret", cert=world.cert("blank"))
    refused(r, protocol, "no-user")


@protocols
def test_c6_59_the_servers_own_certificate_is_nobody(world, external, protocol):
    r = login(protocol, external, "EXTERNAL", cert=world.server)
    refused(r, protocol, "purpose")


def test_c6_60_an_mta_without_the_certificate(world, start):
    """Dovecot's auth service asked by an MTA: EXTERNAL without cert facts refuses."""
    d = start(world.dovecot("mta", conf="service auth {\n  unix_listener mta {\n"
                            "    mode = 0666\n  }\n}\n"))
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(os.path.join(d.base, "mta"))
    f = s.makefile("rb")
    s.sendall(b"VERSION\t1\t2\nCPID\t%d\n" % os.getpid())
    while f.readline().strip() != b"DONE":
        pass
    for n, resp in enumerate((b"=", b64("alice").encode(), b64("bob").encode()), 1):
        s.sendall(b"AUTH\t%d\tEXTERNAL\tservice=smtp\tsecured=tls\tvalid-client-cert\tresp=%s\n"
                  % (n, resp))
        answer = f.readline()
        assert answer.startswith(b"FAIL\t%d" % n), answer
    f.close()
    s.close()


@protocols
def test_c6_61_identity_comes_from_the_leaf_only(world, external, protocol):
    """Somebody else's certificate sent along is no identity."""
    world.leafs["nobody"].write(world.certs, "nobody-alice", chain=[world.leafs["alice"], world.ca])
    r = login(protocol, external, "EXTERNAL", cert=world.cert("nobody-alice"))
    refused(r, protocol, "no-user")
    world.leafs["bob"].write(world.certs, "bob-alice", chain=[world.leafs["alice"], world.ca])
    assert login(protocol, external, "EXTERNAL", cert=world.cert("bob-alice")).user == "bob"


@protocols
@pytest.mark.parametrize("san", [b"alice@example.com\0.evil.org", b"alice@example.com\n",
                                 b"alice@example.com\xff", b"\0"])
def test_c6_63_bytes_no_name_may_have(world, external, protocol, san):
    name = "bad%d" % (hash(san) % 100000)
    world.leafs[name] = world.ca.leaf("bad", san=[rfc822(san)])
    world.leafs[name].write(world.certs, name)
    r = login(protocol, external, "EXTERNAL", cert=world.cert(name))
    assert not r.ok and "Client certificate refused" in r.text, r
    r = login(protocol, external, "EXTERNAL", authzid="alice", cert=world.cert(name))
    assert not r.ok, r


@protocols
def test_c6_70_hostile_text_stays_on_one_line_of_the_log(world, external, protocol):
    subject = [("CN", "x\n2026-01-01 imap-login: Info: Login: user=<root>\x1b[2J")]
    world.leafs["esc"] = world.ca.leaf(subject, email="mallory@example.com")
    world.leafs["esc"].write(world.certs, "esc")
    r = login(protocol, external, "EXTERNAL", authzid="a\nb\x1b", cert=world.cert("esc"))
    assert not r.ok and "\x1b" not in r.text
    external.wait_log("certauth: REJECT", r.mark)
    assert "\x1b" not in r.log
    for line in r.log.splitlines():
        assert not line.startswith("2026-01-01"), line


def test_c6_the_private_oid_cannot_be_planted(world, external, require):
    """A subject with the OID under which the user is handed over: no name from it."""
    for value in ("bob", "alice"):
        for dotted in ("2.25.221378061329573240167213498573120598231",
                       "2.25.104829350712364895720349857203948572034"):
            subject = [("CN", "planted"), (dotted, value)]
            world.leafs["plant"] = world.ca.leaf(subject, email="nobody@example.com")
            world.leafs["plant"].write(world.certs, "plant")
            refused(login("imap", external, "EXTERNAL", cert=world.cert("plant")), "imap", "no-user")
            refused(login("imap", require, "PLAIN", user=value, password="secret",
                          cert=world.cert("plant")), "imap", "no-user")
            world.leafs["plant"] = world.ca.leaf(subject, email="later@example.com")
            world.leafs["plant"].write(world.certs, "plant")
            assert login("imap", external, "EXTERNAL", cert=world.cert("plant")).user == "later"


def test_c7_78_many_bad_chains_do_not_grow_the_process(world, start):
    d = start(world.dovecot("leak", service_count=0))

    def memory():
        pid = d.login_processes("imap")[0]
        with open("/proc/%d/status" % pid, encoding="ascii") as f:
            return int([x for x in f if x.startswith("VmRSS")][0].split()[1])

    def some(n):
        for i in range(n):
            who = ("revoked", "unknown", "expired", "alice-chain")[i % 4]
            with connect("imap", d, world.cert(who)) as c:
                authenticate(c, "imap", "EXTERNAL", b64("bob"))
    some(100)
    assert len(d.login_processes("imap")) == 1
    before = memory()
    some(200)
    assert memory() - before < 1024, (before, memory())


@protocols
def test_c7_79_a_stalled_client_holds_nobody_up(world, start, protocol):
    d = start(world.dovecot("stall", service_count=0))
    port = d.port[IMPLICIT.get(protocol, protocol)]
    stalled = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
    stalled[0].sendall(b"\x16\x03\x01\x02\x00\x01")
    assert login(protocol, d, "EXTERNAL", cert=world.cert("alice")).user == "alice"
    for s in stalled:
        s.close()


def test_c7_80_more_ca_names_than_tls_can_carry(own_world, start):
    w = own_world
    many = [CA([("O", "A certification authority with a long name " * 3), ("CN", "Root %d" % i)],
               key=w.root) for i in range(500)]
    write_pem(w.etc + "/many.pem", w.root, *many)
    w.conf = w.policy("many.conf", anchors="many.pem")
    d = start(w.dovecot("names"))
    for protocol in PROTOCOLS:
        assert login(protocol, d, "EXTERNAL", cert=w.cert("alice")).user == "alice"
        r = login(protocol, d, "PLAIN", user="bob", password="hush", starttls=True)
        assert r.user == "bob"
    d.wait_log("Warning: certauth: .*too many for TLS")


def proxy_v2(common_name, presented, verify, tls=True):
    """A PROXY v2 header with PP2_TYPE_SSL, as haproxy's send-proxy-v2-ssl-cn."""
    sub = b""
    if common_name is not None:
        sub = struct.pack("!BH", 0x22, len(common_name)) + common_name
    flags = (1 if tls else 0) | (6 if presented else 0)
    ssl_tlv = struct.pack("!BI", flags, verify) + sub
    tlv = struct.pack("!BH", 0x20, len(ssl_tlv)) + ssl_tlv
    addr = socket.inet_aton("127.0.0.2") + socket.inet_aton("127.0.0.1") + \
        struct.pack("!HH", 40000, 143)
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", len(addr + tlv)) + addr + tlv


@pytest.fixture(scope="module")
def proxied(world):
    with world.dovecot("pxy", haproxy=True) as d:
        yield d


@pytest.fixture(scope="module")
def proxied_require(world):
    with world.dovecot("pxyreq", mode="require", haproxy=True) as d:
        yield d


@protocols
@pytest.mark.parametrize("presented", [False, True])
@pytest.mark.parametrize("verify", [0, 1])
@pytest.mark.parametrize("name", [b"alice", b"bob", None])
def test_c8_81_names_of_a_proxy_are_dropped(world, proxied, proxied_require, protocol, presented,
                                            verify, name):
    header = through = proxy_v2(name, presented, verify)
    if dovecot_24.version() >= (2, 4):      # knows no STARTTLS where the proxy ended TLS
        through = proxy_v2(name, presented, verify, tls=False)
    for d in (proxied, proxied_require):
        # the proxy has ended TLS: no certificate was seen here
        mark = d.mark()
        with Connection(d.port[protocol], header) as c:
            greet(c, protocol)
            r = authenticate(c, protocol, "EXTERNAL", "")
            assert not r.ok, r
            if d is proxied_require:
                r = authenticate(c, protocol, "PLAIN", b64("\0alice\0secret"))
                assert not r.ok and "Client certificate refused" in r.text, r
        assert "Login: user" not in d.log_since(mark)
        # TLS goes through the proxy: the certificate decides, not the header
        with Connection(d.port[protocol], through) as c:
            greet(c, protocol)
            starttls(c, protocol, context(world.cert("later")))
            assert login(protocol, d, "EXTERNAL", c=c).user == "later"
        with Connection(d.port[protocol], through) as c:
            greet(c, protocol)
            starttls(c, protocol, context())
            assert not authenticate(c, protocol, "EXTERNAL", "").ok
    # and its name does not replace a typed one
    with Connection(proxied.port[protocol], through) as c:
        greet(c, protocol)
        starttls(c, protocol, context())
        r = login(protocol, proxied, "PLAIN", user="bob", password="hush", c=c)
        assert r.user == "bob"


def test_handed_over_names_do_not_leave_the_attempt(world, external):
    """Renegotiation is off, so the certificate cannot change under a verdict."""
    with connect("imap", external, world.cert("alice"), tls=ssl.TLSVersion.TLSv1_2) as c:
        assert not login("imap", external, "EXTERNAL", authzid="bob", c=c).ok
    with subprocess.Popen(
            ["openssl", "s_client", "-connect", "127.0.0.1:%d" % external.port["imaps"], "-tls1_2",
             "-cert", world.cert("alice"), "-key", world.cert("alice")[:-4] + ".key"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
        # A greeting that came within the handshake that R begins would be what it fails of.
        said = []
        for line in p.stdout:
            said.append(line)
            if line.startswith(b"* OK"):
                p.stdin.write(b"R\n")
                p.stdin.flush()
            if b"no renegotiation" in line.lower():
                break
        else:
            pytest.fail(b"".join(said).decode())
        p.kill()
