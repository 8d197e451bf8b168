"""
bare.py - a Debian with nothing in it, in which packages can be installed and servers run.

tests/lib/chroot.sh makes it; unpacked anew for each use. What runs in it has its own
processes, mounts and network: the servers take their usual ports, nobody outside sees
them, and all of it ends with us.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import mounts

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STORE = os.environ.get("CHROOT_STORE") or os.path.join(ROOT, "build", "chroot")
ENV = {"HOME": "/root", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
       "TERM": "dumb", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
# First process of the chroot: takes the orphans, as init does, so that a daemon that
# ended is gone for start-stop-daemon.
INIT = r"""
import fcntl, os, signal, socket, struct, subprocess, sys
root = sys.argv[1]
if sys.argv[2] == "alone":      # SIOCSIFFLAGS: lo is up and running
    with socket.socket() as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
for args in (["-t", "proc", "proc", root + "/proc"], ["--rbind", "/sys", root + "/sys"],
             ["--rbind", "/dev", root + "/dev"],
             ["--bind", sys.argv[3], root + "/var/cache/apt/archives"]):
    subprocess.run(["mount"] + args, check=True)
os.chroot(root)
os.chdir("/")
open("/run/bare.ready", "w").close()
while True:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
    signal.sigwait({signal.SIGCHLD})
"""


def base():
    """(suite of this machine's Debian, the tar file of a bare one)"""
    with open("/etc/os-release", encoding="utf-8") as f:
        suite = dict(line.rstrip().split("=", 1) for line in f if "=" in line)["VERSION_CODENAME"]
    subprocess.run(["bash", "-c", ". tests/lib/chroot.sh && chroot_base \"$0\"", suite],
                   cwd=ROOT, check=True)
    return suite, os.path.join(STORE, suite + ".tar")


class Bare:
    """One such Debian: `with Bare() as b: b.run("apt-get", "install", ...)`."""

    def __init__(self):
        if os.geteuid() != 0:
            sys.exit("bare: a chroot needs root")
        self.root, self.archives, self.alone = None, None, False
        self.init, self.pid = None, None

    def __enter__(self):
        suite, tar = base()
        self.archives = os.path.join(STORE, suite + ".debs")
        os.makedirs(self.archives + "/partial", exist_ok=True)
        self.root = tempfile.mkdtemp(prefix="run-", dir=STORE)
        try:
            subprocess.run(["tar", "-C", self.root, "-xf", tar], check=True)
            os.chmod(self.root, 0o755)      # mkdtemp's 0700 lets no server in
            for name in ("resolv.conf", "hosts"):
                shutil.copy("/etc/" + name, self.path("/etc/" + name))
            self.services(False)
            self.begin(network=True)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.end()
        if self.root and not os.environ.get("BARE_KEEP"):
            subprocess.run(["rm", "-rf", "--one-file-system", self.root], check=False)

    def begin(self, network):
        """Its processes begin anew; `network`: this machine's, else one of its own."""
        self.end()
        self.alone = not network
        ready = self.path("/run/bare.ready")
        if os.path.exists(ready):
            os.unlink(ready)
        args = mounts.words() + ["--pid", "--fork", "--kill-child", "--uts", "--ipc"]
        args += [] if network else ["--net"]
        with open(os.path.join(STORE, "init.log"), "ab") as log:
            self.init = subprocess.Popen(
                args + ["/usr/bin/python3", "-c", INIT, self.root,
                        "beside" if network else "alone", self.archives],
                stderr=log, start_new_session=True)
        wait(lambda: os.path.exists(ready) or self.init.poll() is not None, "the first process")
        with open("/proc/%d/task/%d/children" % (self.init.pid, self.init.pid),
                  encoding="ascii") as f:
            self.pid = int(f.read().split()[0])

    def end(self):
        if self.init is not None:
            if self.pid is not None and self.init.poll() is None:
                os.kill(self.pid, signal.SIGKILL)       # and with it all that it has
            else:
                self.init.kill()
            self.init.wait(60)
        self.init = self.pid = None

    def path(self, name):
        return self.root + name

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w" if isinstance(text, str) else "wb") as f:
            f.write(text)
        os.chmod(self.path(name), mode)

    def read(self, name):
        with open(self.path(name), encoding="utf-8", errors="replace") as f:
            return f.read()

    def popen(self, *args, **more):
        env = dict(ENV)
        if not self.alone:
            env.update({k: v for k, v in os.environ.items() if k.endswith("_proxy")})
        return subprocess.Popen(
            ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--net", "--uts",
             "--ipc", "--root", "--wd"] + list(args), env=env,
            stdin=subprocess.DEVNULL, encoding="utf-8", errors="replace", **more)

    def ask(self, *args, seconds=600):
        """(exit status, what it printed). A daemon that it leaves may keep its output open."""
        with tempfile.TemporaryFile() as out:
            p = self.popen(*args, stdout=out, stderr=out)
            try:
                p.wait(seconds)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
            out.seek(0)
            return p.returncode, out.read().decode(errors="replace")

    def run(self, *args, seconds=600):
        status, said = self.ask(*args, seconds=seconds)
        assert status == 0, "%s: exit %d\n%s" % (" ".join(args), status, said)
        return said

    @contextlib.contextmanager
    def beside(self, *args):
        """Runs beside what is done meanwhile; nsenter's death would not end it."""
        p = self.popen("sh", "-c", 'echo $$ >/tmp/beside; exec "$@"', "beside", *args,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield p
        finally:
            self.ask("sh", "-c", "kill $(cat /tmp/beside)")
            p.wait(60)

    def services(self, may):
        """May the packages' scripts start and restart services? Without a word invoke-rc.d
        says no where there is no init."""
        self.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit %d\n" % (0 if may else 101), 0o755)

    def processes(self, needle):
        """{pid in the chroot: text of maps} of processes whose command line has `needle`."""
        found = {}
        out = self.ask("sh", "-c", "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null"
                       " | grep -q -- \"$0\" && echo ${p#/proc/}; done; true", needle)[1]
        for pid in out.split():
            status, maps = self.ask("cat", "/proc/%s/maps" % pid)
            if status == 0:
                found[pid] = maps
        return found

    def files(self):
        """All that lies in it, but what a package manager or a server writes by itself."""
        passed = ("/proc", "/sys", "/dev", "/run", "/tmp", "/var/cache", "/var/log",
                  "/var/lib/apt", "/var/lib/dpkg", "/var/tmp", "/debs", "/root")
        found = set()
        for folder, folders, names in os.walk(self.root):
            here = folder[len(self.root):]
            folders[:] = [f for f in folders if here + "/" + f not in passed]
            found.update(here + "/" + n for n in folders + names)
        return found


def wait(condition, what, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "no %s after %d s" % (what, seconds)
        time.sleep(0.1)
