"""A generation of the policy in Apache: read instead of the file, taken up at the reload."""

import os

from generations import certauth, damage, half_saved


def test_generation_reload_rollback(site, world):
    conf = world.path("certauth.conf")
    certauth(conf, "apply")
    half_saved(conf)
    os.rename(world.path("issuing.pem"), world.path("away.pem"))
    site.run(site.vhost("CertAuthProfile staff"))
    assert site.get("/", "alice").status == 200
    site.graceful()
    assert site.get("/", "alice").status == 200 and site.get("/", "bob").status == 200
    # the next one, at the reload and not before
    os.rename(world.path("away.pem"), world.path("issuing.pem"))
    world.policy()
    with open(conf, encoding="utf-8") as f:
        text = f.read()
    world.text("certauth.conf", text.replace(
        'denied = "denied.txt";', 'denied = "denied.txt"; policies = [ "1.3.6.1.4.1.99999.1" ];', 1))
    certauth(conf, "apply")
    assert site.get("/", "bob").status == 200
    site.graceful()
    assert site.get("/", "bob").status == 403 and site.get("/", "alice").status == 200
    certauth(conf, "rollback")
    site.graceful()
    assert site.get("/", "bob").status == 200
    # a damaged one is no reason to read the file
    damage(conf, 1)
    status, said = site.configtest()
    assert status != 0 and "SHA-256" in said
