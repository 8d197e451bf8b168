"""
C1: a resumed session asks nobody in the handshake; the gate asks on every request.

Rows of docs on past bugs of other servers are named in the tests (c1_NN).
"""

import os
import socket
import subprocess
import time

import pytest

from nginx_world import V12, V13, VARS, VERSIONS, Alert, Client, proxy, until

# how a session comes back
KINDS = {
    "ticket": "ssl_session_cache none; ssl_session_ticket_key @FOLDER@/ticket.key;",
    "cache": "ssl_session_cache shared:s:1m; ssl_session_tickets off;",
    "both": "ssl_session_cache shared:s:1m;",
}
HTTP = """
    SESSIONS
    server { listen @TLS@ ssl; server_name a.test; certauth staff; return 200 "VARS"; }
    server { listen @TLS@ ssl; server_name b.test; certauth other; return 200 "VARS"; }
    server { listen @TLS@ ssl; server_name open.test; return 200 "open"; }
    server { listen @TLS@ ssl; server_name maybe.test; certauth staff optional; return 200 "VARS"; }
""".replace("VARS", VARS)

both_versions = pytest.mark.parametrize("tls", VERSIONS, ids=["1.2", "1.3"])
all_kinds = pytest.mark.parametrize("kind", sorted(KINDS))


def start(world, kind, text=HTTP, **more):
    n = world.nginx(text.replace("SESSIONS", KINDS[kind]), **more)
    n.prepare()
    with open(os.path.join(n.folder, "ticket.key"), "wb") as f:
        f.write(bytes(range(80)))
    return n.start()


@pytest.fixture
def server(world):
    running = []

    def make(kind, text=HTTP, **more):
        running.append(start(world, kind, text, **more))
        return running[-1], running[-1].port["TLS"]
    yield make
    for n in running:
        n.stop()


@both_versions
@all_kinds
def test_a_good_session_is_resumed(server, world, kind, tls):
    """What follows proves nothing if sessions were never resumed."""
    _, port = server(kind)
    alice = Client(world, "alice", tls)
    assert not alice.get(port).reused
    for _ in range(3):
        r = alice.get(port, resume=True)
        assert r.reused and r.status == 200
        assert r.vars["remote_user"] == "alice" and r.vars["ssl_client_verify"] == "SUCCESS"


@both_versions
@all_kinds
def test_c1_08_revoked_session(server, world, kind, tls):
    """A CRL dropped in place bites; no session outlives it."""
    n, port = server(kind)
    alice = Client(world, "alice", tls)
    alice.get(port)
    assert alice.get(port, resume=True).reused
    session = alice.session
    world.revoke("rita", "alice")
    assert until(lambda: Client(world, "alice", tls).get(port).status == 400)
    for _ in range(2):
        alice.session = session
        r = alice.get(port, resume=True)
        # refused early: a full handshake is made, and the gate refuses it
        assert r.status == 400 and not r.reused
    n.wait_log(" revoked ")
    # what the refused handshake left behind opens nothing either
    with alice.connect(port, resume=alice.session is not None) as c:
        assert c.request().status == 400
    assert Client(world, "bob", tls).get(port).status == 200


@both_versions
@all_kinds
def test_revoked_session_is_refused_by_the_gate_alone(server, world, kind, tls):
    """
    The drop of bad sessions is an optimisation: a session that was resumed a
    moment before the CRL came is refused at its next request.
    """
    n, port = server(kind)
    alice = Client(world, "alice", tls)
    alice.get(port)
    with alice.connect(port, resume=True) as c:
        assert c.reused and c.request().status == 200
        world.revoke("alice")
        assert until(lambda: c.request().status == 400)
    n.wait_log(" revoked ")


def visit(client, port, sni, host):
    """A resumed request; None when the server ended the handshake."""
    try:
        return client.get(port, sni=sni, host=host, resume=True)
    except Alert:
        return None


@both_versions
@all_kinds
def test_c1_01_session_of_another_host(server, world, kind, tls):
    """
    CVE-2025-23419: a session made with one virtual host opens another. Whatever
    name is said where, alice comes to a.test only and gina to b.test only.
    """
    _, port = server(kind)
    for who, mine, other in (("alice", "a.test", "b.test"), ("gina", "b.test", "a.test")):
        client = Client(world, who, tls)
        assert client.get(port, sni=mine).status == 200
        session = client.session
        for sni in ("a.test", "b.test", "open.test", "maybe.test", None):
            for host in ("a.test", "b.test", "maybe.test"):
                client.session = session
                r = visit(client, port, sni, host)
                if r is None:
                    continue
                if host == other:
                    assert r.status in (400, 421), (sni, host, r)
                elif r.status == 200:
                    assert r.vars["remote_user"] in (who, ""), r
                    assert host != "maybe.test" or who == "alice" or not r.vars["remote_user"]
                else:
                    assert r.status in (400, 421), (sni, host, r)


