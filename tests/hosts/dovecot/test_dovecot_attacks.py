"""What somebody tries who wants in where he should not be. Each was tried by hand first."""

import pytest

from mail_clients import PROTOCOLS, login
from test_external import refused


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_denied_user_in_another_case(own_world, start, protocol):
    """auth_username_format folds the mapped name after us: ALICE logs in as alice."""
    own_world.add("shout", own_world.ca, email="ALICE@example.com")
    conf = own_world.policy("case.conf", more="""plain: { authorities = [ "ca" ]; denied = "denied";
        identity = ( { name = "local"; user = "{san.email|local}"; } ); };""")
    own_world.write("denied", "user:bob\n")
    server = start(own_world.dovecot("case", env={"conf": conf, "profile": "plain"}))
    for who in ("alice", "shout"):
        assert login(protocol, server, "EXTERNAL", cert=own_world.cert(who)).user == "alice"
    server.stop()
    own_world.write("denied", "user:alice\n")
    server.start()
    for who in ("alice", "shout"):
        refused(login(protocol, server, "EXTERNAL", cert=own_world.cert(who)), protocol, "denied")
