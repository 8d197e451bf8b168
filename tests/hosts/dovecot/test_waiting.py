"""
Waiting for the refresher: an UNDECIDED login is held back on the ioloop, the others of
its process go on; down, slow, hanging, talking rubbish, killed in mid-answer: the
profile's rule decides within the deadline.
"""

import contextlib
import grp
import os
import re
import socket
import threading
import time

import pytest

from ask import Ask, Responder
from mail_clients import PROTOCOLS, b64, connect, login
from test_external import WAYS, refused
from test_live import until

DEADLINE = 1.0      # of those who wait in vain here
LONG = 60.0         # of those who get an answer, and of those who get none at once
ways = pytest.mark.parametrize("protocol,starttls", WAYS)


class Asking:
    """A world whose policy has no CRL: every certificate is a question."""

    def __init__(self, world):
        self.world = w = world
        self.run = w.dir("run")
        self.socket = self.run + "/refresher.sock"
        self.responder = Responder(w.root, w.ca)
        self.responder.revoke(w.leafs["revoked"])
        w.write("asking.conf", """version = 1;
log: { limit = 0; };
state = "%s";
refresher = "%s";
authorities: {
  ca: {
    anchors = [ "root.pem" ];
    intermediates = [ "issuing.pem" ];
    revocation: { check = "leaf"; sources = [ "ocsp" ]; ocsp_url = "http://127.0.0.1:9/"; };
  };
  soft: {
    anchors = [ "root.pem" ];
    intermediates = [ "issuing.pem" ];
    revocation: { check = "leaf"; unknown = "accept"; sources = [ "ocsp" ];
                  ocsp_url = "http://127.0.0.1:9/"; };
  };
};
profiles: {
  mail: {
    authorities = [ "ca" ];
    denied = "denied";
    deadline = "%gs";
    identity = ( { name = "mailbox"; key = "{san.email}"; table = "people.map"; } );
  };
  soft: { base = "mail"; authorities = [ "soft" ]; };
  hasty: { base = "mail"; deadline = "%gs"; };
  hasty-soft: { base = "soft"; deadline = "%gs"; };
};
""" % (w.dir("state"), self.socket, LONG, DEADLINE, DEADLINE))
        self.conf = w.etc + "/asking.conf"
        self.one = Ask(self.socket, self.responder).start()

    @contextlib.contextmanager
    def ask(self, how="answer", delay=0.0):
        """The refresher behaves so for a while. It is the same one all the time."""
        self.one.wait_closed()
        self.one.clear()
        self.one.how, self.one.delay = how, delay
        try:
            yield self.one
        finally:
            self.one.how, self.one.delay = "answer", 0.0

    @contextlib.contextmanager
    def another(self, how="answer", **more):
        """The same, but a new one: its socket is another."""
        self.replace(how, **more)
        yield self.one
        self.replace()

    def replace(self, how="answer", **more):
        old, self.one = self.one, Ask(self.socket, self.responder, how, **more).start()
        old.stop(replaced=True)

    def down(self):
        self.one.stop()

    def dovecot(self, name, mode=None, profile="mail", **more):
        more.setdefault("service_count", 0)
        return self.world.dovecot(name, mode=mode,
                                  env={"conf": self.conf, "profile": profile}, **more)


@pytest.fixture(scope="session")
def asking(world):
    a = Asking(world)
    yield a
    a.down()


def running(name, **how):
    """A fixture: a Dovecot of that kind for all tests."""
    @pytest.fixture(scope="session", name=name)
    def server(asking):
        with asking.dovecot(name, **how) as d:
            yield d
    return server


_hard, _soft, _strict = running("hard"), running("soft", profile="soft"), \
    running("strict", mode="require")
# whose waits in vain are short
_hasty, _hasty_soft, _hasty_strict = running("hasty", profile="hasty"), \
    running("hasty_soft", profile="hasty-soft"), \
    running("hasty_strict", profile="hasty", mode="require")


def timed(what, *args, **more):
    began = time.monotonic()
    r = what(*args, **more)
    r.seconds = time.monotonic() - began
    return r


# ------------------------------------------------------------------------- answers


