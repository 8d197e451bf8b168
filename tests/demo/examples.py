"""
examples.py - is every file of conf-examples/ taken by the program that reads it?
"""

import configparser
import json
import os
import pwd
import re
import shutil
import subprocess
import sys

import servers
import world

sys.path.insert(0, os.path.join(world.ROOT, "tests", "lib"))
from pki import CA, write_pem  # noqa: E402


def run(*args, user=None):
    p = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, user=user,
                       stderr=subprocess.STDOUT, timeout=60, check=False)
    return p.returncode == 0, p.stdout.decode(errors="replace").strip()


def certauth_check(build, conf):
    return run(os.path.join(build, "certauth"), "check", "--config", conf)


def policy_certauth(folder, build):
    return certauth_check(build, os.path.join(folder, "etc", "certauth.conf"))


def policy_minimal(folder, build):
    d = os.path.join(folder, "minimal")
    os.mkdir(d)
    world.policy_example("minimal.conf", d)
    ca = CA("Our CA")
    write_pem(os.path.join(d, "ca.pem"), ca)
    ca.crl().write(os.path.join(d, "ca.crl"))
    good = certauth_check(build, os.path.join(d, "minimal.conf"))
    if not good[0]:
        return good
    leaf = ca.leaf("Alice", email="alice@example.com").write(d)
    return run(os.path.join(build, "certauth"), "verify", "--config",
               os.path.join(d, "minimal.conf"), "--profile", "staff", leaf)


def policy_smartcard(folder, build):
    d = os.path.join(folder, "smartcard")
    os.makedirs(os.path.join(d, "cards", "crls"))
    world.policy_example("smartcard.conf", d)
    policy = ["1.3.6.1.4.1.99999.1.2"]
    root = CA("Card Root")
    ca = CA("Card CA", root, policies=policy)
    write_pem(os.path.join(d, "cards", "root.pem"), root)
    write_pem(os.path.join(d, "cards", "issuing.pem"), ca)
    root.crl().write(os.path.join(d, "cards", "crls", "root.crl"))
    ca.crl().write(os.path.join(d, "cards", "crls", "issuing.crl"))
    guest = ca.leaf("Guest 7", policies=policy)
    for name, text in (("denied", "# nobody\n"), ("cards.map", guest.sha256() + " guest7\n")):
        with open(os.path.join(d, name), "w", encoding="utf-8") as f:
            f.write(text)
    conf = os.path.join(d, "smartcard.conf")
    good = certauth_check(build, conf)
    if not good[0]:
        return good
    alice = ca.leaf("Alice", upn="Alice@corp.example.com", policies=policy)
    for cert, user in ((alice, "alice"), (guest, "guest7")):
        good = run(os.path.join(build, "certauth"), "verify", "--json", "--config", conf,
                   "--profile", "cards", cert.write(d))
        if not good[0] or '"%s"' % user not in good[1]:
            return False, good[1]
    return good


def nginx(folder, build):
    s = servers.Nginx(folder, build)
    return run(*s.command()[:-2], "-t")


def apache(folder, build):
    s = servers.Apache(folder, build)
    return run(*s.command()[:-1], "-t")


def dovecot(folder, build):
    s = servers.Mail(folder, build)
    s.dovecot.start()       # doveconf alone does not read login plugins
    try:
        return run("doveconf", "-c", s.conf, "login_plugins", "auth_mechanisms")
    finally:
        s.stop()


def other_dovecot(_, __):
    """The other release's language: its own machine loads it (make check-trixie). Here: the
    same settings as in ours."""
    def words(name):
        with open(os.path.join(world.EXAMPLES, name), encoding="utf-8") as f:
            text = "".join(line for line in f if not line.startswith("#"))
        return {w for w in re.findall(r"[\w/.-]+", text)}
    ours, other = words(servers.MAIL_EXAMPLE), words(servers.OTHER_MAIL_EXAMPLE)
    differ = {"import_environment", "args", "mechanisms", "mechanisms_filter", "fields",
              "certauth"}
    return ours - differ == other - differ, " ".join(sorted(ours ^ other))


