#!/bin/bash
#
# toplevel.sh - is the top of the tree still what DESIGN says, and is every file
# that git knows a file that somebody can read?
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0

extra=$(git ls-files | sed 's|/.*||' | sort -u |
    grep -Evx 'Makefile|README\.md|LICENSE|modules|shared|tests|conf-examples|docs|\.ci|\.gitignore|\.editorconfig|\.clang-format|\.clang-tidy' || true)
[ -z "$extra" ] || { echo "toplevel: does not belong there:" $extra; bad=1; }
for f in Makefile README.md LICENSE .ci/run; do
	[ -s "$f" ] || { echo "toplevel: $f is missing"; bad=1; }
done
n=$(wc -l <README.md 2>/dev/null || echo 0)
[ "$n" -lt 200 ] || { echo "toplevel: README.md has $n lines, the ceiling is 200"; bad=1; }

# Scripts say what they run in and may be run.
for f in $(git ls-files -z tests docs .ci |
    xargs -0 awk 'FNR == 1 && /^#!/ { print FILENAME } { nextfile }'); do
	[ -x "$f" ] || { echo "$f: a script that is not executable"; bad=1; }
done
# Links of the documents lead somewhere.
for f in README.md docs/*.md; do
	[ -e "$f" ] || continue
	for l in $(grep -oE '\]\([^)#: ]+[)#]' "$f" | sed -E 's/^\]\(//; s/[)#]$//'); do
		[ -e "$(dirname "$f")/$l" ] || { echo "$f: dead link $l"; bad=1; }
	done
done
[ $bad = 0 ] && echo "toplevel: in order"
exit $bad
