"""
Sessions that live: with CERTAUTH_SESSIONS=end a session whose certificate has been
revoked, has expired or is denied meanwhile is ended within two seconds, with words
that the client can read, and at a place where they can be read.
"""

import imaplib
import os
import re
import select
import shutil
import socket
import subprocess
import threading
import time

import pytest

from dovecot_server import PATIENCE
from mail_clients import PROTOCOLS, connect, context, login
from test_clients import Relay
from test_live import until

END = {"CERTAUTH_SESSIONS": "end"}
TAKEN_UP = 3.0      # seconds after which new data are taken up, for what must go on
WORDS = {"imap": "* BYE Client certificate refused: %s: ",
         "sieve": 'BYE "Client certificate refused: %s: ',
         "submission": "421 4.7.0 Client certificate refused: %s: "}


@pytest.fixture(scope="module")
def relay():
    return Relay()


def lines_until_end(c, seconds):
    """What comes until the connection ends; None as the last if it does not end."""
    out, end = [], time.monotonic() + seconds
    c.sock.settimeout(seconds)
    while time.monotonic() < end:
        try:
            line = c.file.readline()
        except TimeoutError:
            break
        except OSError:
            return out
        if not line:
            return out
        out.append(line.decode("utf-8", "replace").rstrip("\r\n"))
    return out + [None]


def tagged(c, tag):
    out = []
    while not out or not out[-1].startswith(tag + " "):
        out.append(c.line())
        assert out[-1] != "", out
    return out


def idle(server, cert, starttls=False, c=None):
    c = c or connect("imap", server, cert, starttls)
    assert login("imap", server, "EXTERNAL", c=c).ok
    c.send("b SELECT INBOX")
    tagged(c, "b")
    c.send("c IDLE")
    assert c.line().startswith("+ ")
    return c


def ended(c, reason, protocol="imap"):
    said = lines_until_end(c, PATIENCE)
    assert None not in said, "the session goes on: %r" % said
    if protocol in WORDS:
        assert said and said[-1].startswith(WORDS[protocol] % reason), said
    else:
        assert not said, "POP3 speaks only when asked: %r" % said
    return said


def lives(c):
    c.send("DONE")
    tagged(c, "c")
    c.send("d NOOP")
    assert tagged(c, "d")[-1].startswith("d OK")
    c.close()


@pytest.mark.parametrize("service_count", [0, 1])
@pytest.mark.parametrize("starttls", [False, True])
def test_idle_ends_when_revoked(own_world, start, service_count, starttls):
    w = own_world
    d = start(w.dovecot("idle", service_count=service_count, env=END))
    others = [idle(d, w.cert(who)) for who in ("alice", "bob")]
    c = idle(d, w.cert("later"), starttls)
    time.sleep(1.5)
    mark = d.mark()
    w.revoke("later", number=2)
    ended(c, "revoked")
    d.wait_log(r"certauth: session of user=<later> ended: REJECT 1401 revoked", mark)
    # the mail process has gone too, in peace
    d.wait_log(r"imap\(later\)<.*Info: Disconnected: Connection closed", mark)
    time.sleep(1.2)
    for other in others:
        lives(other)


def test_idle_ends_when_denied(own_world, start):
    w = own_world
    d = start(w.dovecot("denied", env=END))
    c, other = idle(d, w.cert("alice")), idle(d, w.cert("bob"))
    w.write("denied", "user:denied\nuser:alice\n")
    ended(c, "denied")
    lives(other)


def test_idle_ends_when_expired(own_world, start):
    w = own_world
    d = start(w.dovecot("expire", env=END))
    w.write("people.map", "short@example.com short\nalice@example.com alice\n")
    other = idle(d, w.cert("alice"))
    for seconds in (4, 20, 60):     # enough for a login, even where the machine stands still
        began = time.time()
        w.add("short", w.ca, not_after="+%ds" % seconds)
        c = connect("imap", d, w.cert("short"))
        if login("imap", d, "EXTERNAL", c=c).ok:
            break
    said = ended(c, "expired")
    assert time.time() > began + seconds - 1, said
    lives(other)


