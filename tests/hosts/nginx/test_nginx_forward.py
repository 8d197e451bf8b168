"""
What an application behind nginx is told, and what a client may not tell it: RFC 9440,
headers that are believed, report-only, CORS preflights. Rows C8 of the bugs of others.
"""

import base64
import http.server
import json
import os
import re
import subprocess
import threading

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from nginx_world import ROOT, V12, V13, Client, plain, until

HTTP = """
    LOG_FORMAT
    server { listen @TLS@ ssl http2; server_name a.test; certauth staff;
        proxy_set_header Client-Cert $certauth_client_cert;
        proxy_set_header Client-Cert-Chain $certauth_client_cert_chain;
        location / { proxy_pass http://127.0.0.1:BACKEND; }
        location /bare { proxy_pass http://127.0.0.1:BACKEND; proxy_set_header X-None ""; }
        location /vars { return 200 "c=[$http_client_cert] u=[$http_remote_user]"; }
        location /open { certauth off; proxy_pass http://127.0.0.1:BACKEND;
            proxy_set_header X-None ""; }
        location /maybe { certauth staff optional; proxy_pass http://127.0.0.1:BACKEND;
            proxy_set_header Client-Cert $certauth_client_cert; }
        location /cors { certauth_preflight allow; proxy_pass http://127.0.0.1:BACKEND;
            proxy_set_header Client-Cert $certauth_client_cert; }
        error_page 495 496 = @why;
        location @why { proxy_pass http://127.0.0.1:BACKEND; proxy_set_header X-Why $certauth_reason; }
    }
    server { listen @TLS@ ssl; server_name log.test; certauth staff;
        access_log @FOLDER@/certauth.json certauth_json; return 200 "logged"; }
    server { listen @TLS@ ssl; server_name report.test; certauth staff; certauth_report quality;
        location / { return 200 "$certauth_reason $certauth_user"; }
        location /quiet { certauth_report off; return 200 "$certauth_user"; }
    }
    server { listen @PLAIN@; server_name plain.test; underscores_in_headers on;
        location / { proxy_pass http://127.0.0.1:BACKEND; }
    }
    server { listen @PLAIN@; server_name behind.test; certauth_inbound keep;
        location / { proxy_pass http://127.0.0.1:BACKEND; }
    }
"""

LIES = [("Client-Cert", ":bGll:"), ("client-cert-chain", ":bGll:"), ("X-SSL-Client-Verify", "SUCCESS"),
        ("Remote-User", "root"), ("X-Remote-User", "root"), ("Certauth-User", "root"),
        ("X-Client-Cert", "lie"), ("CLIENT-CERT", "again"), ("X-Certauth-Groups", "wheel")]
TRUE = [("X-First", "1"), ("Client-Certificate-Not", "kept"), ("X-Last", "2")]


class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"path": self.path, "headers": [[k.lower(), v] for k, v in
                                                          self.headers.items()]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_OPTIONS = do_GET

    def log_message(self, *_):
        pass


def log_format():
    """What docs/forecast.md tells people to write."""
    with open(os.path.join(ROOT, "docs", "forecast.md"), encoding="utf-8") as f:
        return re.search(r"log_format certauth_json .*?';\n", f.read(), re.S)[0]


@pytest.fixture(scope="module")
def site(shared_world):
    backend = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=backend.serve_forever, daemon=True).start()
    n = shared_world.nginx(HTTP.replace("LOG_FORMAT", log_format()).replace("BACKEND", str(backend.server_address[1])))
    with n:
        n.world = shared_world
        yield n
    backend.shutdown()


def get(site, who, path="/", headers=(), tls=V13, **more):
    return Client(site.world, who, tls).get(site.port["TLS"], path, "a.test", headers=headers, **more)


def told(response):
    assert response.status == 200, response
    return {k: v for k, v in json.loads(response.body)["headers"]}


def der(cert):
    return cert.cert.public_bytes(Encoding.DER) if hasattr(cert, "cert") else cert.der


@pytest.mark.parametrize("tls", [V12, V13], ids=["1.2", "1.3"])
def test_c8_83_rfc_9440_byte_exact(site, tls):
    """The leaf and the validated path, whatever was sent beside it."""
    w = site.world
    for chain in (True, False):
        h = told(Client(w, "alice", tls, chain=chain).get(site.port["TLS"], "/", "a.test"))
        want = [":%s:" % base64.b64encode(der(c)).decode() for c in (w.certs["alice"], w.ca, w.root)]
        assert h["client-cert"] == want[0]
        assert h["client-cert-chain"] == ", ".join(want[1:])
    resumed = Client(w, "alice", tls)
    resumed.get(site.port["TLS"], "/", "a.test")
    h = told(resumed.get(site.port["TLS"], "/", "a.test", resume=True))
    assert h["client-cert"] == want[0] and h["client-cert-chain"] == ", ".join(want[1:])


