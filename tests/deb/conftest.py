"""
conftest.py - packages of these sources, and of the same sources with a higher number.
"""

import glob
import os
import re
import shutil
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "lib")]

HIGHER = "99.0.0"


def make(folder, *args):
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "FLAVOUR")}
    p = subprocess.run(["make", "-s", *args], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert p.returncode == 0, p.stdout.decode(errors="replace")


def version():
    with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as f:
        return re.search(r"^VERSION\s*:=\s*(\S+)$", f.read(), re.M).group(1)


def packages(folder):
    return {os.path.basename(p).split("_")[0]: p for p in glob.glob(folder + "/*.deb")}


def built(folder, *args):
    """{package: file} after `make deb` there."""
    make(folder, "deb", *args)
    return packages(os.path.join(folder, "build/deb"))


# KEEP_DEBS=1: those of the last run, for who works at these tests.
KEEP = bool(os.environ.get("KEEP_DEBS"))


@pytest.fixture(scope="session")
def higher():
    folder = os.path.join(ROOT, "build/deb/higher")
    if not KEEP or not packages(folder):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for path in built(ROOT, "VERSION=" + HIGHER).values():
            shutil.move(path, folder)
    return packages(folder)


@pytest.fixture(scope="session")
def debs(higher):       # pylint: disable=unused-argument
    """Built last: `make deb` clears what it made before."""
    there = packages(os.path.join(ROOT, "build/deb"))
    return there if KEEP and there else built(ROOT)