@ways
def test_a_good_answer_lets_in(asking, hard, protocol, starttls):
    w = asking.world
    with asking.ask(delay=0.3) as ask:
        r = timed(login, protocol, hard, "EXTERNAL", cert=w.cert("alice"), starttls=starttls)
        assert r.ok and r.user == "alice", r
        assert 0.3 <= r.seconds < LONG / 2
        assert len(ask.about(w.leafs["alice"])) == 1
        assert ask.wait_closed() == 0
    assert r.log.count("certauth: ACCEPT") == 1, r.log
    assert int(re.search(r"certauth: ACCEPT .* waited=(\d+)ms", r.log)[1]) > 200
    assert "Authenticate EXTERNAL failed" not in r.log, r.log


@ways
def test_a_revoked_one_is_refused(asking, hard, protocol, starttls):
    w = asking.world
    with asking.ask(delay=0.2) as ask:
        r = login(protocol, hard, "EXTERNAL", cert=w.cert("revoked"), starttls=starttls)
        refused(r, protocol, "revoked")
        assert ask.wait_closed() == 0
    # made twice, and still one: Dovecot counts the tries of a client
    hard.wait_log(r"-login: Info: Disconnected(?!.*no auth attempts)", r.mark)


@pytest.mark.parametrize("authzid", ["alice", "alice@example.com", "bob"])
@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_name_asked_for(asking, hard, protocol, later, authzid):
    """The response is the same before and after the wait."""
    with asking.ask(delay=0.1):
        r = login(protocol, hard, "EXTERNAL", authzid=authzid, later=later,
                  cert=asking.world.cert("alice"))
        if authzid == "bob":
            refused(r, protocol, "wrong-user")
        else:
            assert r.ok and r.user == "alice", r


@ways
def test_passwords_do_not_wait(asking, hard, protocol, starttls):
    """In external mode: whatever certificate lies beside them, nobody is asked."""
    with asking.ask("hang") as ask:
        r = timed(login, protocol, hard, "PLAIN", user="bob", password="hush",
                  cert=asking.world.cert("alice"), starttls=starttls)
        assert r.ok and r.user == "bob" and r.seconds < LONG / 2
        assert not ask.questions


@ways
def test_require_waits_before_the_password(asking, strict, protocol, starttls):
    w = asking.world
    with asking.ask(delay=0.2) as ask:
        r = timed(login, protocol, strict, "PLAIN", user="alice", password="secret",
                  cert=w.cert("alice"), starttls=starttls)
        assert r.ok and r.user == "alice" and r.seconds >= 0.2, r
        assert len(ask.questions) == 1
        refused(login(protocol, strict, "PLAIN", user="alice", password="secret",
                      cert=w.cert("revoked"), starttls=starttls), protocol, "revoked")
        refused(login(protocol, strict, "PLAIN", user="bob", password="hush",
                      cert=w.cert("alice"), starttls=starttls), protocol, "wrong-user")
        r = login(protocol, strict, "EXTERNAL", cert=w.cert("alice"), starttls=starttls)
        assert r.ok and r.user == "alice", r
        if protocol != "sieve":
            r = login(protocol, strict, "LOGIN", user="alice", password="secret",
                      cert=w.cert("alice"), starttls=starttls)
            assert r.ok and r.user == "alice", r


@pytest.mark.parametrize("protocol", ["imap", "pop3", "sieve"])
def test_a_command_right_behind_the_handshake_waits(asking, strict, protocol):
    """The handshake after STARTTLS may end in any reading of Dovecot's, and the first
    command come with it: one in some ten did not wait."""
    w = asking.world
    with asking.ask(delay=0.02):
        for _ in range(20):
            r = login(protocol, strict, "PLAIN", user="alice", password="secret",
                      cert=w.cert("alice"), starttls=True)
            assert r.ok and r.user == "alice", r


