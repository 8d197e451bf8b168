"""
servers.py - whole logins on real servers: stock, and with certauth.

    title, rows = measure("nginx", arguments, program_path, samples)

All variants run at once, each server with one worker, and are loaded in turn by
hsload, round after round. CPU is what the server's processes used, from the
scheduler's own clock; the client runs beside it. rows None: title says why not.
"""

import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CRL = 100000
# Certificates of people that have not come before; more than any cache holds, in order.
LEAVES = 4096


def build_file(name):
    return os.path.join(ROOT, "build", os.environ["FLAVOUR"], name)


class Pki:
    """Files for all variants, made by bench_pki and mkcrl."""

    def __init__(self, folder, program_path, entries):
        self.folder = folder
        os.chmod(folder, 0o755)
        subprocess.run([program_path("bench_pki"), folder, str(LEAVES)], check=True)
        mkcrl = program_path("mkcrl")
        for name, n in (("root", 0), ("ca", entries)):
            subprocess.run([mkcrl, self.path(name + ".pem"), self.path(name + ".key"), str(n),
                            self.path(name + ".crl")], check=True)
            subprocess.run(["openssl", "crl", "-inform", "der", "-in", self.path(name + ".crl"),
                            "-out", self.path(name + ".crl.pem")], check=True)
        with open(self.path("crls.pem"), "w", encoding="ascii") as out:
            for name in ("root", "ca"):
                with open(self.path(name + ".crl.pem"), encoding="ascii") as f:
                    out.write(f.read())
        self.policy("plain", "none", [])
        self.policy("crl", "chain", ["root.crl", "ca.crl"])
        subprocess.run([build_file("certauth"), "--config", self.path("crl.conf"), "compile"],
                       check=True, stdout=subprocess.DEVNULL)
        for name in ("leaves.pem", "leaf.key", "server.key"):
            os.chmod(self.path(name), 0o644)

    def path(self, name):
        return os.path.join(self.folder, name)

    def policy(self, name, check, crls):
        with open(self.path(name + ".conf"), "w", encoding="ascii") as f:
            f.write('version = 1;\nstate = "%s";\nauthorities: { bench: { anchors = ["root.pem"];\n'
                    '\tissuers = ["ca.pem"]; revocation: { check = "%s"; %s }; }; };\n'
                    'profiles: { bench: { authorities = ["bench"]; identity = (\n'
                    '\t{ name = "mail"; user = "{san.email|local|lower}"; }); }; };\n'
                    % (self.path(name + "-state"), check,
                       "crls = [%s];" % ", ".join('"%s"' % c for c in crls) if crls else ""))


# ---------------------------------------------------------------------- measuring

def tree(pid):
    """The process and all below it."""
    found = [pid]
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, task), encoding="ascii") as f:
                for child in f.read().split():
                    found += tree(int(child))
    except OSError:
        pass
    return found


def cpu_ns(pid):
    """Nanoseconds that the tree below (and with) pid has had."""
    total = 0
    for p in tree(pid):
        try:
            for task in os.listdir("/proc/%d/task" % p):
                with open("/proc/%d/task/%s/schedstat" % (p, task), encoding="ascii") as f:
                    total += int(f.read().split()[0])
        except OSError:
            pass
    return total


def cpu_ended_ns(pid):
    """
    Nanoseconds of the tree and of the children of pid that ended, in ticks: for processes
    that live as long as one connection.
    """
    def ticks(p, first, last):
        with open("/proc/%d/stat" % p, encoding="ascii", errors="replace") as f:
            return sum(int(x) for x in f.read().rpartition(")")[2].split()[first:last])
    total = ticks(pid, 13, 15)
    for p in tree(pid):
        try:
            total += ticks(p, 11, 13)
        except OSError:
            pass
    return total * 1000000000 // os.sysconf("SC_CLK_TCK")


def private_kb(pid, command):
    """Private memory of the processes named so, in the order of /proc."""
    found = []
    for p in tree(pid):
        try:
            with open("/proc/%d/comm" % p, encoding="ascii") as f:
                if f.read().strip() != command:
                    continue
            with open("/proc/%d/smaps_rollup" % p, encoding="ascii") as f:
                found.append(sum(int(line.split()[1]) for line in f
                                 if line.startswith("Private_")))
        except OSError:
            pass
    return found


