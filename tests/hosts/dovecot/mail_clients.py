"""
mail_clients.py - one login in each of Dovecot's protocols, by hand.

    r = login("imap", server, "EXTERNAL", cert=alice)          # implicit TLS
    r = login("submission", server, "PLAIN", user="alice", password="secret",
              cert=alice, starttls=True)
    r.ok, r.text            # and r.text is the line that the server answered
    r.user                  # who the log says has logged in, or None

Nothing here interprets more than the first word of the reply: the tests look at the
text. `later=True` sends the response after an empty challenge instead of with the
command; `authzid` is what EXTERNAL asks to act as (None: "=").
"""

import base64
import re
import socket
import ssl

PROTOCOLS = ("imap", "pop3", "submission", "sieve")
IMPLICIT = {"imap": "imaps", "pop3": "pop3s", "submission": "submissions"}
TIMEOUT = 60


class Reply:
    server = mark = user = None

    def __init__(self, ok, text):
        self.ok, self.text = ok, text

    @property
    def log(self):
        """The log since this login began; it comes a moment after the reply."""
        return self.server.log_since(self.mark)

    def __repr__(self):
        return "%s %r" % ("OK" if self.ok else "NO", self.text)


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def context(cert=None, tls=None):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    if tls is not None:
        ctx.minimum_version = ctx.maximum_version = tls
    if cert is not None:
        ctx.load_cert_chain(cert, re.sub(r"\.pem$", ".key", cert))
    return ctx


class Connection:
    """Lines over TCP or TLS."""

    def __init__(self, port, first=b""):
        self.sock = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self.file = self.sock.makefile("rb")
        if first:
            self.sock.sendall(first)

    def wrap(self, ctx, sni=None, session=None):
        self.sock = ctx.wrap_socket(self.sock, server_hostname=sni, session=session)
        self.file = self.sock.makefile("rb")
        return self

    def line(self):
        line = self.file.readline()
        return line.decode("utf-8", "replace").rstrip("\r\n")

    def send(self, text):
        self.sock.sendall(text.encode() + b"\r\n")

    def close(self):
        try:
            self.sock.close()
        finally:
            self.file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def greet(c, protocol):
    """Reads the greeting; returns what it offers, in capitals."""
    if protocol == "imap":
        return c.line().upper()
    if protocol == "pop3":
        return c.line().upper()
    if protocol == "submission":
        seen = c.line()
        while seen.startswith("220-"):
            seen = c.line()
        return ehlo(c)
    return sieve_capabilities(c)


def ehlo(c):
    c.send("EHLO test")
    out = []
    while True:
        line = c.line()
        out.append(line.upper())
        if line[3:4] != "-":
            return "\n".join(out)


def sieve_capabilities(c):
    out = []
    while True:
        line = c.line()
        out.append(line.upper())
        if not line or line.startswith(("OK", "NO", "BYE")):
            return "\n".join(out)


def capabilities(c, protocol):
    """What is offered now, in capitals."""
    if protocol == "imap":
        c.send("c CAPABILITY")
        out = c.line().upper()
        while not c.line().startswith("c "):
            pass
        return out
    if protocol == "pop3":
        c.send("CAPA")
        out = []
        while not out or out[-1] not in (".", ""):
            out.append(c.line().upper())
        return "\n".join(out)
    if protocol == "submission":
        return ehlo(c)
    c.send("CAPABILITY")
    return sieve_capabilities(c)


def starttls(c, protocol, ctx, sni=None, session=None):
    c.send({"imap": "s STARTTLS", "pop3": "STLS", "submission": "STARTTLS",
            "sieve": "STARTTLS"}[protocol])
    answer = c.line()
    assert answer.split(" ")[0] in ("s", "+OK", "220", "OK"), answer
    c.wrap(ctx, sni, session)
    if protocol == "submission":
        ehlo(c)
    elif protocol == "sieve":
        sieve_capabilities(c)
    return c


