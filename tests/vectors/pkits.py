#!/usr/bin/python3
"""NIST PKITS through `certauth verify`: usage: pkits.py CERTAUTH

The table (pkits.tsv) is facts; certificates and CRLs come from Debian's package
python3-cryptography-vectors. Ends with `N passed, N failed`; departures from
NIST's table are named here, each with its reason.
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TIME = "2011-04-15T00:00:00Z"       # when PKITS was published

# number -> (what we answer, why); docs/conformance.md names each
DEPARTURES = {
    "4.1.4": ("invalid", "DSA is out: a kind of key that is never allowed"),
    "4.1.5": ("invalid", "DSA is out, inherited parameters too"),
}


def data_folder():
    import cryptography_vectors
    base = os.path.dirname(cryptography_vectors.__file__)
    return os.path.join(base, "x509", "PKITS_data")


def rows():
    with open(os.path.join(HERE, "pkits.tsv")) as f:
        for line in f:
            if not line.startswith("#"):
                yield line.rstrip("\n").split("\t")


def ask(certauth, data, row):
    number, _, _, policies, flags, _, certs, crls = row
    files = [os.path.join(data, "certs", c + ".crt") for c in certs.split(",")]
    cmd = [certauth, "verify", "--json", "--time", TIME, "--purpose", "any",
           "--revocation", "chain", "--roots", files[0]]
    for f in files[1:-1]:
        cmd += ["--intermediates", f]
    for c in crls.split(","):
        cmd += ["--crls", os.path.join(data, "crls", c + ".crl")]
    for p in policies.split(","):
        if p != "-":
            cmd += ["--require-policy", p]
    words = {"explicit": "--explicit-policy", "inhibit-any": "--inhibit-any-policy",
             "inhibit-mapping": "--inhibit-policy-mapping"}
    cmd += [words[f] for f in flags.split(",") if f != "-"]
    cmd.append(files[-1])
    run = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True)
    if run.returncode not in (0, 1):
        return {"result": "exit %d" % run.returncode, "reason": run.stderr,
                "message": run.stderr, "policies": []}
    return json.loads(run.stdout)


def main():
    certauth = sys.argv[1]
    with open(os.path.join(HERE, "..", "..", "docs", "conformance.md")) as f:
        page = f.read()
    data = data_folder()
    only = sys.argv[2:]
    passed = failed = 0
    for row in rows():
        if only and row[0] not in only:
            continue
        number, name, expected, users = row[0], row[1], row[2], row[5]
        if number in DEPARTURES:
            expected = DEPARTURES[number][0]
            if "| %s |" % number not in page:
                failed += 1
                print("not ok %s: docs/conformance.md does not name it" % number)
        got = ask(certauth, data, row)
        want = "accept" if expected == "valid" else "reject"
        ok = got["result"] == want
        if ok and want == "accept":
            ok = set(got["policies"]) == set(users.split(",")) - {"-"}
        passed += ok
        failed += not ok
        if not ok:
            print("not ok %s %s: expected %s %s, got %s %s %s %s" % (
                number, name, expected, users, got["result"], got["reason"],
                got["policies"], got["message"]))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
