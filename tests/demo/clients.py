"""
clients.py - what does a real client get? curl, openssl s_client, mbsync, imaplib.

Each function returns (answer, words): `answer` is what the table compares, "200 alice",
"403 revoked", "OK alice", "NO revoked"; `words` is what the server told the person.
"""

import imaplib
import os
import re
import ssl
import subprocess

import world

HOST = {"https": "www.example.com", "imaps": "mail.example.com", "pop3s": "mail.example.com"}


def slugs():
    with open(os.path.join(world.ROOT, "shared", "reasons.def"), encoding="utf-8") as f:
        return re.findall(r'^REASON\(\d+, \w+, "([a-z-]+)"', f.read(), re.M)


SLUGS = slugs()


def find_slug(text):
    """The reason a line of Dovecot names: in the reply's brackets or in the log."""
    text = "\n".join(t for t in text.splitlines() if "certauth: " in t or
                     "certificate refused: " in t)
    found = [s for s in SLUGS if s != "ok" and re.search(r"(?<![\w-])%s(?![\w-])" % s, text)]
    return max(found, key=len) if found else "?"


def run(args, feed=None):
    p = subprocess.run(args, input=feed, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       stdin=subprocess.DEVNULL if feed is None else None,
                       timeout=60, check=False)
    return p.returncode, p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace")


def curl_args(w, server, who, path):
    host = HOST["https"]
    args = ["curl", "-sS", "--max-time", "10", "--noproxy", "*",
            "--cacert", os.path.join(w.tls, "ca.pem"),
            "--resolve", "%s:%d:127.0.0.1" % (host, server.port)]
    if who:
        args += ["--cert", w.client(who)[0], "--key", w.client(who)[1]]
    return args + ["https://%s:%d%s" % (host, server.port, path)]


def http_answer(head, body):
    status = re.search(r"^HTTP/[\d.]+ (\d+)", head, re.M)
    if not status:
        return "no answer", (head + body).strip()[-200:]
    field = dict((k.lower(), v.strip()) for k, v in re.findall(r"^([\w-]+):(.*)$", head, re.M))
    word = field.get("certauth-user") if status[1] == "200" else field.get("certauth-reason")
    return "%s %s" % (status[1], word or "?"), body.strip()


def curl(w, server, who, path):
    args = curl_args(w, server, who, path)
    code, out, err = run(args[:1] + ["-i"] + args[1:])
    if code != 0:
        return "no answer", err.strip()
    head, _, body = out.replace("\r\n", "\n").rpartition("\n\n")
    if body.startswith("HTTP/"):        # no body at all
        head, body = body, ""
    return http_answer(head, "" if "HTTP/" in body else body)


def s_client(w, server, who, version, session, resume):
    """One request in a session of its own, saved; or resumed from the saved one."""
    args = ["openssl", "s_client", "-connect", "127.0.0.1:%d" % server.port,
            "-servername", HOST[server.scheme], "-CAfile", os.path.join(w.tls, "ca.pem"),
            "-cert", w.client(who)[0], "-key", w.client(who)[1],
            "-cert_chain", w.client(who)[0], version, "-ign_eof",
            "-sess_in" if resume else "-sess_out", session]
    if server.scheme == "https":
        feed = "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % HOST["https"]
    else:
        feed = "a AUTHENTICATE EXTERNAL =\r\nb LOGOUT\r\n"
    mark = len(server.log())
    _, out, err = run(args, feed.encode())
    reused = ", resumed" if re.search(r"^Reused, ", out, re.M) else ""
    if server.scheme == "https":
        at = out.rfind("HTTP/1.1 ")
        if at < 0:
            return "no answer", err.strip()[-200:]
        head, _, body = out[at:].replace("\r\n", "\n").partition("\n\n")
        answer, words = http_answer(head, body.split("\n")[0])
    else:
        answer, words = imap_answer(server, mark, re.search(
            r"^a (OK|NO|BAD)(.*)$", out.replace("\r", ""), re.M))
    return answer + reused, words


