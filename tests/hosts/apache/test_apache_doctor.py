"""
`certauth check --server apache`: each fault is found in the file and line where it
stands, and the near miss is not. The real httpd says which files it reads.
"""

import json
import os
import re
import subprocess

import pytest

import pki
from apache_world import ROOT, basic
from passed_on import Backend

COMMAND = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")
TLS = "SSLProtocol -all +TLSv1.2 +TLSv1.3\n"


def doctor(s, *parts, main=""):
    """(exit status, what is said of httpd) of a configuration."""
    s.conf(s.main(main) + "".join(parts))
    r = subprocess.run([COMMAND, "check", "--json", "--server", "apache", "--server-config",
                        s.conf_file], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                       timeout=120)
    assert r.stdout, r.stderr
    lines = json.loads(r.stdout)["lines"]
    return r.returncode, [x for x in lines if x["user"] == "apache"]


def place(s, mark, name=None):
    path = name or s.conf_file
    with open(path, encoding="utf-8") as f:
        return path, [i for i, line in enumerate(f, 1) if line.strip().startswith(mark)][-1]


def test_the_good_one_is_clean_and_lets_people_in(site):
    body = TLS + "CertAuthProfile staff"
    assert doctor(site, site.vhost(body)) == (0, [])
    site.start()
    assert site.get(who="alice").status == 200
    assert site.get(who="revoked").status == 403


def test_our_example_is_clean(site):
    with open(os.path.join(ROOT, "conf-examples", "apache-vhost.conf"), encoding="utf-8") as f:
        text = f.read()
    w = site.world
    for old, new in (("/etc/certauth/certauth.conf", w.path("certauth.conf")),
                     ("*:443", "127.0.0.1:%d" % site.tls_port),
                     ("${APACHE_LOG_DIR}", site.path("logs")), ("admin\n", "first\n"),
                     ("/etc/ssl/certs/www.example.com.pem", w.path("server.pem")),
                     ("/etc/ssl/private/www.example.com.key", w.path("server.key"))):
        assert old in text
        text = text.replace(old, new)
    site.main = lambda extra="": "Listen 127.0.0.1:%d\n" % site.tls_port
    assert doctor(site, text) == (0, [])


def test_our_package_is_clean(site):
    """Beside Debian's ssl.conf, which offers TLS 1.0 and 1.1."""
    with open(os.path.join(ROOT, "modules", "debian", "apache", "certauth.conf"),
              encoding="utf-8") as f:
        text = f.read()
    w = site.world
    for old, new in (("*:443", "127.0.0.1:%d" % site.tls_port),
                     ("${APACHE_LOG_DIR}", site.path("logs")),
                     ("/etc/ssl/certs/ssl-cert-snakeoil.pem", w.path("server.pem")),
                     ("/etc/ssl/private/ssl-cert-snakeoil.key", w.path("server.key"))):
        assert old in text
        text = text.replace(old, new)
    assert doctor(site, text, main="SSLProtocol all -SSLv3") == (0, [])


