"""
External mode: EXTERNAL needs an accepted certificate and logs in its user; a
password login is as if no certificate had been sent.
"""

import ssl
import time

import pytest

from mail_clients import PROTOCOLS, b64, capabilities, connect, login

WAYS = [(p, s) for p in PROTOCOLS for s in (False, True) if s or p != "sieve"]
ways = pytest.mark.parametrize("protocol,starttls", WAYS)

# reason: IMAP's code (RFC 5530), what the other three begin with
SAYS = {
    "no-certificate": "AUTHENTICATIONFAILED", "revoked": "AUTHENTICATIONFAILED",
    "expired": "EXPIRED", "no-path": "AUTHENTICATIONFAILED",
    "no-user": "AUTHORIZATIONFAILED", "denied": "AUTHORIZATIONFAILED",
    "wrong-user": "AUTHORIZATIONFAILED", "purpose": "AUTHENTICATIONFAILED",
    "data-missing": "UNAVAILABLE", "revocation-unknown": "UNAVAILABLE",
    "revocation-stale": "UNAVAILABLE"}


def refused(r, protocol, reason):
    """Not logged in, and the reply says why in the protocol's own way."""
    assert not r.ok, r
    ours = SAYS[reason] == "UNAVAILABLE"
    begin = {"imap": "a NO [%s] " % SAYS[reason],
             "pop3": "-ERR [SYS/TEMP] " if ours else "-ERR [AUTH] ",
             "submission": "454 4.7.0 " if ours else "535 5.7.8 ",
             "sieve": 'NO (TRYLATER) "' if ours else 'NO "'}[protocol]
    assert r.text.startswith(begin + "Client certificate refused: " + reason + ": "), r
    r.server.wait_log(r"certauth: REJECT \d+ %s " % reason, r.mark)
    assert "Login: user" not in r.log
    return r


@ways
def test_good(world, external, protocol, starttls):
    r = login(protocol, external, "EXTERNAL", cert=world.cert("alice"), starttls=starttls)
    assert r.ok and r.user == "alice", r


@ways
def test_good_sends_its_issuer_too(world, external, protocol, starttls):
    r = login(protocol, external, "EXTERNAL", cert=world.cert("alice-chain"), starttls=starttls)
    assert r.ok and r.user == "alice", r


