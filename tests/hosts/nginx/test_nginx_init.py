"""
`certauth init --server nginx`: what it prints is pasted into a configuration that knew
nothing of certauth; check finds it clean, nginx takes it, people log in.
"""

import json
import os
import re
import shutil
import subprocess

from nginx_server import ROOT
from nginx_world import Client
from test_nginx_doctor import COMMAND, doctor

# As a machine may have it: one site, with TLS, and a folder of pages.
BEFORE = """
    root @FOLDER@/html;
    server { listen @PLAIN@; }
    server { listen @TLS@ ssl; server_name old.test; ssl_certificate %s;
             ssl_certificate_key %s; ssl_protocols TLSv1.2 TLSv1.3; }
"""


def init(n, *more, profile="staff"):
    n.prepare()
    return subprocess.run([COMMAND, "init", "--server", "nginx", "--profile", profile,
                           "--server-config", n.conf_file, *more], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120)


def stock(world, sub="init"):
    n = world.nginx("", sub, module=False)
    n.http = BEFORE % (world.path("server.pem"), world.path("server.key"))
    os.makedirs(os.path.join(n.folder, "html"))
    with open(os.path.join(n.folder, "html", "index.html"), "w", encoding="ascii") as f:
        f.write("a page\n")
    return n


def test_paste_check_log_in(shared_world):
    w = shared_world
    n = stock(w)
    conf = "--config", w.path("certauth.conf")
    r = init(n, "--json", *conf)
    assert r.returncode == 0, r.stderr
    said = json.loads(r.stdout)
    first, second = said["parts"]
    assert "on top of " + n.conf_file in first["where"] and "http { }" in second["where"]
    text = init(n, *conf).stdout
    assert first["text"] in text and second["text"] in text and said["then"] in text
    assert "ssl_certificate %s;" % w.path("server.pem") in second["text"]

    n.http += second["text"].replace("listen 443 ssl", "listen @TLS@ ssl") \
        .replace("server_name ", "server_name new.test ")
    n.conf = first["text"] + n._configuration()
    assert doctor(n) == (0, [])
    with n:
        for who, status in (("alice", 200), ("rita", 403), (None, 403)):
            r = Client(w, who).get(n.port["TLS"], sni="new.test")
            assert r.status == status, (who, r)
        assert Client(w, None).get(n.port["TLS"], sni="old.test").status == 200
        n.wait_log('ACCEPT 1000 ok user="alice"')

    # what is there is not said again
    said = json.loads(init(n, "--json").stdout)
    assert [p["where"] for p in said["parts"]] == [second["where"]]
    assert "certauth_config" not in said["parts"][0]["text"]
    assert said["policy"] == w.path("certauth.conf")


def test_what_stays_open_is_told(shared_world):
    """The same folder by plain HTTP; a server of that name, which nginx takes instead."""
    w = shared_world
    n = stock(w, "init6")
    conf = "--config", w.path("certauth.conf")
    load, text = [p["text"] for p in json.loads(init(n, "--json", *conf).stdout)["parts"]]
    host = re.search(r"server_name (\S+);", text).group(1)
    assert text.count("serves this folder to everybody") == 2 and "this name" not in text
    n.http = n.http.replace("server { listen @PLAIN@; }",
                            "server { listen @PLAIN@; return 301 https://$host/; }") \
        .replace("old.test", "old.test " + host)
    text = json.loads(init(n, "--json", *conf).stdout)["parts"][1]["text"]
    assert text.count("serves this folder to everybody") == 1
    assert text.count("has this name, too") == 1
    # pasted all the same, behind it
    n.http += text.replace("listen 443 ssl", "listen @TLS@ ssl")
    n.conf = load + n._configuration()
    lines = doctor(n)[1]
    assert [x["severity"] for x in lines] == ["warning"], lines
    assert "conflicting server name" in lines[0]["text"]


def test_what_it_refuses(shared_world, tmp_path):
    w = shared_world
    conf = "--config", w.path("certauth.conf")
    r = init(stock(w, "init2"), *conf, profile="stuff")
    assert r.returncode == 2 and "stuff" in r.stderr and r.stdout == ""
    n = w.nginx("", "init3", module=False)
    n.http = "no_such_directive x;"
    r = init(n, *conf)
    assert r.returncode == 2 and "check --server nginx" in r.stderr and r.stdout == ""
    n = w.nginx("server { listen @TLS@ ssl; certauth staff; }", "init4")
    other = w.path("second.conf")
    with open(other, "w", encoding="ascii") as f, \
            open(w.path("certauth.conf"), encoding="ascii") as g:
        f.write(g.read())
    r = init(n, "--config", other)
    assert r.returncode == 2 and "reads the policy file" in r.stderr and r.stdout == ""
    r = subprocess.run([COMMAND, "init", "--server", "nginx"], stdin=subprocess.DEVNULL,
                       capture_output=True, text=True, timeout=60)
    assert r.returncode == 2 and "--profile" in r.stderr


def test_a_module_that_is_nowhere(shared_world, tmp_path):
    """The command alone, in a folder without modules."""
    n = stock(shared_world, "init5")
    n.prepare()
    command = str(tmp_path / "certauth")
    shutil.copy(COMMAND, command)
    r = subprocess.run([command, "init", "--server", "nginx", "--profile", "staff", "--config",
                        shared_world.path("certauth.conf"), "--server-config", n.conf_file],
                       stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    installed = os.path.exists("/usr/lib/nginx/modules/ngx_http_certauth_module.so")
    assert r.returncode == 0 and ("install libnginx-mod-http-certauth" in r.stdout) != installed
    assert ROOT not in r.stdout
