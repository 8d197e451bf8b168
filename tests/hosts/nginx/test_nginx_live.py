"""What changes under a running server, on connections that are open already."""

import os
import re
import signal
import time

import pytest

from h2 import H2
from nginx_world import PATIENCE, ROOT, TAKEN_UP, V12, V13, VARS, VERSIONS, Client, run, until
from ports import children

both_versions = pytest.mark.parametrize("tls", VERSIONS, ids=["1.2", "1.3"])

HTTP = """
    server { listen @TLS@ ssl http2; server_name a.test; certauth staff;
        location / { return 200 "VARS"; }
        location /admin { certauth admin; return 200 "VARS"; }
        location /maybe { certauth staff optional; return 200 "VARS"; } }
""".replace("VARS", VARS)


@pytest.fixture
def server(world):
    with world.nginx(HTTP) as n:
        yield n


@both_versions
def test_kept_alive_after_revocation(server, world, tls):
    with Client(world, "alice", tls).connect(server.port["TLS"]) as c:
        assert c.request().status == 200
        world.revoke("alice")
        assert until(lambda: c.request().status == 400)
    server.wait_log(" revoked ")


@both_versions
def test_kept_alive_optional_after_revocation(server, world, tls):
    with Client(world, "alice", tls).connect(server.port["TLS"]) as c:
        assert c.request("/maybe").vars["remote_user"] == "alice"
        world.revoke("alice")
        assert until(lambda: c.request("/maybe").vars["certauth_reason"] == "revoked")
        v = c.request("/maybe").vars
        assert v["remote_user"] == "" and v["ssl_client_verify"] != "SUCCESS"


@both_versions
def test_kept_alive_after_expiry(world, tls):
    world.write("certauth.conf", world.policy(clock=True))
    for ca, file in ((world.ca, "ca"), (world.root, "root")):
        ca.crl([], number=50, next_update="+500d").write(world.path("crls/%s.crl" % file))
    with world.nginx(HTTP) as n:
        with Client(world, "alice", tls).connect(n.port["TLS"]) as c:
            assert c.request().status == 200
            world.clock("+364d")
            assert c.request().status == 200
            world.clock("+366d")
            assert c.request().status == 400
        n.wait_log(" expired ")


@both_versions
def test_kept_alive_after_the_crl_ends(world, tls):
    """The data, not the certificate, is too old: our side, 503."""
    world.write("certauth.conf", world.policy(clock=True))
    with world.nginx(HTTP) as n:
        with Client(world, "alice", tls).connect(n.port["TLS"]) as c:
            assert c.request().status == 200
            world.clock("+8d")              # within grace
            assert c.request().status == 200
            world.clock("+11d")
            assert c.request().status == 503
        n.wait_log(" revocation-stale ")


@both_versions
def test_denied_and_maps_are_taken_up(server, world, tls):
    with Client(world, "alice", tls).connect(server.port["TLS"]) as c:
        assert c.request().vars["remote_user"] == "alice"
        world.write("people.map", "alice@example.com alicia staff\n")
        assert until(lambda: c.request().vars["remote_user"] == "alicia")
        world.write("denied", "user:alicia\n")
        assert until(lambda: c.request().status == 403)
    server.wait_log(" denied ")


def test_admission_is_taken_up_too(server, world):
    with Client(world, "bob").connect(server.port["TLS"]) as c:
        assert c.request("/admin").status == 403
        world.write("admins.map", "alice alice\nbob bob\n")
        assert until(lambda: c.request("/admin").status == 200)


def test_bad_crl_keeps_the_last_good_loudly(server, world):
    port = server.port["TLS"]
    assert Client(world, "rita").get(port).status == 400
    world.write("crls/ca.crl", "this is no CRL\n")
    server.wait_log(re.compile(r"\[(warn|error)\].*certauth: .*ca\.crl"))
    assert Client(world, "rita").get(port).status == 400
    assert Client(world, "alice").get(port).status == 200


def test_bad_map_keeps_the_last_good_loudly(server, world):
    port = server.port["TLS"]
    world.write("people.map", "alice@example.com mallory extra words that are none\n\x01\n")
    server.wait_log(re.compile(r"\[(warn|error)\].*certauth: .*people\.map"))
    assert Client(world, "alice").get(port).vars["remote_user"] == "alice"


def test_every_worker(world):
    with world.nginx(HTTP, workers=3) as n:
        port = n.port["TLS"]
        conns = [Client(world, "alice").connect(port) for _ in range(12)]
        assert all(c.request().status == 200 for c in conns)
        world.revoke("alice")
        for c in conns:
            assert until(lambda: c.request().status == 400)
            c.close()


def test_a_worker_that_is_started_again(server, world):
    """It begins with today's data, not with the master's of the start."""
    port = server.port["TLS"]
    world.revoke("alice")
    time.sleep(TAKEN_UP)
    old = server.workers()
    os.kill(old[0], signal.SIGKILL)
    assert until(lambda: server.workers() and server.workers() != old)
    assert until(lambda: answers(world, port)) == 400


def answers(world, port):
    try:
        return Client(world, "alice").get(port).status
    except OSError:
        return None