def test_idle_ends_when_the_map_names_another(own_world, start):
    w = own_world
    d = start(w.dovecot("map", env=END))
    c = idle(d, w.cert("alice"))
    w.write("people.map", "alice@example.com bob\n")
    ended(c, "wrong-user")


@pytest.mark.parametrize("value", [None, "keep"])
def test_without_the_setting_it_goes_on(own_world, start, value):
    w = own_world
    d = start(w.dovecot("keep", env={} if value is None else {"CERTAUTH_SESSIONS": value}))
    c = idle(d, w.cert("later"))
    w.revoke("later", number=2)
    assert lines_until_end(c, TAKEN_UP)[-1] is None
    c = c.sock
    c.sendall(b"DONE\r\nd NOOP\r\n")
    c.settimeout(PATIENCE)
    said = b""
    while b"d OK" not in said:
        said += c.recv(4096)
    c.close()


def test_an_unknown_word_is_no_keep(own_world, start):
    w = own_world
    d = start(w.dovecot("typo", env={"CERTAUTH_SESSIONS": "ende"}))
    c = idle(d, w.cert("later"))
    d.wait_log(r"Error: certauth: CERTAUTH_SESSIONS=\"ende\" is unknown")
    w.revoke("later", number=2)
    ended(c, "revoked")


def test_passwords_beside_a_certificate_go_on(own_world, start):
    """External mode: nobody asked for the certificate, nobody ends the session for it."""
    w = own_world
    d = start(w.dovecot("pass", env=END))
    with connect("imap", d, w.cert("later")) as c:
        assert login("imap", d, "PLAIN", user="bob", password="hush", c=c).ok
        w.revoke("later", number=2)
        time.sleep(TAKEN_UP)
        c.send("d NOOP")
        assert tagged(c, "d")[-1].startswith("d OK")


def test_require_ends_passwords_too(own_world, start):
    w = own_world
    d = start(w.dovecot("require", mode="require", env=END))
    with connect("imap", d, w.cert("alice")) as c:
        assert login("imap", d, "PLAIN", user="alice", password="secret", c=c).ok
        w.revoke("alice", number=2)
        ended(c, "revoked")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_all_protocols(own_world, start, relay, protocol):
    w = own_world
    d = start(w.dovecot("all", env=END, conf="submission_relay_port = %d\n" % relay.port))
    with connect(protocol, d, w.cert("later")) as c:
        assert login(protocol, d, "EXTERNAL", c=c).ok
        w.revoke("later", number=2)
        ended(c, "revoked", protocol)


def test_what_we_do_not_know_ends_nobody(own_world, start):
    """Bad new data: the last good stays, and so do the sessions."""
    w = own_world
    d = start(w.dovecot("bad", service_count=0, env=END))
    c = idle(d, w.cert("alice"))
    with open(w.crls + "/issuing.crl", "w", encoding="utf-8") as f:
        f.write("-----BEGIN X509 CRL-----\nbm9uc2Vuc2U=\n-----END X509 CRL-----\n")
    time.sleep(TAKEN_UP)
    lives(c)


# ------------------------------------------------- the place of the last words