@pytest.mark.parametrize("tls", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@ways
def test_each_tls_version(world, external, protocol, starttls, tls):
    good = login(protocol, external, "EXTERNAL", cert=world.cert("alice"), starttls=starttls, tls=tls)
    assert good.ok and good.user == "alice"
    bad = login(protocol, external, "EXTERNAL", cert=world.cert("revoked"), starttls=starttls, tls=tls)
    refused(bad, protocol, "revoked")


@pytest.mark.parametrize("who,reason", [
    (None, "no-certificate"), ("revoked", "revoked"), ("expired", "expired"),
    ("unknown", "no-path"), ("nobody", "no-user"), ("denied", "denied"),
    ("web", "purpose"), ("mail-only", "purpose")])
@ways
def test_refused(world, external, protocol, starttls, who, reason):
    r = login(protocol, external, "EXTERNAL", cert=world.cert(who), starttls=starttls)
    refused(r, protocol, reason)
    # it ended yesterday: within the seven days
    assert (" Its CA still renews it." in r.text) == (who == "expired"), r


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_refused_before_tls(external, protocol):
    from mail_clients import Connection, authenticate, greet
    with Connection(external.port[protocol]) as c:
        offered = greet(c, protocol)
        assert "EXTERNAL" not in offered
        assert "EXTERNAL" not in capabilities(c, protocol)
        r = authenticate(c, protocol, "EXTERNAL", b64("alice"))
        assert not r.ok and "no-tls" in r.text, r


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("authzid", ["", "alice", "alice@example.com"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_authzid_own(world, external, protocol, authzid, later):
    """Empty, the mapped user, an own mailbox: the session is the mapped user's."""
    r = login(protocol, external, "EXTERNAL", authzid=authzid, cert=world.cert("alice"), later=later)
    assert r.ok and r.user == "alice", r


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("authzid", ["bob", "Alice", "alice ", "alic", "alicea", "alice\0",
                                     "bob@example.com", "alice@example.org", "*", "\x01"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_authzid_of_others(world, external, protocol, authzid, later):
    r = login(protocol, external, "EXTERNAL", authzid=authzid, cert=world.cert("alice"), later=later)
    if protocol == "sieve" and later and "\0" in authzid:
        assert not r.ok, r      # Dovecot itself takes no NUL
    else:
        refused(r, protocol, "wrong-user")


@pytest.mark.parametrize("form", ['"%s"', "{%d+}\r\n%s"])
@pytest.mark.parametrize("authzid", ["bob", "alice@example.com"])
def test_a_sieve_name_that_comes_in_pieces(world, external, authzid, form):
    """Dovecot reads this response by itself: nothing of it before we saw it whole."""
    name = b64(authzid)
    text = (form % name if '"' in form else form % (len(name), name)).encode() + b"\r\n"
    for cut in range(1, len(text), 3):
        mark = external.mark()
        with connect("sieve", external, world.cert("alice")) as c:
            c.send('AUTHENTICATE "EXTERNAL"')
            if c.line() == "{0}":
                c.line()
            for piece in (text[:cut], text[cut:]):
                c.sock.sendall(piece)
                time.sleep(0.05)        # so that they are two; nothing hangs on it
            line = c.line()
        if authzid == "bob":
            assert line.startswith('NO "Client certificate refused: wrong-user: '), (cut, line)
        else:
            assert line.startswith("OK"), (cut, line)
            external.wait_log("Login: user=<alice>", mark)      # not in the next one's log


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_authzid_second_mailbox(world, external, protocol):
    r = login(protocol, external, "EXTERNAL", authzid="a.smith@example.com", cert=world.cert("two"))
    assert r.ok and r.user == "alice", r
    r = login(protocol, external, "EXTERNAL", authzid="a.smith@example.com", cert=world.cert("alice"))
    refused(r, protocol, "wrong-user")


@pytest.mark.parametrize("response", ["!!!", "YWxpY2", "YWxpY2U=x", "=" * 5])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_authzid_that_is_not_base64(world, external, protocol, response):
    from mail_clients import authenticate
    mark = external.mark()
    with connect(protocol, external, world.cert("alice")) as c:
        r = authenticate(c, protocol, "EXTERNAL", response)
        assert not r.ok, r
        again = authenticate(c, protocol, "EXTERNAL", "")
        assert again.ok, again
    # The log comes later than the reply, and the next test begins to look at its end.
    external.wait_log("certauth: ACCEPT", mark)
    external.wait_log("Login: user=<alice>", mark)


@pytest.mark.parametrize("who", [None, "alice", "bob", "revoked", "expired", "unknown", "nobody", "denied"])
@ways
def test_password_beside_any_certificate(world, external, protocol, starttls, who):
    """The typed name stays, whoever the certificate is."""
    r = login(protocol, external, "PLAIN", user="bob", password="hush", cert=world.cert(who),
              starttls=starttls)
    assert r.ok and r.user == "bob", r
    assert "certauth:" not in r.log, r.log


@pytest.mark.parametrize("who", [None, "alice", "revoked"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_old_password_commands(world, external, protocol, who):
    r = login(protocol, external, "LOGIN", user="bob", password="hush", cert=world.cert(who))
    assert r.ok and r.user == "bob", r


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_wrong_password_beside_a_good_certificate(world, external, protocol):
    for user in ("alice", "bob"):
        r = login(protocol, external, "PLAIN", user=user, password="nonsense",
                  cert=world.cert("alice"))
        assert not r.ok and "certificate" not in r.text, r


@pytest.mark.parametrize("protocol", ["imap", "pop3", "submission", "sieve"])
def test_password_after_refused_external(world, external, protocol):
    """On one connection: the refusal leaves nothing behind."""
    with connect(protocol, external, world.cert("revoked")) as c:
        refused(login(protocol, external, "EXTERNAL", c=c), protocol, "revoked")
        r = login(protocol, external, "PLAIN", user="bob", password="nonsense", c=c)
        assert not r.ok and "certificate" not in r.text, r
        r = login(protocol, external, "PLAIN", user="bob", password="hush", c=c)
        assert r.ok and r.user == "bob", r


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_password_after_external_was_shown(world, external, protocol):
    """The name handed over for EXTERNAL must not stick to the next attempt."""
    with connect(protocol, external, world.cert("alice")) as c:
        refused(login(protocol, external, "EXTERNAL", authzid="bob", later=True, c=c),
                protocol, "wrong-user")
        r = login(protocol, external, "PLAIN", user="bob", password="hush", c=c)
        assert r.ok and r.user == "bob", r


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_external_after_failures(world, external, protocol):
    with connect(protocol, external, world.cert("alice")) as c:
        assert not login(protocol, external, "EXTERNAL", authzid="bob", c=c).ok
        if protocol != "sieve":
            # Dovecot's sieve takes a missing first response for an empty one
            # when the connection has tried before; that is the mapped user.
            assert not login(protocol, external, "EXTERNAL", authzid="bob", later=True, c=c).ok
        assert not login(protocol, external, "PLAIN", user="bob", password="x", c=c).ok
        r = login(protocol, external, "EXTERNAL", authzid="alice@example.com", c=c)
        assert r.ok and r.user == "alice", r


@ways
def test_offer(world, external, protocol, starttls):
    """Who sent a certificate, good or bad, is offered EXTERNAL; who did not is not."""
    for who, offered in (("alice", True), ("revoked", True), (None, False)):
        with connect(protocol, external, world.cert(who), starttls) as c:
            caps = capabilities(c, protocol)
            assert ("EXTERNAL" in caps) == offered, (who, caps)
            assert "PLAIN" in caps


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_abort(world, external, protocol):
    """A client that changes its mind, and one that goes away in the middle."""
    c = connect(protocol, external, world.cert("alice"))
    begin = {"imap": "a AUTHENTICATE EXTERNAL", "sieve": 'AUTHENTICATE "EXTERNAL"'}
    c.send(begin.get(protocol, "AUTH EXTERNAL"))
    c.line()
    c.send('"*"' if protocol == "sieve" else "*")
    line = c.line()
    assert not line.startswith(("a OK", "+OK", "235", "OK")), line
    c.send(begin.get(protocol, "AUTH EXTERNAL"))
    c.line()
    c.close()
    r = login(protocol, external, "EXTERNAL", cert=world.cert("alice"))
    assert r.ok and r.user == "alice"


def test_one_line_per_login(world, external):
    r = login("imap", external, "EXTERNAL", cert=world.cert("alice"))
    external.wait_log("imap-login: .*Login: ", r.mark)
    lines = [x for x in external.log_since(r.mark).splitlines() if "certauth:" in x]
    assert len(lines) == 1 and "ACCEPT" in lines[0] and "alice" in lines[0], lines
    r = login("imap", external, "EXTERNAL", cert=world.cert("revoked"))
    external.wait_log("certauth: REJECT", r.mark)
    lines = [x for x in external.log_since(r.mark).splitlines() if "certauth:" in x]
    assert len(lines) == 1 and "REJECT" in lines[0] and "1401" in lines[0], lines


def test_profile_of_one_protocol(world, start):
    d = start(world.dovecot("prof", env={"CERTAUTH_PROFILE_POP3": "strict"}))
    assert login("imap", d, "EXTERNAL", cert=world.cert("alice")).ok
    r = login("pop3", d, "EXTERNAL", cert=world.cert("alice"))
    assert not r.ok and "policy-required" in r.text, r


def test_no_identity_rule_is_no_user(world, start):
    d = start(world.dovecot("nomap", env={"profile": "nomap"}))
    for protocol in PROTOCOLS:
        for authzid in (None, "alice"):
            r = login(protocol, d, "EXTERNAL", authzid=authzid, cert=world.cert("alice"))
            refused(r, protocol, "no-user")
        r = login(protocol, d, "PLAIN", user="bob", password="hush", cert=world.cert("alice"))
        assert r.ok and r.user == "bob"


def test_without_username_from_cert(world, start):
    """The setting that EXTERNAL needs is missing: nobody enters, the log says it."""
    d = start(world.dovecot("noname", conf="auth_ssl_username_from_cert = no\n"))
    for protocol in PROTOCOLS:
        r = login(protocol, d, "EXTERNAL", cert=world.cert("alice"))
        assert not r.ok
        d.wait_log("auth_ssl_username_from_cert = yes", r.mark)


def test_implicit_external_of_submission(world, start):
    """submission_client_workarounds = implicit-auth-external: MAIL logs in by itself."""
    d = start(world.dovecot("impl", conf="submission_client_workarounds = implicit-auth-external\n"))
    for who, says in (("alice", None), ("revoked", "refused: revoked"), (None, "530")):
        mark = d.mark()
        with connect("submission", d, world.cert(who)) as c:
            c.send("MAIL FROM:<alice@example.com>")
            line = c.line()
        if says is None:
            d.wait_log("Login: user=<alice>, method=EXTERNAL", mark)
        else:
            assert says in line, line
            assert "Login: user" not in d.log_since(mark)
