"""
The groups of a certificate reach Dovecot's own databases, as a field that nobody else
can fill.
"""

import re

from mail_clients import login

DEBUG = "auth_debug = yes\nlogin_trusted_networks = 127.0.0.0/8\n"
PASSDB = """
passdb {
  driver = static
  mechanisms = external plain login
  args = nopassword=yes userdb_acl_groups=[%{passdb:forward_certauth_groups}]
}
"""
MAP = "alice@example.com alice staff,admins\nbob@example.com bob\n"


def groups(server, mark):
    """What the login since `mark` got; auth writes its lines whenever it likes."""
    session = re.search(r"session=<([^>]*)>", server.wait_log("Login: user=<", mark)).group(1)
    # 2.3: auth: Debug: static(alice,ADDRESS,<ID>): ...; 2.4: auth(alice,...)<ID>: Debug: NAME: ...
    asked = server.wait_log("<%s>.*: Finished userdb lookup" % re.escape(session), mark)
    # what it found is the next line of the one process auth
    line = server.wait_log(r"acl_groups=\[", server.log().index(asked, mark))
    return line.split("acl_groups=[")[1].split("]")[0]


def test_groups_in_the_userdb(own_world, start):
    w = own_world
    w.write("people.map", MAP)
    d = start(w.dovecot("groups", conf=DEBUG, passdb=PASSDB))
    for mechanism, who, more, want in (
            ("EXTERNAL", "alice", {}, "staff,admins"), ("EXTERNAL", "bob", {}, ""),
            # a password logs in as if no certificate were there
            ("PLAIN", "alice", {"user": "alice", "password": "secret"}, "")):
        mark = len(d.log())
        assert login("imap", d, mechanism, cert=w.cert(who), **more).ok, (mechanism, d.log()[mark:])
        assert groups(d, mark) == want, (mechanism, who, d.log()[mark:])


def test_in_require_mode(own_world, start):
    w = own_world
    w.write("people.map", MAP)
    d = start(w.dovecot("groups", mode="require", conf=DEBUG, passdb=PASSDB))
    mark = len(d.log())
    assert login("imap", d, "PLAIN", cert=w.cert("alice"), user="alice", password="secret").ok
    assert groups(d, mark) == "staff,admins"
