"""
cases.py - reads a .case file and writes the policy file that asks its question.

Used by the runners of the command and of the three servers; tests/cases/README.md
describes the format. The core's runner (tests/run_cases.c) does the same in C.
"""

import os
import re
import shutil

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(HERE)
PKI = os.path.join(HERE, "pki")
CASES = os.path.join(HERE, "cases")

WORLDS = ["core", "command", "nginx", "apache", "dovecot"]
_AUTHORITY = {"anchors", "issuers", "intermediates", "crls", "check", "unknown", "grace",
              "max_age"}
_KEYS = _AUTHORITY | {
    "at", "leaf", "sent", "purposes", "policies", "max_lifetime", "depth_limit", "keys",
    "rule", "map", "map-file", "denied", "denied-file", "profile", "email", "connect",
    "first", "then", "ocsp", "expect", "depth", "user", "groups", "oids", "says", "account",
    "http", "imap", "worlds"}


class Case:
    def __init__(self, path):
        self.path = path
        self.name = os.path.relpath(path, CASES)[:-len(".case")]
        self.pairs = []
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                line = line.rstrip("\n")
                if not line.strip() or line.startswith("#"):
                    continue
                key, colon, value = line.partition(":")
                if not colon or key.split(".")[0] not in _KEYS or \
                        ("." in key and key.split(".")[0] not in _AUTHORITY):
                    raise ValueError("%s:%d: unknown key %r" % (path, number, key))
                self.pairs.append((key, value.strip()))
        for want in ("leaf", "expect"):
            if not self.has(want):
                raise ValueError("%s: no `%s`" % (path, want))

    def has(self, key):
        return any(k == key for k, _ in self.pairs)

    def all(self, key):
        return [v for k, v in self.pairs if k == key]

    def get(self, key, default=None):
        values = self.all(key)
        return values[-1] if values else default

    def words(self, key):
        return " ".join(self.all(key)).split()

    @property
    def at(self):
        return self.get("at", "2026-03-01T12:00:00Z")

    @property
    def worlds(self):
        if self.get("expect") == "config-error":
            return [w for w in self.words("worlds") or ["core", "command"]]
        if self.has("email"):
            return ["core", "command"]
        return self.words("worlds") or WORLDS

    @property
    def leaf(self):
        leaf = self.get("leaf")
        return None if leaf == "none" else os.path.join(PKI, leaf)

    @property
    def key_file(self):
        return re.sub(r"\.[a-z0-9]+$", ".key", self.leaf)

    @property
    def sent(self):
        return [os.path.join(PKI, f) for f in self.words("sent")]

    @property
    def steps(self):
        return [s.split(None, 1) for s in self.all("then")]

    @property
    def connections(self):
        return 2 if self.get("connect", "full") == "resume" or self.steps else 1

    def expected(self, which="expect"):
        """("accept", "ok") or ("reject", slug)."""
        words = self.get(which, "accept").split()
        return (words[0], words[1] if len(words) > 1 else "ok")

    @property
    def authorities(self):
        names = ["ca"]
        for key, _ in self.pairs:
            _, dot, name = key.partition(".")
            if dot and name not in names:
                names.append(name)
        return names

    @property
    def chain_only(self):
        """Only what `certauth verify --roots` can be told."""
        return self.authorities == ["ca"] and not any(self.has(k) for k in (
            "issuers", "unknown", "grace", "max_age", "max_lifetime", "keys", "rule", "map",
            "denied", "denied-file", "map-file", "profile", "then")) and \
            len(self.words("purposes")) < 2 and self.leaf is not None and \
            self.get("expect") != "config-error"


def load(names=()):
    """All cases, or those whose name holds one of `names`; sorted."""
    out = []
    for folder, _, files in os.walk(CASES):
        for f in files:
            if f.endswith(".case"):
                case = Case(os.path.join(folder, f))
                if not names or any(n in case.name for n in names):
                    out.append(case)
    return sorted(out, key=lambda c: c.name)


# ------------------------------------------------------------- the policy file


def _quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _strings(values):
    return "[ " + ", ".join(_quote(v) for v in values) + " ]"


def _put(path, data):
    with open(path + ".part", "wb") as f:
        f.write(data)
    os.chmod(path + ".part", 0o644)
    os.rename(path + ".part", path)


def _read(name):
    with open(os.path.join(PKI, name), "rb") as f:
        return f.read()


def _copy(case, key, folder):
    """Copies the files of `key`; the copies' names, for the policy file."""
    out = []
    for i, name in enumerate(case.words(key)):
        if not os.path.exists(os.path.join(PKI, name)):
            out.append(os.path.join(folder, "missing.pem"))
            continue
        target = os.path.join(folder, "%s-%d-%s" % (key, i, os.path.basename(name)))
        _put(target, _read(name))
        out.append(target)
    return out


def crl_folder(folder, authority):
    return os.path.join(folder, "crls-" + authority)