def units(folder, name):
    """systemd's own checker where there is one; else at least its grammar."""
    path = os.path.join(world.EXAMPLES, name)
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read(path)
    need = {"service": ("Unit", "Service"), "path": ("Unit", "Path", "Install"),
            "timer": ("Unit", "Timer", "Install")}
    if tuple(parser.sections())[:3] not in (
            need[name.rsplit(".", 1)[1]], ("Unit", "Service", "Install")):
        return False, "sections: %s" % parser.sections()
    if shutil.which("systemd-analyze") is None:
        return True, "parsed only: no systemd-analyze here"
    root = os.path.join(folder, "systemd-" + name)
    os.makedirs(os.path.join(root, "usr", "bin"))
    for unit in ("certauth-compile.service", "certauth-compile.path",
                 "certauth-refresher.service", "certauth-directory@.service",
                 "certauth-refresh.service", "certauth-refresh.timer"):
        with open(os.path.join(world.EXAMPLES, unit), encoding="utf-8") as f:
            text = f.read().replace("/usr/bin/certauth", os.path.join(root, "usr/bin/certauth"))
        with open(os.path.join(root, unit), "w", encoding="utf-8") as f:
            f.write(text)
    for program in ("certauth", "certauth-refresher"):
        shutil.copy("/bin/true", os.path.join(root, "usr", "bin", program))
    good, said = run("systemd-analyze", "verify", "--man=no", os.path.join(root, name))
    said = "\n".join(line for line in said.splitlines() if "certauth" in line)
    return good and not said, said


def service(folder, _):
    return units(folder, "certauth-compile.service")


def refresher_service(folder, _):
    return units(folder, "certauth-refresher.service")


def directory_service(folder, _):
    return units(folder, "certauth-directory@.service")


def refresh_service(folder, _):
    return units(folder, "certauth-refresh.service")


def refresh_timer(folder, _):
    return units(folder, "certauth-refresh.timer")


def sysusers(folder, _):
    path = os.path.join(world.EXAMPLES, "certauth.sysusers")
    if shutil.which("systemd-sysusers") is None:
        with open(path, encoding="utf-8") as f:
            return "u certauth " in f.read(), "parsed only"
    root = os.path.join(folder, "sysusers")
    os.makedirs(os.path.join(root, "etc"))
    good, said = run("systemd-sysusers", "--root=" + root, path)
    with open(os.path.join(root, "etc", "passwd"), encoding="utf-8") as f:
        made = good and "certauth:" in f.read()
    with open(os.path.join(root, "etc", "group"), encoding="utf-8") as f:
        return made and re.search("^certauth:.*www-data", f.read(), re.M) is not None, said


def path_unit(folder, _):
    return units(folder, "certauth-compile.path")


def tmpfiles(folder, _):
    with open(os.path.join(world.EXAMPLES, "certauth.tmpfiles"), encoding="utf-8") as f:
        text = f.read()
    rows = [line.split() for line in text.splitlines() if line and line[0] != "#"]
    for r in rows:
        if len(r) != 6 or r[0] != "d" or not re.fullmatch(r"0[0-7]{3}", r[2]):
            return False, " ".join(r)
    if shutil.which("systemd-tmpfiles") is None or os.geteuid() != 0:
        return bool(rows), "parsed only"
    root = os.path.join(folder, "tmpfiles")
    os.makedirs(os.path.join(root, "etc"))
    # Names are looked up inside of --root.
    nobody = pwd.getpwnam("nobody")
    with open(os.path.join(root, "etc", "passwd"), "w", encoding="utf-8") as f:
        f.write("root:x:0:0::/:/bin/sh\ncertauth:x:%d:%d::/:/bin/sh\n"
                % (nobody.pw_uid, nobody.pw_gid))
    with open(os.path.join(root, "etc", "group"), "w", encoding="utf-8") as f:
        f.write("root:x:0:\ncertauth:x:%d:\n" % nobody.pw_gid)
    conf = os.path.join(root, "certauth.conf")
    with open(conf, "w", encoding="utf-8") as f:
        f.write(text)
    good, said = run("systemd-tmpfiles", "--create", "--root=" + root, conf)
    for r in rows:
        made = root + r[1]
        if not os.path.isdir(made) or os.stat(made).st_mode & 0o7777 != int(r[2], 8):
            return False, "%s was not made so: %s" % (r[1], said)
    return good, said


def personalsign(folder, build):
    """The folder beside its policy, with a CA in each of its groups; test_pool.py has more."""
    d = os.path.join(folder, "personalsign-etc")
    there = os.path.join(d, "personalsign")
    shutil.copytree(os.path.join(world.EXAMPLES, "personalsign"), there)
    shutil.move(os.path.join(there, "certauth.conf"), d)
    ca = CA("Any CA")
    for name in os.listdir(os.path.join(there, "authorities")):
        for role in ("anchors", "issuers", "intermediates"):
            os.makedirs(os.path.join(there, name[:-len(".conf")], role))
        for role in ("anchors", "issuers"):
            write_pem(os.path.join(there, name[:-len(".conf")], role, "ca.pem"), ca)
    leaf = ca.leaf("Alice", email="alice@example.com").write(d)
    os.remove(os.path.join(d, "certauth.conf"))
    conf = world.policy_example("personalsign/certauth.conf", d)
    for name in os.listdir(os.path.join(there, "profiles")):
        good, said = run(os.path.join(build, "certauth"), "verify", "--json", "--config",
                         os.path.join(d, "certauth.conf"), "--profile",
                         name[:-len(".conf")], leaf)
        # taken, and nobody is let in without CRLs and lines of a map
        if good or '"result":"reject"' not in said:
            return False, "%s: %s" % (name, said)
    return published(d, conf, build, ca)


