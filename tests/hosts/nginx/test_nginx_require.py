"""certauth_require: what a location asks for besides an accepted certificate."""

import os
import subprocess

import pytest

from nginx_world import P1, ROOT, VARS, Client, basic, htpasswd, until

HTTP = """
    server {
        listen @TLS@ ssl; server_name a.test;
        certauth staff;
        error_page 418 = @nothing;
        location @nothing { return 418; }
        location / { return 200 "VARS"; }
        location /ops { certauth_require group=ops; return 200 "VARS";
            location /ops/deep { return 200 "VARS"; }
            location /ops/other { certauth_require group=staff; return 200 "VARS"; }
            location /ops/open { certauth off; return 200 "VARS"; } }
        location /either { certauth_require group=ops group=staff; return 200 "VARS"; }
        location /lines { certauth_require group=ops; certauth_require group=staff;
            return 200 "VARS"; }
        location /nobody { certauth_require group=op; return 200 "VARS"; }
        location /user { certauth_require group=alice; return 200 "VARS"; }
        location /policy { certauth_require policy=1.2.3 policy=P1; return 200 "VARS"; }
        location /policy-part { certauth_require policy=1.3.6.1.4.1.99999; return 200 "VARS"; }
        location /all { certauth_require policy=P1 group=staff authority=main; return 200 "VARS"; }
        location /not-all { certauth_require policy=P1 group=staff authority=other; return 200 "VARS"; }
        location /optional { certauth staff optional; certauth_require group=ops;
            return 200 "VARS"; }
        location /page { certauth_require group=ops; error_page 403 = /why; return 200 "VARS"; }
        location = /why { return 200 "page VARS"; }
        location /files/ { certauth_require group=ops; alias @FOLDER@/files/; }
        location /inside { ssi on; ssi_types text/plain; default_type text/html;
            root @FOLDER@/files; try_files /ssi.html =404; }
        location /any { satisfy any; auth_basic "who"; auth_basic_user_file @FOLDER@/htpasswd;
            certauth_require group=ops; root @FOLDER@/files;
            add_header X-User $remote_user always; try_files /index.html =404; }
    }
    server {                    # of the whole server, before its own return
        listen @TLS@ ssl; server_name server.test;
        certauth staff; certauth_require group=ops;
        return 200 "VARS";
    }
    server {                    # a location is open to more
        listen @TLS@ ssl; server_name mixed.test;
        certauth staff; certauth_require group=ops;
        if ($arg_answer) { return 200 "server answered"; }
        location / { return 200 "VARS"; }
        location /staff { certauth_require group=staff; return 200 "VARS"; }
    }
    server {                    # the profile comes further in
        listen @TLS@ ssl; server_name later.test;
        certauth_require group=ops;
        location / { return 200 "open"; }
        location /in { certauth staff; return 200 "VARS"; }
    }
    server {                    # in the handshake all profiles are one
        listen @TLS@ ssl; server_name hand.test;
        certauth staff; certauth_refuse handshake;
        location / { return 200 "VARS"; }
        location /ops { certauth_require group=ops; return 200 "VARS"; }
    }
""".replace("VARS", VARS).replace("P1", P1)


@pytest.fixture(scope="module")
def site(shared_world):
    n = shared_world.nginx(HTTP)
    n.prepare()
    htpasswd(os.path.join(n.folder, "htpasswd"), eve="x")
    os.makedirs(os.path.join(n.folder, "files"))
    for name, text in (("index.html", "the page\n"),
                       ("ssi.html", '[<!--#include virtual="/ops" -->]')):
        with open(os.path.join(n.folder, "files", name), "w", encoding="ascii") as f:
            f.write(text)
    with n:
        n.world, n.tls = shared_world, n.port["TLS"]
        yield n


def get(site, who, path="/", sni="a.test", headers=()):
    return Client(site.world, who).get(site.tls, path, sni, headers=headers)


