"""A generation of the policy in nginx: read instead of the file, taken up at the reload."""

import os

from generations import certauth, damage, half_saved
from nginx_world import Client
from pki import write_pem

HTTP = """
    server { listen @TLS@ ssl; server_name a.test; certauth staff; location / { return 200 "in"; } }
"""
STRICT = 'policies = [ "1.3.6.1.4.1.99999.7" ];'


def test_generation_reload_rollback(world):
    conf = world.path("certauth.conf")
    alice = Client(world, "alice")
    certauth(conf, "apply")
    half_saved(conf)
    os.unlink(world.path("issuers.pem"))
    with world.nginx(HTTP) as n:
        port = n.port["TLS"]
        assert alice.get(port).status == 200
        assert n.reload() and alice.get(port).status == 200
        # the next one, at the reload and not before
        world.write("certauth.conf", world.policy(staff=STRICT).replace("/issuers.pem", "/ca-2.pem"))
        write_pem(world.path("ca-2.pem"), world.ca)
        certauth(conf, "apply")
        assert alice.get(port).status == 200
        assert n.reload() and alice.get(port).status == 403
        assert n.check()[0] == 0
        certauth(conf, "rollback")
        assert alice.get(port).status == 403
        assert n.reload() and alice.get(port).status == 200
        # a damaged one is no reason to read the file: the old policy goes on
        damage(conf, 1)
        status, said = n.check()
        assert status != 0 and "SHA-256" in said
        assert not n.reload() and alice.get(port).status == 200