class Load:
    def __init__(self, pki, program_path, options=()):
        self.pki, self.program, self.options = pki, program_path("hsload"), list(options)
        self.next = 0

    def run(self, port, n, kind):
        """
        Latencies. kind: none; same (one person again and again); new (others); forged
        (others, refused with 400).
        """
        command = [self.program, "-p", str(port), "-n", str(n), *self.options]
        if kind != "none":
            leaves = self.pki.path("forged.pem" if kind == "forged" else "leaves.pem")
            if kind == "same":
                leaves = self.pki.path("one.pem")
                if not os.path.exists(leaves):
                    with open(self.pki.path("leaves.pem"), encoding="ascii") as f:
                        text = f.read()
                    with open(leaves, "w", encoding="ascii") as f:
                        f.write(text[:text.index("-----END") + 26])
            command += ["-l", leaves, "-k", self.pki.path("leaf.key"),
                        "-c", self.pki.path("ca.pem"), "-s", str(self.next)]
            if kind != "same":
                self.next += n
            if kind == "forged":
                command += ["-x", "400"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False)
        if done.returncode != 0:
            raise RuntimeError("%s ended with %d:\n%s" % (" ".join(command), done.returncode,
                                                         done.stderr))
        return [float(x) for x in done.stdout.split()]


# --------------------------------------------------------------- nginx and Apache

# name, what it is, certificates, smaller share of the load
WEB = (
    ("off", "stock, no client certificates", "none", 1),
    ("on", "stock, client certificates", "same", 1),
    ("on-new", "stock, client certificates, each client new", "new", 1),
    ("crl", "stock, with a CRL of %d" % CRL, "same", 4),
    ("ours", "certauth, each client seen before", "same", 1),
    ("ours-new", "certauth, each client new", "new", 1),
    ("ours-crl", "certauth, with a CRL of %d, seen before" % CRL, "same", 1),
    ("ours-crl-new", "certauth, with a CRL of %d, each client new" % CRL, "new", 1),
    ("crl-forged", "stock, with a CRL of %d, forged" % CRL, "forged", 4),
    ("ours-crl-forged", "certauth, with a CRL of %d, forged" % CRL, "forged", 1),
)
# The servers; several variants ask one.
WEB_SERVER = {"off": "off", "on": "on", "on-new": "on", "crl": "crl", "ours": "ours",
              "ours-new": "ours", "ours-crl": "ours-crl", "ours-crl-new": "ours-crl",
              "crl-forged": "crl", "ours-crl-forged": "ours-crl"}


def nginx_server(folder, pki, name, workers=1):
    from nginx_server import Nginx
    text = {
        "off": "",
        "on": "ssl_client_certificate %s; ssl_verify_client on; ssl_verify_depth 3;"
              % pki.path("root.pem"),
        "crl": "ssl_client_certificate %s; ssl_verify_client on; ssl_verify_depth 3;"
               " ssl_crl %s;" % (pki.path("root.pem"), pki.path("crls.pem")),
        "ours": "certauth_config %s; certauth bench;" % pki.path("plain.conf"),
        "ours-crl": "certauth_config %s; certauth bench;" % pki.path("crl.conf"),
    }[name]
    http = ""
    if "certauth_config" in text:
        config, text = text.split(";", 1)
        http = config + ";"
    return Nginx(folder, module=None if "ours" in name else False, level="error",
                 workers=workers, http="""
        %s access_log off; server { listen @TLS@ ssl; ssl_certificate %s;
        ssl_certificate_key %s; ssl_protocols TLSv1.3; %s
        location / { return 200 "ok\\n"; } }""" % (
            http, pki.path("server.pem"), pki.path("server.key"), text)).start()


