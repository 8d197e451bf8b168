"""
`certauth check --server dovecot`: each fault is found in the file and line where it
stands, and the near miss is not. The real doveconf says what counts.
"""

import imaplib
import json
import os
import re
import ssl
import subprocess

import pytest

import dovecot_server
from conftest import ROOT, plugin_file
from dovecot_24 import translated, version

COMMAND = os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")

GOOD = """ssl = required
ssl_cert = <%(cert)s
ssl_key = <%(key)s
!include conf.d/*.conf
"""
CERTAUTH = """login_plugin_dir = %(plugins)s
login_plugins = certauth
import_environment = $import_environment CERTAUTH_CONF=%(conf)s CERTAUTH_PROFILE=mail
auth_mechanisms = plain login external
auth_ssl_username_from_cert = yes
passdb {
  driver = passwd-file
  args = /nowhere
}
passdb {
  driver = static
  args = nopassword=yes
  mechanisms = external
}
"""


def written(world, text="", old="", new=""):
    """The file with certauth's settings, `text` behind them, `old` replaced by `new`."""
    world.servers += 1
    folder = world.dir("doctor%d" % world.servers)
    part = {"cert": world.server, "key": world.server[:-len(".pem")] + ".key",
            "plugins": os.path.dirname(plugin_file()), "conf": world.conf}
    os.makedirs(folder + "/conf.d")
    with open(folder + "/dovecot.conf", "w", encoding="utf-8") as f:
        f.write(translated(GOOD % part))
    assert old in CERTAUTH
    with open(folder + "/conf.d/99-certauth.conf", "w", encoding="utf-8") as f:
        f.write(translated((CERTAUTH.replace(old, new) if old else CERTAUTH) % part + text + "\n",
                           included=True))
    return folder + "/dovecot.conf"


def server(world, name, **more):
    world.servers += 1
    return dovecot_server.Dovecot(
        os.path.join(world.folder, "%s%d" % (name[:6], world.servers)), cert=world.server,
        key=world.server[:-len(".pem")] + ".key", plugin=plugin_file(),
        conf="import_environment = $import_environment CERTAUTH_CONF=%s CERTAUTH_PROFILE=mail\n"
        % world.conf, **more)


def doctor(conf_file):
    """(exit status, what is said of Dovecot)"""
    r = subprocess.run([COMMAND, "check", "--json", "--server", "dovecot", "--server-config",
                        conf_file], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                       timeout=120)
    assert r.stdout, r.stderr
    lines = json.loads(r.stdout)["lines"]
    return r.returncode, [x for x in lines if x["user"] == "dovecot"]


def test_the_good_one_is_clean_and_lets_people_in(world, start):
    d = start(server(world, "clean", passwords={"alice": "secret"}))
    assert doctor(d.conf_file) == (0, [])
    context = ssl.create_default_context(cafile=world.etc + "/root.pem")
    context.load_cert_chain(world.cert("alice"), world.cert("alice")[:-4] + ".key")
    with imaplib.IMAP4_SSL("localhost", d.port["imaps"], ssl_context=context) as c:
        assert c.authenticate("EXTERNAL", lambda _: b"")[0] == "OK"


def place(conf_file, mark):
    """(file, the last line that begins so, in either language)"""
    path = os.path.dirname(conf_file) + "/conf.d/99-certauth.conf"
    with open(path, encoding="utf-8") as f:
        return path, [i for i, line in enumerate(f, 1) if re.match(mark, line.strip())][-1]


def test_our_example_is_clean(world):
    name = "dovecot-certauth-24.conf" if version() >= (2, 4) else "dovecot-certauth.conf"
    with open(os.path.join(ROOT, "conf-examples", name), encoding="utf-8") as f:
        text = f.read()
    for old, new in (("/etc/certauth/certauth.conf", world.conf), ("staff", "mail"),
                     ("/usr/lib/dovecot/modules/login", os.path.dirname(plugin_file()))):
        assert old in text
        text = text.replace(old, new)
    conf = written(world)
    with open(os.path.dirname(conf) + "/conf.d/99-certauth.conf", "w", encoding="utf-8") as f:
        f.write(text)
    assert doctor(conf) == (0, [])


