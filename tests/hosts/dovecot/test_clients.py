"""
Real mail programs with a client certificate: curl, mbsync, fetchmail, msmtp, openssl
s_client, and Python's own libraries. Each logs in with alice's (who sends the leaf
alone) and is refused with a revoked one; where the program shows the server's words,
the reason is among them.
"""

import imaplib
import os
import poplib
import shutil
import smtplib
import socket
import ssl
import subprocess
import threading

import pytest

from mail_clients import b64, context


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None, reason=program + " is missing")


def run(args, **more):
    more.setdefault("timeout", 30)
    p = subprocess.run(args, capture_output=True, check=False, **more)
    return p.returncode, (p.stdout + p.stderr).decode("utf-8", "replace")


def key(cert):
    return cert[:-len(".pem")] + ".key"


class Relay(threading.Thread):
    """The next mail server behind Dovecot's submission: takes every message."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.messages = []
        self.start()

    def run(self):
        while True:
            try:
                c, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        f = c.makefile("rwb")

        def say(text):
            f.write(text.encode() + b"\r\n")
            f.flush()
        say("220 relay")
        for line in f:
            word = line.split()[0].upper() if line.split() else b""
            if word == b"DATA":
                say("354 go on")
                text = b""
                while not text.endswith(b"\r\n.\r\n"):
                    text += f.readline()
                self.messages.append(text)
                say("250 taken")
            elif word == b"QUIT":
                say("221 bye")
                return
            else:
                say("250 fine")


@pytest.fixture(scope="module")
def relay():
    r = Relay()
    yield r
    r.socket.close()


@pytest.fixture(scope="module")
def mail(world, relay):
    """An external-mode Dovecot with a relay behind submission."""
    d = world.dovecot("mail", conf="submission_relay_port = %d\n" % relay.port)
    with d:
        yield d


@pytest.mark.parametrize("protocol,tls", [("imap", "imaps"), ("imap", "imap"), ("pop3", "pop3s"),
                                          ("pop3", "pop3")])
@needs("curl")
def test_curl(world, mail, protocol, tls):
    def fetch(who):
        cert = world.cert(who)
        return run(["curl", "-sS", "-v", "--cacert", world.etc + "/root.pem", "--cert", cert,
                    "--key", key(cert), "--ssl-reqd", "--login-options", "AUTH=EXTERNAL",
                    "-u", "alice:", "%s://localhost:%d/" % (tls, mail.port[tls]),
                    "--resolve", "localhost:%d:127.0.0.1" % mail.port[tls]])
    mark = mail.mark()
    code, out = fetch("alice")
    assert code == 0, out
    mail.wait_log("Login: user=<alice>", mark)      # it comes later than the reply
    mark = mail.mark()
    code, out = fetch("revoked")
    assert code != 0 and "Client certificate refused: revoked" in out, out
    assert "Login: user" not in mail.log_since(mark)


@needs("curl")
@pytest.mark.parametrize("tls", ["submissions", "submission"])
def test_curl_smtp(world, mail, relay, tls):
    def send(who, *more):
        cert = world.cert(who)
        return run(["curl", "-sS", "-v", "--cacert", world.etc + "/root.pem", "--cert", cert,
                    "--key", key(cert), "--ssl-reqd", "--login-options", "AUTH=EXTERNAL",
                    "-u", "alice:", "--mail-from", "alice@example.com", "--mail-rcpt",
                    "bob@example.com", "-T", "-", "--resolve",
                    "localhost:%d:127.0.0.1" % mail.port[tls],
                    "%s://localhost:%d/" % ("smtps" if tls == "submissions" else "smtp",
                                            mail.port[tls])] + list(more),
                   input=b"Subject: by curl %s\r\n\r\nhello\r\n" % who.encode())
    for more in ((), ("--sasl-ir",)):
        code, out = send("alice", *more)
        assert code == 0, out
        code, out = send("revoked", *more)
        assert code != 0 and "Client certificate refused: revoked" in out, out
    assert any(b"by curl alice" in m for m in relay.messages)
    assert not any(b"by curl revoked" in m for m in relay.messages)


@needs("mbsync")
def test_mbsync(world, mail, tmp_path):
    def sync(who, user):
        cert = world.cert(who)
        box = tmp_path / who
        box.mkdir(exist_ok=True)
        rc = tmp_path / (who + ".rc")
        rc.write_text("""IMAPAccount x
Host localhost
Port %d
User %s
Pass unused
SSLType IMAPS
CertificateFile %s/root.pem
ClientCertificate %s
ClientKey %s
AuthMechs EXTERNAL

IMAPStore far
Account x