def apache_server(folder, pki, name, more=""):
    from apache_server import Apache
    stock = "SSLCACertificateFile %s\nSSLVerifyClient require\nSSLVerifyDepth 3\n" % (
        pki.path("root.pem"))
    text = {
        "off": "", "on": stock,
        "crl": stock + "SSLCARevocationFile %s\nSSLCARevocationCheck chain\n" % (
            pki.path("crls.pem")),
        "ours": "CertAuthProfile bench\n", "ours-crl": "CertAuthProfile bench\n",
    }[name]
    config = {"ours": "plain.conf", "ours-crl": "crl.conf"}.get(name)
    server = Apache(folder, module=build_file("mod_certauth.so") if config else "",
                    without=("http2", "cgid"))
    port = server.port()
    server.conf(more + "LogLevel error\nListen 127.0.0.1:%d\n%s<VirtualHost 127.0.0.1:%d>\n"
                "ServerName localhost\nSSLEngine on\nSSLProtocol TLSv1.3\n"
                "SSLCertificateFile %s\nSSLCertificateKeyFile %s\n%s</VirtualHost>\n" % (
                    port, "CertAuthConfig %s\n" % pki.path(config) if config else "", port,
                    pki.path("server.pem"), pki.path("server.key"), text))
    # Apache.start() waits for a line that LogLevel error would leave out
    with open(server.conf_file, "r+", encoding="utf-8") as f:
        said = f.read().replace("LogLevel error\n", "LogLevel notice\n")
        f.seek(0)
        f.write(said)
        f.truncate()
    server.start()
    server.port_number = port
    return server


def port_of(server):
    return getattr(server, "port_number", None) or server.port["TLS"]


def measure_web(kind, a, pki, program_path, samples, folder):
    start = {"nginx": nginx_server, "apache": apache_server}[kind]
    servers, load = {}, Load(pki, program_path)
    # Apache ends the handshake of a forged certificate, so nobody is left to answer
    variants = [v for v in WEB if kind == "nginx" or v[2] != "forged"]
    rounds, n = (2, 40) if a.short else (7, 150)
    try:
        for name in dict.fromkeys((WEB_SERVER[v[0]] for v in variants)):
            sub = os.path.join(folder, kind + "-" + name)
            os.makedirs(sub, exist_ok=True)
            os.chmod(sub, 0o755)
            servers[name] = start(sub, pki, name)
        for r in range(rounds + 1):
            for name, _, who, share in variants:
                server = servers[WEB_SERVER[name]]
                count = n // share if r > 0 else 3
                before = cpu_ns(server.process.pid)
                latency = load.run(port_of(server), count, who)
                used = cpu_ns(server.process.pid) - before
                if r > 0:
                    samples.add(name + " cpu", "us", used / 1e3 / count)
                    samples.add(name + " p50", "us", statistics.median(latency))
    finally:
        for server in servers.values():
            server.stop()
    rows = []
    off, on, crl = (samples.values(x + " cpu") for x in ("off", "on", "crl"))
    for name, text, _, _ in variants:
        base, against = {"off": (None, ""), "on": (off, "off"), "on-new": (on, "stock"),
                         "crl": (on, "stock without"), "ours": (on, "stock"),
                         "ours-new": (samples.values("on-new cpu"), "stock"),
                         "ours-crl": (crl, "stock with CRL"),
                         "ours-crl-new": (crl, "stock with CRL"),
                         "crl-forged": (on, "stock without"),
                         "ours-crl-forged": (samples.values("crl-forged cpu"),
                                             "stock with CRL")}[name]
        rows.append((text, samples.values(name + " cpu"), "us", base, against,
                     "client p50 %.0f µs" % statistics.median(samples.values(name + " p50"))))
    return ("%s, full handshake and one request, TLS 1.3, P-256, nothing resumed: server CPU" %
            {"nginx": "nginx", "apache": "Apache"}[kind], rows)


# ----------------------------------------------------------------------- Dovecot

MAIL = (
    ("off", "stock, no client certificate"),
    ("on", "stock, client certificate"),
    ("crl", "stock, with a CRL of %d" % CRL),
    ("ours", "certauth"),
    ("ours-crl", "certauth, with a CRL of %d" % CRL),
)


def dovecot_server(folder, pki, name):
    from dovecot_server import Dovecot
    conf = ""
    plugin = environment = None
    if name in ("on", "crl"):
        # in 2.3 the CRLs stand in ssl_ca, and every CA of the chain needs one
        ca = os.path.join(folder, "ca.pem")
        with open(ca, "w", encoding="ascii") as out:
            for part in ("all.pem",) + (("crls.pem",) if name == "crl" else ()):
                with open(pki.path(part), encoding="ascii") as f:
                    out.write(f.read())
        conf = "ssl_ca = <%s\nssl_verify_client_cert = yes\nssl_require_crl = %s\n" % (
            ca, "yes" if name == "crl" else "no")
    if name.startswith("ours"):
        plugin = build_file("lib50_certauth_plugin.so")
        config = {"ours": "plain.conf", "ours-crl": "crl.conf"}[name]
        environment = {"CERTAUTH_CONF": pki.path(config), "CERTAUTH_PROFILE": "bench"}
    # a CRL of that length does not fit into the default limits of a login process
    conf += "default_vsz_limit = 0\n"
    return Dovecot(folder, cert=pki.path("server.pem"), key=pki.path("server.key"),
                   plugin=plugin, environment=environment, passwords={"person": "secret"},
                   conf=conf).start()