def deliver(w, d, user, lines, size):
    """A message whose text looks like the protocol."""
    new = os.path.join(d.mail, user, "new")
    for part in ("", "new", "cur", "tmp"):
        path = os.path.join(d.mail, user, part)
        os.makedirs(path, exist_ok=True)
        os.chown(path, d.owner.pw_uid, d.owner.pw_gid)
    body = "".join(line + "\r\n" for line in lines)
    with open(os.path.join(new, "1.test"), "w", encoding="utf-8", newline="") as f:
        f.write("Subject: big\r\n\r\n" + body * (size // len(body)))
    os.chown(os.path.join(new, "1.test"), d.owner.pw_uid, d.owner.pw_gid)


def fetch(c, out, stop):
    """
    Fetches over and over, two commands at once, until the end; all that came goes to
    `out`. Nothing is sent while a reply is on its way: what comes to a closed socket
    makes the kernel throw away what the server had said before.
    """
    asked, line = 0, b""
    try:
        while not stop.is_set():
            c.send("f%d FETCH 1 BODY[]\r\nf%d FETCH 1 BODY[]" % (asked, asked + 1))
            asked += 2
            while b"\nf%d OK" % (asked - 1) not in line:
                more = c.sock.recv(16384)
                if not more:
                    return
                out.append(more)
                line = line[-100:] + more
    except OSError:
        pass


@pytest.mark.parametrize("delay", [0.1, 0.4, 0.7, 1.1])
def test_never_inside_of_a_literal(own_world, start, delay):
    """
    A big message is being fetched, over and over, when the certificate is revoked: all
    that comes before the BYE is whole.
    """
    w = own_world
    d = start(w.dovecot("literal", env=END))
    deliver(w, d, "later", ["* BYE {5}", "a OK {10}", "}{7}", ")", "* 1 FETCH {3}"], 400000)
    c = connect("imap", d, w.cert("later"))
    assert login("imap", d, "EXTERNAL", c=c).ok
    c.send("b SELECT INBOX")
    tagged(c, "b")
    out, stop = [], threading.Event()
    reader = threading.Thread(target=fetch, args=(c, out, stop))
    reader.start()

    until(lambda: b"\nf1 OK" in b"".join(out))
    time.sleep(delay)
    w.revoke("later", number=2)
    reader.join(PATIENCE)
    stop.set()
    assert not reader.is_alive(), "the session goes on"
    data, pos, replies = b"".join(out), 0, 0
    while not data.startswith(b"* BYE", pos):
        end = data.index(b"\n", pos) + 1
        line = data[pos:end]
        m = re.search(rb"\{(\d+)\}\r\n$", line)
        assert m or re.match(rb"(\* 1 FETCH|f\d+ OK|\))", line), line
        pos = end + (int(m[1]) if m else 0)
        replies += line.startswith(b"f")
    assert replies > 0
    assert data[pos:].startswith(b"* BYE Client certificate refused: revoked: ")
    assert data[pos:].count(b"\n") == 1 and data.endswith(b"\r\n"), "something after the BYE"


def test_a_client_that_does_not_read(own_world, start):
    """It stands in a literal and hears nothing more; but it is out."""
    w = own_world
    d = start(w.dovecot("deaf", env=END))
    deliver(w, d, "later", ["x" * 70], 30000000)
    c = connect("imap", d, w.cert("later"))
    assert login("imap", d, "EXTERNAL", c=c).ok
    c.send("b SELECT INBOX")
    tagged(c, "b")
    c.send("f FETCH 1 BODY[]")
    time.sleep(0.5)
    mark = d.mark()
    w.revoke("later", number=2)
    d.wait_log("session of user=<later> ended", mark)
    d.wait_log(r"imap\(later\)<.*Info: Disconnected", mark)
    c.close()


def test_compressed(own_world, start):
    """We cannot read it, so there are no words; but it ends."""
    w = own_world
    d = start(w.dovecot("zip", env=END, conf="protocol imap {\n  mail_plugins = zlib imap_zlib\n}\n"))
    c = connect("imap", d, w.cert("later"))
    assert login("imap", d, "EXTERNAL", c=c).ok
    c.send("z COMPRESS DEFLATE")
    said = tagged(c, "z")[-1]
    if "OK" not in said:
        pytest.skip("no COMPRESS here: " + said)
    import zlib
    pack, unpack = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)

    def ask(text):
        c.sock.sendall(pack.compress(text) + pack.flush(zlib.Z_SYNC_FLUSH))
    ask(b"b SELECT INBOX\r\n")
    got = b""
    while b"b OK" not in got:
        got += unpack.decompress(c.sock.recv(4096))
    w.revoke("later", number=2)
    c.sock.settimeout(PATIENCE)
    while True:
        try:
            more = c.sock.recv(4096)
        except TimeoutError:
            raise AssertionError("the session goes on")
        except OSError:
            break
        if not more:
            break
    c.close()


# ------------------------------------------------------------------ life and death


def test_many_sessions_and_one_ends(own_world, start):
    w = own_world
    d = start(w.dovecot("many", service_count=0, env=END))
    sessions = [idle(d, w.cert("alice")) for _ in range(30)]
    c = idle(d, w.cert("later"))
    w.revoke("later", number=2)
    ended(c, "revoked")
    time.sleep(1.2)
    for s in sessions:
        lives(s)


def test_all_of_one_certificate_end(own_world, start):
    w = own_world
    d = start(w.dovecot("each", service_count=0, env=END))
    sessions = [idle(d, w.cert("later")) for _ in range(20)]
    w.revoke("later", number=2)
    for s in sessions:
        ended(s, "revoked")


@pytest.mark.parametrize("service_count", [0, 1])
def test_dovecot_stops_around_the_end(own_world, start, service_count):
    """No assertion in a process that is asked to stop while it says the last words."""
    w = own_world
    for delay in (0.0, 0.6, 1.0, 1.2):
        d = start(w.dovecot("stop", service_count=service_count, env=END))
        sessions = [idle(d, w.cert("later")) for _ in range(3)]
        w.revoke("later", number=2)
        time.sleep(delay)
        d.stop()
        for s in sessions:
            s.close()
        w.revoke(number=3)


def test_clients_that_leave_around_the_end(own_world, start):
    w = own_world
    d = start(w.dovecot("leave", service_count=0, env=END))
    sessions = [idle(d, w.cert("later")) for _ in range(10)]
    w.revoke("later", number=2)
    for s in sessions:
        s.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
        time.sleep(0.15)
    assert login("imap", d, "EXTERNAL", cert=w.cert("alice")).ok
    time.sleep(1)


def test_hibernated(own_world, start):
    """The mail process may hand its end to imap-hibernate: TLS stays where it is."""
    w = own_world
    d = start(w.dovecot("sleep", env=END, conf="""imap_hibernate_timeout = 1s
service imap {
  unix_listener imap-master {
    user = dovecot
  }
  extra_groups = dovecot
}
service imap-hibernate {
  unix_listener imap-hibernate {
    mode = 0666
  }
}
"""))
    c = idle(d, w.cert("later"))
    until(lambda: not any("imap" == os.path.basename(cmd.split(" ")[0])
                          for cmd in d.children().values()))
    w.revoke("later", number=2)
    ended(c, "revoked")


# -------------------------------------------------------------------- real clients


def test_python_imaplib(own_world, start):
    w = own_world
    d = start(w.dovecot("imaplib", env=END))
    with imaplib.IMAP4_SSL("127.0.0.1", d.port["imaps"], ssl_context=context(w.cert("later"))) as m:
        m.authenticate("EXTERNAL", lambda _: b"")
        m.select("INBOX")
        w.revoke("later", number=2)
        assert select.select([m.socket()], [], [], PATIENCE)[0], "nothing said"
        with pytest.raises(imaplib.IMAP4.abort) as said:
            m.noop()
        # the last words are what it blames
        assert "Client certificate refused: revoked" in str(said.value)


@pytest.mark.skipif(shutil.which("fetchmail") is None, reason="fetchmail is missing")
def test_fetchmail_idle(own_world, start, tmp_path):
    w = own_world
    d = start(w.dovecot("fetch", env=END))
    rc = tmp_path / "rc"
    cert = w.cert("later")
    rc.write_text('poll 127.0.0.1 service %d protocol imap auth external user "later" there\n'
                  '  ssl sslcert "%s" sslkey "%s" no sslcertck idle mda "/bin/cat"\n'
                  % (d.port["imaps"], cert, cert[:-4] + ".key"))
    rc.chmod(0o600)
    mark = d.mark()
    p = subprocess.Popen(["fetchmail", "-v", "-v", "--nodetach", "--nosyslog", "-f", str(rc)],
                         env=dict(os.environ, HOME=str(tmp_path), FETCHMAILHOME=str(tmp_path)),
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        d.wait_log(r"Login: user=<later>", mark)
        time.sleep(1.0)
        w.revoke("later", number=2)
        d.wait_log(r"session of user=<later> ended", mark)
        # it must read the last words before it is told to go; it ends by itself then
        try:
            p.wait(30)
        except subprocess.TimeoutExpired:
            pass
    finally:
        p.terminate()
        said = p.communicate(timeout=10)[0].decode(errors="replace")
    assert "BYE Client certificate refused: revoked" in said, said