def published(d, conf, build, ca):
    """With a line of the map, and the CRL published by the state folder's owner, who is
    neither root nor the reader: the user is let in."""
    state = os.path.join(d, "state")
    os.mkdir(state)
    other = "nobody" if os.geteuid() == 0 else None
    with open(conf, encoding="utf-8") as f:
        text = f.read()
    with open(conf, "w", encoding="utf-8") as f:
        f.write(re.sub(r'owner = "[^"]*";', 'owner = "%s"; state = "state";' %
                       (other or pwd.getpwuid(os.geteuid()).pw_name), text))
    with open(os.path.join(d, "personalsign", "people.map"), "a", encoding="utf-8") as f:
        f.write("alice@example.com alice\n")
    crl = ca.crl().write(os.path.join(d, "ca.crl"))
    if other:
        os.chown(state, pwd.getpwnam(other).pw_uid, pwd.getpwnam(other).pw_gid)
    good, said = run(os.path.join(build, "certauth"), "publish", "--config", conf, crl,
                     user=other)
    if not good:
        return False, "publish: " + said
    leaf = ca.leaf("Alice", email="alice@example.com", policies=world.MAILBOX).write(d, "ps1")
    good, said = run(os.path.join(build, "certauth"), "verify", "--json", "--config", conf,
                     "--profile", "ps1", leaf)
    return good and '"user":"alice"' in said, said


def refusal_pages(folder, build):
    """One page for each reason and no other; the servers load them in tests/hosts."""
    good, said = run(os.path.join(world.ROOT, "docs", "generate"), "--check")
    pages = {n[:-5] for n in os.listdir(os.path.join(world.EXAMPLES, "pages"))
             if n.endswith(".html")}
    with open(os.path.join(world.ROOT, "docs", "reasons.md"), encoding="utf-8") as f:
        reasons = set(re.findall(r"^\| `([a-z-]+)` \d{4}", f.read(), re.M))
    return good and bool(pages) and pages == reasons, said + " ".join(sorted(pages ^ reasons))


def completions(_, __):
    """Each shell takes its own; what they do is in tests/command."""
    d = os.path.join(world.EXAMPLES, "completions")
    for shell, name in (("bash", "certauth.bash"), ("zsh", "_certauth"), ("fish", "certauth.fish")):
        if shutil.which(shell):
            good = run(shell, "-n", os.path.join(d, name))
            if not good[0]:
                return good
    return sorted(os.listdir(d)) == ["_certauth", "certauth.bash", "certauth.fish"], ""


def metrics(_, __):
    """promtool and a parser of JSON; what they ask for is told by servers in tests/hosts."""
    d = os.path.join(world.EXAMPLES, "metrics")
    with open(os.path.join(d, "dashboard.json"), encoding="utf-8") as f:
        if not json.load(f)["panels"]:
            return False, "dashboard.json has no panels"
    if shutil.which("promtool"):
        good = run("promtool", "check", "rules", os.path.join(d, "rules.yml"))
        if not good[0]:
            return good
    return sorted(os.listdir(d)) == ["dashboard.json", "rules.yml"], ""


READERS = {
    "certauth.conf": policy_certauth, "minimal.conf": policy_minimal,
    "smartcard.conf": policy_smartcard, "nginx-http.conf": nginx,
    "apache-vhost.conf": apache, servers.MAIL_EXAMPLE: dovecot,
    servers.OTHER_MAIL_EXAMPLE: other_dovecot,
    "certauth-compile.service": service, "certauth-compile.path": path_unit,
    "certauth.tmpfiles": tmpfiles,
    "certauth-refresher.service": refresher_service,
    "certauth-refresh.service": refresh_service, "certauth-refresh.timer": refresh_timer,
    "certauth-directory@.service": directory_service, "certauth.sysusers": sysusers,
    "personalsign": personalsign, "pages": refusal_pages, "completions": completions,
    "metrics": metrics,
}
# These look at the world, the others at its folder.
WORLDLY = {nginx, apache, dovecot}


def load(folder, build):
    w = world.World(folder)
    os.makedirs(os.path.join(folder, "www"))
    passed = failed = 0
    for name in sorted(set(os.listdir(world.EXAMPLES)) | set(READERS)):
        reader = READERS.get(name)
        try:
            good, said = (False, "no test loads it") if reader is None else \
                reader(w if reader in WORLDLY else folder, build)
        except (OSError, ValueError, RuntimeError) as e:
            good, said = False, str(e)
        print("%-28s %s" % (name, "ok" if good else "FAILED"))
        if not good:
            print(said)
            failed += 1
        else:
            passed += 1
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0