def lay_out(case, folder):
    """Writes the case's files into `folder` (made, 0755)."""
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o755)
    for kind in ("map", "denied"):
        if case.has(kind) or case.has(kind + "-file"):
            data = b"".join(_read(f) for f in case.words(kind + "-file"))
            data += "".join(line + "\n" for line in case.all(kind)).encode()
            # Authorities are called as they are in this policy file.
            data = data.replace(b" # enrolled authority=", b" # enrolled authority=" +
                                os.path.basename(folder).encode() + b"-")
            _put(os.path.join(folder, kind), data)
    for name in case.authorities:
        key = "crls" if name == "ca" else "crls." + name
        if case.has(key):
            crls = crl_folder(folder, name)
            shutil.rmtree(crls, ignore_errors=True)
            os.makedirs(crls)
            os.chmod(crls, 0o755)
            for crl in case.words(key):
                _put(os.path.join(crls, os.path.basename(crl)), _read(crl))


def authority_text(case, folder, name, called):
    def key(k):
        return k if name == "ca" else k + "." + name
    out = ["  %s: {" % called, "    anchors = %s;" % _strings(_copy(case, key("anchors"), folder))]
    for k in ("issuers", "intermediates"):
        if case.has(key(k)):
            out.append("    %s = %s;" % (k, _strings(_copy(case, key(k), folder))))
    check = case.get(key("check"), "chain" if case.has(key("crls")) else "none")
    out.append("    revocation: { check = %s;" % _quote(check))
    for k in ("unknown", "grace", "max_age"):
        if case.has(key(k)):
            out.append("      %s = %s;" % (k, _quote(case.get(key(k)))))
    if case.has(key("crls")):
        out.append("      crls = %s;" % _strings([crl_folder(folder, name)]))
    return "\n".join(out) + "\n    };\n  };\n"


def profile_text(case, folder, called, authorities):
    out = ["  %s: {" % called, "    authorities = %s;" % _strings(authorities)]
    for key in ("purposes", "policies"):
        if case.has(key):
            out.append("    %s = %s;" % (key, _strings(case.words(key))))
    if case.has("keys"):
        out.append("    keys: { %s };" % " ".join(case.all("keys")))
    if case.has("max_lifetime"):
        out.append("    max_lifetime = %s;" % _quote(case.get("max_lifetime")))
    if case.has("depth_limit"):
        out.append("    depth = %s;" % case.get("depth_limit"))
    if case.has("denied") or case.has("denied-file"):
        out.append("    denied = %s;" % _quote(os.path.join(folder, "denied")))
    if case.has("rule"):
        rules = ",\n      ".join("{ %s }" % r for r in case.all("rule"))
        # A rule's authorities are called as they are in this policy file.
        rules = re.sub(r"authorities = \[(.*?)\]", lambda m: "authorities = [%s]" % re.sub(
            r'"(.*?)"', r'"%s-\1"' % called, m.group(1)), rules)
        rules = rules.replace('"map"', _quote(os.path.join(folder, "map")))
        out.append("    identity = ( %s );" % rules)
    out += ["    " + p for p in case.all("profile")]
    return "\n".join(out) + "\n  };\n"


def write_policy(path, cases, folder, clock=None, state=None):
    """
    One policy file for many cases: case i is profile "c<i>" (authorities "c<i>-NAME",
    files in folder/c<i>). Returns the profiles' names in order.
    """
    authorities, profiles, names = [], [], []
    for i, case in enumerate(cases):
        called = "c%d" % i
        mine = os.path.join(folder, called)
        lay_out(case, mine)
        here = [(n, "%s-%s" % (called, n)) for n in case.authorities]
        authorities += [authority_text(case, mine, n, c) for n, c in here]
        profiles.append(profile_text(case, mine, called, [c for _, c in here]))
        names.append(called)
    text = "version = 1;\n"
    text += "state = %s;\n" % _quote(state or os.path.join(folder, "state"))
    if clock:
        text += "test_clock = %s;\n" % _quote(clock)
    text += "authorities: {\n" + "".join(authorities) + "};\n"
    text += "profiles: {\n" + "".join(profiles) + "};\n"
    _put(path, text.encode())
    return names


def set_clock(clock, time):
    _put(clock, (time + "\n").encode())


def apply_steps(case, folder, clock):
    """What `then` says; `folder` is the case's own."""
    for verb, rest in case.steps:
        if verb == "clock":
            set_clock(clock, rest)
        elif verb == "crl":
            name, _, other = rest.partition(" as ")
            _put(os.path.join(crl_folder(folder, "ca"), other or os.path.basename(name)),
                 _read(name))
        elif verb in ("map", "denied"):
            path = os.path.join(folder, verb)
            with open(path, "rb") as f:
                _put(path, f.read() + rest.encode() + b"\n")
        else:
            raise ValueError("%s: unknown step %r" % (case.path, verb))


# ------------------------------------------------------------------- reasons


class Reason:
    def __init__(self, row):
        self.number, self.slug, self.x509 = int(row[0]), row[2], int(row[5])
        self.http, self.nginx, self.imap = int(row[6]), int(row[7]), row[8]
        self.flags = row[9]


def reasons():
    """slug -> Reason, read from shared/reasons.def."""
    with open(os.path.join(ROOT, "shared", "reasons.def"), encoding="utf-8") as f:
        text = f.read()
    out = {}
    for m in re.finditer(r"^REASON\((.*)$", text, re.M):
        row = [w.strip().strip('"') for w in m.group(1).split(",")]
        if re.fullmatch(r"\d+", row[0]):
            out[row[2]] = Reason(row)
    return out
