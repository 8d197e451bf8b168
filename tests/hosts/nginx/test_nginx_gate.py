"""Who gets through, in which phase, with which status, and as whom."""

import os
import re
import socket
import threading

import pytest

from nginx_world import V12, V13, VARS, Client, basic, curl, htpasswd, plain, until

HTTP = """
    map $certauth_user $mapped { alice "mapped-alice"; default "mapped-none"; }
    limit_req_zone $certauth_user zone=peruser:1m rate=1r/m;
    server {                    # a return of the server itself
        listen @TLS@ ssl; server_name return.test;
        certauth staff;
        return 200 "VARS";
    }
    server {                    # ... with a location that differs
        listen @TLS@ ssl; server_name mixed.test;
        certauth staff;
        set $early $certauth_user;
        if ($arg_answer = text) { return 200 "server answered"; }
        if ($arg_answer = go) { return 302 /elsewhere; }
        if ($arg_answer = gone) { return 410; }
        location / { return 200 "VARS early=[$early]"; }
        location /open { certauth off; return 200 "VARS"; }
        location /admin { certauth admin; return 200 "VARS"; }
        location /maybe { certauth staff optional; return 200 "VARS"; }
        location /other { certauth other; return 200 "VARS"; }
    }
    server {                    # profiles at locations only
        listen @TLS@ ssl; server_name places.test;
        location / { return 200 "VARS"; }
        location /staff { certauth staff; return 200 "VARS"; }
        location /any { certauth any; return 200 "VARS"; }
        location /nested { certauth staff;
            location /nested/deep { return 200 "VARS"; }
            location /nested/off { certauth off; return 200 "VARS"; } }
        location /if { certauth staff; if ($arg_x) { return 200 "VARS"; } return 200 "else"; }
        location /rewrite { rewrite ^ /staff last; }
        location /to-off { certauth staff; rewrite ^ /off-target last; }
        location /off-target { certauth off; return 200 "VARS"; }
        location /files/ { certauth staff; alias @FOLDER@/files/; }
    }
    server {                    # error pages
        listen @TLS@ ssl; server_name pages.test;
        certauth staff;
        error_page 495 496 403 503 = @refused;
        location @refused { return 418 "VARS"; }
        location / { return 200 "VARS"; }
        location /own/ { error_page 495 496 /own-page; return 200 "VARS"; }
        location = /own-page { internal; return 200 "own VARS"; }
        location /own-off/ { error_page 495 496 = /off-page; return 200 "VARS"; }
        location = /off-page { certauth off; return 200 "off VARS"; }
        location /missing { error_page 404 = /after404; return 404; }
        location = /after404 { return 200 "after VARS"; }
        location /missing-off { error_page 404 = /off404; return 404; }
        location = /off404 { certauth off; return 200 "after VARS"; }
        location /tricky/ { error_page 495 496 = /secret/; return 200 "VARS"; }
        location /step1/ { error_page 495 496 = /step2; return 200 "VARS"; }
        location /step2 { rewrite ^ /missing-off last; }
        location /step3/ { error_page 495 496 = @step4; return 200 "VARS"; }
        location @step4 { try_files /nothing /own-page; }
        location /step5/ { error_page 495 496 = /step6; return 200 "VARS"; }
        location /step6 { rewrite ^ /off-page last; }
        location /step7/ { error_page 495 496 = /step8; return 200 "VARS"; }
        location /step8 { rewrite ^ /either/ last; }
        location /either/ { satisfy any; auth_basic "who"; auth_basic_user_file @FOLDER@/htpasswd;
            root @FOLDER@/files; try_files /index.html =404; }
        location /secret/ { proxy_pass http://@PLAIN@/echo; proxy_set_header Host up.test;
            proxy_set_header X-User $remote_user; proxy_set_header X-Verdict $certauth_verdict; }
    }
    server {                    # satisfy any with a password
        listen @TLS@ ssl; server_name any.test;
        certauth staff; satisfy any;
        auth_basic "who"; auth_basic_user_file @FOLDER@/htpasswd;
        root @FOLDER@/files;
        error_page 418 = @page;
        location @page { return 200 "VARS"; }
        location / { add_header X-User $remote_user always;
                     add_header X-Verdict $certauth_verdict always;
                     try_files /index.html =404; }
        location /return { return 200 "VARS"; }
        location /redirect { return 302 /x; }
        location /ip { allow 127.0.0.1; add_header X-User $remote_user always;
                       try_files /index.html =404; }
        location /forbidden { add_header X-User $remote_user always;
                       error_page 403 = /after403; root @FOLDER@/empty; }
        location = /after403 { add_header X-User $remote_user always;
                       root @FOLDER@; try_files /files/index.html =404; }
        location /denied { auth_basic off; deny all; error_page 403 /why; }
        location = /why { root @FOLDER@; try_files /files/why.html =404; }
    }
    server {                    # satisfy all: a password and a certificate
        listen @TLS@ ssl; server_name both.test;
        certauth staff;
        auth_basic "who"; auth_basic_user_file @FOLDER@/htpasswd;
        root @FOLDER@/files;
        location / { add_header X-User $remote_user always; try_files /index.html =404; }
    }
    server {                    # optional
        listen @TLS@ ssl http2; server_name optional.test;
        certauth staff optional;
        location / { return 200 "VARS"; }
    }
    server {                    # a profile without identity rules
        listen @TLS@ ssl; server_name nouser.test;
        certauth any;
        location / { return 200 "VARS"; }
    }
    server {                    # what other modules see
        listen @TLS@ ssl; server_name modules.test;
        certauth staff;
        root @FOLDER@/files;
        location /map { return 200 "$mapped"; }
        location /limit { limit_req zone=peruser; try_files /index.html =404; }
        location /proxy { proxy_pass http://@PLAIN@/echo; proxy_set_header Host up.test;
            proxy_set_header X-User $remote_user; proxy_set_header X-Verdict $certauth_verdict;
            proxy_set_header X-Groups $certauth_groups; }
        location /asked { auth_request /ask; add_header X-User $remote_user;
            try_files /index.html =404; }
        location /asked-stricter { auth_request /part-admin; try_files /index.html =404; }
        location = /ask { internal; proxy_pass http://@PLAIN@/ask; proxy_pass_request_body off;
            proxy_set_header Content-Length ""; proxy_set_header Host up.test;
            proxy_set_header X-User $certauth_user; }
        location /ssi { ssi on; ssi_types text/plain; default_type text/html;
            try_files /ssi.html =404; }
        location = /part { return 200 "part $certauth_user"; }
        location = /part-admin { certauth admin; return 200 "ADMIN"; }
    }
    server {                    # plain HTTP
        listen @PLAIN@; server_name plain.test;
        certauth staff;
        location / { return 200 "VARS"; }
        location /open { certauth off; return 200 "open"; }
        location /maybe { certauth staff optional; return 200 "VARS"; }
    }
    server {
        listen @PLAIN@; server_name plain-any.test;
        certauth staff; satisfy any;
        auth_basic "who"; auth_basic_user_file @FOLDER@/htpasswd;
        location / { root @FOLDER@/files; try_files /index.html =404; }
    }
    server {                    # an application behind nginx
        listen @PLAIN@; server_name up.test;
        location /echo { return 200 "user=[$http_x_user] verdict=[$http_x_verdict] groups=[$http_x_groups] auth=[$http_authorization]"; }
        location /ask { if ($http_x_user = alice) { return 204; } return 403; }
    }
""".replace("VARS", VARS)


