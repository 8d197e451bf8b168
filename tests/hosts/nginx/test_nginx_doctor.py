"""
`certauth check --server nginx`: each fault is found in the file and line where it
stands, and the near miss is not. The real nginx says what it would run.
"""

import json
import os
import re
import subprocess

import pytest

from nginx_server import ROOT
from nginx_world import Client, basic
from passed_on import Backend

COMMAND = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")
LISTEN = "listen @TLS@ ssl; server_name a.test; "
GOOD = "server { " + LISTEN + "certauth staff; location / { return 200 ok; } }"


def doctor(n, *more):
    """(exit status, what is said of the server) of nginx n's configuration."""
    n.prepare()
    r = subprocess.run([COMMAND, "check", "--json", "--server", "nginx", "--server-config",
                        n.conf_file, *more], stdin=subprocess.DEVNULL, capture_output=True,
                       text=True, timeout=120)
    assert r.stdout, r.stderr
    lines = json.loads(r.stdout)["lines"]
    return r.returncode, [x for x in lines if x["user"] == "nginx"]


def place(n, mark):
    """file and line of a text in nginx.conf"""
    with open(n.conf_file, encoding="utf-8") as f:
        for i, line in enumerate(f, 1):
            if mark in line:
                return n.conf_file, i
    raise AssertionError(mark + " is not in nginx.conf")


def test_the_good_one_is_clean_and_lets_people_in(shared_world):
    n = shared_world.nginx(GOOD, "clean")
    assert doctor(n) == (0, [])
    with n:
        assert Client(shared_world, "alice").get(n.port["TLS"]).status == 200
        assert Client(shared_world, "rita").get(n.port["TLS"]).status == 400


def test_our_example_is_clean(shared_world):
    with open(os.path.join(ROOT, "conf-examples", "nginx-http.conf"), encoding="utf-8") as f:
        text = f.read()
    for old, new in (("/etc/certauth/certauth.conf", shared_world.path("certauth.conf")),
                     ("listen 443", "listen @TLS@"), ("/var/log/nginx", "@FOLDER@"),
                     ("/etc/ssl/certs/www.example.com.pem", shared_world.path("server.pem")),
                     ("/etc/ssl/private/www.example.com.key", shared_world.path("server.key"))):
        assert old in text
        text = text.replace(old, new)
    n = shared_world.nginx("", "example")
    n.http = text
    assert doctor(n) == (0, [])


def test_our_package_is_clean(shared_world):
    """Inside of Debian's nginx.conf, which offers TLS 1.0 and 1.1."""
    with open(os.path.join(ROOT, "modules", "debian", "nginx", "certauth"),
              encoding="utf-8") as f:
        text = f.read()
    for old, new in (("listen 443", "listen @TLS@"), ("    listen [::]:443 ssl;\n", ""),
                     ("include snippets/snakeoil.conf;", "")):
        assert old in text
        text = text.replace(old, new)
    n = shared_world.nginx(text, "package")
    n.http = n.http.replace("ssl_protocols TLSv1.2", "ssl_protocols TLSv1 TLSv1.1 TLSv1.2", 1)
    assert doctor(n) == (0, [])


