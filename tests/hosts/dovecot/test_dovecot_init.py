"""
`certauth init --server dovecot`: what it prints is included into a configuration that knew
nothing of certauth; check finds it clean, Dovecot takes it, people log in. In the language
of the Dovecot that is here.
"""

import imaplib
import json
import os
import re
import ssl
import subprocess

import pytest

import dovecot_server
from dovecot_24 import version
from test_dovecot_doctor import COMMAND, doctor

PASSWORDS = {"alice": "secret"}


def stock(world, **more):
    world.servers += 1
    return dovecot_server.Dovecot(
        os.path.join(world.folder, "init%d" % world.servers), cert=world.server,
        key=world.server[:-len(".pem")] + ".key", passwords=PASSWORDS, **more)


def init(conf_file, *more, profile="mail"):
    return subprocess.run([COMMAND, "init", "--server", "dovecot", "--profile", profile,
                           "--server-config", conf_file, *more], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120)


def login(world, d, who):
    context = ssl.create_default_context(cafile=world.etc + "/root.pem")
    context.load_cert_chain(world.cert(who), world.cert(who)[:-4] + ".key")
    with imaplib.IMAP4_SSL("localhost", d.port["imaps"], ssl_context=context) as c:
        return c.authenticate("EXTERNAL", lambda _: b"")[0]


def test_paste_check_log_in(world, start):
    d = start(stock(world))         # writes its configuration
    conf = "--config", world.conf
    r = init(d.conf_file, "--json", *conf)
    assert r.returncode == 0, r.stderr
    text = json.loads(r.stdout)["parts"][0]["text"]
    assert text in init(d.conf_file, *conf).stdout
    assert ("passdb certauth {" in text) == (version() >= (2, 4))
    d.stop()
    d = stock(world)
    os.makedirs(d.folder)
    with open(d.folder + "/certauth.conf", "w", encoding="ascii") as f:
        f.write(text)
    d.conf = "!include %s/certauth.conf" % d.folder
    start(d)
    assert doctor(d.conf_file) == (0, [])
    assert login(world, d, "alice") == "OK"
    with pytest.raises(imaplib.IMAP4.error, match="revoked"):
        login(world, d, "revoked")
    with imaplib.IMAP4("localhost", d.port["imap"]) as c:
        assert c.login("alice", "secret")[0] == "OK"        # beside passwords
    # and none that is wrong, of nobody, or with no proof at all
    for name, password in (("alice", "wrong"), ("alice", ""), ("bob", "secret")):
        with imaplib.IMAP4("localhost", d.port["imap"]) as c, pytest.raises(imaplib.IMAP4.error):
            c.login(name, password)
    context = ssl.create_default_context(cafile=world.etc + "/root.pem")
    for connection in (lambda: imaplib.IMAP4("localhost", d.port["imap"]),
                       lambda: imaplib.IMAP4_SSL("localhost", d.port["imaps"],
                                                 ssl_context=context)):
        with connection() as c, pytest.raises(imaplib.IMAP4.error):
            c.authenticate("EXTERNAL", lambda _: b"alice")

    # what is there is not said again
    again = json.loads(init(d.conf_file, "--json").stdout)["parts"][0]["text"]
    for word in ("login_plugins", "login_plugin_dir", "auth_mechanisms", "ssl_cert"):
        assert word not in again
    r = init(d.conf_file, profile="nomap")
    assert r.returncode == 2 and "no users" in r.stderr and r.stdout == ""


@pytest.mark.parametrize("number", ["2.3.19.1", "2.4.1-4"])
def test_each_language(world, tmp_path, number):
    """Of both, whatever is installed here; the lists may stand in blocks."""
    new = number.startswith("2.4")
    fake = tmp_path / "doveconf"
    fake.write_text("""#!/bin/sh
cat <<'EOT'
# %s (7d8c0e5759): %s/dovecot.conf
%s
EOT
""" % (number, tmp_path, "dovecot_config_version = 2.4.1\nauth_mechanisms {\n  plain = yes\n  login = yes\n  digest-md5 = no\n}\n"
           "ssl_server {\n  cert_file = /x\n}" if new else
           "auth_mechanisms = plain login\nssl_cert = </x\nssl = no"))
    fake.chmod(0o755)
    r = init(str(tmp_path / "dovecot.conf"), "--config", world.conf, "--server-binary", str(fake))
    assert r.returncode == 0, r.stderr
    assert "auth_mechanisms = plain login external\n" in r.stdout
    assert ("ssl = required\n" in r.stdout) != new and "ssl_server_cert" not in r.stdout
    words = ["mechanisms = external", "args = nopassword=yes",
             "CERTAUTH_CONF=%s CERTAUTH_PROFILE=mail" % world.conf]
    if new:
        words = ["mechanisms_filter = external", "nopassword = yes",
                 "CERTAUTH_CONF = " + world.conf, "CERTAUTH_PROFILE = mail"]
    for word in words:
        assert re.search("^ *(import_environment = .*)?" + re.escape(word) + "$", r.stdout, re.M), \
            r.stdout