@pytest.mark.parametrize("path,alice,bob", [
    ("/", 200, 200), ("/ops", 200, 403), ("/ops/deep", 200, 403), ("/ops/other", 200, 200),
    ("/ops/open", 200, 200), ("/either", 200, 200), ("/lines", 200, 403), ("/nobody", 403, 403),
    ("/user", 403, 403), ("/policy", 200, 403), ("/policy-part", 403, 403), ("/all", 200, 403),
    ("/not-all", 403, 403), ("/optional", 200, 403), ("/files/index.html", 200, 403)])
def test_who_may(site, path, alice, bob):
    assert get(site, "alice", path).status == alice
    assert get(site, "bob", path).status == bob
    # who is not accepted is refused for that, not for the group
    if path != "/ops/open":
        assert get(site, None, path).status == get(site, "rita", path).status == 400
        assert get(site, "erin", path).status == 403


def test_said_once_for_a_connection(world):
    """Paths in turn are no change of what the profile says."""
    with world.nginx(HTTP) as n:
        with Client(world, "bob").connect(n.port["TLS"]) as c:
            for path, status in (("/", 200), ("/ops", 403)) * 4:
                assert c.request(path).status == status
        said = n.wait_log(" not-permitted ")
        assert said.count("certauth: ACCEPT") == 1, said
        assert said.count(" not-permitted ") == 1, said


def test_server_level(site):
    assert get(site, "alice", "/", "server.test").vars["certauth_user"] == "alice"
    for path in ("/", "/x?answer=1"):
        assert get(site, "bob", path, "server.test").status == 403
        r = get(site, "bob", path, "mixed.test")
        assert r.status == 403 and "answered" not in r.body
    assert get(site, "bob", "/staff", "mixed.test").vars["certauth_user"] == "bob"
    assert get(site, "alice", "/?answer=1", "mixed.test").body == "server answered"


def test_the_profile_further_in(site):
    assert get(site, None, "/", "later.test").body == "open"
    assert get(site, "alice", "/in", "later.test").status == 200
    assert get(site, "bob", "/in", "later.test").status == 403
    assert get(site, None, "/in", "later.test").status == 400


def test_beside_refusal_in_the_handshake(site):
    assert get(site, "bob", "/", "hand.test").status == 200
    assert get(site, "bob", "/ops", "hand.test").status == 403
    assert get(site, "alice", "/ops", "hand.test").status == 200


def test_the_page_knows_who_but_nobody_is_in(site):
    r = get(site, "bob", "/page", headers=[basic("eve", "x")])
    v = r.vars
    assert r.body.startswith("page ")
    assert v["certauth_verdict"] == "reject" and v["certauth_reason"] == "not-permitted"
    assert v["certauth_user"] == v["remote_user"] == v["certauth_groups"] == ""
    assert v["certauth_subject"] == "CN=Bob" and v["certauth_email"] == "bob@example.com"
    assert int(v["certauth_serial"], 16) == site.world.certs["bob"].serial
    assert v["certauth_profile"] == "staff" and v["certauth_days_left"] in ("364", "365")
    assert v["certauth_fingerprint"] and v["certauth_issuer"] == "CN=Test Issuing CA"
    # the certificate itself is none the worse
    assert v["ssl_client_verify"] == "SUCCESS"
    assert get(site, "alice", "/page").vars["certauth_reason"] == "ok"


def test_one_connection_many_places(site):
    """The refusal of one place is not that of another."""
    with Client(site.world, "bob").connect(site.tls) as c:
        for _ in range(3):
            assert c.request("/ops").status == 403
            assert c.request("/").status == 200
            assert c.request("/either").status == 200
    with Client(site.world, "alice").connect(site.tls) as c:
        for path in ("/ops", "/nobody", "/all", "/not-all", "/"):
            assert c.request(path).status == (403 if "no" in path else 200)


def test_sessions_stay(site):
    bob = Client(site.world, "bob")
    assert bob.get(site.tls, "/ops").status == 403
    assert bob.get(site.tls, "/ops", resume=True).status == 403
    r = bob.get(site.tls, "/", resume=True)
    assert r.status == 200 and r.reused


