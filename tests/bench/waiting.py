"""
waiting.py - what do others feel while the refresher is dead?

    rows = measure_mail_dead(short)

One Dovecot, one IMAP login process (service_count = 0). Certificates of one CA are
covered by a CRL; those of the other would have to be asked about. Logins with the first
kind and with passwords are timed, alone and while a number of clients with the second
kind wait for a refresher that never answers. Times include the client, which is Python.
"""

import os
import shutil
import statistics
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "lib"),
                os.path.join(ROOT, "tests", "hosts", "dovecot")]

WAITING = 20
BEGIN = "a AUTHENTICATE EXTERNAL ="


def policy(etc, state, socket):
    def authority(name):
        return """  %s: {
    anchors = [ "%s.pem" ];
    revocation: { check = "leaf"; %s };
  };
""" % (name, name, 'crls = [ "known.crl" ]; sources = [ "crl" ];' if name == "known" else
            'sources = [ "ocsp" ]; ocsp_url = "http://127.0.0.1:9/";')
    path = os.path.join(etc, "certauth.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write("""version = 1;
state = "%s";
refresher = "%s";
authorities: {
%s};
profiles: {
  mail: {
    authorities = [ "known", "asked" ];
    deadline = "2s";
    identity = ( { name = "user"; user = "{san.email|local}"; } );
  };
};
""" % (state, socket, authority("known") + authority("asked")))
    return path


class Mail:
    def __init__(self, folder, plugin):
        import dovecot_server
        import pki
        from ask import Ask
        folders = {}
        for name in ("etc", "state", "run"):
            folders[name] = os.path.join(folder, name)
            os.makedirs(folders[name])
            os.chmod(folders[name], 0o755)
        self.cert = {}
        for name in ("known", "asked"):
            ca = pki.CA("Bench " + name)
            pki.write_pem(os.path.join(folders["etc"], name + ".pem"), ca)
            self.cert[name] = ca.leaf(name, email=name + "@example.com").write(folder, name)
            if name == "known":
                ca.crl([]).write(os.path.join(folders["etc"], "known.crl"))
                server = ca.server("localhost", "127.0.0.1").write(folder, "server")
        for path, _, files in os.walk(folders["etc"]):
            for name in files:
                os.chmod(os.path.join(path, name), 0o644)
        socket = os.path.join(folders["run"], "refresher.sock")
        self.ask = Ask(socket, how="hang").start()
        self.server = dovecot_server.Dovecot(
            os.path.join(folder, "d"), cert=server, key=server[:-4] + ".key", plugin=plugin,
            environment={"CERTAUTH_PROFILE": "mail", "CERTAUTH_CONF":
                         policy(folders["etc"], folders["state"], socket)},
            passwords={"person": "secret"}, service_count=0,
            conf="service imap-login {\n  process_limit = 1\n}\n").start()

    def stop(self):
        self.server.stop()
        self.ask.stop()

    def login(self, begin, ctx):
        """Seconds of one whole login, from the connection to its answer."""
        from mail_clients import connect
        start = time.monotonic()
        with connect("imap", self.server, ctx=ctx) as c:
            c.send(begin)
            line = c.line()
            while line.startswith("*"):
                line = c.line()
            if not line.startswith("a OK"):
                raise RuntimeError("a login failed: " + line)
            return time.monotonic() - start

    def wait(self, ctx, over):
        """One client after the other that waits for the dead refresher in vain."""
        from mail_clients import connect
        while not over.is_set():
            try:
                with connect("imap", self.server, ctx=ctx) as c:
                    c.send(BEGIN)
                    if c.line().startswith("a OK"):
                        raise RuntimeError("let in without an answer")
            except OSError:
                pass


def measure_mail_dead(plugin, short):
    from mail_clients import context
    folder = tempfile.mkdtemp(prefix="cabw.", dir="/tmp")
    os.chmod(folder, 0o755)
    rounds = 30 if short else 200
    mail = None
    rows = []
    try:
        mail = Mail(folder, plugin)
        kinds = (("a certificate that a CRL covers", BEGIN, context(mail.cert["known"])),
                 ("a password", "a LOGIN person secret", context(None)))
        took = {}
        for dead in (False, True):
            over, threads = threading.Event(), []
            if dead:
                asked = context(mail.cert["asked"])
                threads = [threading.Thread(target=mail.wait, args=(asked, over))
                           for _ in range(WAITING)]
                for t in threads:
                    t.start()
                if mail.ask.wait(WAITING) < WAITING:
                    raise RuntimeError("nobody waits")
            for text, begin, ctx in kinds:
                took[text, dead] = [1e6 * mail.login(begin, ctx) for _ in range(rounds)]
            over.set()
            for t in threads:
                t.join()
        for text, _, _ in kinds:
            for dead in (False, True):
                values = took[text, dead]
                rows.append(("login by %s%s" % (text, ", %d others wait for a dead refresher"
                                                % WAITING if dead else ""), values, "us",
                             took[text, False] if dead else None, "nobody waits" if dead else "",
                             "p99 %.1f ms" % (statistics.quantiles(values, n=100)[98] / 1000)))
    finally:
        if mail is not None:
            mail.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return "Dovecot, one IMAP login process, logins beside others that wait: time", rows
