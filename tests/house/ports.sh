#!/bin/bash
#
# ports.sh - do tests get their ports in the one way that nobody can come between?
#
# A port asked of the kernel (bind to port 0) is ours while the socket is open. Closed
# and bound again later by a server, it may be another suite's by then, and that makes a
# test that fails once in a hundred. So whoever binds port 0 listens on it at once, and
# a port for later comes from tests/lib/ports.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0

fault() { echo "$1"; bad=$((bad + 1)); }

files=$(git ls-files -co --exclude-standard 'tests/*.py' 'conf-examples/*.py')
[ "$(wc -w <<<"$files")" -gt 30 ] || fault "ports: nothing to look at"

# The line of a bind to port 0, when none of the three lines from it on listens.
held() {
	awk 'function tell() { if (at && !ok) print file ":" at ": " said; at = 0 }
	    FNR == 1 { tell(); file = FILENAME }
	    at && FNR > at + 2 { tell() }
	    /\.bind\(\(.*, *0\)\)/ { tell(); at = FNR; said = $0; ok = 0 }
	    at && /listen\(/ { ok = 1 }
	    END { tell() }' "$@"
}

# The check itself first: it must see the thing it looks for.
tmp=$(mktemp)
trap 'rm -f "$tmp"' EXIT
printf 's.bind(("127.0.0.1", 0))\nport = s.getsockname()[1]\ns.close()\n' >"$tmp"
[ -n "$(held "$tmp")" ] || fault "ports: the check is blind"
printf 's.bind(("127.0.0.1", 0))\ns.listen(1)\n' >"$tmp"
[ -z "$(held "$tmp")" ] || fault "ports: the check sees too much"

while read -r line; do
	[ -z "$line" ] || fault "ports: bound, and not listened on: $line"
done <<<"$(held $files)"
while read -r line; do
	[ -z "$line" ] || fault "ports: use tests/lib/ports.py: $line"
done <<<"$(grep -nE 'def (free|unused|any)_ports?\(' $files | grep -v '^tests/lib/ports\.py:' || true)"

[ $bad = 0 ] && echo "ports: none that another could take"
exit $bad