# name: (severity, the line, words of what is said, text added, near miss)
FAULTS = {
    "mechanism": ("fault", "auth_mechanisms = plain", "EXTERNAL is not offered",
                  "auth_mechanisms = plain", "auth_mechanisms = EXTERNAL"),
    "passwords": ("fault", "auth_ssl_require_client_cert", "with a password fails",
                  "auth_ssl_require_client_cert = yes", "auth_ssl_require_client_cert = no"),
    "folder": ("fault", "login_plugin_dir = /nowhere", "no login process starts",
               "login_plugin_dir = /nowhere", ""),
    "ssl_ca": ("warning", "ssl_(server_)?ca", "left over", "ssl_ca = </etc/hostname", "ssl_ca ="),
    "old TLS": ("fault", "ssl_min_protocol", "RFC 8996", "ssl_min_protocol = TLSv1.1",
                "ssl_min_protocol = TLSv1.3"),
    "no TLS": ("fault", "ssl = no", "no TLS", "ssl = no", "ssl = yes"),
    "any password": ("fault", "passdb", "anybody logs in as anybody",
                     "passdb {\n  driver = static\n  args = nopassword\n}",
                     "passdb {\n  driver = static\n  args = nopassword\n"
                     "  mechanisms = EXTERNAL\n}"),
    "any password, too many mechanisms": (
        "fault", "passdb", "anybody logs in as anybody",
        "passdb {\n  driver = static\n  args = user=x nopassword=y\n"
        "  mechanisms = external plain\n}",
        "passdb {\n  driver = static\n  args = user=x password=y\n}"),
    "mode": ("fault", "(import_environment = .*)?CERTAUTH_MODE", "neither external nor require",
             "import_environment = $import_environment CERTAUTH_MODE=requires",
             "import_environment = $import_environment CERTAUTH_MODE=require"),
    "profile of a protocol": (
        "fault", "(import_environment = .*)?CERTAUTH_PROFILE_POP3", 'no profile "stuff"',
        "import_environment = $import_environment CERTAUTH_PROFILE_POP3=stuff",
        "import_environment = $import_environment CERTAUTH_PROFILE_POP3=strict"),
    "profile, the second one counts": (
        "fault", "(import_environment = .*)?CERTAUTH_PROFILE", 'no profile "stuff"',
        "import_environment = $import_environment CERTAUTH_PROFILE=stuff",
        "import_environment = $import_environment CERTAUTH_PROFILE=strict"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_and_near_miss(world, name):
    severity, mark, words, text, near = FAULTS[name]
    conf = written(world, text)
    status, said = doctor(conf)
    assert len(said) == 1 and words in said[0]["text"], said
    assert said[0]["severity"] == severity and said[0]["remedy"]
    assert (said[0]["file"], said[0]["line"]) == place(conf, mark)
    assert status == (1 if severity == "fault" else 0)
    assert doctor(written(world, near)) == (0, [])


@pytest.mark.parametrize("old,new,of_23,of_24", [
    ("  mechanisms = external\n", "", "mechanisms = external", "mechanisms_filter = external"),
    (" CERTAUTH_PROFILE=mail", "", "import_environment = $import_environment CERTAUTH_PROFILE=",
     "import_environment { CERTAUTH_PROFILE = "),
])
def test_the_remedy_is_in_its_language(world, old, new, of_23, of_24):
    _, said = doctor(written(world, "", old, new))
    assert [(of_24 if version() >= (2, 4) else of_23) in x["remedy"] for x in said] == [True], said


@pytest.mark.parametrize("old,new,words", [
    ("login_plugins = certauth", "", "not loaded"),
    ("auth_ssl_username_from_cert = yes", "", "logs nobody in"),
    (" CERTAUTH_PROFILE=mail", "", "no CERTAUTH_PROFILE"),
    ("CERTAUTH_PROFILE=mail", "CERTAUTH_PROFILE=stuff", 'no profile "stuff"'),
])
def test_what_is_not_there(world, old, new, words):
    status, said = doctor(written(world, "", old, new))
    assert status == 1 and len(said) == 1 and words in said[0]["text"], said


def test_a_profile_from_the_environment(world):
    status, said = doctor(written(world, "", "CERTAUTH_PROFILE=mail", "CERTAUTH_PROFILE"))
    assert (status, [x["severity"] for x in said]) == (0, ["warning"]), said
    assert "in which Dovecot was started" in said[0]["text"]


@pytest.mark.parametrize("mechanisms,clean", [
    ("external = yes", True), ("external = yes\n    plain = no", True),
    ("external = yes\n    plain = yes", False), ("external = no", False)])
def test_lists_as_blocks(world, tmp_path, mechanisms, clean):
    """2.4 may print a list as a block; one that was written in one line it does not."""
    fake = tmp_path / "doveconf"
    fake.write_text("""#!/bin/sh
cat <<'EOT'
# 2.4.1-4 (7d8c0e5759): %s/dovecot.conf
auth_mechanisms {
  plain = yes
  external = yes
}
auth_ssl_username_from_cert = yes
import_environment {
  CERTAUTH_CONF = %s
  CERTAUTH_PROFILE = mail
}
login_plugin_dir = %s
login_plugins {
  certauth = yes
}
passdb certauth {
  driver = static
  mechanisms_filter {
    %s
  }
  fields {
    nopassword = yes
  }
}
EOT
""" % (tmp_path, world.conf, os.path.dirname(plugin_file()), mechanisms))
    fake.chmod(0o755)
    r = subprocess.run([COMMAND, "check", "--json", "--server", "dovecot", "--server-binary",
                        str(fake)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                       timeout=120)
    said = [x["text"] for x in json.loads(r.stdout)["lines"] if x["user"] == "dovecot"]
    assert len(said) == (0 if clean else 1), said
    assert clean or "anybody logs in" in said[0]


def test_what_doveconf_refuses(world):
    status, said = doctor(written(world, "no_such_setting = x"))
    assert status == 1 and "no_such_setting" in said[0]["text"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_the_login_user_cannot_read(own_world):
    os.chmod(own_world.map, 0o600)
    r = subprocess.run([COMMAND, "check", "--server", "dovecot", "--server-config",
                        written(own_world)], stdin=subprocess.DEVNULL, capture_output=True,
                       text=True, timeout=120)
    assert r.returncode == 1
    assert re.search("^fault   dovenull: .*people.map", r.stdout, re.M), r.stdout