def test_without_a_master(world):
    """master_process off, as developers run it (nginx itself cannot reload there)."""
    n = world.nginx(HTTP, main="master_process off;\n")
    with n:
        port = n.port["TLS"]
        assert Client(world, "alice").get(port).status == 200
        assert children(n.process.pid) == []
        world.revoke("alice")
        assert until(lambda: Client(world, "alice").get(port).status == 400)
        assert n.alive()


# --------------------------------------------------------------------- reload


def test_reload_with_a_bad_policy_keeps_serving(server, world):
    """c5_34 and INTERFACE 1: the old one stays, revocation data still moves."""
    port = server.port["TLS"]
    old = server.workers()
    for bad in ("", "version = 1; nonsense = 2;", "version = 1;\n/* no end",
                world.policy().replace("root.pem", "nowhere.pem"),
                world.policy().replace("profiles:", "profile:")):
        world.write("certauth.conf", bad)
        mark = len(server.log())
        assert not server.reload()
        assert "certauth: %s" % world.folder in server.log()[mark:]
        assert server.workers() == old
        assert Client(world, "alice").get(port).vars["remote_user"] == "alice"
        assert Client(world, "rita").get(port).status == 400
    os.unlink(world.path("certauth.conf"))
    assert not server.reload()
    world.revoke("alice")
    assert until(lambda: Client(world, "alice").get(port).status == 400)


def test_reload_with_another_policy(server, world):
    port = server.port["TLS"]
    with Client(world, "bob").connect(port) as c:
        assert c.request().status == 200
        world.write("certauth.conf", world.policy(staff='policies = [ "1.3.6.1.4.1.99999.1" ];'))
        assert server.reload()
        assert Client(world, "bob").get(port).status == 403
        assert Client(world, "alice").get(port).status == 200


def test_many_reloads(server, world):
    """Nothing of an old cycle is left behind that a new one could stumble over."""
    port = server.port["TLS"]
    for _ in range(8):
        assert server.reload()
        assert Client(world, "alice", V13).get(port).status == 200
        assert Client(world, "alice", V12).get(port).status == 200
    assert "exited on signal" not in server.log()


def test_reload_with_a_new_module_file(server, world):
    """The package was upgraded and nginx only reloaded: old code is unloaded."""
    port = server.port["TLS"]
    mine = os.path.join(server.folder, "ngx_http_certauth_module.so")
    with Client(world, "alice").connect(port) as c:
        assert c.request().status == 200
        for _ in range(3):
            with open(mine, "rb") as f:
                data = f.read()
            with open(mine + ".new", "wb") as f:
                f.write(data)
            os.rename(mine + ".new", mine)
            assert server.reload()
            assert Client(world, "alice").get(port).status == 200
    assert "exited on signal" not in server.log()


def test_graceful_end_is_not_held_up(server, world):
    """The poll timer lets a worker go."""
    Client(world, "alice").get(server.port["TLS"])
    server.process.send_signal(signal.SIGQUIT)
    server.process.wait(PATIENCE)


# ------------------------------------------------- sessions that live, each kind of data


def h2_connection(world, server, who="alice"):
    client = Client(world, who)
    client.context.set_alpn_protocols(["h2"])
    return H2(client.connect(server.port["TLS"]).sock)


def publish(world):
    """As certauth-compile.service does, beside a running server."""
    flavour = os.environ.get("FLAVOUR", "test")
    command = os.path.join(ROOT, "build", flavour, "certauth")
    if not os.path.exists(command):
        pytest.skip(command + " is not built")
    os.makedirs(world.path("state"), exist_ok=True)
    said = run(command, "--config", world.path("compile.conf"), "compile", "--json")
    assert '"error"' not in said or '"error":null' in said or '"error":""' in said, said


KINDS = ["crl", "index", "denied"]


def take_away(world, kind):
    if kind == "denied":
        world.write("denied", "user:alice\n")
    else:
        world.revoke("alice")
        if kind == "index":
            publish(world)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["http/1.1", "h2", "resumed 1.2", "resumed 1.3"])
def test_a_session_ends_with_its_certificate(world, way, kind):
    if kind == "index":
        # the server sees no CRL file, only what is published
        text = world.policy()
        world.write("compile.conf", text)
        world.write("certauth.conf", text.replace('crls = [ "%s/crls" ];' % world.folder, ""))
        publish(world)
    with world.nginx(HTTP) as server:
        session_ends(server, world, way, kind)


def session_ends(server, world, way, kind):
    port = server.port["TLS"]
    client = Client(world, "alice", V12 if way.endswith("1.2") else V13)
    if way == "h2":
        c = h2_connection(world, server)

        def status():
            return c.get("/", "a.test")
    elif way == "http/1.1":
        c = client.connect(port)

        def status():
            return c.request().status
    else:
        client.get(port)
        assert client.get(port, resume=True).reused

        def status():
            return client.get(port, resume=True).status
    assert status() == 200 and status() == 200
    take_away(world, kind)
    assert until(lambda: status() != 200)
    server.wait_log(" denied " if kind == "denied" else " revoked ")