MaildirStore near
Path %s/
Inbox %s/inbox
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns INBOX
Create Near
SyncState *
""" % (mail.port["imaps"], user, world.etc, cert, key(cert), box, box))
        return run(["mbsync", "-c", str(rc), "-a"])
    for user in ("alice", "alice@example.com"):
        code, out = sync("alice", user)
        assert code == 0, out
    code, out = sync("revoked", "alice")
    assert code != 0 and "Client certificate refused: revoked" in out, out
    mark = mail.mark()
    sync("alice", "bob")
    assert "Login: user=<bob>" not in mail.log_since(mark)


@needs("fetchmail")
def test_fetchmail(world, mail, tmp_path):
    """fetchmail asks to act as its user name (authzid); it knows EXTERNAL for IMAP."""
    def fetch(who, user="alice"):
        cert = world.cert(who)
        rc = tmp_path / "rc"
        rc.write_text('poll localhost service %d protocol imap auth external user "%s" '
                      'password "x" ssl sslcert "%s" sslkey "%s" sslcertfile "%s/root.pem" '
                      'sslcertck mda "/bin/true"\n'
                      % (mail.port["imaps"], user, cert, key(cert), world.etc))
        rc.chmod(0o600)
        return run(["fetchmail", "-v", "-v", "-f", str(rc), "--nodetach", "--nosyslog"],
                   env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LC_ALL": "C",
                        "FETCHMAILHOME": str(tmp_path)})
    mark = mail.mark()
    code, out = fetch("alice")
    assert code in (0, 1), out          # 1: no new mail
    mail.wait_log("Login: user=<alice>, method=EXTERNAL", mark)
    mark = mail.mark()
    code, out = fetch("revoked")
    assert code == 3, out
    mail.wait_log("REJECT 1401 revoked", mark)
    mark = mail.mark()
    code, out = fetch("alice", "bob")
    assert code == 3, out
    mail.wait_log("REJECT 1503 wrong-user", mark)


@needs("msmtp")
@pytest.mark.parametrize("starttls", ["on", "off"])
def test_msmtp(world, mail, relay, tmp_path, starttls):
    port = mail.port["submission" if starttls == "on" else "submissions"]

    def send(who, user):
        cert = world.cert(who)
        rc = tmp_path / "rc"
        rc.write_text("""account default
host localhost
port %d
tls on
tls_starttls %s
tls_trust_file %s/root.pem
tls_cert_file %s
tls_key_file %s
auth external
user %s
from alice@example.com
""" % (port, starttls, world.etc, cert, key(cert), user))
        rc.chmod(0o600)
        return run(["msmtp", "-C", str(rc), "bob@example.com"],
                   input=b"Subject: by msmtp %s\n\nhello\n" % who.encode())
    for user in ("alice", "alice@example.com"):
        code, out = send("alice", user)
        assert code == 0, out
    code, out = send("revoked", "alice")
    assert code != 0 and "Client certificate refused: revoked" in out, out
    code, out = send("alice", "bob")
    assert code != 0 and "wrong-user" in out, out
    assert any(b"by msmtp alice" in m for m in relay.messages)
    assert not any(b"by msmtp revoked" in m for m in relay.messages)


@needs("openssl")
def test_openssl_s_client(world, mail):
    """What is sent, and which names of CAs are offered."""
    def talk(who, port, lines, *more):
        cert = world.cert(who)
        return run(["openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile",
                    world.etc + "/root.pem", "-connect", "localhost:%d" % port, "-cert", cert,
                    "-key", key(cert), "-ign_eof"] + list(more), input=lines)
    bye = b"z LOGOUT\r\n"
    for more, port in (((), mail.port["imaps"]), (("-starttls", "imap"), mail.port["imap"])):
        _, out = talk("alice", port, b"a AUTHENTICATE EXTERNAL =\r\n" + bye, *more)
        assert "a OK" in out, out
        _, out = talk("revoked", port, b"a AUTHENTICATE EXTERNAL =\r\n" + bye, *more)
        assert "a NO [AUTHENTICATIONFAILED] Client certificate refused: revoked" in out, out
    _, out = talk("alice", mail.port["pop3s"], b"AUTH EXTERNAL =\r\nQUIT\r\n")
    assert "+OK Logged in" in out, out
    code, out = run(["openssl", "s_client", "-connect", "localhost:%d" % mail.port["imaps"]],
                    input=b"z LOGOUT\r\n")
    assert "Acceptable client certificate CA names" in out and "Test Issuing CA" in out and \
        "Test Root" in out, out


def test_imaplib(world, mail):
    for who, user in (("alice", "alice"), ("revoked", None)):
        m = imaplib.IMAP4_SSL("127.0.0.1", mail.port["imaps"], ssl_context=context(world.cert(who)))
        try:
            if user is None:
                with pytest.raises(imaplib.IMAP4.error, match="refused: revoked"):
                    m.authenticate("EXTERNAL", lambda _: b"")
                m.login("bob", "hush")      # and the password still works
            else:
                assert m.authenticate("EXTERNAL", lambda _: b"")[0] == "OK"
            assert m.select()[0] == "OK"
        finally:
            m.logout()


def test_poplib(world, mail):
    p = poplib.POP3_SSL("127.0.0.1", mail.port["pop3s"], context=context(world.cert("alice")))
    assert b"+OK" in p._shortcmd("AUTH EXTERNAL " + b64("alice"))
    assert p.stat()[0] == 0
    p.quit()
    p = poplib.POP3_SSL("127.0.0.1", mail.port["pop3s"], context=context(world.cert("revoked")))
    with pytest.raises(poplib.error_proto, match="refused: revoked"):
        p._shortcmd("AUTH EXTERNAL =")
    p.user("bob")
    p.pass_("hush")
    p.quit()


def test_smtplib(world, mail):
    s = smtplib.SMTP("127.0.0.1", mail.port["submission"], timeout=60)
    s.starttls(context=context(world.cert("alice")))
    s.ehlo()
    assert s.auth("EXTERNAL", lambda challenge=None: "alice")[0] == 235
    s.sendmail("alice@example.com", ["bob@example.com"], "Subject: by smtplib\r\n\r\nhello\r\n")
    s.quit()
    s = smtplib.SMTP_SSL("127.0.0.1", mail.port["submissions"], timeout=60,
                         context=context(world.cert("revoked")))
    s.ehlo()
    with pytest.raises(smtplib.SMTPAuthenticationError, match="refused: revoked"):
        s.auth("EXTERNAL", lambda challenge=None: "")
    s.close()