# name: (severity, the line, words of what is said, of the host, near miss)
FAULTS = {
    "CRL file": ("fault", "SSLCARevocationFile", "does nothing", "SSLCARevocationFile @W@/root.crl",
                 "#SSLCARevocationFile @W@/root.crl"),
    "OCSP": ("fault", "SSLOCSPEnable", "does nothing", "SSLOCSPEnable on", "SSLOCSPEnable off"),
    "OCSP where a module is": (
        "fault", "SSLOCSPEnable", "does nothing",
        "<IfModule mod_ssl.c>\n<IfModule !no_such_module>\nSSLOCSPEnable on\n</IfModule>\n"
        "</IfModule>",
        "<IfModule !mod_ssl.c>\n<IfModule ssl_module>\nSSLOCSPEnable on\n</IfModule>\n</IfModule>"),
    "renegotiation": ("warning", "SSLOptions", "OptRenegotiate", "SSLOptions +OptRenegotiate",
                      "SSLOptions -OptRenegotiate"),
    "old TLS by name": ("fault", "SSLProtocol +TLSv1", "RFC 8996", "SSLProtocol +TLSv1 +TLSv1.2",
                        "SSLProtocol all -SSLv3 -TLSv1 -TLSv1.1"),
    "old TLS by all": ("warning", "SSLProtocol all", "RFC 8996", "SSLProtocol all -SSLv3",
                       "SSLProtocol all -SSLv3 -TLSv1 -TLSv1.1"),
    "Authorization passed on": (
        "warning", "ProxyPass", "Authorization", "ProxyPass /app/ http://127.0.0.1:9/",
        "ProxyPass /app/ http://127.0.0.1:9/\nRequestHeader unset Authorization"),
    "names without those that issue": (
        "warning", "CertAuthNames", "miss 1 CAs that issue for profile \"staff\", such as "
        "CN=Test Issuing CA", "CertAuthNames anchors", "CertAuthNames @W@/issuing.pem"),
    "names for mod_ssl": ("warning", "SSLCADNRequestFile", "not offered to clients",
                          "SSLCADNRequestFile @W@/root.pem", "CertAuthNames none"),
    "tickets": ("warning", "SSLSessionTicketKeyFile", "memory it has given back",
                "SSLSessionTicketKeyFile @W@/ticket.key", "SSLSessionTickets off"),
    "depth": ("warning", "SSLVerifyDepth", "does nothing", "SSLVerifyDepth 3", ""),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_and_near_miss(make_site, name):
    severity, mark, words, bad, near = FAULTS[name]
    site = make_site(modules=["proxy", "proxy_http"])
    with open(site.world.path("ticket.key"), "wb") as f:
        f.write(bytes(48))
    bad, near = (t.replace("@W@", site.world.folder) for t in (bad, near))
    status, said = doctor(site, site.vhost(TLS + "CertAuthProfile staff\n" + bad))
    assert len(said) == 1 and words in said[0]["text"], said
    assert said[0]["severity"] == severity and said[0]["remedy"]
    assert (said[0]["file"], said[0]["line"]) == place(site, mark)
    assert status == (1 if severity == "fault" else 0)
    assert doctor(site, site.vhost(TLS + "CertAuthProfile staff\n" + near)) == (0, [])
    # beside a host without a profile it is httpd's own business
    assert doctor(site, site.vhost(TLS + "CertAuthProfile staff"),
                  site.vhost(bad, name="other.test")) == (0, [])


PROXIES = ["proxy", "proxy_http", "proxy_fcgi", "proxy_scgi", "proxy_uwsgi", "proxy_ajp"]
WITH_LAST = "RequestHeader set X-Last the-end\n"


@pytest.mark.parametrize("line,passed", [
    ("ProxyPass /app/ http://HERE/", True), ("ProxyPass /app/ fcgi://HERE/", False),
    ("ProxyPass /app/ scgi://HERE/", False), ("ProxyPass /app/ uwsgi://HERE/", True),
    ("ProxyPass /app/ ajp://HERE/", True),
    ("<Location /app>\nProxyPass http://HERE/\n</Location>", True),
    ("<Location /app>\nSetHandler \"proxy:http://HERE/\"\n</Location>", True),
    ("<Location /app>\nSetHandler \"proxy:fcgi://HERE/\"\n</Location>", False),
    ("RewriteEngine on\nRewriteRule ^/app/(.*) http://HERE/$1 [L,P]", True),
    ("RewriteEngine on\nRewriteRule ^/app/(.*) fcgi://HERE/$1 [P]", False),
    ("ProxyPass /app/ fcgi://HERE/\n<Location /app>\nCGIPassAuth on\n</Location>", True),
    ("ProxyPass /app/ fcgi://HERE/\nSetEnvIf Authorization (.*) HTTP_AUTHORIZATION=$1", True),
    ("ProxyPass /app/ fcgi://HERE/\nRewriteEngine on\n"
     "RewriteRule .* - [E=HTTP_AUTHORIZATION:%{HTTP:Authorization}]", True)])
def test_what_httpd_really_passes_on(make_site, line, passed):
    """The doctor's opinion and httpd's deeds."""
    b, site = Backend(), make_site(modules=PROXIES)
    body = TLS + "CertAuthProfile staff\n" + WITH_LAST + line.replace(
        "HERE", "127.0.0.1:%d" % b.port) + "\n"
    status, said = doctor(site, site.vhost(body))
    assert status == 0 and len(said) == passed, said
    assert not passed or "Authorization" in said[0]["text"]
    site.start()
    site.get("/app/x", who="alice", headers=[basic("eve", "xyzzy")])
    got = b.all()
    assert b"the-end" in got and (b"ZXZlOnh5enp5" in got) == passed, got


def test_names_that_are_too_many(make_site, world):
    """Twenty CAs with long names; none has anything to do with the tests' people."""
    many = [pki.CA("%d " % i + "x" * 900) for i in range(20)]
    with open(world.path("many.pem"), "wb") as f:
        for ca in many:
            f.write(ca.pem)
    policy = world.policy(name="many.conf", profiles=(
        "many: { authorities = [ \"many\" ]; };"))
    with open(policy, encoding="utf-8") as f:
        text = f.read()
    world.text("many.conf", text.replace("authorities: {", "authorities: { many: { anchors = "
                                         "[ \"many.pem\" ]; revocation: { check = \"none\"; }; };",
                                         1))
    site = make_site()
    site.conf(site.main().replace(world.folder + "/certauth.conf", policy)
              + site.vhost(TLS + "CertAuthProfile many"))
    site.main = lambda extra="": ""
    with open(site.conf_file, encoding="utf-8") as f:
        whole = f.read()
    for more, found in (("", 1), ("CertAuthNames none", 0)):
        site.conf(whole.replace("CertAuthProfile many", "CertAuthProfile many\n" + more), bare=True)
        r = subprocess.run([COMMAND, "check", "--json", "--server", "apache", "--server-config",
                            site.conf_file], stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, timeout=120)
        said = [x for x in json.loads(r.stdout)["lines"] if x["user"] == "apache"]
        assert len(said) == found, said
        assert not found or "names of 20 CAs take" in said[0]["text"]


def test_of_the_main_server(site):
    status, said = doctor(site, site.vhost(TLS + "<Location /x>\nCertAuthProfile staff\n"
                                           "</Location>"), main="SSLOCSPEnable leaf")
    assert status == 1 and len(said) == 1
    assert (said[0]["file"], said[0]["line"]) == place(site, "SSLOCSPEnable")


def test_host_without_tls(site):
    body = site.vhost(TLS + "CertAuthProfile staff")
    status, said = doctor(site, body, site.vhost("CertAuthProfile staff", ssl=False))
    assert status == 0 and len(said) == 1 and "without TLS" in said[0]["text"]
    assert said[0]["line"] == place(site, "<VirtualHost 127.0.0.1:%d>" % site.plain_port)[1]
    assert doctor(site, body, site.vhost("CertAuthProfile off", ssl=False),
                  main="<Location />\nCertAuthProfile staff\n</Location>") == (0, [])


def test_in_an_included_file(site):
    name = site.write("parts/a.conf", "# a comment\n\nSSLOCSPEnable \\\n  on\n")
    status, said = doctor(site, site.vhost(TLS + "CertAuthProfile staff\nIncludeOptional "
                                           + site.path("parts") + "/*.conf"))
    assert status == 1 and [(x["file"], x["line"]) for x in said] == [(name, 4)], said


def test_nowhere_in_force_and_not_loaded(site, make_site):
    status, said = doctor(site, site.vhost(TLS + "CertAuthProfile off"))
    assert status == 1 and len(said) == 1 and "nobody is asked" in said[0]["text"]
    bare = make_site()
    bare.module = ""
    status, said = doctor(bare, bare.vhost(TLS))
    assert status == 1 and "CertAuthConfig" in said[0]["text"], said
    assert said[0]["remedy"] == "a2enmod certauth"
    bare.main = lambda extra="": "Listen 127.0.0.1:%d\n" % bare.plain_port
    status, said = doctor(bare)
    assert status == 1 and [x["text"] for x in said] == ["mod_certauth is not loaded"]


def test_what_httpd_refuses(site):
    status, said = doctor(site, site.vhost(TLS + "CertAuthProfile stuff"))
    assert status == 1 and "stuff" in said[0]["text"], said
    assert (said[0]["file"], said[0]["line"]) == place(site, "CertAuthProfile stuff")
    status, said = doctor(site, site.vhost("NoSuchDirective x"))
    assert status == 1 and "NoSuchDirective" in said[0]["text"]
    assert (said[0]["file"], said[0]["line"]) == place(site, "NoSuchDirective")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_the_children_cannot_read(site):
    """The policy is the one that httpd's configuration names."""
    policy = site.world.policy(name="closed.conf")
    os.chmod(policy, 0o600)
    site.conf(site.main().replace(site.world.folder + "/certauth.conf", policy)
              + site.vhost(TLS + "CertAuthProfile staff"))
    r = subprocess.run([COMMAND, "check", "--server", "apache", "--server-config",
                        site.conf_file], stdin=subprocess.DEVNULL, capture_output=True,
                       text=True, timeout=120)
    assert r.returncode == 1
    assert re.search("^fault   www-data: .*" + re.escape(policy), r.stdout, re.M), r.stdout
