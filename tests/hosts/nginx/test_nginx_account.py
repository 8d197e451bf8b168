"""certauth_account: which of the certificate's accounts a request is for."""

import pytest

from nginx_world import VARS, Client

HTTP = """
    map $certauth_user $circle { default office; }
    server {
        listen @TLS@ ssl; server_name a.test;
        certauth staff; certauth_account $http_x_account;
        add_header X-Remote $remote_user always;
        add_header X-Accounts $certauth_accounts always;
        location / { return 200 "VARS"; }
        location /always { certauth_account office; return 200 "VARS"; }
        location /query { certauth_account $arg_as; return 200 "VARS"; }
        location /off { certauth_account off; return 200 "VARS"; }
        location /optional { certauth staff optional; return 200 "VARS"; }
        location /group { certauth_require group=ops; return 200 "VARS"; }
        location /circle { certauth_account $circle; return 200 "VARS"; }
        location /report { certauth_report twin; return 200 "VARS"; }
        location /open { certauth off; return 200 "VARS"; }
    }
""".replace("VARS", VARS)


@pytest.fixture
def site(world):
    world.write("people.map", "alice@example.com alice ops also=office,support\n"
                              "bob@example.com bob staff\n")
    world.write("certauth.conf", world.policy(profiles='twin: { base = "staff"; };'))
    with world.nginx(HTTP) as n:
        n.world, n.tls = world, n.port["TLS"]
        yield n


def get(site, who, path="/", account=None):
    headers = [] if account is None else [("X-Account", account)]
    return Client(site.world, who).get(site.tls, path, headers=headers)


def test_the_account_asked_for(site):
    for asked, user, others in ((None, "alice", "office,support"), ("", "alice", "office,support"),
                                ("alice", "alice", "office,support"),
                                ("office", "office", "alice,support"),
                                ("support", "support", "alice,office"),
                                ("alice@example.com", "alice", "office,support")):
        r = get(site, "alice", "/", asked)
        assert r.status == 200 and r.vars["certauth_user"] == user, (asked, r)
        assert r.headers["x-remote"] == user and r.headers["x-accounts"] == others
        assert r.vars["certauth_groups"] == "ops"
    assert get(site, "alice", "/always").vars["certauth_user"] == "office"
    assert get(site, "alice", "/query?as=support").vars["certauth_user"] == "support"
    assert get(site, "alice", "/off", "office").vars["certauth_user"] == "alice"
    assert get(site, "alice", "/group", "office").vars["certauth_user"] == "office"


@pytest.mark.parametrize("who,asked", [
    ("alice", "bob"), ("alice", "offic"), ("alice", "office,support"), ("alice", "Office"),
    ("alice", "root"), ("bob", "alice"), ("bob", "office")])
def test_never_outside_the_line(site, who, asked):
    r = get(site, who, "/", asked)
    assert r.status == 403 and not r.headers.get("x-remote"), r
    site.wait_log("wrong-user")
    # optional lets it pass as nobody
    r = get(site, who, "/optional", asked)
    assert r.status == 200 and r.vars["certauth_user"] == "", r


def test_requests_of_one_connection_are_apart(site):
    with Client(site.world, "alice").connect(site.tls) as c:
        for asked, status, user in (("office", 200, "office"), (None, 200, "alice"),
                                    ("root", 403, None), ("support", 200, "support"),
                                    (None, 200, "alice")):
            r = c.request("/", headers=[] if asked is None else [("X-Account", asked)])
            assert r.status == status, (asked, r)
            if user:
                assert r.vars["certauth_user"] == user


def test_a_circle_has_an_end(site):
    """A map of our own answer: whatever comes of it is one of hers."""
    r = get(site, "alice", "/circle")
    assert r.status in (200, 403, 500, 503), r
    if r.status == 200:
        assert r.vars["certauth_user"] in ("alice", "office"), r
    assert get(site, None, "/open", "office").status == 200


def test_a_report_asks_for_the_same_account(site):
    """Of a profile that says the same there is nothing to report."""
    assert get(site, "alice", "/report", "office").vars["certauth_user"] == "office"
    assert get(site, "alice", "/report").vars["certauth_user"] == "alice"
    site.wait_log('user="alice"')
    assert "report:" not in site.log()
