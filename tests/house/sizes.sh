#!/bin/bash
#
# sizes.sh - is a file or a function growing beyond what one can hold in mind?
#
# 600 lines a file is a fault. Functions over 80 lines are a fault too; those
# over 60 are counted, so that a growing number is seen.
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0 long=0 files=0

for f in $(find shared modules \( -name '*.[ch]' -o -name '*.def' \) | sort); do
	files=$((files + 1))
	n=$(wc -l <"$f")
	if [ "$n" -gt 600 ]; then
		echo "$f: $n lines, the ceiling is 600"
		bad=1
	fi
	case "$f" in *.c) ;; *) continue ;; esac
	# A body begins with "{" and ends with "}" in the first column.
	while read -r name lines; do
		if [ "$lines" -gt 80 ]; then
			echo "$f: $name has $lines lines, the ceiling is 80"
			bad=1
		elif [ "$lines" -gt 60 ]; then
			long=$((long + 1))
		fi
	done < <(awk '
		/^[A-Za-z_].*\(/ && !/;[ \t]*$/ { name = $0 }
		/^\{/ { start = NR }
		/^\}/ && start { sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)
			print name, NR - start + 1; start = 0 }
	' "$f")
done
[ "$files" -gt 20 ] || { echo "sizes.sh: only $files files were looked at"; bad=1; }
[ $bad = 0 ] && echo "sizes: $files files under 600 lines; $long functions over 60"
exit $bad
