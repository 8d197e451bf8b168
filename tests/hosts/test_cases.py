"""
test_cases.py - do real nginx, Apache and Dovecot answer each .case file as it says?

One server of each kind is started; every case is a virtual host with a profile of its
own (Dovecot, which reads its policy for each connection, gets one policy after the
other). A Python client shows the case's certificate in a real handshake. What the
server must answer comes from shared/reasons.def. Run one world or one case with
`-k nginx`, `-k "dovecot and revoked"`.
"""

import base64
import hashlib
import http.client
import os
import re
import shutil
import socket
import ssl
import sys
import tempfile
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import cases  # noqa: E402
import pki  # noqa: E402
from alert import sendall  # noqa: E402

FLAVOUR = os.environ.get("FLAVOUR", "test")
BUILD = os.path.join(cases.ROOT, "build", FLAVOUR)
REASONS = cases.reasons()
ALL = cases.load()
# For what must come; a machine that stands still a while must not fail a test.
PATIENCE = 60.0
# Virtual hosts of one server; the policy file has a ceiling of 256 authorities.
BATCH = 100
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def of_world(world):
    """The cases of a world in the order in which they are run: batch after batch."""
    return [c for batch in batches(world) for c in batch]


def live(case):
    return any(verb == "crl" for verb, _ in case.steps)


def batches(world):
    """
    Cases that may share a server. What an engine knows of revocation it knows for all
    authorities, so cases with CRLs stand together only when they have the same ones,
    and those that change data stand alone.
    """
    groups = {}
    for c in ALL:
        if world in c.worlds:
            alone = c.name if live(c) else ""
            key = (alone, " ".join(sorted(c.words("crls"))), c.has("crls"))
            groups.setdefault(key, []).append(c)
    return [g[i:i + BATCH] for g in groups.values() for i in range(0, len(g), BATCH)]


# ------------------------------------------------------------------------ client


class Client:
    """One case's certificate and what it sends beside it."""

    def __init__(self, case, folder, version="1.3"):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        # The client must be able to show what the server has to refuse.
        self.context.set_ciphers("DEFAULT:@SECLEVEL=0")
        self.context.minimum_version = self.context.maximum_version = VERSIONS[version]
        if case.leaf is not None:
            chain = os.path.join(folder, "chain.pem")
            with open(chain, "wb") as out:
                for name in [case.leaf] + case.sent:
                    with open(name, "rb") as f:
                        out.write(f.read() + b"\n")
            try:
                self.context.load_cert_chain(chain, case.key_file)
            except ssl.SSLError as e:
                # OpenSSL 3.5 minds the form of dates where 3.0 does not.
                if case.expected() != ("reject", "malformed"):
                    raise
                pytest.skip("this OpenSSL cannot load it, nor would its server: %s" % e)

    def connect(self, port, name, session=None):
        s = socket.create_connection(("127.0.0.1", port), PATIENCE)
        try:
            return self.context.wrap_socket(s, server_hostname=name, session=session)
        except BaseException:
            s.close()
            raise


class Answer:
    def __init__(self, status, reason, user):
        self.status, self.reason, self.user = status, reason, user

    def __repr__(self):
        return "%s %s user=%r" % (self.status, self.reason, self.user)


