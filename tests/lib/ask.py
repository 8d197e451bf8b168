"""
ask.py - a refresher's socket that behaves, or misbehaves, as a test wants.

A real unix socket that speaks the frames of shared/ask/ask.h; what it answers are
real OCSP responses, signed with the keys of pki.py's CAs.

    from ask import Ask, Responder
    responder = Responder(root, ca)             # the CAs whose certificates it knows
    responder.revoke(alice)                     # all others are good
    with Ask(folder + "/refresher.sock", responder) as ask:
        ask.how = "hang"                        # from the next question on
        ask.delay = 1.5                         # seconds before each answer
        ask.wait(1)                             # until a question has come
        ask.questions                           # Question: kind, authority, certs, id
        ask.connections                         # how many there were
        ask.stop(); ask.start()                 # a refresher that is restarted

`how`:
  answer      what `oracle(question)` gives: (result, payload)
  nothing     "not found out"                   published  "look into the state folder"
  hang        reads, never answers              deaf       accepts, never reads
  shut        listens, never accepts            close      closes without a word
  rubbish     bytes that are no frame           huge       a header that promises 1 GiB
  cut         half of the answer, closes        stall      half of the answer, then nothing
  drip        a byte at a time                  wrong-id   the answer to another question
  twice       the answer, and once more         junk       a frame whose payload is no OCSP
  first       answers one question, closes      mixed      rubbish after a good answer
"""

import datetime
import hashlib
import os
import socket
import struct
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

import pki

STATUS, ISSUER, ADMIN = 1, 2, 16
NOTHING, OCSP, PUBLISHED, TEXT = 0, 1, 2, 3
MAX_BYTES = 128 * 1024
# For what must come; whoever stands still a while must not fail for it.
PATIENCE = 60.0


# ------------------------------------------------------------------------ frames


def frame(magic, body):
    return magic + struct.pack(">I", len(body)) + body


def reply(question, result, payload=b""):
    if isinstance(payload, str):
        payload = payload.encode()
    return frame(b"CAR1", question.id + bytes([result]) + payload)


def question(kind, authority, certs):
    """The bytes of a question, as the core makes them."""
    name = authority.encode()
    body = bytes([kind]) + struct.pack(">H", len(name)) + name + bytes([len(certs)])
    return frame(b"CAQ1", body + b"".join(
        struct.pack(">I", len(der)) + der for der in (getattr(c, "der", c) for c in certs)))


class Question:
    def __init__(self, data):
        assert data[:4] == b"CAQ1" and len(data) <= MAX_BYTES, data[:16]
        self.frame, body = data, data[8:]
        self.id = hashlib.sha256(body).digest()[:16]
        self.kind = body[0]
        self.authority, self.certs, self.text = None, [], None
        if self.kind == ADMIN:
            self.text = body[1:].decode()
            return
        n = struct.unpack(">H", body[1:3])[0]
        self.authority = body[3:3 + n].decode()
        count, at = body[3 + n], 4 + n
        for _ in range(count):
            size = struct.unpack(">I", body[at:at + 4])[0]
            self.certs.append(body[at + 4:at + 4 + size])
            at += 4 + size
        assert at == len(body), "bytes after the last certificate"

    def about(self, cert):
        return bool(self.certs) and self.certs[0] == cert.der


# --------------------------------------------------------------------- responder