def test_a_password_stands_on_what_was_waited_for(asking, start):
    """In require mode the first command waits. What comes then may be no longer fresh
    when the password is typed; the answer is there all the same."""
    w = asking.world
    d = start(asking.dovecot("later", mode="require",
                             conf="service imap-login {\n  process_limit = 1\n}\n"))
    with asking.ask() as ask, connect("imap", d, w.cert("alice")) as c:
        c.send("n NOOP")
        assert c.line().startswith("n OK")
        assert len(ask.about(w.leafs["alice"])) == 1
        try:
            w.write("denied", "user:denied\nuser:bob\n")
            until(lambda: "denied" in login("imap", d, "EXTERNAL", cert=w.cert("bob")).text)
            ask.how = "hang"
            r = login("imap", d, "LOGIN", user="alice", password="secret", c=c)
        finally:
            w.write("denied", "user:denied\n")
        assert r.ok and r.user == "alice", r
        assert len(ask.about(w.leafs["alice"])) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_attempts_in_a_row(asking, hasty, protocol):
    w = asking.world
    with asking.ask("hang") as ask, connect(protocol, hasty, w.cert("alice")) as c:
        r = timed(login, protocol, hasty, "EXTERNAL", c=c)
        refused(r, protocol, "revocation-unknown")
        assert DEADLINE <= r.seconds < LONG / 2
        ask.how = "nothing"
        refused(login(protocol, hasty, "EXTERNAL", c=c), protocol, "revocation-unknown")
        ask.how = "answer"
        until(lambda: "wrong-user" in login(protocol, hasty, "EXTERNAL", authzid="bob", c=c).text)
        until(lambda: login(protocol, hasty, "EXTERNAL", c=c).user == "alice")


# ------------------------------------------------------------------- no good answers

BAD = ["hang", "deaf", "shut", "close", "rubbish", "huge", "cut", "stall", "nothing", "junk"]
AT_ONCE = ("close", "rubbish", "huge", "cut", "nothing", "junk")


@pytest.mark.parametrize("how", BAD)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_good_answer_refuses(asking, hard, hasty, protocol, how):
    w = asking.world
    d = hard if how in AT_ONCE else hasty
    with (asking.another if how == "shut" else asking.ask)(how):
        r = timed(login, protocol, d, "EXTERNAL", cert=w.cert("alice"))
        refused(r, protocol, "revocation-unknown")
        assert r.seconds < LONG / 2


@pytest.mark.parametrize("how", BAD)
def test_no_good_answer_where_the_policy_says_accept(asking, soft, hasty_soft, how):
    """unknown = "accept": the wait is the same, then the user is in, and the log says so."""
    w = asking.world
    with (asking.another if how == "shut" else asking.ask)(how) as ask:
        d = soft if how in AT_ONCE else hasty_soft
        r = timed(login, "imap", d, "EXTERNAL", cert=w.cert("alice"))
        assert r.ok and r.user == "alice", r
        assert r.seconds < LONG / 2
        ask.how = "answer"
        refused(login("imap", soft, "EXTERNAL", cert=w.cert("revoked")), "imap", "revoked")


@pytest.mark.parametrize("how", ["drip", "twice", "mixed", "wrong-id"])
def test_odd_but_good(asking, hard, how):
    """An OCSP response is evidence by its signature, whatever frame it came in."""
    with asking.ask(how):
        r = login("imap", hard, "EXTERNAL", cert=asking.world.cert("alice"))
        assert r.ok and r.user == "alice", r


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_killed_in_mid_answer(asking, hard, protocol):
    with asking.another("stall") as ask:
        threading.Timer(0.3, ask.stop).start()
        r = timed(login, protocol, hard, "EXTERNAL", cert=asking.world.cert("alice"))
        refused(r, protocol, "revocation-unknown")
        assert r.seconds < LONG / 2
    # and it comes back
    with asking.another():
        until(lambda: login(protocol, hard, "EXTERNAL", cert=asking.world.cert("alice")).ok)


def test_down(asking, hard, soft, hasty, strict, hasty_strict):
    """Nobody listens: at once, and the log says where nobody was."""
    w = asking.world
    asking.down()
    # a socket whose process is gone stays behind
    s = socket.socket(socket.AF_UNIX)
    s.bind(asking.socket)
    s.close()
    os.chmod(asking.socket, 0o666)
    time.sleep(1.5)     # the engine looks once a second whether it is there
    r = timed(login, "imap", hard, "EXTERNAL", cert=w.cert("alice"))
    refused(r, "imap", "revocation-unknown")
    assert r.seconds < LONG / 2
    r = timed(login, "imap", soft, "EXTERNAL", cert=w.cert("alice"))
    assert r.ok and r.seconds < LONG / 2
    os.unlink(asking.socket)
    with asking.another():
        for d in hard, hasty, strict, hasty_strict:
            for protocol in PROTOCOLS:      # each has processes of its own
                until(lambda: login(protocol, d, "EXTERNAL", cert=w.cert("alice")).ok)


