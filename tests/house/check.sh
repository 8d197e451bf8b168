#!/usr/bin/env bash
#
# check.sh - does tests/check see a failure? A test that fails always stays failed; one
# that fails beside others and passes alone is named unsteady; many are not forgiven.

set -euo pipefail
cd "$(dirname "$0")/../.."
tmp=$(mktemp -d tests/house/check.XXXXXX)
trap 'rm -rf "$tmp"' EXIT
cat >"$tmp/test_once.py" <<'PY'
import os
import pytest

MARK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mark.")

@pytest.mark.parametrize("name", os.environ["ONCE"].split())
def test_once(name):
    there = os.path.exists(MARK + name)
    open(MARK + name, "w").close()
    assert there, "the first time - and a dash"

def test_good():
    pass

@pytest.mark.skipif("ALWAYS" not in os.environ, reason="not wanted")
def test_bad():
    assert False
PY

look() {	# look WORDS ENV...: the last lines of a check that has this part alone
	rm -f "$tmp"/mark.*
	env -u CHECK_STRICT "${@:2}" /usr/bin/python3 -B - "$tmp" <<'PY' >"$tmp/out" || true
import importlib.machinery
import importlib.util
import os
import sys
loader = importlib.machinery.SourceFileLoader("check", "tests/check")
check = importlib.util.module_from_spec(importlib.util.spec_from_loader("check", loader))
loader.exec_module(check)
check.LOGS = os.path.abspath(sys.argv[1])
folder = sys.argv[1]
check.PARTS = [("once", lambda part, _: part.counted(check.PYTEST + [folder]))]
check.STAGES = [[("once",)]]
sys.argv[1:] = []
sys.exit(check.main())
PY
	tail -n 1 "$tmp/out" | grep -qx "$1" || { cat "$tmp/out"; echo "expected: $1"; exit 1; }
}
look '2 passed, 0 failed' ONCE=a
grep -q 'unsteady in once: .*test_once.a. ' "$tmp/out"
look '1 passed, 1 failed' ONCE=a CHECK_STRICT=1
look '4 passed, 0 failed' ONCE='a b c'
look '1 passed, 4 failed' ONCE='a b c d'
look '2 passed, 1 failed' ONCE=a ALWAYS=1
grep -q 'failed in once: FAILED .*test_bad' "$tmp/out"
