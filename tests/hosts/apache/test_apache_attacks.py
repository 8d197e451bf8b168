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
