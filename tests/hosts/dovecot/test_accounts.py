"""
One certificate, several accounts (also= in its line of the map): the name in EXTERNAL
chooses, in each protocol and at both places where a client may send it.
"""

import shutil

import pytest

from conftest import healthy, new_world
from mail_clients import PROTOCOLS, login

PEOPLE = ("alice@example.com alice staff also=office,support\n"
          "bob@example.com bob\n")
WORDS = {"alice": "secret", "bob": "hush", "office": "desk", "nobody": "none"}


@pytest.fixture(scope="module")
def places():
    """A server in each mode, whose map has accounts."""
    world = new_world()
    world.write("people.map", PEOPLE)
    with world.dovecot("acc", passwords=WORDS) as external, \
            world.dovecot("accreq", mode="require", passwords=WORDS) as require:
        yield world, external, require
    healthy(external)
    healthy(require)
    shutil.rmtree(world.folder, ignore_errors=True)


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_external(places, protocol, later):
    world, external, _ = places
    for who, asked, user in (("alice", "office", "office"), ("alice", "alice", "alice"),
                             ("alice", "alice@example.com", "alice"), ("alice", "bob", None),
                             ("alice", "offic", None), ("bob", "office", None)):
        r = login(protocol, external, "EXTERNAL", authzid=asked, cert=world.cert(who),
                  later=later)
        assert r.ok == (user is not None), (asked, r, r.log)
        if user:
            assert r.user == user, (asked, r.log)
        else:
            assert "wrong-user" in r.text, r
    # nothing of an account is left for the next who asks for none
    r = login(protocol, external, "EXTERNAL", cert=world.cert("alice"), later=later)
    assert r.ok and r.user == "alice", r.log


def test_passwords_in_require_mode(places):
    """Where the mapped user's name replaces the typed one, another account is not it."""
    world, _, require = places
    alice = world.cert("alice")
    assert login("imap", require, "PLAIN", user="alice", password="secret", cert=alice).ok
    for user, word in (("office", "desk"), ("office", "secret"), ("bob", "hush")):
        r = login("imap", require, "PLAIN", user=user, password=word, cert=alice)
        assert not r.ok, (user, word, r)
    # the LOGIN mechanism tells the name before the password: nothing replaces it
    r = login("submission", require, "LOGIN", user="office", password="desk", cert=alice)
    assert r.ok and r.user == "office", r
    for user, word, cert in (("office", "wrong", "alice"), ("bob", "hush", "alice"),
                             ("office", "desk", "bob")):
        assert not login("submission", require, "LOGIN", user=user, password=word,
                         cert=world.cert(cert)).ok
