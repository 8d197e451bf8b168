#!/bin/bash
#
# reasons.sh - are the reasons what they always were, and is each of them proved?
#
# Numbers and words never change (the list below is written by hand, on purpose).
# Each reason has a case that gives it and a near miss that does not (near-misses).
# What only a host can see is proved by a test of a host.
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0

fault() { echo "reasons: $*"; bad=1; }

forever="ok:1000
no-certificate:1001 malformed:1002 too-big:1003 no-tls:1004 early-data:1005
no-path:1101 bad-signature:1102 path-limit:1103 issuer-not-listed:1104 misdirected:1105
expired:1201 not-yet-valid:1202 not-a-ca:1203 path-length:1204 key-usage:1205 purpose:1206
name-constraints:1207 critical-extension:1208 policy-required:1209 bad-extension:1210
issuer-expired:1211 weak-key:1301 weak-signature:1302 lifetime:1303
revoked:1401 issuer-revoked:1402 on-hold:1403 revocation-unknown:1404 revocation-stale:1405
no-user:1501 ambiguous-user:1502 wrong-user:1503 bad-name:1504 denied:1505 new-key:1506 not-permitted:1507
data-missing:1801 data-refused:1802 internal:1901"
# Given by a server or by a broken file, never by a certificate: no case can ask.
outside="no-tls early-data misdirected wrong-user not-permitted data-missing data-refused internal"

rows=$(sed -nE 's/^REASON\(([0-9]+), ([A-Z_0-9]+), "([a-z-]+)".*/\3:\1 \2/p' shared/reasons.def)
[ -n "$rows" ] || fault "no row in reasons.def"
[ "$(grep -c '^REASON(1' shared/reasons.def)" = "$(wc -l <<<"$rows")" ] ||
	fault "a row of reasons.def is written otherwise than the others"
for column in 1 2; do
	twice=$(cut -d' ' -f$column <<<"$rows" | sort | uniq -d)
	[ -z "$twice" ] || fault "twice: $twice"
done
twice=$(cut -d' ' -f1 <<<"$rows" | cut -d: -f2 | sort | uniq -d)
[ -z "$twice" ] || fault "one number twice: $twice"
while read -r pair symbol; do
	slug=${pair%:*}
	grep -qx "$pair" <<<"${forever// /$'\n'}" || fault "$pair is not in the list of this script"
	[ "$(tr 'a-z-' 'A-Z_' <<<"$slug")" = "$symbol" ] || fault "$slug is called $symbol"
done <<<"$rows"
for pair in $forever; do
	grep -q "^$pair " <<<"$rows" ||
		fault "$pair is gone from reasons.def"
done

gives() { grep -rlE "^expect:[[:space:]]+reject $1[[:space:]]*\$" tests/cases 2>/dev/null; }
while read -r pair _; do
	slug=${pair%:*}
	[ "$slug" != ok ] || continue
	if grep -qw -- "$slug" <<<"$outside"; then
		grep -rqE "[\"' ]$slug[\"' ]|$(tr 'a-z-' 'A-Z_' <<<"$slug")" --include='test_*.[cp]*' tests ||
			fault "$slug: no test of a host or of the core gives it"
		continue
	fi
	[ -n "$(gives "$slug")" ] || fault "$slug: no case gives it"
	near=$(awk -v s="$slug" '$1 == s { print $2 }' tests/house/near-misses)
	[ -n "$near" ] || fault "$slug: no near miss in tests/house/near-misses"
	for f in $near; do
		f=tests/cases/$f.case
		if [ ! -e "$f" ] || grep -qE "^expect:[[:space:]]+reject $slug[[:space:]]*\$" "$f"; then
			fault "$slug: $f is no near miss"
		fi
	done
done <<<"$rows"

[ $bad = 0 ] && echo "reasons: $(wc -l <<<"$rows") reasons, each given and each nearly given"
exit $bad