@pytest.fixture(scope="module")
def site(shared_world):
    n = shared_world.nginx(HTTP)
    n.prepare()
    htpasswd(os.path.join(n.folder, "htpasswd"), eve="x")
    os.makedirs(os.path.join(n.folder, "files"))
    os.makedirs(os.path.join(n.folder, "empty", "forbidden"))
    for name, text in (("index.html", "the page\n"), ("why.html", "the reason\n"),
                       ("ssi.html", '[<!--#include virtual="/part" -->]'
                                    '[<!--#include virtual="/part-admin" -->]')):
        with open(os.path.join(n.folder, "files", name), "w", encoding="ascii") as f:
            f.write(text)
    with n:
        n.world, n.tls = shared_world, n.port["TLS"]
        yield n


def get(site, who, path="/", sni="return.test", headers=(), tls=V13, **more):
    return Client(site.world, who, tls).get(site.tls, path, sni, headers=headers, **more)


# who, status seen by nginx's status variable (wire), reason
PEOPLE = [("alice", 200, "ok"), (None, 400, "no-certificate"), ("rita", 400, "revoked"),
          ("carol", 400, "expired"), ("frank", 400, "purpose"), ("mallory", 400, "no-path"),
          ("dave", 403, "no-user"), ("erin", 403, "denied"), ("hugo", 403, "issuer-not-listed")]


