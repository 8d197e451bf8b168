"""
test_openssl.py - where our verdict differs from OpenSSL's own, is it said why?

Every case that `openssl verify` can be asked is asked there too. A case whose verdict
differs holds a comment line that begins with `# OpenSSL differs:` and tells the reason; a case
that holds one and does not differ is out of date. `# OpenSSL 3.5 differs:` holds for that
release only: Debian 12 has 3.0, 13 has 3.5.
"""

import os
import re
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import cases  # noqa: E402
import pki  # noqa: E402

PURPOSES = {"clientAuth": ["-purpose", "sslclient"], "any": [], None: ["-purpose", "sslclient"],
            "emailProtection": ["-purpose", "smimesign"]}


def askable(case):
    return case.chain_only and not case.has("email") and "command" in case.worlds and \
        case.connections == 1 and case.get("purposes") in PURPOSES and not case.has("ocsp") and \
        all(f.endswith((".pem", ".crl")) for k in ("leaf", "sent", "anchors", "intermediates",
                                                   "crls") for f in case.words(k))


def join(path, files):
    with open(path, "wb") as out:
        for name in files:
            with open(os.path.join(cases.PKI, name), "rb") as f:
                data = f.read()
            if b"-----BEGIN" in data:
                out.write(data + b"\n")
    return path


def openssl(case, folder):
    """True when `openssl verify` accepts."""
    def path(name):
        return os.path.join(folder, name)
    args = ["openssl", "verify", "-attime", str(int(pki.when(case.at).timestamp())),
            "-no-CApath", "-no-CAstore", "-partial_chain", "-auth_level", "2",
            "-CAfile", join(path("roots"), case.words("anchors")),
            "-verify_depth", case.get("depth_limit", "5")]
    pool = case.words("intermediates") + case.words("sent")
    if pool:
        args += ["-untrusted", join(path("pool"), pool)]
    args += PURPOSES[case.get("purposes")] + ["-policy_check"]
    for policy in case.words("policies"):
        args += ["-policy", policy]
    if case.has("policies"):
        args += ["-explicit_policy"]
    check = case.get("check", "chain" if case.has("crls") else "none")
    if check != "none":
        args += ["-CRLfile", join(path("crls"), case.words("crls"))]
        args += ["-crl_check"] + (["-crl_check_all"] if check == "chain" else [])
    p = subprocess.run(args + [case.leaf], stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=60, check=False)
    return p.returncode == 0, p.stdout.decode() + p.stderr.decode()


RELEASE = re.search(r" (\d+\.\d+)\.", subprocess.run(
    ["openssl", "version"], capture_output=True, text=True, check=True).stdout).group(1)


def told(case):
    with open(case.path, encoding="utf-8") as f:
        return any(re.match(r"# OpenSSL (%s )?differs:" % re.escape(RELEASE), line) for line in f)


ALL = [c for c in cases.load() if askable(c)]


@pytest.mark.parametrize("case", ALL, ids=[c.name for c in ALL])
def test_difference_is_told(case, tmp_path):
    accepted, said = openssl(case, str(tmp_path))
    ours = case.expected()[0] == "accept"
    if accepted != ours:
        assert told(case), "%s: OpenSSL %s: %s" % (
            case.path, "accepts" if accepted else "rejects", said)
    else:
        assert not told(case), "%s: the same verdict, and yet a note" % case.path
