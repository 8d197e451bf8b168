"""
Versions meet: `certauth check` says which running server has old code, or cannot read the
index. A real nginx with a module whose file is replaced, moved and removed underneath.
"""

import os
import shutil
import struct
import subprocess

import pytest

from world import BUILD, World, until

MODULE = "ngx_http_certauth_module.so"
BUILT = os.path.join(BUILD, MODULE)
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")

pytestmark = pytest.mark.skipif(not NGINX or not os.path.exists(BUILT),
                                reason="no nginx, or no module for it")


def stamp(path, index_version=None, version=None):
    """Writes another index version, another version into the note of a module."""
    with open(path, "rb") as f:
        data = bytearray(f.read())
    at = data.index(struct.pack("<III", 9, 20, 1) + b"certauth\0\0\0\0") + 24
    if index_version is not None:
        data[at:at + 4] = struct.pack("<I", index_version)
    if version is not None:
        data[at + 4:at + 20] = version.ljust(16, b"\0")
    with open(path, "wb") as f:
        f.write(data)


class Nginx:
    def __init__(self, w):
        self.module = w.path(MODULE)
        shutil.copy(BUILT, self.module)
        self.w, self.process = w, None

    def start(self):
        conf = self.w.path("nginx.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write("load_module %s;\ndaemon off; pid %s; error_log stderr;\n"
                    "events {}\nhttp { access_log off; server { listen unix:%s; } }\n" % (
                        self.module, self.w.path("nginx.pid"), self.w.path("n.sock")))
        self.process = subprocess.Popen([NGINX, "-c", conf, "-e", "stderr"],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: os.path.exists(self.w.path("n.sock")))
        assert self.process.poll() is None

    def replace(self):
        """As a package does: beside it, then renamed."""
        shutil.copy(BUILT, self.module + ".new")
        os.rename(self.module + ".new", self.module)

    def said(self):
        """What check says of our own processes: the master's line, or None."""
        out = self.w.command("check").stdout
        rows = [r for r in out.splitlines() if "process %d (" % self.process.pid in r]
        assert len(rows) <= 1
        return rows[0] if rows else None

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(60)


@pytest.fixture(name="n")
def _n(tmp_path):
    with World(tmp_path) as w:
        url = w.http.serve("/a.crl", w.crl())
        w.policy(crl_urls=[url])
        w.once()
        n = Nginx(w)
        yield n
        n.stop()


def test_the_same(n):
    n.start()
    assert n.said() is None


def test_replaced(n):
    stamp(n.module, version=b"0.0.9")
    n.start()
    assert n.said() is None
    n.replace()
    said = n.said()
    assert "nginx" in said and "runs an older " + MODULE in said
    assert "certauth 0.0.9" in said and "restart it" in said
    n.stop()
    n.start()
    assert n.said() is None


@pytest.mark.parametrize("how", [os.unlink, lambda p: os.rename(p, p + ".old")])
def test_gone(n, how):
    n.start()
    how(n.module)
    assert "runs an older " + MODULE in n.said()


def test_cannot_read_the_index(n):
    stamp(n.module, index_version=1)
    n.start()
    said = n.said()
    assert said.startswith("fault") or said.lower().startswith(("fatal", "error"))
    assert "cannot read the published index: it has format 3" in said
    assert "reads 1; install the same version" in said
    n.replace()
    said = n.said()
    assert "cannot read the published index" in said and said.endswith("restart it")
    p = n.w.command("check")
    assert p.returncode == 1


def test_a_version_that_is_no_text(n):
    stamp(n.module, version=b"\x1b[31m\nx" + b"A" * 9)
    n.start()
    n.replace()
    said = n.said()
    assert "\x1b" not in said and "certauth ?[31m?xAAAAAAAA)" in said


def test_every_program_has_the_note():
    for name in os.listdir(BUILD):
        if name.endswith(".so") or name in ("certauth", "certauth-refresher"):
            out = subprocess.run(["readelf", "-n", os.path.join(BUILD, name)], text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
            assert ".note.certauth" in out.stdout, name