@pytest.mark.parametrize("tls", [V12, V13], ids=["1.2", "1.3"])
@pytest.mark.parametrize("who,status,reason", PEOPLE)
def test_return_of_the_server(site, who, status, reason, tls):
    site.clear_log()
    r = get(site, who, tls=tls)
    assert r.status == status
    if status == 200:
        v = r.vars
        assert v["certauth_verdict"] == "accept" and v["certauth_reason"] == "ok"
        assert v["certauth_user"] == v["remote_user"] == "alice"
        assert v["ssl_client_verify"] == "SUCCESS"
    else:
        assert "certauth" not in r.body
    # the worker's log has the reason
    site.wait_log(" %s " % reason)


@pytest.mark.parametrize("sni,path", [
    ("mixed.test", "/"), ("places.test", "/staff"), ("places.test", "/nested"),
    ("places.test", "/nested/deep"), ("places.test", "/if"), ("places.test", "/if?x=1"),
    ("places.test", "/rewrite"), ("places.test", "/to-off"), ("places.test", "/files/index.html"),
    ("modules.test", "/map"), ("modules.test", "/proxy"), ("modules.test", "/limit")])
@pytest.mark.parametrize("who,status,reason", PEOPLE[1:])
def test_every_way_to_answer_is_behind_the_gate(site, sni, path, who, status, reason):
    assert get(site, who, path, sni).status == status


@pytest.mark.parametrize("path", ["/staff", "/nested/deep", "/if?x=1", "/rewrite",
                                  "/files/index.html"])
def test_the_good_one_passes(site, path):
    assert get(site, "alice", path, "places.test").status == 200


@pytest.mark.parametrize("answer", ["text", "go", "gone"])
def test_server_level_answers_while_locations_differ(site, answer):
    """No location was chosen yet: the server's profile holds."""
    for who, status in ((None, 400), ("rita", 400), ("erin", 403)):
        r = get(site, who, "/?answer=" + answer, "mixed.test")
        assert r.status in (status, 403), r
        assert "location" not in r.headers and "answered" not in r.body
        assert get(site, who, "/open?answer=" + answer, "mixed.test").status in (status, 403)
    r = get(site, "alice", "/?answer=" + answer, "mixed.test")
    assert r.status == {"text": 200, "go": 302, "gone": 410}[answer]


def test_location_profiles(site):
    assert get(site, None, "/open", "mixed.test").status == 200
    assert get(site, "rita", "/open", "mixed.test").status == 200
    assert get(site, "alice", "/admin", "mixed.test").vars["certauth_profile"] == "admin"
    assert get(site, "bob", "/admin", "mixed.test").status == 403
    assert get(site, "bob", "/", "mixed.test").vars["certauth_user"] == "bob"
    assert get(site, "alice", "/other", "mixed.test").status == 400
    assert get(site, "gina", "/other", "mixed.test").vars["remote_user"] == "gina"
    assert get(site, "gina", "/", "mixed.test").status == 400


def test_off_is_off(site):
    """No verdict is shown where no profile is, not even a good one."""
    for who in ("alice", "rita", None):
        v = get(site, who, "/open", "mixed.test").vars
        assert v["certauth_verdict"] == "none"
        assert v["certauth_user"] == v["certauth_reason"] == v["remote_user"] == ""


def test_off_keeps_the_stock_remote_user(site):
    v = get(site, "alice", "/open", "mixed.test", [basic("eve", "x")]).vars
    assert v["remote_user"] == "eve" and v["certauth_user"] == ""


def test_variable_of_the_server_stage(site):
    assert get(site, "alice", "/", "mixed.test").vars["early"] == "alice"


def test_variables(site):
    v = get(site, "alice").vars
    cert = site.world.certs["alice"]
    assert v["certauth_groups"] == "staff,ops"
    assert v["certauth_email"] == "alice@example.com"
    assert int(v["certauth_serial"], 16) == cert.serial
    assert v["certauth_issuer"] == "CN=Test Issuing CA"
    assert v["certauth_subject"] == "CN=Alice"
    assert re.fullmatch("[0-9a-f]{64}", v["certauth_fingerprint"])
    assert v["certauth_days_left"] in ("364", "365")
    # its whole year is over 90 days: not due yet
    assert v["certauth_renewal"] == ""
    assert v["certauth_profile"] == "staff"
    assert v["certauth_id"] in site.log()
    assert v["certauth_message"]