@both_versions
@all_kinds
def test_session_of_an_open_host(server, world, kind, tls):
    """Made where nobody asks for a certificate, brought where one is needed."""
    _, port = server(kind)
    alice = Client(world, "alice", tls)
    assert alice.get(port, sni="open.test").status == 200
    if alice.session is None:
        return
    r = visit(alice, port, "a.test", "a.test")
    assert r is None or (r.status in (400, 421) if r.reused else r.status == 200)


RELOADS = {
    "c1_06_ca_removed": lambda w: w.policy().replace(
        w.folder + "/issuers.pem", w.folder + "/other-issuers.pem").replace(
            'identity = ( { name = "admins"', 'identity = ( { name = "gone"'),
    "c1_07_policies": lambda w: w.policy(staff='policies = [ "1.2.3.4" ];'),
    "c1_07_purposes": lambda w: w.policy(staff='purposes = [ "codeSigning" ];'),
    "c1_07_mapping": lambda w: w.policy().replace("in example.com", "in example.org"),
    "c1_07_keys": lambda w: w.policy(staff='keys = { curves = [ "P-521" ]; };'),
    "c1_03_revocation": lambda w: w.policy().replace(
        'check = "chain"; crls = [ "%s/crls" ]' % w.folder,
        'check = "chain"; crls = [ "%s/nothing" ]' % w.folder),
}


@both_versions
@pytest.mark.parametrize("kind", ["ticket", "cache"])
@pytest.mark.parametrize("name", sorted(RELOADS))
def test_policy_changed_between(server, world, name, kind, tls):
    """c1_03, c1_06, c1_07: another policy is in force; sessions of before are nothing."""
    n, port = server(kind)
    alice = Client(world, "alice", tls)
    assert alice.get(port).status == 200
    os.makedirs(world.path("nothing"), exist_ok=True)
    world.write("certauth.conf", RELOADS[name](world))
    assert n.reload()
    r = alice.get(port, resume=True)
    assert r.status in (400, 403, 503) and not r.reused


@both_versions
def test_c1_03_digest_is_the_same_over_a_reload(server, world, tls):
    """Nothing changed: whoever has a session keeps it."""
    n, port = server("ticket")
    alice = Client(world, "alice", tls)
    alice.get(port)
    assert n.reload()
    r = alice.get(port, resume=True)
    assert r.status == 200 and r.reused


@both_versions
@pytest.mark.parametrize("kind", ["ticket", "cache"])
def test_c1_04_resuming_for_ever(server, world, kind, tls):
    """Each resumption may renew the clock of the session, never of the certificate."""
    world.write("certauth.conf", world.policy(clock=True))
    n, port = server(kind)
    alice = Client(world, "alice", tls)
    alice.get(port)
    for _ in range(5):
        assert alice.get(port, resume=True).status == 200
    for name in ("ca", "root"):
        getattr(world, name).crl([], number=99, next_update="+500d").write(
            world.path("crls/%s.crl" % name))
    world.clock("+366d")
    assert until(lambda: Client(world, "alice", tls).get(port).status == 400)
    # c1_05: at the end there is a full handshake and an answer, no error
    r = alice.get(port, resume=True)
    assert r.status == 400 and not r.reused
    n.wait_log(" expired ")


@both_versions
def test_c1_11_chain_is_absent(server, world, tls):
    """
    The client's own chain was needed and no session keeps it: the session is
    dropped for a full handshake, and the client gets in as before.
    """
    world.write("certauth.conf", world.policy().replace(
        'issuers = [ "%s/issuers.pem" ];' % world.folder, "").replace(
            'check = "chain"', 'check = "none"', 1))
    _, port = server("ticket")
    alice = Client(world, "alice", tls)
    assert alice.get(port).status == 200
    r = alice.get(port, resume=True)
    assert r.status == 200 and not r.reused
    # and a kept-alive connection still has the chain when the data changes
    with alice.connect(port) as c:
        assert c.request().status == 200
        world.write("people.map", "alice@example.com alicia\n")
        assert until(lambda: c.request().vars["remote_user"] == "alicia")


@both_versions
@all_kinds
def test_no_session_for_who_was_refused(server, world, kind, tls):
    """Sessions are kept for the accepted only: later everybody is asked anew."""
    _, port = server(kind)
    for who in (None, "rita", "erin", "mallory"):
        c = Client(world, who, tls)
        assert c.get(port).status in (400, 403)
        if c.session is not None and c.session.has_ticket or tls == V12:
            assert not c.get(port, resume=True).reused


def test_no_ticket_for_who_was_refused(server, world):
    """TLS 1.3: none is sent."""
    _, port = server("ticket")
    for who, want in (("alice", True), ("rita", False), ("dave", False)):
        c = Client(world, who, V13)
        c.get(port)
        assert bool(c.session and c.session.has_ticket) == want, who


