"""
Require mode: every login needs an accepted certificate, and the user who logs in
must be the certificate's, in all four protocols, with implicit TLS and STARTTLS.
"""

import time

import pytest

from mail_clients import PROTOCOLS, Connection, Reply, b64, authenticate, capabilities, connect, greet, \
    login
from test_external import WAYS, refused

ways = pytest.mark.parametrize("protocol,starttls", WAYS)
PASSDB = """
passdb {
  driver = static
  args = nopassword=yes
  mechanisms = external
}
passdb {
  driver = passwd-file
  mechanisms = plain login
  args = @FOLDER@/passwd
}
"""


@ways
def test_right_user(world, require, protocol, starttls):
    r = login(protocol, require, "PLAIN", user="alice", password="secret",
              cert=world.cert("alice"), starttls=starttls)
    assert r.ok and r.user == "alice", r
    assert "certauth: ACCEPT" in r.log


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_right_user_by_old_commands(world, require, protocol):
    r = login(protocol, require, "LOGIN", user="alice", password="secret", cert=world.cert("alice"))
    if protocol == "sieve":     # the mechanism LOGIN, see below
        assert not r.ok, r
        return
    assert r.ok and r.user == "alice", r
    for password in ("hush", "nonsense"):
        r = login(protocol, require, "LOGIN", user="bob", password=password,
                  cert=world.cert("alice"))
        refused(r, protocol, "wrong-user")
    r = login(protocol, require, "LOGIN", user="bob", password="hush")
    refused(r, protocol, "no-certificate")


@pytest.mark.parametrize("user,password", [
    ("bob", "hush"), ("bob", "secret"), ("bob", "nonsense"), ("Bob", "hush"),
    ("bob@example.com", "hush"), ("nobody", "x"), ("alice2", "secret")])
@ways
def test_other_user(world, require, protocol, starttls, user, password):
    """Whatever the password: the answer does not tell whether it was right."""
    r = login(protocol, require, "PLAIN", user=user, password=password,
              cert=world.cert("alice"), starttls=starttls)
    refused(r, protocol, "wrong-user")


def login_mechanism(c, protocol, user, initial):
    """Begins the LOGIN mechanism with `user`; the line that the server says then."""
    begin = {"imap": "a AUTHENTICATE LOGIN", "pop3": "AUTH LOGIN", "submission": "AUTH LOGIN"}
    c.send(begin[protocol] + (" " + b64(user) if initial else ""))
    line = c.line()
    if not initial:
        assert line.startswith(("+ ", "334 ")), line
        c.send(b64(user))
        line = c.line()
    return line


@pytest.mark.parametrize("initial", [False, True])
@pytest.mark.parametrize("protocol", ["imap", "pop3", "submission"])
def test_login_mechanism_never_asks_for_the_password_of_another(world, start, require, protocol,
                                                                initial):
    """
    A password that is not asked for cannot be tried: neither the words nor the time of
    the answer (auth_failure_delay) tell anything of it.
    """
    d = start(world.dovecot("delay", mode="require", conf="auth_debug = yes\n"
                            "auth_failure_delay = 60 s\n"))
    for user in ("bob", "Bob", "bob@example.com", "nobody", "alice2", "alice\0bob", "bob\0",
                 "ALICE", " alice"):
        with connect(protocol, d, world.cert("alice")) as c:
            began = time.monotonic()
            r = Reply(False, "")
            r.server, r.mark = d, d.mark()
            r.text = login_mechanism(c, protocol, user, initial)
            refused(r, protocol, "wrong-user")
            assert time.monotonic() - began < 30
    assert "passwd-file(" not in d.log(), "a password was looked up"
    for user in ("alice", "alice@example.com"):
        with connect(protocol, require, world.cert("alice")) as c:
            # goes on to ask; the mailbox has no password of its own here
            assert login_mechanism(c, protocol, user, initial).startswith(("+ ", "334 ")), user
            c.send(b64("secret"))
            assert c.line().startswith(("a OK", "+OK", "235")) == (user == "alice")


@pytest.mark.parametrize("protocol", ["imap", "pop3", "submission"])
def test_login_mechanism_again_and_again(world, require, protocol):
    """A refused name leaves nothing, an abort neither; the same connection goes on."""
    with connect(protocol, require, world.cert("alice")) as c:
        for initial in (False, True):
            assert "wrong-user" in login_mechanism(c, protocol, "bob", initial)
        assert login_mechanism(c, protocol, "alice", False).startswith(("+ ", "334 "))
        c.send("*")
        assert c.line().startswith(("a BAD", "-ERR", "501"))
        assert "wrong-user" in login_mechanism(c, protocol, "bob", False)
        assert login_mechanism(c, protocol, "alice", False).startswith(("+ ", "334 "))
        c.send(b64("hush"))
        line = c.line()
        assert line.startswith(("a NO", "-ERR", "535")) and "certificate" not in line, line
        assert login_mechanism(c, protocol, "alice", True).startswith(("+ ", "334 "))
        c.send(b64("secret"))
        assert c.line().startswith(("a OK", "+OK", "235"))