def test_c8_82_lies_of_an_accepted_client(site):
    h = told(get(site, "alice", headers=LIES + TRUE))
    assert h["client-cert"].startswith(":MII") and "bGll" not in str(h) and "root" not in str(h)
    for path in ("/bare", "/open"):
        h = told(get(site, "alice", path, headers=TRUE[:1] + LIES + TRUE[1:]))
        assert not {k.lower() for k, _ in LIES} & set(h), path
        assert all(h[k.lower()] == v for k, v in TRUE), path
    assert get(site, "alice", "/vars", headers=LIES).body == "c=[] u=[]"


def test_c8_82_lies_beside_many_headers(site):
    """nginx keeps headers in pieces of twenty; each place in them is emptied."""
    for n in (0, 1, 18, 19, 20, 21, 39, 40, 41):
        fill = [("X-Fill-%d" % i, "v%d" % i) for i in range(n)]
        h = told(get(site, "alice", "/bare", headers=fill + LIES + TRUE + LIES))
        assert not {k.lower() for k, _ in LIES} & set(h), n
        assert all(h[k.lower()] == v for k, v in fill + TRUE), n
        # alternately
        mixed = [x for pair in zip(fill, LIES * 5) for x in pair]
        h = told(get(site, "alice", "/bare", headers=mixed))
        assert not {k.lower() for k, _ in LIES} & set(h), n


def test_c8_82_lies_on_refused_requests(site):
    """The error page is an application's too."""
    for who in (None, "rita", "mallory"):
        r = get(site, who, headers=LIES + TRUE)
        h = told(r)
        assert h["x-why"] in ("no-certificate", "revoked", "no-path")
        assert not {k.lower() for k, _ in LIES} & set(h), who
        h = told(get(site, who, "/maybe", headers=LIES))
        assert "client-cert" not in h and "root" not in str(h)


def test_c8_82_lies_without_tls(site):
    """Also where no profile is, and with the other spelling that CGI folds."""
    lies = LIES + [("Client_Cert", "lie"), ("REMOTE_USER", "root")]
    h = told(plain(site.port["PLAIN"], "/", "plain.test", lies + TRUE))
    assert not {k.lower() for k, _ in lies} & set(h)
    assert h["x-first"] == "1" and h["x-last"] == "2"
    h = told(plain(site.port["PLAIN"], "/", "behind.test", LIES))
    assert h["client-cert-chain"] == ":bGll:"       # by its configuration's own word


PREFLIGHT = [("Origin", "https://x.example"), ("Access-Control-Request-Method", "PUT")]


def test_cors_preflight(site):
    h = told(get(site, None, "/cors", headers=PREFLIGHT + LIES, method="OPTIONS"))
    assert "client-cert" not in h and "root" not in str(h)
    # nobody else, and nowhere else
    for method, headers, path in (("GET", PREFLIGHT, "/cors"), ("OPTIONS", PREFLIGHT[:1], "/cors"),
                                  ("OPTIONS", PREFLIGHT[1:], "/cors"), ("OPTIONS", PREFLIGHT, "/")):
        h = told(get(site, None, path, headers=headers, method=method))
        assert h["x-why"] == "no-certificate", (method, headers, path)
    # a bad certificate is no missing one
    h = told(get(site, "rita", "/cors", headers=PREFLIGHT, method="OPTIONS"))
    assert h["x-why"] == "revoked"


def report(site, who, path="/", times=1):
    site.clear_log()
    client = Client(site.world, who)
    with client.connect(site.port["TLS"], "report.test") as c:
        for _ in range(times):
            r = c.request(path, "report.test")
    return r


def test_report_changes_nothing_and_says_so_once(site):
    r = report(site, "bob", times=3)                # has no policy, so `quality` would refuse
    assert (r.status, r.body) == (200, "ok bob")
    site.wait_log("report: profile quality would say REJECT 1209 policy-required")
    assert site.log().count("certauth: report:") == 1
    assert 'in force is ok with user "bob"' in site.log()


@pytest.mark.parametrize("who, path", [("alice", "/"), ("rita", "/"), (None, "/"), ("bob", "/quiet")])
def test_report_is_silent_when_both_agree(site, who, path):
    r = report(site, who, path)
    assert r.status == (200 if who in ("alice", "bob") else 400)
    assert "report:" not in site.log()


def test_report_of_a_profile_that_is_not_there(world):
    n = world.nginx("server { listen @TLS@ ssl; certauth staff; certauth_report qualty; }")
    status, said = n.check()
    assert status != 0 and 'no profile "qualty"' in said


def test_forecast_reads_our_log(site):
    """People who came, from the log of decisions that the documentation gives."""
    for who in ("alice", "bob", "rita", None):
        Client(site.world, who).get(site.port["TLS"], "/", "log.test")
    log = os.path.join(site.folder, "certauth.json")
    assert until(lambda: len(open(log, encoding="utf-8").readlines()) == 4)
    p = subprocess.run([os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth"),
                        "forecast", "--json", "--config", site.world.path("certauth.conf"),
                        "--profile", "staff", "--until", "2100-01-01", log],
                       stdout=subprocess.PIPE, check=False, timeout=60)
    got = {(r["email"], r["reason"], r["user"]) for r in json.loads(p.stdout)["rows"]}
    assert got == {("alice@example.com", "expired", "alice"), ("bob@example.com", "expired", "bob"),
                   ("rita@example.com", "revoked", "")}