@both_versions
@all_kinds
def test_unrevoked_again(server, world, kind, tls):
    """A hold is lifted: the refused sessions of meanwhile do no harm."""
    n, port = server(kind)
    alice = Client(world, "alice", tls)
    alice.get(port)
    session = alice.session
    world.revoke("alice")
    assert until(lambda: Client(world, "alice", tls).get(port).status == 400)
    alice.get(port, resume=True)
    world.revoke()
    assert until(lambda: Client(world, "alice", tls).get(port).status == 200)
    alice.session = session
    assert alice.get(port, resume=True).status == 200


@both_versions
def test_resumed_with_another_certificate(server, world, tls):
    """
    Who resumes is who made the session. A client that holds alice's session and
    bob's key is alice, or bob after a full handshake: never one with the other's
    rights.
    """
    _, port = server("ticket", """
        SESSIONS
        server { listen @TLS@ ssl; server_name a.test; certauth staff;
            location / { return 200 "%s"; }
            location /admin { certauth admin; return 200 "%s"; } }""" % (VARS, VARS))
    alice = Client(world, "alice", tls)
    assert alice.get(port, "/admin").status == 200
    session = alice.session
    alice.context.load_cert_chain(world.path("bob.pem"), world.path("bob.key"))
    r = alice.get(port, "/", resume=True)
    assert r.vars["remote_user"] == ("alice" if r.reused else "bob")
    # the session is refused and the full handshake brings bob
    world.revoke("alice")
    assert until(lambda: Client(world, "alice", tls).get(port).status == 400)
    alice.session = session
    r = alice.get(port, "/admin", resume=True)
    assert r.status == 403 and not r.reused
    r = alice.get(port, "/")
    assert r.vars["remote_user"] == "bob"


def test_c1_09_no_downgrade_with_a_ticket(server, world):
    """A TLS 1.3 ticket is nothing to TLS 1.2, and the other way round."""
    _, port = server("ticket")
    for one, two in ((V13, V12), (V12, V13)):
        alice = Client(world, "alice", one)
        alice.get(port)
        alice.context.minimum_version = V12
        alice.context.maximum_version = V13
        alice.context.maximum_version = two
        if two == V13:
            alice.context.minimum_version = V13
        r = alice.get(port, resume=True)
        assert not r.reused and r.vars["remote_user"] == "alice"


# no "Connection: close": nginx would close before it has read the client's Finished
REQUEST = b"GET /%s HTTP/1.1\r\nHost: a.test\r\n\r\n"


def hold_finished(client, server):
    """
    ClientHello and early data pass, the server's answer comes later: so the server
    has to answer, or to wait, before it knows that nothing was replayed.
    """
    data = kind = b""
    while kind != b"\x17":      # the record of early data
        more = client.recv(65536)
        server.sendall(more)
        data += more
        while len(data) >= 5 and len(data) >= 5 + int.from_bytes(data[3:5], "big"):
            kind, data = data[:1], data[5 + int.from_bytes(data[3:5], "big"):]
    server.recv(1, socket.MSG_PEEK)     # its part of the handshake
    time.sleep(0.5)


def s_client(world, port, *more, data=b""):
    p = subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % port, "-servername", "a.test",
         "-cert", world.path("alice.pem"), "-key", world.path("alice.key"), "-tls1_3",
         "-ign_eof", *more], input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=60, check=False)
    return p.stdout.decode(errors="replace")


def test_early_data(server, world):
    """RFC 8470: 425, nothing is done; with `optional` nobody is named."""
    n, port = server("ticket", """
        SESSIONS ssl_early_data on; keepalive_timeout 1s;
        server { listen @TLS@ ssl; server_name a.test; certauth staff;
            location / { return 200 "VARS early=[$ssl_early_data]"; }
            location /any { satisfy any; auth_basic x; auth_basic_user_file @FOLDER@/none;
                root @FOLDER@; }
            location /maybe { certauth staff optional; return 200 "VARS early=[$ssl_early_data]"; }
        }""".replace("VARS", VARS))
    session, early = world.path("session"), world.path("early")

    def ask(path):
        with open(early, "wb") as f:
            f.write(REQUEST % path)
        out = s_client(world, port, "-sess_out", session, data=REQUEST % b"")
        assert "HTTP/1.1 200" in out and "remote_user=[alice]" in out, out
        return s_client(world, proxy(port, hold_finished), "-sess_in", session,
                        "-early_data", early)
    out = ask(b"")
    assert "Early data was accepted" in out, out
    assert "HTTP/1.1 425" in out, out
    assert "user=[alice]" not in out
    n.wait_log(" early-data ")
    assert "HTTP/1.1 425" in ask(b"any")
    out = ask(b"maybe")
    assert "early=[1]" in out and "certauth_reason=[early-data]" in out, out
    assert "remote_user=[]" in out and "certauth_user=[]" in out
