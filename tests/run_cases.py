#!/usr/bin/python3
"""
run_cases.py - does the command answer each .case file as it says?

    tests/run_cases.py [NAME...]        all cases, or those whose name holds a NAME

A case is asked by `certauth verify --config` with a policy file, where it has CRLs again
after `certauth compile`, and, where it has only what --roots can be told, without a policy
file; the answers must be the same. Of two connections
only the second is asked: the command knows no sessions. The binary is
build/$FLAVOUR/certauth (default: test). The last line is `N passed, N failed`.
"""

import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import cases  # noqa: E402

BINARY = os.path.join(cases.ROOT, "build", os.environ.get("FLAVOUR", "test"), "certauth")
# What only a host sees, or our own data gives: tested there.
ELSEWHERE = {"no-tls", "early-data", "misdirected", "data-missing", "data-refused", "internal",
             "not-permitted"}
KEYS = {"result", "reason", "message", "path", "policies", "user"}


class Fault(Exception):
    pass


def run(args):
    p = subprocess.run([BINARY] + args, stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=60, check=False)
    return p.returncode, p.stdout.decode("utf-8", "strict"), p.stderr.decode("utf-8", "replace")


def check(case, args, with_user):
    """Runs it with --json and compares with what the case expects."""
    status, out, err = run(args)
    what = "certauth " + " ".join(args)
    decision, slug = case.expected()
    if decision == "config-error":
        if status != 2 or out or not err.strip():
            raise Fault("%s: exit %d instead of 2, stdout %r, stderr %r"
                        % (what, status, out, err))
        return
    if out.count("\n") != 1 or not out.endswith("\n"):
        raise Fault("%s: exit %d, not one line: %r %r" % (what, status, out, err))
    answer = json.loads(out)
    if not KEYS <= set(answer):
        raise Fault("%s: keys %s" % (what, sorted(answer)))
    if (answer["result"], answer["reason"]) != (decision, slug):
        raise Fault("%s: expected %s %s, got %s" % (what, decision, slug, out.strip()))
    if status != (0 if decision == "accept" else 1):
        raise Fault("%s: exit %d" % (what, status))
    if any(ord(c) < 32 or ord(c) == 127 for c in answer["message"] + answer["user"]):
        raise Fault("%s: not printable: %r" % (what, answer["message"]))
    if decision == "accept" and not answer["path"]:
        raise Fault("%s: accepted without a path" % what)
    if decision == "reject" and (answer["user"] or answer["policies"]):
        raise Fault("%s: refused with a user or policies: %s" % (what, out))
    if case.has("says") and case.get("says") not in answer["message"]:
        raise Fault("%s: message without %r: %s" % (what, case.get("says"), answer["message"]))
    if case.has("oids") and sorted(answer["policies"]) != sorted(case.words("oids")):
        raise Fault("%s: policies %s" % (what, answer["policies"]))
    if with_user and decision == "accept" and case.has("user") and \
            answer["user"] != case.get("user"):
        raise Fault("%s: user %r expected, got %r" % (what, case.get("user"), answer["user"]))


def sent_file(case, folder):
    """The sent certificates as the one file that --sent takes."""
    if not case.sent or case.get("connect") == "resume":
        return []
    path = os.path.join(folder, "sent.pem")
    with open(path, "wb") as out:
        for name in case.sent:
            with open(name, "rb") as f:
                out.write(f.read() + b"\n")
    return [path]


def with_config(case, folder, command="verify"):
    clock = os.path.join(folder, "clock")
    cases.set_clock(clock, case.at)
    conf = os.path.join(folder, "policy.conf")
    cases.write_policy(conf, [case], folder, clock)
    cases.apply_steps(case, os.path.join(folder, "c0"), clock)
    with open(clock, encoding="ascii") as f:
        now = f.read().strip()
    args = [command, "--config", conf, "--profile", "c0", "--time", now]
    if command == "verify":
        args.append("--json")
    if case.has("account"):
        args += ["--account", case.get("account")]
    for path in sent_file(case, folder):
        args += ["--sent", path]
    return args + [case.leaf]


def with_roots(case, folder):
    args = ["verify", "--json", "--time", case.at]
    for key, option in (("anchors", "--roots"), ("intermediates", "--intermediates"),
                        ("crls", "--crls"), ("ocsp", "--ocsp-response")):
        for name in case.words(key):
            args += [option, os.path.join(cases.PKI, name)]
    # What was sent is one more help to build paths, and never trusted.
    for path in sent_file(case, folder):
        args += ["--intermediates", path]
    purpose = case.get("purposes")
    names = {"clientAuth": "client", "emailProtection": "email"}
    if purpose:
        args += ["--purpose", names.get(purpose, purpose)]
    for policy in case.words("policies"):
        args += ["--require-policy", policy]
    if case.has("policies"):
        args.append("--explicit-policy")
    args += ["--max-depth", case.get("depth_limit", "5")]
    args += ["--revocation", case.get("check", "chain" if case.has("crls") else "none")]
    if case.has("email"):
        args += ["--email", case.get("email")]
    return args + [case.leaf]


def too_long(case):
    """Sent certificates may be too many; intermediates of --roots may not."""
    return case.expected()[1] == "too-big"


def ask(case):
    """None, or what is wrong."""
    folder = tempfile.mkdtemp(prefix="certauth-case-")
    try:
        if not case.has("email") and not case.has("ocsp"):
            args = with_config(case, folder)
            check(case, args, True)
            if case.words("crls") and case.expected()[0] != "config-error":
                # Published the lists must say the same; bad ones are refused here too.
                run(["compile", "--config", os.path.join(folder, "policy.conf")])
                check(case, args, True)
            if case.expected()[0] != "config-error":
                status, out, err = run(with_config(case, folder, "explain"))
                want = 0 if case.expected()[0] == "accept" else 1
                if status != want or not out.strip():
                    raise Fault("explain: exit %d, %r %r" % (status, out, err))
                if any(ord(c) < 32 and c != "\n" for c in out):
                    raise Fault("explain: not printable: %r" % out)
        if case.chain_only and not (case.sent and too_long(case)):
            check(case, with_roots(case, folder), False)
    except (Fault, ValueError, subprocess.TimeoutExpired) as e:
        return str(e)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return None


def main():
    mine = [c for c in cases.load(sys.argv[1:])
            if "command" in c.worlds and c.leaf is not None]
    passed = failed = 0
    if not sys.argv[1:]:
        given = {c.expected()[1] for c in cases.load()}
        for slug in sorted(set(cases.reasons()) - given - ELSEWHERE):
            print("not ok - no case gives " + slug)
            failed += 1
        passed += not failed
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for case, fault in zip(mine, pool.map(ask, mine)):
            if fault:
                print("# %s: %s" % (case.name, fault))
            print("%s - %s" % ("not ok" if fault else "ok", case.name), flush=True)
            passed += not fault
            failed += bool(fault)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