# ---------------------------------------------------------------- error pages


@pytest.mark.parametrize("who,reason", [(None, "no-certificate"), ("rita", "revoked"),
                                        ("erin", "denied"), ("carol", "expired")])
def test_error_page_has_the_reason(site, who, reason):
    r = get(site, who, "/", "pages.test", [basic("eve", "x")])
    v = r.vars
    assert r.status == 418
    assert v["certauth_reason"] == reason and v["certauth_message"]
    assert v["certauth_verdict"] == ("none" if who is None else "reject")
    assert v["certauth_user"] == v["remote_user"] == ""
    assert v["ssl_client_verify"] != "SUCCESS"
    assert v["certauth_id"]


def test_error_page_of_a_location(site):
    r = get(site, "rita", "/own/x", "pages.test")
    assert r.status == 400 and r.body.startswith("own ") and r.vars["certauth_reason"] == "revoked"
    r = get(site, "rita", "/own-off/x", "pages.test")
    assert r.body.startswith("off ") and r.vars["certauth_reason"] == "revoked"
    assert r.vars["remote_user"] == ""


def test_c5_53_error_page_never_authenticates(site):
    """A refused request that an error page sends to an application arrives as nobody."""
    for who in (None, "rita", "mallory"):
        r = get(site, who, "/tricky/x", "pages.test", [basic("alice", "x")])
        assert "user=[]" in r.body and "verdict=[accept]" not in r.body
    # and alone the same place is shut
    assert "user=[alice]" in get(site, "alice", "/secret/", "pages.test").body
    assert get(site, None, "/secret/", "pages.test").status == 418


def test_error_page_is_one_step(site):
    """Where the page itself leads is gated like everything else."""
    for path in ("/step1/", "/step3/"):
        for who in (None, "rita"):
            r = get(site, who, path, "pages.test")
            assert r.status == 400 and "certauth_verdict" not in r.body
    r = get(site, "rita", "/step5/", "pages.test", [basic("eve", "x")])
    assert r.body.startswith("off ") and r.vars["certauth_user"] == r.vars["remote_user"] == ""
    assert get(site, None, "/step7/", "pages.test").status == 401
    assert get(site, None, "/step7/", "pages.test", [basic("eve", "wrong")]).status == 401
    assert get(site, "rita", "/step7/", "pages.test", [basic("eve", "x")]).status == 400


def test_other_error_pages_keep_the_user(site):
    assert get(site, "alice", "/missing", "pages.test").vars["remote_user"] == "alice"
    v = get(site, "alice", "/missing-off", "pages.test", [basic("eve", "x")]).vars
    assert v["remote_user"] == "alice"
    assert get(site, None, "/missing", "pages.test").status == 400


def test_access_log(site):
    get(site, "alice", "/", "pages.test")
    get(site, "rita", "/", "pages.test", [basic("alice", "x")])
    want = ["200 user=alice v=accept r=ok", "418 user=- v=reject r=revoked"]
    assert until(lambda: site.access().splitlines()[-2:] == want), site.access()


# ---------------------------------------------------------------- satisfy any


def test_satisfy_any(site):
    def ask(who, *headers, path="/"):
        r = get(site, who, path, "any.test", headers)
        return r.status, r.headers.get("x-user", "")
    eve, wrong = basic("eve", "x"), basic("eve", "wrong")
    assert ask("alice") == (200, "alice")
    assert ask("alice", eve) == (200, "alice")
    assert ask("alice", wrong) == (200, "alice")
    assert ask(None, eve) == (200, "eve")
    assert ask(None) == (401, "")
    assert ask(None, wrong) == (401, "")
    assert ask("carol", eve) == (200, "eve")
    assert ask("dave", eve) == (200, "eve")
    assert ask("mallory", wrong) == (401, "")


@pytest.mark.parametrize("who,status", [("rita", 400), ("erin", 403)])
def test_satisfy_any_a_password_rescues_no_revoked_or_denied(site, who, status):
    for path in ("/", "/return", "/ip", "/redirect"):
        assert get(site, who, path, "any.test", [basic("eve", "x")]).status == status