def ocsp_response(cert, issuer, status="good", *, signer=None, this_update="-1h",
                  next_update="+1d", revoked="-1h", reason=None, digest=None, nonce=None):
    """
    DER of a response about `cert`, signed by its issuer or by `signer`, who is then
    in it. `status`: good, revoked, unknown. Certificates are pki.Cert.
    """
    load = x509.load_der_x509_certificate

    def naive(t):
        return None if t is None else pki.when(t).astimezone(
            datetime.timezone.utc).replace(tzinfo=None, microsecond=0)
    is_revoked = status == "revoked"
    b = ocsp.OCSPResponseBuilder().add_response(
        cert=load(cert.der), issuer=load(issuer.der), algorithm=digest or hashes.SHA1(),
        cert_status=getattr(ocsp.OCSPCertStatus, status.upper()),
        this_update=naive(this_update), next_update=naive(next_update),
        revocation_time=naive(revoked) if is_revoked else None,
        revocation_reason=getattr(x509.ReasonFlags, reason) if is_revoked and reason else None)
    who = signer or issuer
    b = b.responder_id(ocsp.OCSPResponderEncoding.HASH, load(who.der))
    if signer is not None:
        b = b.certificates([load(signer.der)])
    if nonce is not None:
        b = b.add_extension(x509.OCSPNonce(nonce), False)
    return b.sign(who.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


class Responder:
    """An oracle for Ask: what the CAs' OCSP responders would say."""

    def __init__(self, *cas, **more):
        self.cas = {ca.der: ca for ca in cas}
        self.more = more                # of ocsp_response()
        self.revoked = set()
        self.unknown = set()

    def revoke(self, *certs):
        self.revoked.update(c.der for c in certs)

    def forget(self, *certs):
        self.unknown.update(c.der for c in certs)

    def __call__(self, q):
        if q.kind != STATUS or len(q.certs) < 2:
            return NOTHING, "not a question for a responder"
        ca = self.cas.get(q.certs[1])
        if ca is None:
            return NOTHING, "no responder of this CA"
        if q.certs[0] in self.unknown:
            return NOTHING, "the responder does not know it"
        status = "revoked" if q.certs[0] in self.revoked else "good"
        return OCSP, ocsp_response(pki.Cert(q.certs[0]), ca, status, **self.more)


# ------------------------------------------------------------------------ socket


class Ask:
    def __init__(self, path, oracle=None, how="answer", delay=0.0, mode=0o666):
        self.path, self.oracle, self.how, self.delay, self.mode = path, oracle, how, delay, mode
        self.questions, self.connections = [], 0
        self.changed = threading.Condition()
        self.listener = None
        self.open = set()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        beside = self.path + "~"
        if os.path.exists(beside):
            os.unlink(beside)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(beside)
        os.chmod(beside, self.mode)
        self.listener.listen(0 if self.how == "shut" else 128)
        # One that was there is replaced: servers never see that nobody is.
        os.rename(beside, self.path)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()
        return self

    def stop(self, replaced=False):
        """As a daemon that was killed: all its connections end."""
        listener, self.listener = self.listener, None
        if listener is None:
            return
        # Closing alone leaves the thread in accept(), and that the socket.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        try:
            if not replaced:
                os.unlink(self.path)
        except FileNotFoundError:
            pass
        self.drop()

    def drop(self):
        """Ends the connections that are open, in whatever they are."""
        with self.changed:
            mine, self.open = self.open, set()
        for c in mine:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def wait(self, n, seconds=PATIENCE):
        """Until n questions have come; how many there are."""
        with self.changed:
            self.changed.wait_for(lambda: len(self.questions) >= n, seconds)
            return len(self.questions)

    def wait_closed(self, seconds=PATIENCE):
        """Until no client is connected any more; how many still are."""
        with self.changed:
            self.changed.wait_for(lambda: not self.open, seconds)
            return len(self.open)

    def about(self, cert):
        with self.changed:
            return [q for q in self.questions if q.about(cert)]

    def clear(self):
        with self.changed:
            self.questions, self.connections = [], 0

    # ---------------------------------------------------------------- inside
    def _accept(self, listener):
        while self.listener is listener:
            if self.how == "shut":
                time.sleep(0.02)
                continue
            try:
                c = listener.accept()[0]
            except OSError:
                return
            if self.listener is not listener:
                c.close()
                return
            with self.changed:
                self.connections += 1
                self.open.add(c)
                self.changed.notify_all()
            threading.Thread(target=self._serve, args=(c,), daemon=True).start()

    def _serve(self, c):
        try:
            if self.how == "close":
                return
            if self.how == "deaf":
                while self.how == "deaf" and c in self.open:
                    time.sleep(0.02)
                return
            self._read(c)
        except OSError:
            pass
        finally:
            with self.changed:
                self.open.discard(c)
                self.changed.notify_all()
            c.close()

    def _read(self, c):
        data = b""
        lock = threading.Lock()
        while True:
            more = c.recv(65536)
            if not more:
                return
            data += more
            while len(data) >= 8:
                size = 8 + struct.unpack(">I", data[4:8])[0]
                assert size <= MAX_BYTES, "a question of %d bytes" % size
                if len(data) < size:
                    break
                q, data = Question(data[:size]), data[size:]
                with self.changed:
                    self.questions.append(q)
                    self.changed.notify_all()
                threading.Thread(target=self._answer, args=(c, q, lock), daemon=True).start()

    def _answer(self, c, q, lock):
        how = self.how
        time.sleep(self.delay)
        try:
            with lock:
                self._say(c, q, how)
        except OSError:
            pass

    def _say(self, c, q, how):
        end = how in ("cut", "first")
        if how in ("hang", "deaf", "shut"):
            return
        if how == "close":
            data, end = b"", True
        elif how == "rubbish":
            data = b"HTTP/1.0 200 OK\r\n\r\n<html>It works!</html>"
        elif how == "huge":
            data = b"CAR1" + struct.pack(">I", 1 << 30) + b"x" * 4096
        elif how == "nothing":
            data = reply(q, NOTHING, "nothing known")
        elif how == "published":
            data = reply(q, PUBLISHED)
        elif how == "junk":
            data = reply(q, OCSP, b"\x30\x82\xff\xff junk")
        else:
            data = reply(q, *self.oracle(q))
        if how == "wrong-id":
            data = data[:8] + bytes(b ^ 0x55 for b in data[8:24]) + data[24:]
        elif how == "twice":
            data += data
        elif how == "mixed":
            data += b"\0" * 100
        elif how in ("cut", "stall"):
            data = data[:len(data) // 2]
        if how == "drip":
            for i in range(len(data)):
                c.sendall(data[i:i + 1])
                if i % 64 == 0:
                    time.sleep(0.001)
        else:
            c.sendall(data)
        if end:
            c.shutdown(socket.SHUT_RDWR)
