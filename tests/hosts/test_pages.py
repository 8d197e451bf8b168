"""
The pages of conf-examples/pages in real nginx and Apache, and in a real browser with a
certificate in its store.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time

import pytest

from test_machine import FLAVOUR, ROOT, Apache, Machine, nginx_server, pytestmark  # noqa: F401
from mounts import unshare      # (test_machine knows where it lies)

PAGES = os.path.join(ROOT, "conf-examples", "pages")


def snippet(name):
    with open(os.path.join(PAGES, name), encoding="utf-8") as f:
        return f.read().replace("/usr/share/certauth/pages", PAGES)


class Pages(Machine):
    """nginx and Apache with the snippets; Dovecot as it is."""

    def __init__(self, folder):
        super().__init__(folder)
        w = self.w
        self.mail = w.ca.leaf("Emma", email="emma@example.com", eku=["emailProtection"])
        self.mail.write(w.folder, "emma", chain=[w.ca])
        self.nginx = nginx_server.Nginx(w.path("nginx2"), workers=1, ports=("TLS",), http="""
    certauth_config %s; ssl_certificate %s; ssl_certificate_key %s;
    ssl_protocols TLSv1.2 TLSv1.3;
    server { listen @TLS@ ssl; certauth p; default_type text/plain;
        location / { return 200 "in: $certauth_user\n"; }
%s    }
""" % (w.conf, w.path("server.pem"), w.path("server.key"), snippet("nginx.conf")))
        self.apache = Apache(folder=w.path("apache2"), module="build/%s/mod_certauth.so" % FLAVOUR,
                             modules=("include", "headers", "alias"))
        self.apache_port = self.apache.port()
        with open(os.path.join(self.apache.docroot, "index.html"), "w", encoding="ascii") as f:
            f.write("in: ok\n")
        self.apache.conf("""
Listen 127.0.0.1:%d
CertAuthConfig %s
<VirtualHost 127.0.0.1:%d>
    ServerName localhost
    SSLEngine on
    SSLCertificateFile %s
    SSLCertificateKeyFile %s
    CertAuthProfile p