def test_satisfy_any_issuer_revoked_and_on_hold(world):
    held = world.add("henry")
    world.number += 1
    world.ca.crl([(held, "-1h", "certificateHold")], number=9).write(world.path("crls/ca.crl"))
    world.root.crl([], number=9).write(world.path("crls/root.crl"))
    text = """
    server { listen @TLS@ ssl; server_name a.test; certauth staff; satisfy any;
        auth_basic "who"; auth_basic_user_file @FOLDER@/htpasswd;
        root @FOLDER@; location / { try_files /htpasswd =404; } }"""
    n = world.nginx(text)
    n.prepare()
    htpasswd(os.path.join(n.folder, "htpasswd"), eve="x")
    with n:
        port, eve = n.port["TLS"], [basic("eve", "x")]
        assert Client(world, None).get(port, headers=eve).status == 200
        assert Client(world, "henry").get(port, headers=eve).status == 400
        assert Client(world, "alice").get(port, headers=eve).status == 200
        world.root.crl([world.ca], number=10).write(world.path("crls/root.crl"))
        assert until(lambda: Client(world, "alice").get(port, headers=eve).status == 400)
        n.wait_log("issuer-revoked")


def test_satisfy_any_when_our_data_is_missing(world):
    """Nobody can be judged: who has a password enters, a certificate alone does not."""
    world.write("certauth.conf", world.policy().replace("/crls\"", "/no-crls\""))
    n = world.nginx("""
    server { listen @TLS@ ssl; server_name a.test; certauth staff; satisfy any;
        auth_basic "who"; auth_basic_user_file @FOLDER@/htpasswd;
        root @FOLDER@; location / { try_files /htpasswd =404; } }""")
    n.prepare()
    htpasswd(os.path.join(n.folder, "htpasswd"), eve="x")
    with n:
        port = n.port["TLS"]
        assert Client(world, "alice").get(port).status == 401
        assert Client(world, "alice").get(port, headers=[basic("eve", "x")]).status == 200
        n.wait_log(" revocation-unknown ")


def test_satisfy_any_return_needs_a_certificate(site):
    """`return` answers before auth_basic is asked."""
    for path in ("/return", "/redirect"):
        r = get(site, None, path, "any.test", [basic("eve", "x")])
        assert r.status in (400, 403) and "location" not in r.headers
        assert get(site, "alice", path, "any.test").status in (200, 302)


def test_satisfy_any_by_address_is_no_name(site):
    """`allow` let the client in; the password was never looked at."""
    r = get(site, None, "/ip", "any.test", [basic("eve", "wrong")])
    assert r.status == 200 and r.headers.get("x-user", "") == ""


def test_satisfy_any_page_after_the_password(site):
    r = get(site, None, "/forbidden/", "any.test", [basic("eve", "x")])
    assert r.status == 200 and r.headers.get("x-user") == "eve"


def test_satisfy_any_error_page_of_a_denial(site):
    r = get(site, None, "/denied", "any.test")
    assert (r.status, r.body) == (403, "the reason\n")


def test_satisfy_all_needs_both(site):
    def ask(who, *headers):
        r = get(site, who, "/", "both.test", headers)
        return r.status, r.headers.get("x-user", "")
    assert ask("alice", basic("eve", "x")) == (200, "alice")
    assert ask("alice") == (401, "alice")
    assert ask(None, basic("eve", "x")) == (400, "")


# ------------------------------------------------------------ names and others


def test_forged_authorization(site):
    """$remote_user is never what a client wrote into its Authorization header."""
    eve = [basic("eve", "x")]
    assert get(site, "alice", headers=eve).vars["remote_user"] == "alice"
    assert get(site, "alice", "/", "nouser.test", eve).vars["remote_user"] == ""
    assert get(site, None, "/", "optional.test", eve).vars["remote_user"] == ""
    assert get(site, "rita", "/", "optional.test", eve).vars["remote_user"] == ""
    get(site, None, headers=eve)
    assert until(lambda: site.access().splitlines()[-1].startswith("400 user=- "))


def test_optional_judges_and_refuses_nobody(site):
    for who, status, reason in PEOPLE:
        r = get(site, who, "/", "optional.test")
        v = r.vars
        assert r.status == 200 and v["certauth_reason"] == reason
        good = who == "alice"
        assert v["certauth_user"] == v["remote_user"] == ("alice" if good else "")
        assert v["certauth_verdict"] == \
            ("accept" if good else "none" if who is None else "reject")
        assert (v["ssl_client_verify"] == "SUCCESS") == good