def login_memory(server, pki):
    """Private bytes of a login process that holds one client with a certificate."""
    import ssl
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    one = pki.path("one-chain.pem")
    if not os.path.exists(one):
        with open(pki.path("leaves.pem"), encoding="ascii") as f:
            leaf = f.read()
        with open(pki.path("ca.pem"), encoding="ascii") as f, \
                open(one, "w", encoding="ascii") as out:
            out.write(leaf[:leaf.index("-----END") + 26] + f.read())
    context.load_cert_chain(one, pki.path("leaf.key"))
    with socket.create_connection(("127.0.0.1", server.port["imaps"])) as raw:
        with context.wrap_socket(raw) as tls:
            tls.recv(4096)
            tls.sendall(b"a CAPABILITY\r\n")
            tls.recv(4096)
            held = private_kb(server.process.pid, "imap-login")
            return max(held) * 1024 if held else None


def measure_mail(a, pki, program_path, samples, folder):
    servers, load = {}, Load(pki, program_path, ["-i"])
    rounds, n = (2, 12) if a.short else (7, 24)
    try:
        for name, _ in MAIL:
            sub = tempfile.mkdtemp(prefix="cab.")       # Unix sockets: short names
            os.chmod(sub, 0o755)
            servers[name] = dovecot_server(sub, pki, name)
        for r in range(rounds + 1):
            for name, _ in MAIL:
                server = servers[name]
                before = cpu_ended_ns(server.process.pid)
                latency = load.run(server.port["imaps"], n if r > 0 else 2,
                                   "none" if name == "off" else "new")
                if r == 0:
                    continue
                time.sleep(0.05)    # the last login process ends
                samples.add(name + " cpu", "us",
                            (cpu_ended_ns(server.process.pid) - before) / 1e3 / n)
                samples.add(name, "us", statistics.median(latency))
                memory = login_memory(server, pki)
                if memory is not None:
                    samples.add(name + " memory", "bytes", memory)
    finally:
        for server in servers.values():
            server.stop()
            shutil.rmtree(server.folder, ignore_errors=True)
    rows = []
    off, crl = samples.values("off"), samples.values("crl")
    for name, text in MAIL:
        base, against = {"off": (None, ""), "ours-crl": (crl, "stock with CRL")}.get(
            name, (off, "no certificate"))
        memory = samples.values(name + " memory")
        note = "CPU %.1f ms" % (statistics.median(samples.values(name + " cpu")) / 1e3)
        if memory:
            note += ", login process %.1f MB private" % (statistics.median(memory) / 1e6)
        if name == "ours-crl":
            note += ", %.2f x no certificate" % (
                statistics.median(samples.values(name)) / statistics.median(off))
        rows.append((text, samples.values(name), "us", base, against, note))
    return ("Dovecot, IMAPS greeting and LOGOUT, a login process for each connection, "
            "each client new: latency", rows)


def available(kind):
    if os.geteuid() != 0:
        return "the servers of this part want root (workers with users of their own)"
    if kind == "nginx":
        import nginx_server
        return nginx_server.available()
    if kind == "apache":
        import apache_server
        if not apache_server.installed():
            return "no apache2"
        need = build_file("mod_certauth.so")
        return None if os.path.exists(need) else need + " is missing"
    import dovecot_server
    need = build_file("lib50_certauth_plugin.so")
    return dovecot_server.available() or (
        None if os.path.exists(need) else need + " is missing")


def measure(kind, a, program_path, samples):
    why = available(kind)
    if why is not None:
        return why, None
    folder = tempfile.mkdtemp(prefix="certauth-bench.")
    try:
        pki = Pki(folder, program_path, CRL)
        if kind == "dovecot":
            return measure_mail(a, pki, program_path, samples, folder)
        return measure_web(kind, a, pki, program_path, samples, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.1)