# name: (severity, the line, words of what is said, text of the server, near miss)
FAULTS = {
    "ssl_crl": (
        "fault", "ssl_crl /", "ssl_crl does nothing",
        "server { " + LISTEN + "certauth staff; ssl_client_certificate @W@/root.pem;\n"
        "ssl_crl @W@/crls/root.crl;\n }",
        # not under a profile: nginx's own check, which does bite
        GOOD + "server { listen @TLS@ ssl; server_name b.test; ssl_verify_client on;\n"
        "ssl_client_certificate @W@/root.pem;\nssl_crl @W@/crls/root.crl;\n }"),
    "ssl_crl of http, profile in a location": (
        "fault", "ssl_crl /", "ssl_crl does nothing",
        "ssl_client_certificate @W@/root.pem;\nssl_crl @W@/crls/root.crl;\n"
        "server { " + LISTEN + "location /x/ { certauth staff; } }", GOOD),
    "TLS 1.0 by name": (
        "fault", "TLSv1 TLSv1.2", "RFC 8996",
        "server { " + LISTEN + "certauth staff;\nssl_protocols TLSv1 TLSv1.2;\n }",
        GOOD + "server { listen @TLS@ ssl; server_name b.test;\nssl_protocols TLSv1 TLSv1.2;\n }"),
    "early data": (
        "warning", "ssl_early_data on", "replayed",
        "server { " + LISTEN + "certauth staff;\nssl_early_data on;\n }",
        "server { " + LISTEN + "certauth staff;\nssl_early_data off;\n }"),
    "plain listener": (
        "warning", "listen @PLAIN@", "plain listener",
        "server { " + LISTEN + "certauth staff;\nlisten @PLAIN@;\n }",
        GOOD + "server {\nlisten @PLAIN@;\n server_name a.test; return 301 https://a.test/; }"),
    "Authorization passed on": (
        "warning", "proxy_pass", "Authorization",
        "server { " + LISTEN + "certauth staff; proxy_set_header Authorization \"\";\n"
        "location / { proxy_set_header X-A b;\nproxy_pass http://127.0.0.1:9;\n } }",
        "server { " + LISTEN + "certauth staff; proxy_set_header authorization \"\";\n"
        "location / {\nproxy_pass http://127.0.0.1:9;\n }\nlocation /open/ { certauth off;\n"
        "proxy_set_header X-A b;\nproxy_pass http://127.0.0.1:9;\n } }"),
    "names without those that issue": (
        "warning", "certauth_names anchors", "miss 1 CAs that issue for profile \"staff\", such "
        "as CN=Test Issuing CA", "server { " + LISTEN + "certauth staff;\n"
        "certauth_names anchors;\n }",
        "server { " + LISTEN + "certauth staff; certauth_names none; }"),
    "a file of names without those that issue": (
        "warning", "certauth_names @W@/root.pem", "miss 1 CAs",
        "server { " + LISTEN + "location / { certauth staff; }\ncertauth_names @W@/root.pem;\n }",
        "server { " + LISTEN + "certauth staff;\ncertauth_names ../issuers.pem;\n }"),
    "no such profile": (
        "fault", "certauth stuff", 'no profile "stuff"',
        "server { " + LISTEN + "\ncertauth stuff;\n }", GOOD),
    "nginx's own check beside ours": (
        "fault", "server_name c.test", "ssl_verify_client on",
        "server { listen @TLS@ ssl; certauth staff;\nssl_client_certificate @W@/root.pem; "
        "ssl_verify_client on; server_name c.test;\n }", GOOD),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_and_near_miss(shared_world, name):
    severity, mark, words, bad, near = FAULTS[name]
    sub = re.sub(r"\W", "", name)
    n = shared_world.nginx(bad.replace("@W@", shared_world.folder), "bad" + sub)
    status, said = doctor(n)
    found = [x for x in said if words in x["text"]]
    assert len(found) == 1, said
    assert found[0]["severity"] == severity and found[0]["remedy"]
    if name != "nginx's own check beside ours":     # nginx tells where the server begins
        assert (found[0]["file"], found[0]["line"]) == place(
            n, n.fill(mark.replace("@W@", shared_world.folder)))
    assert status == (1 if severity == "fault" else 0)
    n = shared_world.nginx(near.replace("@W@", shared_world.folder), "near" + sub)
    assert doctor(n) == (0, [])


@pytest.mark.parametrize("kind,to,extra,passed", [
    ("proxy_pass", "http://", "", True),
    ("proxy_pass", "http://", "proxy_pass_request_headers off; proxy_set_header X the-end;", False),
    ("proxy_pass", "http://", "proxy_set_header Authorization '';", False),
    ("fastcgi_pass", "", "fastcgi_param X x;", True),
    ("fastcgi_pass", "", "fastcgi_param HTTP_AUTHORIZATION '';", False),
    ("fastcgi_pass", "", "fastcgi_pass_request_headers off; fastcgi_param X the-end;", False),
    ("uwsgi_pass", "", "", True),
    ("uwsgi_pass", "", "uwsgi_param HTTP_AUTHORIZATION '';", False),
    ("scgi_pass", "", "", True),
    ("scgi_pass", "", "scgi_param HTTP_AUTHORIZATION '';", False)])
def test_what_nginx_really_passes_on(shared_world, kind, to, extra, passed):
    """The doctor's opinion and nginx's deeds."""
    b = Backend()
    n = shared_world.nginx("server { %scertauth staff; location / { %s\n%s %s127.0.0.1:%d; } }"
                           % (LISTEN, extra, kind, to, b.port), "pass%d" % b.port)
    with n:
        Client(shared_world, "alice").get(n.port["TLS"], headers=[
            basic("eve", "xyzzy"), ("X-Last", "the-end")])
    got = b.all()
    assert b"the-end" in got and (b"ZXZlOnh5enp5" in got) == passed
    status, said = doctor(n)
    assert status == 0 and len(said) == passed, said
    if passed:
        assert "Authorization" in said[0]["text"] and kind[:4] in said[0]["remedy"]
        assert (said[0]["file"], said[0]["line"]) == place(n, kind + " ")


def test_nowhere_in_force(shared_world):
    n = shared_world.nginx("server { " + LISTEN + "certauth off; return 200; }", "off")
    status, said = doctor(n)
    assert status == 1 and "nobody is asked" in said[0]["text"]


def test_not_loaded(shared_world):
    n = shared_world.nginx(GOOD, "unloaded", module=False)
    status, said = doctor(n)
    # without the module our directives are unknown words to nginx
    assert status == 1 and 'unknown directive "certauth_config"' in said[0]["text"]
    assert "load_module" in said[0]["remedy"]
    n = shared_world.nginx("", "stock", module=False)
    n.conf = "events { }\nhttp { server { listen @PLAIN@; } }\n"
    status, said = doctor(n)
    assert status == 1 and "not loaded" in said[0]["text"]


def test_in_an_included_file(shared_world):
    """Named is the file where it stands; what is around the include counts."""
    n = shared_world.nginx("server { " + LISTEN + "certauth staff;\ninclude parts/*.conf;\n }",
                           "included")
    parts = shared_world.path("included/parts")
    os.makedirs(parts)
    with open(parts + "/a.conf", "w", encoding="utf-8") as f:
        f.write("# nothing but \"a comment {\n\nlocation ~ \"^/x{2}\" { return 200 '}'; }\n")
    with open(parts + "/b.conf", "w", encoding="utf-8") as f:
        f.write("set $x \"${host}\";\n\nssl_protocols\n  TLSv1.1;\n")
    status, said = doctor(n)
    assert status == 1
    assert [(x["file"], x["line"]) for x in said] == [(parts + "/b.conf", 3)], said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_the_workers_cannot_read(world):
    os.chmod(world.path("people.map"), 0o600)
    n = world.nginx(GOOD)
    n.prepare()
    r = subprocess.run([COMMAND, "check", "--server", "nginx", "--server-config", n.conf_file],
                       stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert r.returncode == 1
    assert re.search("^fault   www-data: .*people.map", r.stdout, re.M), r.stdout


def test_a_program_that_is_not_there(tmp_path):
    r = subprocess.run([COMMAND, "check", "--server", "nginx", "--server-binary",
                        str(tmp_path / "none")], stdin=subprocess.DEVNULL, capture_output=True,
                       text=True, timeout=60)
    assert r.returncode == 2 and "cannot be started" in r.stderr and r.stdout == ""


def test_hostile_words_of_a_program(tmp_path):
    """Whatever stands in for nginx: its bytes do not reach the terminal."""
    fake = tmp_path / "nginx"
    fake.write_text("#!/bin/sh\nprintf 'nginx: [emerg] a\\033[2Jb\\n' >&2\nexit 1\n")
    fake.chmod(0o755)
    r = subprocess.run([COMMAND, "check", "--server", "nginx", "--server-binary", str(fake)],
                       stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert r.returncode == 1 and "\x1b" not in r.stdout and "a\\x1b[2Jb" in r.stdout