%s</VirtualHost>
""" % (self.apache_port, w.conf, self.apache_port, w.path("server.pem"), w.path("server.key"),
            snippet("apache.conf")))

    def policy(self, **more):
        super().policy(**more)
        with open(self.w.conf, encoding="utf-8") as f:
            text = f.read()
        with open(self.w.conf, "w", encoding="utf-8") as f:
            f.write(text.replace('"any"', '"clientAuth"'))

    def port(self, server):
        return self.nginx.port["TLS"] if server == "nginx" else self.apache_port


@pytest.fixture(scope="module")
def pages():
    folder = tempfile.mkdtemp(prefix="certauth-p.")
    os.chmod(folder, 0o755)
    try:
        with Pages(folder) as m:
            yield m
    finally:
        shutil.rmtree(folder, ignore_errors=True)


ROWS = [(None, 403, "no-certificate", "This page needs a certificate"),
        ("bob", 403, "denied", "Your certificate was not accepted"),
        ("emma", 403, "purpose", "Your certificate was not accepted"),
        ("alice", 200, None, "in: ")]


@pytest.fixture(scope="module", autouse=True)
def bob_is_denied(pages):
    pages.deny("user:bob\n")
    end = time.monotonic() + 60
    while any(pages.enters(s, "bob") for s in ("nginx", "apache")):
        assert time.monotonic() < end
        time.sleep(0.05)


def curl(pages, server, who):
    args = ["curl", "-sk", "-D", "-", "https://127.0.0.1:%d/" % pages.port(server)]
    if who:
        args += ["--cert", pages.w.path(who + ".pem"), "--key", pages.w.path(who + ".key")]
    r = subprocess.run(args, capture_output=True, text=True, timeout=60)
    head, _, body = r.stdout.partition("\n\n")
    return int(head.split()[1]), head.lower(), body


@pytest.mark.parametrize("server", ["nginx", "apache"])
@pytest.mark.parametrize("who, status, reason, title", ROWS)
def test_the_page_of_each(pages, server, who, status, reason, title):
    got, head, body = curl(pages, server, who)
    assert got == status and title in body, (got, head, body)
    if reason is None:
        return
    assert "<dd>%s (" % reason in body and "text/html" in head and "utf-8" in head
    shown = re.search(r"<dt>Id</dt><dd>([^<]*)</dd>", body)[1]
    assert re.fullmatch(r"[0-9a-f]{16}", shown), body
    log = pages.nginx.log() if server == "nginx" else pages.apache.error_log()
    assert shown in log
    assert "no-store" in head and "<script" not in body


# ------------------------------------------------------------------ the browser

BROWSER = shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--ignore-certificate-errors", "--disable-dev-shm-usage"]
# A browser that is not to ask wants a policy of the machine: in a namespace of its own.
POLICIES = "/etc/chromium/policies"


@pytest.fixture(scope="module")
def browser(pages):
    """Runs Chromium with one person's certificate in its store; what it shows."""
    if BROWSER is None or shutil.which("pk12util") is None:
        pytest.skip("no Chromium here")
    if unshare() is None:
        pytest.skip("no mounts of one's own: a browser that does not ask needs its policy")
    home = pages.w.path("home")
    made = os.path.exists("/etc/chromium")
    policy = pages.w.path("policies/managed")
    os.makedirs(policy)
    with open(os.path.join(policy, "p.json"), "w", encoding="ascii") as f:
        json.dump({"AutoSelectCertificateForUrls": [json.dumps(
            {"pattern": "https://127.0.0.1", "filter": {}})]}, f)

    def run(server, who, *more):
        folder = os.path.join(home, str(who))
        store = os.path.join(folder, ".pki", "nssdb")
        if not os.path.isdir(store):
            os.makedirs(store)
            subprocess.run(["certutil", "-d", "sql:" + store, "-N", "--empty-password"], check=True,
                           capture_output=True)
            if who:
                p12 = os.path.join(folder, "p.p12")
                subprocess.run(["openssl", "pkcs12", "-export", "-in", pages.w.path(who + ".pem"),
                                "-inkey", pages.w.path(who + ".key"), "-out", p12, "-passout",
                                "pass:x"], check=True, capture_output=True)
                subprocess.run(["pk12util", "-d", "sql:" + store, "-i", p12, "-W", "x"], check=True,
                               capture_output=True)
        mount = 'mount -t tmpfs tmpfs /etc/chromium && mkdir %s && cp -r "$1"/* %s/ && shift && ' \
            'exec "$@"' % (POLICIES, POLICIES)
        r = subprocess.run(unshare() + ["sh", "-c", mount, "sh", pages.w.path("policies"),
                            BROWSER, *FLAGS,
                            "--user-data-dir=" + os.path.join(folder, "data"), *more,
                            "https://127.0.0.1:%d/" % pages.port(server)], text=True, timeout=90,
                           capture_output=True, env=dict(os.environ, HOME=folder), check=False)
        return r.stdout
    if not made:
        pytest.skip("Chromium has no folder for policies here")
    return run


@pytest.mark.parametrize("server", ["nginx", "apache"])
@pytest.mark.parametrize("who, status, reason, title", ROWS)
def test_what_the_browser_shows(pages, browser, server, who, status, reason, title):
    if who == "emma":       # Chromium does not offer one that is for mail alone
        _, _, reason, title = ROWS[0]
    shown = browser(server, who, "--dump-dom")
    assert title in shown, shown
    if reason:
        assert "<dd>%s (" % reason in shown
        assert re.search(r"<dd>[0-9a-f]{16}</dd>", shown)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(pages, browser, scheme, tmp_path):
    """As wide as the smallest phones; KEEP_SCREENSHOTS names a folder to look at them."""
    keep = os.environ.get("KEEP_SCREENSHOTS", str(tmp_path))
    picture = os.path.join(keep, scheme + ".png")
    browser("nginx", "bob", "--window-size=500,900", "--screenshot=" + picture,
            *(["--blink-settings=preferredColorScheme=%d" % (scheme == "light")]))
    with open(picture, "rb") as f:
        head = f.read(24)
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
