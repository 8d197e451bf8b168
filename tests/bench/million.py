"""
million.py - nginx and Apache with a CRL of a million entries: memory and CPU.

    tables = measure_million("nginx", short, program_path)

Stock and certauth, each with and without the CRL. Memory first, one server at a time:
the PSS of master and children, at rest after some handshakes and at its highest during
a reload. PSS counts a page that n processes share as 1/n of it in each, so the sum is
what the server holds, the touched part of the index included. Then all run at once and
are loaded in turn; CPU is the scheduler's, of all processes of the server.
Four workers (nginx), four children of 16 threads (Apache).
"""

import os
import shutil
import signal
import statistics
import tempfile
import threading
import time

import servers

WORKERS = 4
NAMES = (
    ("on", "stock, no CRL"),
    ("crl", "stock, with the CRL"),
    ("ours", "certauth, no CRL"),
    ("ours-crl", "certauth, with the CRL"),
)
# name, server, what it is, certificates, smaller share of the load
CPU = (
    ("on", "on", "stock, no CRL", "same", 1),
    ("crl", "crl", "stock, with the CRL", "same", 20),
    ("ours", "ours", "certauth, no CRL, seen before", "same", 1),
    ("ours-crl", "ours-crl", "certauth, with the CRL, seen before", "same", 1),
    ("ours-new", "ours", "certauth, no CRL, each client new", "new", 1),
    ("ours-crl-new", "ours-crl", "certauth, with the CRL, each client new", "new", 1),
)


def pss(pid):
    """Bytes that the tree below (and with) pid holds."""
    total = 0
    for p in servers.tree(pid):
        try:
            with open("/proc/%d/smaps_rollup" % p, encoding="ascii") as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except (OSError, IndexError):
            pass        # ended meanwhile
    return total * 1024


class Peak:
    """The highest PSS while the block runs."""

    def __init__(self, pid):
        self.pid, self.highest, self.samples = pid, 0, 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.over.is_set():
            self.highest = max(self.highest, pss(self.pid))
            self.samples += 1
            time.sleep(0.005)

    def __enter__(self):
        self.highest = pss(self.pid)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def start(kind, folder, pki, name):
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o755)
    if kind == "nginx":
        return servers.nginx_server(folder, pki, name, WORKERS)
    return servers.apache_server(folder, pki, name,
                                 "StartServers %d\nMinSpareThreads 64\nMaxSpareThreads 128\n"
                                 "MaxRequestWorkers 128\n" % WORKERS)


def reload(kind, server, seconds=60.0):
    """A graceful reload; returns when none of the children of before is left."""
    pid = server.process.pid
    before = set(servers.tree(pid)) - {pid}
    server.process.send_signal(signal.SIGHUP if kind == "nginx" else signal.SIGUSR1)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = set(servers.tree(pid)) - {pid}
        if not now & before and len(now) >= WORKERS:
            time.sleep(0.5)
            return
        time.sleep(0.02)
    raise RuntimeError("%s: children of before a reload are still there" % kind)


def measure_memory(kind, short, pki, load, samples, folder):
    for name, _ in NAMES:
        server = start(kind, os.path.join(folder, "memory-" + name), pki, name)
        try:
            for _ in range(2 if short else 3):
                load.run(servers.port_of(server), 8 if name == "crl" else 200, "new")
                time.sleep(0.2)
                samples.add(name + " rest", "bytes", pss(server.process.pid))
                with Peak(server.process.pid) as peak:
                    reload(kind, server)
                samples.add(name + " peak", "bytes", peak.highest)
        finally:
            server.stop()


def measure_cpu(kind, short, pki, load, samples, folder):
    running = {}
    rounds, n = (2, 40) if short else (9, 160)
    try:
        for name, _ in NAMES:
            running[name] = start(kind, os.path.join(folder, "cpu-" + name), pki, name)
        for r in range(rounds + 1):
            for name, server, _, who, share in CPU:
                server = running[server]
                count = n // share if r > 0 else 8
                before = servers.cpu_ns(server.process.pid)
                load.run(servers.port_of(server), count, who)
                used = servers.cpu_ns(server.process.pid) - before
                if r > 0:
                    samples.add(name + " cpu", "us", used / 1e3 / count)
    finally:
        for server in running.values():
            server.stop()


def index_size(pki):
    state = pki.path("crl-state")
    return max(os.path.getsize(os.path.join(state, f)) for f in os.listdir(state)
               if f.startswith("crl.") and f.endswith(".idx"))


def tables_of(kind, entries, samples, index):
    title = {"nginx": "nginx, %d workers", "apache": "Apache, %d children"}[kind] % WORKERS
    title += ", CRL of %d entries" % entries
    rows = []
    for name, text in NAMES:
        rest, peak = samples.values(name + " rest"), samples.values(name + " peak")
        base = {"crl": "on", "ours-crl": "ours"}.get(name)
        note = ""
        if name == "ours-crl":
            note = "1.3 x no CRL + index of %.1f MB: %.1f MB" % (
                index / 1e6, (statistics.median(samples.values("ours rest")) * 1.3 + index) / 1e6)
        rows.append((text + ": at rest", rest, "bytes",
                     samples.values(base + " rest") if base else None, "no CRL", note))
        rows.append((text + ": highest during a reload", peak, "bytes", rest, "at rest", ""))
    memory = (title + ": PSS of master and children", rows)
    rows = []
    for name, _, text, _, _ in CPU:
        base = {"crl": "on", "ours-crl": "ours", "ours-crl-new": "ours-new"}.get(name)
        rows.append((text, samples.values(name + " cpu"), "us",
                     samples.values(base + " cpu") if base else None, "no CRL", ""))
    return [memory, (title + ": server CPU of a full handshake and one request", rows)]


def measure_million(kind, short, program_path, samples):
    entries = 100000 if short else 1000000
    folder = tempfile.mkdtemp(prefix="certauth-bench.")
    try:
        pki = servers.Pki(folder, program_path, entries)
        load = servers.Load(pki, program_path)
        measure_memory(kind, short, pki, load, samples, folder)
        measure_cpu(kind, short, pki, load, samples, folder)
        return tables_of(kind, entries, samples, index_size(pki))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
