"""
`certauth init --server apache`: what it prints is pasted behind a configuration that knew
nothing of certauth; check finds it clean, httpd takes it, people log in.
"""

import json
import re
import subprocess

from test_apache_doctor import COMMAND, doctor


def init(site, *more, profile="staff"):
    return subprocess.run([COMMAND, "init", "--server", "apache", "--profile", profile,
                           "--server-config", site.conf_file, *more], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120)


def stock(site):
    """One host with TLS, as a machine may have it."""
    site.module = ""
    site.main = lambda extra="": "Listen 127.0.0.1:%d\n" % site.plain_port
    before = site.main() + site.vhost("", name="old.test").replace(
        str(site.tls_port), str(site.plain_port))
    site.conf(before)
    return before


def test_paste_check_log_in(site):
    before = stock(site)
    conf = "--config", site.world.path("certauth.conf")
    r = init(site, "--json", *conf)
    assert r.returncode == 0, r.stderr
    said = json.loads(r.stdout)
    text = said["parts"][0]["text"]
    assert len(said["parts"]) == 1 and text in init(site, *conf).stdout
    assert "SSLCertificateFile %s\n" % site.world.path("server.pem") in text
    assert "Listen 443\n" in text and "CertAuthConfig" in text
    text = text.replace("Listen 443", "Listen 127.0.0.1:%d" % site.tls_port) \
        .replace("*:443", "127.0.0.1:%d" % site.tls_port)
    site.main = lambda extra="": ""
    assert doctor(site, before, text) == (0, [])
    site.start()
    for who, status in (("alice", 200), ("revoked", 403), (None, 403)):
        assert site.get(who=who).status == status, who
    assert site.wait_log('ACCEPT 1000 ok user="alice"')
    # the page is HTML, and part of what is said comes out of the certificate
    site.world.add("tricky", email='"<b>tricky</b>"@example.com')
    answer = site.get(who="tricky")
    assert answer.status == 403 and "<b>tricky" not in answer.body \
        and "no-user" in answer.body, answer.body

    # what is there is not said again; without rules there is no user
    again = json.loads(init(site, "--json", profile="anyone").stdout)["parts"][0]["text"]
    for word in ("LoadModule", "CertAuthConfig", "Require"):
        assert word in text and word not in again


def test_what_stays_open_is_told(site):
    """The same folder without a certificate; another host of that name."""
    before = stock(site)
    conf = "--config", site.world.path("certauth.conf")
    text = json.loads(init(site, "--json", *conf).stdout)["parts"][0]["text"]
    host = re.search(r"ServerName (\S+)\n", text).group(1)
    assert "has this name" not in text
    assert "the main server serves this folder to everybody" in text
    with open(site.conf_file, encoding="utf-8") as f:
        root = re.search(r"^DocumentRoot (.*)$", f.read(), re.M).group(1)
    site.conf(before.replace("ServerName old.test", "ServerName " + host)
              + "<VirtualHost 127.0.0.1:%d>\nDocumentRoot %s\n</VirtualHost>\n"
              % (site.plain_port, root))
    text = json.loads(init(site, "--json", *conf).stdout)["parts"][0]["text"]
    assert text.count("has this name, too") == 1
    found = re.findall(r"# Careful: (.*) serves this folder to everybody", text)
    assert len(found) == 2 and site.conf_file in found[1], text


def test_without_mod_ssl(make_site):
    site = make_site(without=["ssl"])
    site.module = ""
    site.conf("Listen 127.0.0.1:%d\n" % site.plain_port, bare=False)
    with open(site.conf_file, encoding="utf-8") as f:
        text = f.read()
    site.conf(text.replace("SSLSessionCache", "#SSLSessionCache"), bare=True)
    r = init(site, "--config", site.world.path("certauth.conf"))
    assert r.returncode == 2 and "a2enmod ssl" in r.stderr and r.stdout == ""