def test_subrequests(site):
    assert "certauth_user=[alice]" in get(site, "alice", "/inside").body
    assert "certauth_user" not in get(site, "bob", "/inside").body


def test_a_password_may_do_under_satisfy_any(site):
    assert get(site, "alice", "/any").headers["x-user"] == "alice"
    assert get(site, "bob", "/any").status == 401
    r = get(site, "bob", "/any", headers=[basic("eve", "x")])
    assert r.status == 200 and r.headers["x-user"] == "eve"
    # but not for somebody who is denied
    assert get(site, "erin", "/any", headers=[basic("eve", "x")]).status == 403


def test_log(world):
    with world.nginx(HTTP) as n:
        assert Client(world, "bob").get(n.port["TLS"], "/all").status == 403
        log = n.wait_log(" not-permitted ")
        assert "required: policy=%s group=staff authority=main" % P1 in log
        assert "user bob, groups [staff]" in log and 'subject="CN=Bob"' in log


def test_groups_are_live(world):
    with world.nginx(HTTP) as n:
        with Client(world, "bob").connect(n.port["TLS"]) as c:
            assert c.request("/ops").status == 403
            world.write("people.map", "bob@example.com bob staff,ops\n")
            assert until(lambda: c.request("/ops").status == 200)
            world.write("people.map", "bob@example.com bob staff\n")
            assert until(lambda: c.request("/ops").status == 403)


def test_tables_and_folders_are_live(world):
    """A compiled table put in place by rename, and a folder of maps, without a reload."""
    def build(text):
        world.write("text", text)
        subprocess.run([os.path.join(ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth"),
                        "table", "build", "--output", world.path("people.map"), world.path("text")],
                       check=True, capture_output=True)
    build("bob@example.com bob staff\n")
    os.unlink(world.path("admins.map"))
    os.mkdir(world.path("admins.map"))
    world.write("admins.map/one", "alice alice\n")
    text = HTTP + """server { listen @TLS@ ssl; server_name admin.test; certauth admin; return 200 "in"; }"""
    with world.nginx(text) as n:
        with Client(world, "bob").connect(n.port["TLS"]) as c, \
                Client(world, "bob").connect(n.port["TLS"], "admin.test") as a:
            assert c.request("/ops").status == 403 == a.request("/", "admin.test").status
            build("bob@example.com bob staff,ops\n")
            world.write("admins.map/two", "bob bob\n")
            assert until(lambda: c.request("/ops").status == 200)
            assert until(lambda: a.request("/", "admin.test").status == 200)
            # what is no table changes nothing, and the log says so
            world.write("people.map", "CATABLE1 and rubbish\n")
            n.wait_log("last good")
            assert c.request("/ops").status == 200
            os.unlink(world.path("admins.map/two"))
            assert until(lambda: a.request("/", "admin.test").status == 403)


BAD = {
    "kind": ("certauth staff; certauth_require groups=a;", '"group=NAME"'),
    "bare": ("certauth staff; certauth_require ops;", '"group=NAME"'),
    "empty": ("certauth staff; certauth_require group=;", "one name expected"),
    "list": ("certauth staff; certauth_require group=a,b;", "one name expected"),
    "variable": ("certauth staff; certauth_require group=$arg_g;", "no variables"),
    "nothing": ("certauth staff; certauth_require;", "invalid number of arguments"),
    "no_profile": ("certauth_require group=a;", "would require nothing"),
    "off": ("certauth staff; location /x { certauth off; certauth_require group=a; }",
            "would require nothing"),
    "in_if": ("certauth staff; if ($arg_x) { certauth_require group=a; }", "not allowed here"),
}


@pytest.mark.parametrize("name", BAD)
def test_refused_before_it_starts(shared_world, name):
    text, words = BAD[name]
    status, said = shared_world.nginx(
        "server { listen @TLS@ ssl; server_name a.test; %s location / { return 200; } }" % text,
        sub="bad").check()
    assert status != 0 and words in said