def test_sieve_has_no_login_mechanism(world, require, external):
    """There the name cannot be seen before the password; RFC 5804 has no LOGIN."""
    with connect("sieve", require, world.cert("alice")) as c:
        caps = capabilities(c, "sieve")
        assert " LOGIN" not in caps and "PLAIN" in caps, caps
        c.send('AUTHENTICATE "LOGIN"')
        assert c.line().startswith("NO")
        r = login("sieve", require, "PLAIN", user="alice", password="secret", c=c)
        assert r.ok and r.user == "alice", r
    with connect("sieve", external, world.cert("alice")) as c:
        assert "LOGIN" in capabilities(c, "sieve")


@ways
def test_right_user_wrong_password(world, require, protocol, starttls):
    r = login(protocol, require, "PLAIN", user="alice", password="nonsense",
              cert=world.cert("alice"), starttls=starttls)
    assert not r.ok and "certificate" not in r.text, r


@pytest.mark.parametrize("who,reason", [
    (None, "no-certificate"), ("revoked", "revoked"), ("expired", "expired"),
    ("unknown", "no-path"), ("nobody", "no-user"), ("denied", "denied"), ("web", "purpose")])
@ways
def test_no_good_certificate(world, require, protocol, starttls, who, reason):
    for mechanism, words in (("PLAIN", {"user": "alice", "password": "secret"}),
                             ("EXTERNAL", {})):
        r = login(protocol, require, mechanism, cert=world.cert(who), starttls=starttls, **words)
        refused(r, protocol, reason)


@ways
def test_external(world, require, protocol, starttls):
    r = login(protocol, require, "EXTERNAL", cert=world.cert("alice"), starttls=starttls)
    assert r.ok and r.user == "alice", r


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("authzid,good", [("alice", True), ("alice@example.com", True),
                                          ("bob", False), ("bob@example.com", False)])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_external_authzid(world, require, protocol, authzid, good, later):
    r = login(protocol, require, "EXTERNAL", authzid=authzid, cert=world.cert("alice"), later=later)
    if good:
        assert r.ok and r.user == "alice", r
    else:
        refused(r, protocol, "wrong-user")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_password_typed_with_an_own_mailbox(world, require, protocol):
    """Mail programs use the mailbox as the user name; it is the same person."""
    r = login(protocol, require, "PLAIN", user="alice@example.com", password="secret",
              cert=world.cert("alice"))
    assert r.ok and r.user == "alice", r


@pytest.mark.parametrize("authzid,user", [("bob", "alice"), ("alice", "bob"), ("bob", "bob")])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_authzid(world, require, protocol, authzid, user):
    password = {"alice": "secret", "bob": "hush"}[user]
    r = login(protocol, require, "PLAIN", user=user, password=password, authzid=authzid,
              cert=world.cert("alice"))
    assert not r.ok, r


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_without_tls(require, protocol):
    with Connection(require.port[protocol]) as c:
        greet(c, protocol)
        r = authenticate(c, protocol, "PLAIN", b64("\0alice\0secret"))
        assert not r.ok and "no-tls" in r.text, r


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_attempts_in_a_row(world, require, protocol):
    """No attempt leaves anything for the next one on the same connection."""
    with connect(protocol, require, world.cert("alice")) as c:
        refused(login(protocol, require, "PLAIN", user="bob", password="hush", c=c),
                protocol, "wrong-user")
        refused(login(protocol, require, "EXTERNAL", authzid="bob", c=c), protocol, "wrong-user")
        r = login(protocol, require, "PLAIN", user="alice", password="nonsense", c=c)
        assert not r.ok and "certificate" not in r.text
        refused(login(protocol, require, "PLAIN", user="bob", password="hush", c=c),
                protocol, "wrong-user")
        r = login(protocol, require, "PLAIN", user="alice", password="secret", c=c)
        assert r.ok and r.user == "alice", r


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_passwords_stay_offered(world, require, protocol):
    with connect(protocol, require, world.cert("alice")) as c:
        caps = capabilities(c, protocol)
        assert "EXTERNAL" in caps and "PLAIN" in caps


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_auth_process_has_the_last_word(world, start, protocol):
    """A passdb that turns the typed name into another: the final user counts."""
    d = start(world.dovecot("turn-" + protocol[:2], mode="require",
                            conf="auth_ssl_username_from_cert = no\n", passdb="""
passdb {
  driver = static
  args = password=x user=bob
  mechanisms = plain
}"""))
    r = login(protocol, d, "PLAIN", user="alice", password="x", cert=world.cert("alice"))
    refused(r, protocol, "wrong-user")
    r = login(protocol, d, "PLAIN", user="alice", password="x", cert=world.cert("bob"))
    assert r.ok and r.user == "bob", r


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_without_handing_the_name_over(world, start, protocol):
    """auth_ssl_username_from_cert = no: the typed name is compared all the same."""
    d = start(world.dovecot("nohand-" + protocol[:2], mode="require",
                            conf="auth_ssl_username_from_cert = no\n"))
    r = login(protocol, d, "PLAIN", user="alice", password="secret", cert=world.cert("alice"))
    assert r.ok and r.user == "alice", r
    r = login(protocol, d, "PLAIN", user="bob", password="hush", cert=world.cert("alice"))
    refused(r, protocol, "wrong-user")
    r = login(protocol, d, "EXTERNAL", cert=world.cert("alice"))
    assert not r.ok