def test_what_other_modules_see(site):
    assert get(site, "alice", "/map", "modules.test").body == "mapped-alice"
    assert get(site, "bob", "/map", "modules.test").body == "mapped-none"
    r = get(site, "alice", "/proxy", "modules.test")
    assert r.body == "user=[alice] verdict=[accept] groups=[staff,ops] auth=[]"
    assert get(site, "alice", "/asked", "modules.test").headers["x-user"] == "alice"
    assert get(site, "bob", "/asked", "modules.test").status == 403
    assert get(site, "alice", "/asked-stricter", "modules.test").status == 200
    assert get(site, "bob", "/asked-stricter", "modules.test").status in (403, 500)


def test_limit_req_by_user(site):
    assert get(site, "alice", "/limit", "modules.test").status == 200
    assert get(site, "alice", "/limit", "modules.test").status == 503
    assert get(site, "bob", "/limit", "modules.test").status == 200


def test_subrequests(site):
    """A part of another profile is shut for whom that profile refuses."""
    assert get(site, "alice", "/ssi", "modules.test").body == "[part alice][ADMIN]"
    r = get(site, "bob", "/ssi", "modules.test")
    assert r.body.startswith("[part bob][") and "ADMIN" not in r.body


def test_http2(site):
    for who, status, _ in PEOPLE:
        out = curl(site.world, site.tls, "/", who, "return.test", "--http2", "-o", "/dev/null",
                   "-w", "%{http_version} %{http_code}")
        assert out == "2 %d" % status, who


def test_http2_streams_have_profiles_of_their_own(site):
    out = curl(site.world, site.tls, ["/", "/admin", "/open", "/"], "bob", "mixed.test",
               "--http2", "-w", "\n<%{http_version} %{http_code} %{num_connects}>\n")
    assert re.findall(r"<(\d \d+ \d)>", out) == ["2 200 1", "2 403 0", "2 200 0", "2 200 0"]


# ----------------------------------------------------------------- plain HTTP


def test_plain_http(site):
    r = plain(site.port["PLAIN"], "/", "plain.test")
    assert r.status == 403
    site.wait_log(" no-tls ")
    assert plain(site.port["PLAIN"], "/open", "plain.test").status == 200
    v = plain(site.port["PLAIN"], "/maybe", "plain.test", [basic("eve", "x")]).vars
    assert v["certauth_reason"] == "no-tls" and v["remote_user"] == ""


def test_plain_http_no_password_makes_up_for_it(site):
    r = plain(site.port["PLAIN"], "/", "plain-any.test", [basic("eve", "x")])
    assert r.status == 403


# -------------------------------------------------------------------- the log


def test_one_line_for_a_connection_and_each_change(site):
    site.clear_log()
    with Client(site.world, "bob").connect(site.tls, "mixed.test") as c:
        for path in ("/", "/", "/admin", "/", "/admin", "/open"):
            c.request(path, "mixed.test")
    lines = re.findall(r"certauth: (\w+) \d+ (\S+) .*?profile=(\w+)", site.log())
    assert lines == [("ACCEPT", "ok", "staff"), ("REJECT", "no-user", "admin")]
    levels = re.findall(r"\[(\w+)\] .*certauth: (\w+)", site.log())
    assert levels == [("info", "ACCEPT"), ("error", "REJECT")]


def test_parallel_clients(site):
    wrong = []

    def visit(who, want):
        for _ in range(10):
            r = get(site, who, "/", "return.test")
            if r.status != want or (want == 200 and r.vars["remote_user"] != who):
                wrong.append((who, r))
    threads = [threading.Thread(target=visit, args=a) for a in
               (("alice", 200), ("bob", 200), ("rita", 400), ("erin", 403))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_a_client_that_goes_away(site):
    """In the middle of the handshake and of a request; the worker lives on."""
    before = site.workers()
    for data in (b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 99):
        s = socket.create_connection(("127.0.0.1", site.tls))
        s.sendall(data)
        s.close()
    c = Client(site.world, "alice").connect(site.tls, "return.test")
    c.sock.sendall(b"GET / HTTP/1.1\r\nHost: ret")
    c.close()
    assert get(site, "alice").status == 200
    assert site.workers() == before