# -------------------------------------------------------------- the others go on


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_other_logins_of_the_process_are_not_delayed(asking, hard, protocol):
    w = asking.world
    with asking.ask("hang") as ask:
        waiting = [connect(protocol, hard, w.cert("alice")) for _ in range(20)]
        for c in waiting:
            c.send({"imap": "a AUTHENTICATE EXTERNAL =", "pop3": "AUTH EXTERNAL =",
                    "submission": "AUTH EXTERNAL =", "sieve": 'AUTHENTICATE "EXTERNAL" ""'}
                   [protocol])
        assert ask.wait(20) == 20
        began = time.monotonic()
        for _ in range(5):
            r = login(protocol, hard, "PLAIN", user="bob", password="hush")
            assert r.ok and r.user == "bob"
        assert time.monotonic() - began < LONG / 2, "they waited"
        ask.how = "close"
        ask.drop()
        for c in waiting:
            line = c.line()
            assert "revocation-unknown" in line, line
            c.close()
        assert ask.wait_closed() == 0
    assert len(hard.login_processes(protocol)) <= 3


def test_many_at_once_get_their_own_answers(asking, hard):
    """Answers do not cross: each client gets the one about its own certificate."""
    w = asking.world
    said = {}

    def one(i, who):
        said[i] = who, login_only("imap", hard, w.cert(who))
    with asking.ask(delay=0.3):
        threads = [threading.Thread(target=one, args=(i, ("alice", "revoked", "bob")[i % 3]))
                   for i in range(30)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    for who, line in said.values():
        assert line.startswith("a NO" if who == "revoked" else "a OK"), (who, line)


def login_only(protocol, server, cert):
    with connect(protocol, server, cert) as c:
        c.send("a AUTHENTICATE EXTERNAL =")
        line = c.line()
        while line.startswith("*"):
            line = c.line()
        return line


# ------------------------------------------------------------- while it is waited


BEGIN = {"imap": "a AUTHENTICATE EXTERNAL =", "pop3": "AUTH EXTERNAL =",
         "submission": "AUTH EXTERNAL =", "sieve": 'AUTHENTICATE "EXTERNAL" ""'}
PASSWORD = {"imap": "a LOGIN alice secret", "pop3": "AUTH PLAIN " + b64("\0alice\0secret"),
            "submission": "AUTH PLAIN " + b64("\0alice\0secret"),
            "sieve": 'AUTHENTICATE "PLAIN" "%s"' % b64("\0alice\0secret")}


@pytest.mark.parametrize("how", ["hang", "answer"])
@pytest.mark.parametrize("mode", ["external", "require"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_client_goes_away(asking, hard, strict, hasty, hasty_strict, protocol, mode, how):
    w = asking.world
    if how == "hang":       # whose waits end with their deadline
        d = hasty if mode == "external" else hasty_strict
    else:
        d = hard if mode == "external" else strict
    mark = d.mark()
    with asking.ask(how, delay=0.3) as ask:
        for _ in range(3):
            n = len(ask.questions)
            with connect(protocol, d, w.cert("alice")) as c:
                c.send((BEGIN if mode == "external" else PASSWORD)[protocol])
                assert ask.wait(n + 1) > n
        assert ask.wait_closed() == 0, "a wait was left behind"
        ask.how = "answer"
        until(lambda: login(protocol, d, "EXTERNAL", cert=w.cert("alice")).ok)
    # (Dovecot itself ends one that was idle for a minute, and says nothing)
    assert not re.search("(Panic|Fatal|killed with)", d.log_since(mark)), d.log_since(mark)


@pytest.mark.parametrize("mode", ["external", "require"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_commands_sent_ahead(asking, hard, strict, protocol, mode):
    """They are read after the wait, in their order; nothing overtakes."""
    if protocol == "pop3":
        pytest.skip("POP3 discards what comes during AUTH")
    w = asking.world
    d = hard if mode == "external" else strict
    ahead = {"imap": "b NOOP", "submission": "NOOP", "sieve": "NOOP"}[protocol]
    with asking.ask(delay=0.3), connect(protocol, d, w.cert("revoked")) as c:
        c.send((BEGIN if mode == "external" else PASSWORD)[protocol] + "\r\n" + ahead)
        assert "revoked" in c.line()
        assert c.line().startswith(("b OK", "250", "OK"))


@pytest.mark.parametrize("mode", ["external", "require"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("service_count", [0, 1])
def test_dovecot_stops_while_waiting(asking, start, protocol, mode, service_count):
    """No process may end in an assertion: healthy() looks for it."""
    w = asking.world
    d = start(asking.dovecot("stop", mode=mode, profile="hasty", service_count=service_count))
    with asking.ask("hang") as ask:
        waiting = [connect(protocol, d, w.cert("alice")) for _ in range(3)]
        for c in waiting:
            c.send((BEGIN if mode == "external" else PASSWORD)[protocol])
        assert ask.wait(3) == 3
        d.stop()
        for c in waiting:
            assert not c.line().startswith(("a OK", "+OK", "235", "OK"))
            c.close()
        assert ask.wait_closed() == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_auth_process_dies_while_waiting(asking, start, protocol):
    w = asking.world
    d = start(asking.dovecot("auth"))
    with asking.ask(delay=0.6), connect(protocol, d, w.cert("alice")) as c:
        c.send(BEGIN[protocol])
        time.sleep(0.2)
        for pid, command in d.children().items():
            if "dovecot/auth" in command:
                os.kill(pid, 15)
        line = c.line()
        # refused for now, or in: auth comes again by itself
        assert line == "" or line.startswith(("a ", "* ", "-ERR", "+OK", "235", "454", "421",
                                              "4", "NO", "OK", "BYE", "+ ")), line
    with asking.ask():
        until(lambda: login(protocol, d, "EXTERNAL", cert=w.cert("alice")).ok)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_process_for_each_connection(asking, start, protocol):
    """service_count = 1: each process opens the folder of the socket anew."""
    w = asking.world
    d = start(asking.dovecot("one", service_count=1))
    with asking.ask(delay=0.1):
        assert login(protocol, d, "EXTERNAL", cert=w.cert("alice")).user == "alice"
        refused(login(protocol, d, "EXTERNAL", cert=w.cert("revoked")), protocol, "revoked")


def test_a_session_does_not_end_because_nobody_answers(asking, start):
    """CERTAUTH_SESSIONS=end, and the good answer of the login is no longer to be had."""
    w = asking.world
    d = start(w.dovecot("live", service_count=0, env={
        "conf": asking.conf, "profile": "hasty", "CERTAUTH_SESSIONS": "end"}))
    with asking.ask() as ask, connect("imap", d, w.cert("alice")) as c:
        until(lambda: login("imap", d, "EXTERNAL", c=c).ok)
        ask.how = "hang"
        w.write("denied", "user:denied\n")      # something changes: all are judged anew
        time.sleep(DEADLINE + 2)
        c.send("d NOOP")
        assert c.line().startswith("d OK")
        # the answer of the login still counts, and so does everything else
        w.write("denied", "user:denied\nuser:alice\n")
        try:
            said = c.line()
        finally:
            w.write("denied", "user:denied\n")
        assert said.startswith("* BYE Client certificate refused: denied"), said


def test_a_socket_that_is_not_for_us(asking, start):
    """0660 without extra_groups: refused at once, and the log says what is wrong."""
    w = asking.world
    if os.geteuid() != 0:
        pytest.skip("needs another user")
    d = start(asking.dovecot("perm", service_count=0))
    with asking.another(mode=0o660):
        r = timed(login, "imap", d, "EXTERNAL", cert=w.cert("alice"))
        refused(r, "imap", "revocation-unknown")
        assert r.seconds < LONG / 2
        d.wait_log(r"Warning: certauth: refresher %s: connect\(\): Permission denied"
                   % asking.socket)


def test_a_socket_for_a_group(asking, start):
    """As on a real machine: 0660, and extra_groups for the login process."""
    w = asking.world
    if os.geteuid() != 0:
        pytest.skip("needs another user")
    group = grp.getgrnam("mail")
    d = start(asking.dovecot("group", service_count=0,
                             conf="service imap-login {\n  extra_groups = mail\n}\n"))
    with asking.another(mode=0o660):
        os.chown(asking.socket, 0, group.gr_gid)
        until(lambda: login("imap", d, "EXTERNAL", cert=w.cert("alice")).user == "alice")