@pytest.mark.parametrize("answer", ["proxy=y host=127.0.0.1 port=9 pass=x", "nologin=y",
                                    "nologin=y host=127.0.0.1"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_proxied_logins_are_compared_too(world, start, protocol, answer):
    """proxy and nologin answers do not pass Dovecot's own last check."""
    d = start(world.dovecot("proxy", mode="require",
                            conf="auth_ssl_username_from_cert = no\n", passdb="""
passdb {
  driver = static
  args = password=x %s
  mechanisms = plain
}""" % answer))
    r = login(protocol, d, "PLAIN", user="bob", password="x", cert=world.cert("alice"))
    refused(r, protocol, "wrong-user")
    assert "proxy(" not in r.log and "REFERRAL" not in r.text, r.log
    r = login(protocol, d, "PLAIN", user="bob", password="x", cert=world.cert("bob"))
    if "proxy" in answer:
        d.wait_log(r"proxy\(bob", r.mark)       # it did set out for the other server
    else:
        assert "wrong-user" not in r.text


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_master_users(world, start, protocol):
    """A master password does not help past the certificate, nor the reverse."""
    d = start(world.dovecot("master-" + protocol[:2], mode="require", passdb=PASSDB + """
passdb {
  driver = static
  master = yes
  args = password=master
  mechanisms = plain
}
passdb {
  driver = static
  master = yes
  args = nopassword=yes
  mechanisms = external
}"""))
    who = world.cert("alice")
    for words in ({"user": "alice", "password": "master", "authzid": "bob"},
                  {"user": "admin", "password": "master", "authzid": "alice"},
                  {"user": "admin", "password": "master", "authzid": "bob"}):
        r = login(protocol, d, "PLAIN", cert=who, **words)
        assert not r.ok, (words, r)
    for later in (False, True):
        r = login(protocol, d, "EXTERNAL", authzid="bob", cert=who, later=later)
        refused(r, protocol, "wrong-user")
    r = login(protocol, d, "PLAIN", user="alice", password="secret", cert=who)
    assert r.ok and r.user == "alice", r


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_master_users_in_external_mode(world, start, protocol):
    """EXTERNAL never acts as another, even where a master passdb would let it."""
    d = start(world.dovecot("extmaster-" + protocol[:2], passdb=PASSDB + """
passdb {
  driver = static
  master = yes
  args = nopassword=yes
  mechanisms = external
}"""))
    for later in (False, True):
        r = login(protocol, d, "EXTERNAL", authzid="bob", cert=world.cert("alice"), later=later)
        refused(r, protocol, "wrong-user")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_dovecots_own_requirement_beside_ours(world, start, protocol):
    d = start(world.dovecot("both-" + protocol[:2], mode="require",
                            conf="auth_ssl_require_client_cert = yes\n"))
    r = login(protocol, d, "PLAIN", user="alice", password="secret", cert=world.cert("alice"))
    assert r.ok and r.user == "alice", r
    assert not login(protocol, d, "PLAIN", user="alice", password="secret").ok
    r = login(protocol, d, "PLAIN", user="bob", password="hush", cert=world.cert("alice"))
    refused(r, protocol, "wrong-user")
