"""
A generation of the policy in Dovecot, which reads it at each connection: what happens to the
file meanwhile is nobody's business.
"""

import os

import pytest

from generations import certauth, damage, half_saved
from mail_clients import login
from test_external import refused
from test_live import until


def put(path, data):
    with open(path, "wb") as f:
        f.write(data)


def test_a_half_saved_file_does_not_matter(own_world, start):
    w = own_world
    certauth(w.conf, "apply")
    d = start(w.dovecot("half"))
    whole = half_saved(w.conf)
    anchor = os.path.join(w.etc, "root.pem")
    root = half_saved(anchor)
    for _ in range(3):
        assert login("imap", d, "EXTERNAL", cert=w.cert("alice")).user == "alice"
    # without a generation it does matter: that is what apply is for
    put(anchor, root)
    put(w.conf, whole)
    certauth(w.conf, "apply", "--remove")
    assert login("imap", d, "EXTERNAL", cert=w.cert("alice")).user == "alice"
    half_saved(w.conf)
    until(lambda: not login("imap", d, "EXTERNAL", cert=w.cert("alice")).ok)
    refused(login("imap", d, "EXTERNAL", cert=w.cert("alice")), "imap", "data-missing")


def test_the_next_connection_has_the_next_generation(own_world, start):
    w = own_world
    certauth(w.conf, "apply")
    d = start(w.dovecot("next"))
    assert login("imap", d, "EXTERNAL", cert=w.cert("alice")).user == "alice"
    w.write("others.map", "alice@example.com bob\n")
    w.policy("certauth.conf", map="others.map")
    assert login("imap", d, "EXTERNAL", cert=w.cert("alice")).user == "alice"
    certauth(w.conf, "apply")
    until(lambda: login("imap", d, "EXTERNAL", cert=w.cert("alice")).user == "bob")
    certauth(w.conf, "rollback")
    until(lambda: login("imap", d, "EXTERNAL", cert=w.cert("alice")).user == "alice")


@pytest.mark.parametrize("mode", ["external", "require"])
def test_a_damaged_generation_lets_no_certificate_in(own_world, start, mode):
    w = own_world
    certauth(w.conf, "apply")
    d = start(w.dovecot("dam", mode=mode))
    assert login("imap", d, "EXTERNAL", cert=w.cert("alice")).user == "alice"
    damage(w.conf, 1)
    mark = d.mark()
    until(lambda: not login("imap", d, "EXTERNAL", cert=w.cert("alice")).ok)
    refused(login("imap", d, "EXTERNAL", cert=w.cert("alice")), "imap", "data-missing")
    d.wait_log(r"certauth.conf.applied/1: is not what was applied", mark)
    r = login("imap", d, "PLAIN", user="bob", password="hush")
    assert r.ok == (mode == "external")
    certauth(w.conf, "apply")
    until(lambda: login("imap", d, "EXTERNAL", cert=w.cert("alice")).user == "alice")