def connect(protocol, server, cert=None, starttls_=False, tls=None, sni=None, ctx=None,
            session=None):
    ctx = ctx or context(cert, tls)
    if starttls_ or protocol == "sieve":
        c = Connection(server.port[protocol])
        greet(c, protocol)
        return starttls(c, protocol, ctx, sni, session)
    c = Connection(server.port[IMPLICIT[protocol]]).wrap(ctx, sni, session)
    greet(c, protocol)
    return c


def authenticate(c, protocol, mechanism, response, later=False):
    """One SASL exchange of at most one response."""
    given = response if response else "="
    if protocol == "imap":
        c.send("a AUTHENTICATE %s%s" % (mechanism, "" if later else " " + given))
        line = c.line()
        while line.startswith("*"):
            line = c.line()
        if line.startswith("+"):
            c.send(response)
            line = c.line()
        while line.startswith("*"):
            line = c.line()
        return Reply(line.startswith("a OK"), line)
    if protocol in ("pop3", "submission"):
        c.send("AUTH %s%s" % (mechanism, "" if later else " " + given))
        line = c.line()
        if line.startswith(("+ ", "334")) or line == "+":
            c.send(response)
            line = c.line()
        while protocol == "submission" and line[3:4] == "-":
            line = c.line()
        return Reply(line.startswith(("+OK", "235")), line)
    c.send('AUTHENTICATE "%s"%s' % (mechanism, "" if later else ' "%s"' % response))
    line = c.line()
    if line in ('""', "{0}"):
        if line == "{0}":
            c.line()
        c.send('"%s"' % response)
        line = c.line()
    return Reply(line.startswith("OK"), line)


def login(protocol, server, mechanism, user=None, password=None, authzid=None, cert=None,
          starttls=False, later=False, tls=None, sni=None, c=None):
    mark = server.mark()
    own = c is None
    if own:
        c = connect(protocol, server, cert, starttls, tls, sni)
    try:
        if mechanism == "EXTERNAL":
            r = authenticate(c, protocol, mechanism, b64(authzid) if authzid else "", later)
        elif mechanism == "PLAIN":
            data = "%s\0%s\0%s" % (authzid or "", user, password)
            r = authenticate(c, protocol, mechanism, b64(data), later)
        elif mechanism == "LOGIN":      # the command of the protocol, not the mechanism
            r = old_login(c, protocol, user, password)
        else:
            raise ValueError(mechanism)
    finally:
        if own:
            c.close()
    r.server, r.mark = server, mark
    r.user = logged_in(server, mark) if r.ok else None
    return r


def old_login(c, protocol, user, password):
    """IMAP LOGIN, POP3 USER and PASS, the LOGIN mechanism elsewhere."""
    if protocol == "imap":
        c.send('a LOGIN "%s" "%s"' % (user, password))
        line = c.line()
        while line.startswith("*"):
            line = c.line()
        return Reply(line.startswith("a OK"), line)
    if protocol == "pop3":
        c.send("USER " + user)
        line = c.line()
        if line.startswith("+OK"):
            c.send("PASS " + password)
            line = c.line()
        return Reply(line.startswith("+OK"), line)
    if protocol == "submission":
        c.send("AUTH LOGIN")
        for word in (user, password):
            line = c.line()
            if not line.startswith("334"):
                return Reply(False, line)
            c.send(b64(word))
        line = c.line()
        return Reply(line.startswith("235"), line)
    c.send('AUTHENTICATE "LOGIN"')
    for word in (user, password):
        line = c.line()
        if line.startswith(("OK", "NO", "BYE")):
            return Reply(False, line)
        if line.startswith("{"):
            c.line()
        c.send('"%s"' % b64(word))
    line = c.line()
    return Reply(line.startswith("OK"), line)


def logged_in(server, mark):
    """The user of the `Login:` line since `mark`."""
    line = server.wait_log(r"-login: Info: Login: user=<", mark)
    return re.search(r"Login: user=<([^>]*)>", line).group(1)
