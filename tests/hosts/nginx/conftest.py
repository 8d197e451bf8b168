"""
Tests of the nginx module: a real nginx, real TLS, real clients.

FLAVOUR names the build (default: test).
"""

import os
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from nginx_world import World  # noqa: E402
from nginx_server import available  # noqa: E402


def pytest_collection_modifyitems(items):
    missing = available()
    for item in items:
        if missing and "hosts/nginx" in str(item.fspath):
            item.add_marker(pytest.mark.skip(reason=missing))


def _world():
    # Not pytest's own folder: nobody but its owner could read in it.
    folder = tempfile.mkdtemp(prefix="certauth-nginx-")
    return World(folder)


@pytest.fixture
def world():
    w = _world()
    yield w
    shutil.rmtree(w.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def shared_world():
    """For tests that change nothing."""
    w = _world()
    yield w
    shutil.rmtree(w.folder, ignore_errors=True)
