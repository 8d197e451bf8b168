"""What somebody tries who wants in where he should not be. Each was tried by hand first."""

import os

import pytest

from apache_server import ApacheError


@pytest.mark.parametrize("where", ["neighbour", "main server, on again"])
def test_quick_cache_switched_off_for_somebody_else(make_site, where):
    """CacheQuickHandler is each virtual host's own: a page that alice fetched was served to all."""
    site = make_site(modules=["cache", "cache_disk"])
    cache = site.path("cache")
    os.makedirs(cache)
    os.chmod(cache, 0o777)
    body = "CertAuthProfile staff\nCacheEnable disk /\nCacheRoot %s\nCacheIgnoreNoLastMod On\n" \
        "Header set Cache-Control public,max-age=600\n" % cache
    if where == "neighbour":
        parts, main = [site.vhost("CacheQuickHandler off", name="b.test"), site.vhost(body)], ""
    else:
        parts, main = [site.vhost(body + "CacheQuickHandler on")], "CacheQuickHandler off"
    with pytest.raises(ApacheError, match="CacheQuickHandler off"):
        site.run(*parts, main=main)
    site.run(site.vhost(body), main="CacheQuickHandler off")
    assert [site.get("/", who).status for who in ("alice", "alice", None)] == [200, 200, 403]


@pytest.mark.parametrize("text", [
    "ErrorDocument 403 /private/secret.txt\n",
    "<Files *>\nErrorDocument 403 /private/secret.txt\n</Files>\n"], ids=["plain", "in a section"])
def test_error_page_that_a_htaccess_names(site, text):
    """Who may write a .htaccess could show any document to people without certificate."""
    site.write("htdocs/mine/.htaccess", text)
    site.write("htdocs/mine/page.txt", "mine")
    site.write("htdocs/theirs/page.txt", "theirs")
    site.write("htdocs/theirs/.htaccess", "AddType text/x-theirs .txt\n")
    site.write("htdocs/private/secret.txt", "top secret")
    site.write("htdocs/e/refused.txt", "go away")
    site.run(site.vhost("""
        ErrorDocument 403 /e/refused.txt
        <Directory %s>
            CertAuthProfile staff
            AllowOverride FileInfo
            AuthType CertAuth
            Require user bob
        </Directory>""" % site.path("htdocs")))
    for who in (None, "alice", "revoked"):
        r = site.get("/mine/page.txt", who)
        assert r.status == 403 and "secret" not in r.body, r
    assert site.get("/mine/page.txt", "bob").body == "mine"
    assert site.get("/theirs/page.txt").body == "go away"      # the administrator's own page


def test_early_answers_where_a_directory_repeats_the_profile(site):
    """Redirect, RewriteRule and TRACE answer before the files are walked."""
    site.run(site.vhost("""
        CertAuthProfile staff
        TraceEnable on
        Redirect /old https://elsewhere.test/
        RewriteEngine on
        RewriteRule ^/rule$ https://elsewhere.test/ [R]
        <Directory %s>
            CertAuthProfile staff
        </Directory>""" % site.path("htdocs")))
    for method, path in (("GET", "/old"), ("GET", "/rule"), ("TRACE", "/"), ("OPTIONS", "*")):
        with site.connect() as c:
            r = c.get(path, method=method)
            assert r.status == 403 and "location" not in r.headers, (method, path, r)
    assert site.get("/old", "alice").status == 302


@pytest.mark.parametrize("where", ["CertAuthProfile staff", "<Proxy *>\nCertAuthProfile staff\n</Proxy>"],
                         ids=["virtual host", "Proxy"])
def test_forward_proxy(make_site, where):
    site = make_site(modules=["proxy", "proxy_http", "proxy_connect"])
    site.run(site.vhost("ProxyRequests on\nAllowCONNECT 1-65535\n" + where))
    for method, path in (("CONNECT", "127.0.0.1:%d"), ("GET", "http://127.0.0.1:%d/")):
        for who, status in ((None, 403), ("revoked", 403), ("alice", 200)):
            with site.connect(who) as c:
                assert c.get(path % site.plain_port, method=method).status == status, (method, who)