def imap_answer(server, mark, reply):
    if not reply:
        return "no answer", server.log()[mark:].strip()[-200:]
    log = server.log()[mark:]
    if reply[1] == "OK":
        user = re.search(r"Login: user=<([^>]*)>", log)
        return "OK " + (user[1] if user else "?"), reply[2].strip()
    slug = find_slug(reply[2])
    return "%s %s" % (reply[1], slug if slug != "?" else find_slug(log)), reply[2].strip()


def imap(w, server, who, port=None):
    """AUTHENTICATE EXTERNAL by Python's imaplib."""
    context = ssl.create_default_context(cafile=os.path.join(w.tls, "ca.pem"))
    context.check_hostname = False      # we connect to an address
    if who:
        context.load_cert_chain(*w.client(who))
    mark = len(server.log())
    try:
        with imaplib.IMAP4_SSL("127.0.0.1", port or server.port, ssl_context=context,
                               timeout=60) as box:
            try:
                kind, data = box.authenticate("EXTERNAL", lambda _: b"")
            except imaplib.IMAP4.error as e:
                kind, data = "NO", [str(e).encode()]
        text = b" ".join(d for d in data if d).decode(errors="replace")
    except (OSError, imaplib.IMAP4.error) as e:
        return "no answer", str(e)
    return imap_answer(server, mark, re.match(r"(\w+)(.*)", "%s %s" % (kind, text)))


def pop3(w, server, who):
    """The protocol that dovecot-certauth.conf gives the stricter profile, by curl."""
    mark = len(server.log())
    code, _, err = run([
        "curl", "-sSv", "--max-time", "20", "--noproxy", "*", "--login-options", "AUTH=EXTERNAL",
        "-u", who + ":", "--cacert", os.path.join(w.tls, "ca.pem"), "--cert", w.client(who)[0],
        "--key", w.client(who)[1],
        "--resolve", "%s:%d:127.0.0.1" % (HOST["pop3s"], server.dovecot.port["pop3s"]),
        "pop3s://%s:%d/" % (HOST["pop3s"], server.dovecot.port["pop3s"])])
    lines = re.findall(r"^< (\+OK|-ERR) ?(.*?)\r?$", err, re.M)
    if not lines:
        return "no answer", err.strip()[-200:]
    if code == 0:
        user = re.search(r"Login: user=<([^>]*)>", server.log()[mark:])
        return "OK " + (user[1] if user else "?"), lines[-1][1]
    word = next((t for k, t in lines if k == "-ERR"), lines[-1][1])
    slug = find_slug(word)
    return "NO " + (slug if slug != "?" else find_slug(server.log()[mark:])), word


def mbsync_conf(w, server, who, folder):
    os.makedirs(os.path.join(folder, "mail"), exist_ok=True)
    path = os.path.join(folder, "mbsyncrc-" + who)
    with open(path, "w", encoding="utf-8") as f:
        f.write("""IMAPAccount demo
Host localhost
Port %d
SSLType IMAPS
CertificateFile %s
ClientCertificate %s
ClientKey %s
AuthMechs EXTERNAL
User %s

IMAPStore far
Account demo

MaildirStore near
Path %s/mail/
Inbox %s/mail/INBOX-%s

Channel inbox
Far :far:
Near :near:
Create Near
SyncState *
""" % (server.port, os.path.join(w.tls, "ca.pem"), *w.client(who), who, folder, folder, who))
    return path


def mbsync(w, server, who):
    """A mail program fetches a mailbox; it sends its user name as authzid."""
    folder = os.path.join(w.folder, "mbsync")
    conf = mbsync_conf(w, server, who, folder)
    mark = len(server.log())
    code, out, err = run(["mbsync", "-c", conf, "-a"])
    said = (out + err).strip()
    if code == 0:
        user = re.search(r"Login: user=<([^>]*)>", server.log()[mark:])
        return "OK " + (user[1] if user else "?"), "mailbox fetched"
    slug = find_slug(said)
    return "NO " + (slug if slug != "?" else find_slug(server.log()[mark:])), \
        said.split("\n")[-1]
