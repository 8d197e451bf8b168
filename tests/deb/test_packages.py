"""
test_packages.py - do the packages say what they need, and are they the same each time?
"""

import hashlib
import os
import subprocess
import tarfile

import pytest

from conftest import ROOT, built, make, version

NAMES = {"certauth", "certauth-refresher", "libnginx-mod-http-certauth",
         "libapache2-mod-certauth", "dovecot-certauth"}


def out(*args):
    return subprocess.run(args, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout


def field(deb, name):
    return out("dpkg-deb", "-f", deb, name).strip()


def depends(deb):
    return [d.strip() for d in field(deb, "Depends").split(",")]


def names_in(deb):
    return {line.split()[5][1:].rstrip("/") for line in out("dpkg-deb", "-c", deb).splitlines()}


def satisfied(deb, package, installed):
    """Would `package` in that version do for what `deb` says of it?"""
    said = [d[len(package):].strip(" ()") for d in depends(deb) if d.startswith(package + " ")]
    assert said, depends(deb)
    return all(subprocess.run(["dpkg", "--compare-versions", installed] + s.split(),
                              check=False).returncode == 0 for s in said)


def test_five(debs):
    assert set(debs) == NAMES
    for deb in debs.values():
        assert field(deb, "Version").startswith(version() + "+deb")


def test_lintian_finds_no_error(debs):
    p = subprocess.run(["lintian", "--fail-on", "error"] + sorted(debs.values()),
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
                       check=False)
    assert p.returncode == 0, p.stdout


def test_each_module_needs_its_server(debs):
    nginx = out("sed", "-n", "s/^nginx:abi=//p",
                "/usr/share/nginx/src/debian/libnginx-mod.abisubstvars").strip()
    assert nginx in depends(debs["libnginx-mod-http-certauth"])
    apache = out("dpkg-query", "-W", "-f", "${Provides}", "apache2-bin").split(", ")
    wanted = depends(debs["libapache2-mod-certauth"])
    assert len([a for a in apache if a.startswith("apache2-api-") and a in wanted]) == 2, wanted
    dovecot = out("dpkg-query", "-W", "-f", "${Provides}", "dovecot-core")
    assert [d for d in depends(debs["dovecot-certauth"])
            if d.startswith("dovecot-abi-") and d in dovecot]
    for name in NAMES - {"certauth"}:
        assert "certauth (= %s)" % field(debs[name], "Version") in depends(debs[name])


def test_a_security_update_of_dovecot_is_never_held_back(debs):
    deb = debs["dovecot-certauth"]
    here = out("dpkg-query", "-W", "-f", "${Version}", "dovecot-core")
    epoch, _, rest = here.rpartition(":")
    upstream = rest.split("-")[0].split("+")[0]
    with_epoch = epoch + ":" + upstream if epoch else upstream
    for later in (here, here + ".1", here + "+deb99u9", with_epoch + "-1", with_epoch + "+dfsg9-1"):
        assert satisfied(deb, "dovecot-core", later), later
    numbers = upstream.split(".")
    following = ".".join(numbers[:-1] + [str(int(numbers[-1]) + 1)])
    for other in (with_epoch + ".1-1", with_epoch + ".0-1", with_epoch + "~rc1-1",
                  with_epoch.replace(upstream, following) + "+dfsg1-1",
                  with_epoch.replace(upstream, following) + "~rc1-1",
                  with_epoch.replace(upstream, "9.0") + "-1",
                  with_epoch.replace(upstream, "2.2.0") + "-1"):
        assert not satisfied(deb, "dovecot-core", other), other


@pytest.mark.parametrize("name,files", [
    ("certauth", ["usr/bin/certauth", "etc/certauth/certauth.conf", "etc/certauth/people.map",
                  "etc/certauth/denied", "etc/certauth/anchors", "usr/lib/sysusers.d/certauth.conf",
                  "usr/lib/tmpfiles.d/certauth.conf", "usr/share/man/man1/certauth.1.gz",
                  "usr/share/man/man5/certauth.conf.5.gz", "usr/share/doc/certauth/README.Debian",
                  "usr/share/doc/certauth/examples/nginx-http.conf",
                  "usr/share/certauth/personalsign/manifest"]),
    ("certauth-refresher", ["usr/bin/certauth-refresher",
                            "usr/share/man/man8/certauth-refresher.8.gz"]),
    ("libnginx-mod-http-certauth", ["usr/lib/nginx/modules/ngx_http_certauth_module.so",
                                    "usr/share/nginx/modules-available/mod-http-certauth.conf",
                                    "etc/nginx/sites-available/certauth"]),
    ("libapache2-mod-certauth", ["usr/lib/apache2/modules/mod_certauth.so",
                                 "etc/apache2/mods-available/certauth.load",
                                 "etc/apache2/sites-available/certauth.conf"]),
    ("dovecot-certauth", ["usr/lib/dovecot/modules/login/lib50_certauth_plugin.so",
                          "etc/dovecot/conf.d/certauth.conf.ext"])])
def test_what_is_in(debs, name, files):
    there = names_in(debs[name])
    for f in files:
        assert "/" + f in there, sorted(there)
    conffiles = out("dpkg-deb", "-I", debs[name], "conffiles") if name != "certauth-refresher" \
        else ""
    mine = out("dpkg-deb", "-c", debs[name])
    assert set(conffiles.split()) == \
        {line.split()[5][1:] for line in mine.splitlines()
         if line[0] == "-" and line.split()[5].startswith("./etc/")}


def test_units(debs):
    """On at the administrator's word, restarted by an upgrade when they run."""
    there = names_in(debs["certauth-refresher"])
    for unit in ("certauth-refresher.service", "certauth-refresh.timer",
                 "certauth-refresh.service", "certauth-directory@.service"):
        assert [n for n in there if n.endswith("lib/systemd/system/" + unit)], sorted(there)
    script = out("dpkg-deb", "-I", debs["certauth-refresher"], "postinst")
    assert "deb-systemd-invoke try-restart" in script
    # Enabled again only where the administrator had it so; nothing starts by itself.
    for unit in ("certauth-refresher.service", "certauth-refresh.timer"):
        assert "if deb-systemd-helper debian-installed '%s'" % unit in script
    assert script.count("deb-systemd-helper enable") == 2 and "_dh_action=start" not in script


def test_twice_the_same(debs, tmp_path):
    """In another folder, out of the tarball, without git."""
    with tarfile.open(os.path.join(ROOT, "build/certauth-%s.tar.gz" % version())) as tar:
        tar.extractall(tmp_path)
    there = str(tmp_path / ("certauth-" + version()))
    again = built(there)
    assert set(again) == NAMES

    def digest(path):
        with open(path, "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()
    assert {n: digest(p) for n, p in again.items()} == {n: digest(p) for n, p in debs.items()}
    for p in [os.path.join(f, "build/certauth-%s.tar.gz" % version()) for f in (ROOT, there)]:
        assert os.path.exists(p)
    assert digest(os.path.join(ROOT, "build/certauth-%s.tar.gz" % version())) == \
        digest(os.path.join(there, "build/certauth-%s.tar.gz" % version()))


def test_install_goes_where_it_is_told(tmp_path):
    make(ROOT, "install", "DESTDIR=%s" % tmp_path, "PREFIX=/opt/certauth")
    found = {os.path.relpath(os.path.join(f, n), tmp_path)
             for f, _, names in os.walk(tmp_path) for n in names}
    assert found and not [f for f in found if not f.startswith("opt/certauth/")], found
    assert os.access(tmp_path / "opt/certauth/bin/certauth", os.X_OK)
    for unit in (tmp_path / "opt/certauth/lib/systemd/system").iterdir():
        text = unit.read_text()
        assert "/usr/bin/" not in text, unit
        assert unit.suffix != ".service" or "/opt/certauth/bin/certauth" in text
    command = (tmp_path / "opt/certauth/bin/certauth").read_bytes()
    assert b"/opt/certauth/share/certauth" in command and b"/usr/share/certauth" not in command
    make(ROOT, "command")       # as it was, for whoever comes after