def get(tls, name, account=None):
    """One request on an open connection."""
    head = "X-Account: %s\r\n" % account if account else ""
    sendall(tls, ("GET / HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (name, head)).encode())
    r = http.client.HTTPResponse(tls)
    r.begin()
    r.read()
    return Answer(r.status, r.headers.get("X-Reason", ""), r.headers.get("X-User", ""))


# ----------------------------------------------------------------------- servers


class World:
    """A web server with a batch of cases, each a virtual host; the next batch is a new one."""

    server = None
    names = {}
    used = False

    def __init__(self, world):
        self.batches, self.cases, self.fault = batches(world), [], None
        self.folder = tempfile.mkdtemp(prefix="ca-", dir="/tmp")
        os.chmod(self.folder, 0o755)
        self.clock = os.path.join(self.folder, "clock")
        self.conf = os.path.join(self.folder, "policy.conf")
        cases.set_clock(self.clock, "2026-03-01T12:00:00Z")
        root = pki.CA("Server Root")
        self.cert = root.server("localhost", "*.case.test").write(self.folder, "server")
        self.key = os.path.join(self.folder, "server.key")

    def use(self, case):
        """Sees to it that the server that runs knows this case."""
        # A CRL that was put in stays known even when it is taken away again.
        again = case in self.cases and not (self.used and live(case))
        self.used = True
        if again and self.fault:
            pytest.fail(self.fault)
        if again:
            return
        self.stop()
        self.cases, self.fault = next(b for b in self.batches if case in b), None
        for name in self.names.values():
            shutil.rmtree(os.path.join(self.folder, name), ignore_errors=True)
        names = cases.write_policy(self.conf, self.cases, self.folder, self.clock)
        self.names = dict(zip([c.name for c in self.cases], names))
        try:
            self.start()
        except Exception as e:
            # Said once, in each case of the batch.
            self.fault = "the server did not start: %s" % str(e)[:2000]
            pytest.fail(self.fault)

    def case_folder(self, case):
        return os.path.join(self.folder, self.names[case.name])

    def stop(self):
        server, self.server = self.server, None
        if server is not None:
            server.stop()

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class NginxWorld(World):
    extra = ""

    def __init__(self):
        import nginx_server
        why = nginx_server.available()
        if why:
            pytest.skip(why)
        super().__init__("nginx")

    def start(self):
        import nginx_server
        text = ("server_names_hash_max_size 16384; server_names_hash_bucket_size 128;\n"
                "ssl_certificate %s; ssl_certificate_key %s;\n"
                "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers DEFAULT:@SECLEVEL=0;\n"
                "ssl_session_cache shared:cases:10m;\n"
                "certauth_config %s; %s\n"
                "add_header X-Reason $certauth_reason always;\n"
                "add_header X-User $certauth_user always;\n"
                % (self.cert, self.key, self.conf, self.extra))
        for name in self.names.values():
            text += ("server { listen @TLS@ ssl; server_name %s.case.test; certauth %s;\n"
                     "  certauth_account $http_x_account;\n"
                     "  location / { return 200 \"ok\\n\"; } }\n" % (name, name))
        self.server = nginx_server.Nginx(
            os.path.join(self.folder, "nginx"), http=text,
            module=os.path.join(BUILD, "ngx_http_certauth_module.so"))
        self.server.start()
        self.port = self.server.port["TLS"]

    @staticmethod
    def status(slug):
        code = REASONS[slug].nginx
        return 400 if code in (495, 496) else code

    def log(self):
        return self.server.log()


class NginxHandshakeWorld(NginxWorld):
    extra = "certauth_refuse handshake;"


class ApacheWorld(World):
    def __init__(self):
        import apache_server
        module = os.path.join(BUILD, "mod_certauth.so")
        if not apache_server.installed() or not os.path.exists(module):
            pytest.skip("no apache2 or no mod_certauth.so")
        super().__init__("apache")

    def start(self):
        import apache_server
        module = os.path.join(BUILD, "mod_certauth.so")
        self.server = apache_server.Apache(os.path.join(self.folder, "apache"), module=module)
        self.port = self.server.port()
        text = ("Listen 127.0.0.1:%d\nCertAuthConfig %s\n"
                "SSLProtocol +TLSv1.2 +TLSv1.3\nSSLCipherSuite DEFAULT:@SECLEVEL=0\n"
                % (self.port, self.conf))
        for name in self.names.values():
            text += ("<VirtualHost 127.0.0.1:%d>\nServerName %s.case.test\nSSLEngine on\n"
                     "SSLCertificateFile %s\nSSLCertificateKeyFile %s\nCertAuthProfile %s\n"
                     "CertAuthAccount \"%%{HTTP:X-Account}\"\n"
                     "Header always set X-Reason \"expr=%%{reqenv:CERTAUTH_REASON}\"\n"
                     "Header always set X-User \"expr=%%{reqenv:CERTAUTH_USER}\"\n"
                     "</VirtualHost>\n" % (self.port, name, self.cert, self.key, name))
        self.server.conf(text)
        self.server.start()

    @staticmethod
    def status(slug):
        return REASONS[slug].http

    def log(self):
        return self.server.all_logs()


class DovecotWorld(World):
    def __init__(self):
        import dovecot_server
        plugin = os.path.join(BUILD, "lib50_certauth_plugin.so")
        why = dovecot_server.available()
        if why or not os.path.exists(plugin):
            pytest.skip(why or plugin + " is missing")
        super().__init__("dovecot")
        cases.write_policy(self.conf, self.batches[0][:1], self.folder, self.clock)
        self.server = dovecot_server.Dovecot(
            os.path.join(self.folder, "d"), cert=self.cert, key=self.key, plugin=plugin,
            environment={"CERTAUTH_CONF": self.conf, "CERTAUTH_PROFILE": "c0"},
            # Dovecot folds user names to lower case by itself unless told not to.
            conf="ssl_min_protocol = TLSv1.2\nssl_cipher_list = DEFAULT:@SECLEVEL=0\n"
                 "auth_username_format = %u\n")
        self.server.start()
        self.port = self.server.port["imaps"]

    def log(self):
        return self.server.log()

    def lay(self, case):
        """The policy of this case; mail needs a user, so every leaf gets one."""
        shutil.rmtree(os.path.join(self.folder, "c0"), ignore_errors=True)
        if not case.has("rule") and not case.name.startswith("identity/no-rules"):
            case = mapped(case)
        self.names = {case.name: "c0"}
        cases.write_policy(self.conf, [case], self.folder, self.clock)
        return case


def mapped(case):
    other = cases.Case.__new__(cases.Case)
    other.path, other.name, other.pairs = case.path, case.name, list(case.pairs)
    other.pairs.append(("rule", 'name = "test"; key = "{cert.sha256}"; table = "map";'))
    if case.leaf is not None:
        with open(case.leaf, "rb") as f:
            der = base64.b64decode(re.search(
                rb"-----BEGIN CERTIFICATE-----(.*?)-----END", f.read(), re.S).group(1))
        other.pairs.append(("map", "%s tester" % hashlib.sha256(der).hexdigest()))
        if not case.has("user"):
            other.pairs.append(("user", "tester"))
    else:
        other.pairs.append(("map", "nobody nobody"))
    return other


def started(kind):
    world = kind()
    yield world
    world.close()


@pytest.fixture(scope="module")
def nginx():
    yield from started(NginxWorld)


@pytest.fixture(scope="module")
def nginx_handshake():
    yield from started(NginxHandshakeWorld)


@pytest.fixture(scope="module")
def apache():
    yield from started(ApacheWorld)


@pytest.fixture(scope="module")
def dovecot():
    yield from started(DovecotWorld)


# ------------------------------------------------------------------------- web


def wrong(world, case, answer, which="expect"):
    """None, or what is wrong with this answer."""
    decision, slug = case.expected(which)
    status = 200 if decision == "accept" else world.status(slug)
    if which == "expect" and case.has("http"):
        status = int(case.get("http"))
    want = Answer(status, slug, answer.user)
    if decision == "reject":
        want.user = ""
    elif which == "expect" and case.has("user"):
        want.user = case.get("user")
    if (want.status, want.reason, want.user) != (answer.status, answer.reason, answer.user):
        return "expected %r, got %r" % (want, answer)
    return None


def patiently(ask, check, wait):
    """Asks until the answer is right or time is up; returns the last fault."""
    end = time.monotonic() + (PATIENCE if wait else 0)
    while True:
        fault = check(ask())
        if fault is None or time.monotonic() > end:
            return fault
        time.sleep(0.02)


def web(world, case, version, folder):
    """Both connections of a case; None or what is wrong."""
    name = world.names[case.name] + ".case.test"
    cases.lay_out(case, world.case_folder(case))
    cases.set_clock(world.clock, case.at)
    client = Client(case, folder, version)

    def fresh(session=None):
        with client.connect(world.port, name, session) as tls:
            answer = get(tls, name, case.get("account"))
            answer.session, answer.reused = tls.session, tls.session_reused
            return answer

    if case.connections == 1:
        return wrong(world, case, fresh())
    # A second case may have used this one's data before: its polls must have passed.
    fault = patiently(fresh, lambda a: wrong(world, case, a, "first"), True)
    if fault:
        return "first connection: " + fault
    with client.connect(world.port, name) as kept:
        fault = wrong(world, case, get(kept, name, case.get("account")), "first")
        if fault:
            return "kept connection: " + fault
        session = kept.session
        cases.apply_steps(case, world.case_folder(case), world.clock)
        data = any(verb != "clock" for verb, _ in case.steps)
        if data and case.expected("first") == case.expected():
            time.sleep(1.5)         # nothing may change: let the poll see it first
        resume = case.get("connect") == "resume"
        fault = patiently(lambda: fresh(session if resume else None),
                          lambda a: wrong(world, case, a), data)
        if fault:
            return "second connection: " + fault
        if resume and case.expected()[0] == "accept" and not fresh(session).reused:
            return "the session was not resumed"
        if case.expected("first")[0] == "accept":
            # The next request on the connection that was there before.
            fault = wrong(world, case, get(kept, name, case.get("account")))
            if fault:
                return "kept connection, next request: " + fault
    return None


def run_web(world, case):
    folder = tempfile.mkdtemp(prefix="ca-", dir="/tmp")
    try:
        for version in ("1.2", "1.3") if case.get("connect") == "resume" else ("1.3",):
            world.use(case)
            mark = len(world.log())
            fault = web(world, case, version, folder)
            assert fault is None, "%s, TLS %s: %s\n%s" % (
                case.path, version, fault, world.log()[mark:][-3000:])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def ids(world):
    return [c.name for c in of_world(world)]


@pytest.mark.parametrize("case", of_world("nginx"), ids=ids("nginx"))
def test_nginx(nginx, case):
    run_web(nginx, case)


# What a client hears for each X509_V_ERR_*, as OpenSSL 3.0 says it (measured).
ALERTS = {"CERTIFICATE_EXPIRED": (10, 12), "CERTIFICATE_REVOKED": (23,),
          "UNKNOWN_CA": (2, 3, 18, 19, 20, 21, 22, 25, 33, 79),
          "BAD_CERTIFICATE": (4, 5, 6, 9, 11, 13, 14, 15, 16, 27, 28, 62, 63, 64, 65, 66, 67,
                              68, 94),
          "DECRYPT_ERROR": (7, 8), "UNSUPPORTED_CERTIFICATE": (26,),
          "INTERNAL_ERROR": (1, 17, 69, 70)}


def alert_of(slug):
    for name, codes in ALERTS.items():
        if REASONS[slug].x509 in codes:
            return name
    return "CERTIFICATE_UNKNOWN"


def refused_in_handshake(case):
    """By an alert: the certificate's own faults, not who it stands for."""
    return case.expected()[0] == "reject" and case.connections == 1 and \
        case.leaf is not None and REASONS[case.expected()[1]].number < 1500


REFUSED = [c for c in of_world("nginx") if refused_in_handshake(c)]


@pytest.mark.parametrize("case", REFUSED, ids=[c.name for c in REFUSED])
def test_nginx_alert(nginx_handshake, case, tmp_path):
    """`certauth_refuse handshake`: the alert that belongs to the reason."""
    world = nginx_handshake
    world.use(case)
    cases.set_clock(world.clock, case.at)
    name = world.names[case.name] + ".case.test"
    for version in VERSIONS:
        with pytest.raises(ssl.SSLError) as e:
            with Client(case, str(tmp_path), version).connect(world.port, name) as tls:
                get(tls, name)
        assert "ALERT_" + alert_of(case.expected()[1]) in e.value.reason, case.path


@pytest.mark.parametrize("case", of_world("apache"), ids=ids("apache"))
def test_apache(apache, case):
    run_web(apache, case)


# ------------------------------------------------------------------------ mail


def imap_external(tls, account=None, challenge=False):
    """AUTHENTICATE EXTERNAL, with or without a name: ("OK" or a code, the line, who)."""
    name = base64.b64encode(account.encode()) if account else b""
    f = tls.makefile("rwb", buffering=0)

    def line():
        return f.readline().decode("utf-8", "replace").rstrip("\r\n")
    greeting = line()
    assert greeting.startswith("* OK"), greeting
    f.write(b"a AUTHENTICATE EXTERNAL" + (b"" if challenge else b" " + (name or b"=")) + b"\r\n")
    said = line()
    while said.startswith("* ") or said.startswith("+"):
        if said.startswith("+"):
            f.write(name + b"\r\n")
        said = line()
    if not said.startswith("a OK"):
        code = re.match(r"a (?:NO|BAD) \[([A-Z]+)\]", said)
        return (code.group(1) if code else ""), said, ""
    f.write(b"b LOGOUT\r\n")
    f.read()
    return "OK", said, None


def mail(world, case, folder):
    client = Client(case, folder)

    def fresh(challenge=False):
        mark = world.server.mark()
        with client.connect(world.port, "localhost") as tls:
            code, said, user = imap_external(tls, case.get("account"), challenge)
        if code == "OK":
            m = world.server.wait_log(r"Login: user=<", mark)
            user = re.search(r"user=<([^>]*)>", m).group(1)
        return code, said, user

    def check(got, which="expect"):
        code, said, user = got
        decision, slug = case.expected(which)
        want = "OK" if decision == "accept" else REASONS[slug].imap
        if which == "expect" and case.has("imap"):
            want = case.get("imap")
        if code != want:
            return "expected %s (%s), got %r" % (want, slug, said)
        if decision == "reject" and slug not in said and not case.has("imap"):
            return "the reply does not say %s: %r" % (slug, said)
        if want == "OK" and which == "expect" and case.has("user") and \
                user != case.get("user"):
            return "logged in as %r, not %r" % (user, case.get("user"))
        return None

    if case.connections == 1:
        fault = check(fresh())
        if fault is None and case.has("account"):
            fault = check(fresh(True))      # the name with the answer to the challenge
        return fault
    fault = check(fresh(), "first")
    if fault:
        return "first connection: " + fault
    cases.apply_steps(case, world.case_folder(case), world.clock)
    return patiently(fresh, check, any(verb != "clock" for verb, _ in case.steps))


@pytest.mark.parametrize("case", of_world("dovecot"), ids=ids("dovecot"))
def test_dovecot(dovecot, case):
    folder = tempfile.mkdtemp(prefix="ca-", dir="/tmp")
    mark = dovecot.server.mark()
    try:
        case = dovecot.lay(case)
        cases.set_clock(dovecot.clock, case.at)
        fault = mail(dovecot, case, folder)
        assert fault is None, "%s: %s\n%s" % (case.path, fault,
                                             dovecot.server.log_since(mark)[-3000:])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
