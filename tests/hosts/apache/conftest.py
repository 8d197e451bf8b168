"""
Tests of the Apache module: a real apache2, real TLS, real clients. See apache_world.py.
"""

import os
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from apache_world import MODULE, ROOT, Site, World  # noqa: E402
from apache_server import installed  # noqa: E402


def pytest_collection_modifyitems(items):
    missing = None
    if not installed():
        missing = "apache2 is not installed"
    elif not os.path.exists(os.path.join(ROOT, MODULE)):
        missing = MODULE + " is not built"
    for item in items:
        if missing and "hosts/apache" in str(item.fspath):
            item.add_marker(pytest.mark.skip(reason=missing))


def new_folder():
    # Not pytest's own: it makes that 0700 at any time, and www-data has to get there.
    folder = tempfile.mkdtemp(prefix="certauth-apache-test.")
    os.chmod(folder, 0o755)
    return folder


@pytest.fixture(scope="module")
def world():
    folder = new_folder()
    yield World(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def make_site(world):
    """Servers, stopped at the end of the test."""
    sites, folder = [], new_folder()

    def make(name="site", **more):
        site = Site(world, os.path.join(folder, name), **more)
        sites.append(site)
        return site
    yield make
    for site in sites:
        site.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def site(make_site):
    return make_site()
