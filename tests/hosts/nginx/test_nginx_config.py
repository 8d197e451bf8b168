"""
C5 and the directives: what is refused before nginx starts, and with which words.
"""

import os
import subprocess

import pytest

import pki
from nginx_server import ROOT
from nginx_world import VARS, Client

SERVER = "server { listen @TLS@ ssl; server_name a.test; %s location / { return 200 \"" + VARS + "\"; } }"


def check(world, text, **more):
    return world.nginx(text, **more).check()


# ------------------------------------------------------------------ directives

BAD = {
    "verify_on": ("certauth staff; ssl_client_certificate @W@/root.pem; ssl_verify_client on;",
                  ["ssl_verify_client on", "remove it", "nginx.conf:"]),
    "verify_optional": ("certauth staff; ssl_client_certificate @W@/root.pem; "
                        "ssl_verify_client optional;",
                        ["ssl_verify_client optional", "certauth PROFILE optional"]),
    "verify_on_with_a_location": (
        "ssl_client_certificate @W@/root.pem; ssl_verify_client on; "
        "location /x { certauth staff; }", ["ssl_verify_client on"]),
    "builtin_cache": ("certauth staff; ssl_session_cache builtin;",
                      ["builtin", "shared:NAME:SIZE"]),
    "builtin_and_shared": ("certauth staff; ssl_session_cache builtin:100 shared:x:1m;",
                           ["builtin", "shared:NAME:SIZE"]),
    "no_profile": ("certauth stuff;", ['no profile "stuff"', "nginx.conf:", "staff, admin"]),
    "no_profile_in_a_location": ("location /x { certauth stuff; }", ['no profile "stuff"']),
    "third_word": ("certauth staff maybe;", ["optional"]),
    "off_optional": ("certauth off optional;", ["off takes no further word"]),
    "empty": ('certauth "";', ["name of a profile"]),
    "twice": ("certauth staff; certauth admin;", ["duplicate"]),
    "none": ("certauth;", ["invalid number of arguments"]),
    "refuse_word": ("certauth staff; certauth_refuse never;", ["invalid value"]),
    "config_in_server": ("certauth_config /x;", ["not allowed here"]),
    "in_if": ("if ($arg_x) { certauth staff; }", ["not allowed here"]),
    "account_of_its_answer": ("certauth staff; certauth_account $certauth_email;",
                              ["cannot ask for what the certificate says"]),
    "account_remote_user": ('certauth staff; certauth_account "x${remote_user}";',
                            ["cannot ask for what the certificate says"]),
    "account_twice": ("certauth staff; certauth_account $arg_a; certauth_account $arg_b;",
                      ["duplicate"]),
    "names_file_missing": ("certauth staff; certauth_names @W@/nowhere.pem;",
                           ["nowhere.pem", "issuers, anchors, none"]),
    "names_file_empty": ("certauth staff; certauth_names @W@/clock;", ["clock"]),
    "handshake_location_off": (
        "certauth staff; certauth_refuse handshake; location /x { certauth off; }",
        ["certauth_refuse handshake", "certauth off"]),
    "handshake_location_optional": (
        "certauth staff; certauth_refuse handshake; location /x { certauth staff optional; }",
        ["certauth_refuse handshake", "optional"]),
    "handshake_location_other": (
        "certauth staff; certauth_refuse handshake; location /x { certauth admin; }",
        ["certauth_refuse handshake", "admin"]),
    "handshake_nested": (
        "certauth staff; certauth_refuse handshake; "
        "location /x { location /x/y { certauth admin; } }", ["certauth_refuse handshake"]),
    "handshake_server_off": (
        "certauth_refuse handshake; location /x { certauth staff; }",
        ["certauth_refuse handshake", "the server itself"]),
    "handshake_optional": ("certauth staff optional; certauth_refuse handshake;",
                           ["certauth_refuse handshake"]),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_refused(shared_world, name):
    text, words = BAD[name]
    status, said = check(shared_world, SERVER % text.replace("@W@", shared_world.folder))
    assert status != 0
    for word in words:
        assert word in said, said


GOOD = {
    "alone": "certauth staff;",
    "optional_no_ca_beside": "certauth staff; ssl_verify_client optional_no_ca;",
    "verify_off_beside": "certauth staff; ssl_verify_client off;",
    "shared_cache": "certauth staff; ssl_session_cache shared:x:1m;",
    "cache_off": "certauth staff; ssl_session_cache off;",
    "handshake": "certauth staff; certauth_refuse handshake; location /x { certauth staff; }",
    "handshake_without_certauth": "certauth_refuse handshake;",
    "builtin_without_certauth": "ssl_session_cache builtin;",
    "verify_on_without_certauth": "ssl_client_certificate @W@/root.pem; ssl_verify_client on;",
}


@pytest.mark.parametrize("name", sorted(GOOD))
def test_accepted(shared_world, name):
    status, said = check(shared_world,
                         SERVER % GOOD[name].replace("@W@", shared_world.folder))
    assert status == 0, said


def test_http_level_handshake_spares_servers_without(shared_world):
    text = "certauth_refuse handshake;" + SERVER % "certauth staff;" + \
        "server { listen @PLAIN@; return 204; }"
    assert check(shared_world, text)[0] == 0


def test_inheritance(shared_world):
    """http, server, location; `off` ends it."""
    text = "certauth staff;" + SERVER % "location /off { certauth off; return 200 \"off\"; }" + \
        "server { listen @TLS@ ssl; server_name b.test; certauth off; return 200 \"b\"; }" + \
        "server { listen @TLS@ ssl; server_name c.test; certauth other; return 200 \"c\"; }"
    with shared_world.nginx(text) as n:
        port, alice, nobody = n.port["TLS"], Client(shared_world, "alice"), Client(shared_world)
        assert alice.get(port).vars["remote_user"] == "alice"
        assert nobody.get(port).status == 400
        assert nobody.get(port, "/off").body == "off"
        assert nobody.get(port, sni="b.test").body == "b"
        assert alice.get(port, sni="c.test").status == 400
        assert Client(shared_world, "gina").get(port, sni="c.test").body == "c"


def test_ssl_crl_and_ocsp_warn(shared_world):
    w = shared_world
    for text, word in (("ssl_crl %s;" % w.path("crls/ca.crl"), "ssl_crl"),
                       ("ssl_trusted_certificate %s; resolver 127.0.0.1; ssl_ocsp on; "
                        "ssl_ocsp_responder http://127.0.0.1:1/;" % w.path("root.pem"),
                        "ssl_ocsp")):
        n = w.nginx(SERVER % ("certauth staff; " + text))
        status, said = n.check()
        assert status == 0 and "[warn]" in said and word in said and "nginx.conf:" in said
        with n:
            # and they do not: neither refuses the good nor rescues the bad
            for _ in range(2):
                assert Client(w, "alice").get(n.port["TLS"]).status == 200
            assert Client(w, "rita").get(n.port["TLS"]).status == 400


def test_server_without_certificate_on_a_tls_port(shared_world):
    w = shared_world
    conf = """
    certauth_config %s;
    server { listen @TLS@ ssl; server_name x.test; ssl_certificate %s; ssl_certificate_key %s; }
    server { listen @TLS@ ssl; server_name a.test; certauth staff; return 204; }""" % (
        w.path("certauth.conf"), w.path("server.pem"), w.path("server.key"))
    from nginx_server import Nginx
    status, said = Nginx(w.path("nocert"), http=conf).check()
    assert status != 0 and "no \"ssl_certificate\"" in said and "nginx.conf:" in said
    # on a plain port it is none of our business: refused at run time
    status, said = Nginx(w.path("nocert2"), http=conf.replace(
        "listen @TLS@ ssl; server_name a.test", "listen @PLAIN@; server_name a.test"),
        ports=("TLS", "PLAIN")).check()
    assert status == 0, said


def test_not_used_reads_nothing(world):
    """The module is loaded on every machine that has the package."""
    os.unlink(world.path("certauth.conf"))
    assert check(world, SERVER % "")[0] == 0
    assert check(world, SERVER % "certauth off;")[0] == 0
    status, said = check(world, SERVER % "certauth staff;")
    assert status != 0 and world.path("certauth.conf") in said


def test_relative_paths(world):
    """As everywhere in nginx: from the folder of nginx.conf."""
    n = world.nginx("")
    n.prepare()
    with open(os.path.join(n.folder, "own.conf"), "w", encoding="utf-8") as f:
        f.write(world.policy())
    n.http = n.http.replace(world.path("certauth.conf"), "own.conf") + SERVER % "certauth staff;"
    with n:
        assert Client(world, "alice").get(n.port["TLS"]).status == 200


# -------------------------------------------------------------------------- C5


def broken(world, how):
    """What the policy file names, not as it should be."""
    ca = world.path("root.pem")
    if how == "missing":
        os.unlink(ca)
    elif how == "empty":
        world.write("root.pem", "")
    elif how == "truncated":
        with open(ca, encoding="ascii") as f:
            text = f.read()
        world.write("root.pem", text[:len(text) // 2])
    elif how == "no certificate":
        world.write("root.pem", "hello\n")
    elif how == "a folder without any":
        os.unlink(ca)
        os.mkdir(ca)
    elif how == "writable by others":
        os.chmod(ca, 0o666)
    elif how == "of somebody else":
        os.chown(ca, 12345, 12345)
    elif how == "denied missing":
        os.unlink(world.path("denied"))
    elif how == "map missing":
        os.unlink(world.path("people.map"))
    else:
        raise AssertionError(how)


@pytest.mark.parametrize("how", ["missing", "empty", "truncated", "no certificate",
                                 "a folder without any", "writable by others",
                                 "of somebody else", "denied missing", "map missing"])
def test_c5_48_bad_files_stop_the_start(world, how):
    """CVE-2026-27586: an unreadable CA file, and the system's roots were trusted."""
    if how == "of somebody else" and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    broken(world, how)
    status, said = check(world, SERVER % "certauth staff;")
    assert status != 0 and "certauth: %s" % world.folder in said, said


@pytest.mark.parametrize("text", ["", "version = 1;", "version = 2;", "}", "version = 1; profiles: { };",
                                  "version = 1; profile: { };"])
def test_c5_49_no_policy_no_server(world, text):
    """A missing or empty policy is no policy "accept all"."""
    world.write("certauth.conf", text)
    status, said = check(world, SERVER % "certauth staff;")
    assert status != 0 and world.path("certauth.conf") in said


def test_errors_name_file_and_line(world):
    world.write("certauth.conf", world.policy().replace("denied =", "denyed ="))
    line = next(i for i, t in enumerate(world.policy().split("\n"), 1) if "denied =" in t)
    status, said = check(world, SERVER % "certauth staff;")
    assert status != 0 and "%s:%d:" % (world.path("certauth.conf"), line) in said
    assert "denied" in said


def test_c5_50_system_roots_are_nobody(world):
    """Trusted by the whole machine, by OpenSSL's variables, and by nginx's own settings."""
    pki.write_pem(world.path("system.pem"), world.stranger)
    n = world.nginx(SERVER % ("certauth staff; ssl_trusted_certificate %s; "
                              "ssl_client_certificate %s;" % (world.path("system.pem"),
                                                              world.path("system.pem"))),
                    env={"SSL_CERT_FILE": world.path("system.pem")},
                    main="env SSL_CERT_FILE;\n")
    with n:
        assert Client(world, "mallory").get(n.port["TLS"]).status == 400
        assert Client(world, "alice").get(n.port["TLS"]).status == 200


def test_c5_54_no_certificate_is_no_certificate(world):
    """No profile, whatever it leaves out, takes a client without certificate for somebody."""
    text = "".join("server { listen @TLS@ ssl; server_name %s.test; certauth %s; return 200 \"x\"; }"
                   % (p, p) for p in ("staff", "any", "quality", "loose"))
    world.write("certauth.conf", world.policy(profiles="""
      loose: { authorities = [ "main" ]; purposes = [ "any" ]; };""").replace(
          'check = "chain"', 'check = "none"'))
    with world.nginx(text) as n:
        for p in ("staff", "any", "quality", "loose"):
            assert Client(world, None).get(n.port["TLS"], sni=p + ".test").status == 400
        assert Client(world, "frank").get(n.port["TLS"], sni="loose.test").status == 200
        assert Client(world, "frank").get(n.port["TLS"], sni="any.test").status == 400


def test_c5_57_naming_a_policy_demands_it(shared_world):
    text = "server { listen @TLS@ ssl; server_name a.test; certauth quality; return 200 \"%s\"; }"
    with shared_world.nginx(text % VARS) as n:
        r = Client(shared_world, "alice").get(n.port["TLS"])
        assert r.status == 200 and r.vars["certauth_policies"] == "1.3.6.1.4.1.99999.1"
        assert Client(shared_world, "bob").get(n.port["TLS"]).status == 403
        n.wait_log(" policy-required ")


def test_c5_55_each_check_off_alone(world):
    """Revocation off: the others still bite."""
    world.write("certauth.conf", world.policy().replace('check = "chain"', 'check = "none"'))
    with world.nginx(SERVER % "certauth staff;") as n:
        for who, status in (("alice", 200), ("rita", 200), ("carol", 400), ("frank", 400),
                            ("mallory", 400), ("dave", 403), ("erin", 403), ("hugo", 403)):
            assert Client(world, who).get(n.port["TLS"]).status == status, who


# ----------------------------------------------------------------- the module


def test_exports():
    from nginx_server import default_module
    out = subprocess.run(["nm", "-D", "--defined-only", default_module()], check=True,
                         stdout=subprocess.PIPE).stdout.decode()
    assert sorted(line.split()[-1] for line in out.splitlines()) == [
        "ngx_module_names", "ngx_module_order", "ngx_modules"]


def test_makefile_without_nginx_dev():
    out = subprocess.run(["make", "-s", "-C", ROOT, "nginx", "NGX_SRC=/nowhere"], check=True,
                         stdout=subprocess.PIPE).stdout.decode()
    assert out.startswith("skipped: nginx")


def test_a_test_build_says_so(shared_world):
    if os.environ.get("FLAVOUR", "test") == "release":
        pytest.skip("a release build")
    assert "build for tests" in check(shared_world, SERVER % "certauth staff;")[1]


def test_as_an_ordinary_user(world):
    """Without root: no user directive, all in one folder."""
    if os.geteuid() != 0:
        pytest.skip("everything here runs so already")
    script = """
import os, sys
os.setgid(65534); os.setuid(65534)
sys.path.insert(0, %r); sys.path.insert(0, %r)
from nginx_server import Nginx
n = Nginx(%r, http=open(%r).read())
n.start(); print(n.check()); n.stop(); print("fine")
"""
    text = world.http("server { listen @TLS@ ssl; certauth staff; return 204; }")
    world.write("http", text)
    folder = world.path("user")
    os.makedirs(folder)
    os.chown(folder, 65534, 65534)
    os.chmod(world.path("server.key"), 0o644)
    p = subprocess.run(["/usr/bin/python3", "-c", script % (
        os.path.join(ROOT, "tests/lib"), os.path.dirname(os.path.abspath(__file__)), folder,
        world.path("http"))], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert p.stdout.decode().endswith("fine\n"), p.stdout.decode()
