#!/bin/bash
#
# words.sh - words that may not be written, or only in one place.
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0

fault() { echo "$*"; bad=1; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Prints C code without comments and string contents, as file:code.
code() {
	local f
	for f; do
		gcc -fpreprocessed -dD -E -P -x c "$f" 2>/dev/null |
		    sed -E 's/"([^"\\]|\\.)*"/""/g; '"s|^|$f: |"
	done
}
core=$(find shared -name '*.[ch]' | sort)
hosts=$(find modules -name '*.[ch]' | sort)
code $core >"$tmp/core"
code $hosts >"$tmp/hosts"
for f in core hosts; do
	[ "$(wc -l <"$tmp/$f")" -gt 1000 ] || fault "words: nothing to look at in $f"
done

# The clock is an argument; one place reads it.
grep -E '\b(time|gettimeofday|localtime|gmtime|mktime|ctime|strftime)[[:space:]]*\(' "$tmp/core" |
    grep -Ev '^shared/certauth\.c: .*\btime[[:space:]]*\(' &&
	fault "words: time belongs into certauth.c alone (clock as an argument)"
grep -E '\bclock_gettime[[:space:]]*\(' "$tmp/core" | grep -Ev '^shared/(certauth|compile)\.c: .*CLOCK_MONOTONIC' &&
	fault "words: clock_gettime is for durations only"

# Functions that cannot be used safely, or that say too much to a host.
cat "$tmp/core" "$tmp/hosts" | grep -E '\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|alloca|atoi|atol|rand|srand|system|popen|tmpnam|mktemp)[[:space:]]*\(' |
    grep -Ev 'ngx_(v?s?n?printf|rand)|ap_|apr_|i_' &&
	fault "words: an unsafe function"
grep -E '\b(printf|fprintf|puts|perror|syslog|exit|abort|_exit|signal|sigaction|setenv|fork|socket|connect|pthread_create|ERR_print_errors_fp)[[:space:]]*\(' "$tmp/core" &&
	fault "words: the core writes no log, ends no process, opens no socket and starts no thread"
# An int of OpenSSL as a truth value hides its -1.
cat "$tmp/core" "$tmp/hosts" | grep -E '!\s*(X509_verify|X509_verify_cert|X509_CRL_verify|EVP_DigestVerify[A-Za-z]*|X509_check_issued|PKCS12_parse|EVP_Digest[A-Za-z_]*)[[:space:]]*\(' &&
	fault "words: compare with the exact success value"

# Nothing here may need or name the machine it was written on.
here='work/shar''ed|/work/m''ain|\.\./shared/(per''sonalsign|facts|trial|tools|DESIGN|INTER''FACE)|/home/[a-z]|/tmp/br''ief'
git ls-files -z | grep -zv '^tests/house/words\.sh$' | xargs -0 grep -InE "$here" 2>/dev/null |
    grep -Ev 'tests/(bench|cases|lib|pki|command|unit)/.*\.\./shared/personalsign/(cas\.pem|issuers\.tsv)' &&
	fault "words: a path of one machine"

# What is committed is finished: no leftovers.
grep -nE '\b(TODO|FIXME|XXX|HACK)\b' $core $hosts && fault "words: unfinished"

# Fixed times are for the test build; the release does not know the setting. (In
# debug information the names of fields remain, so that is left out.)
knows() {
	strip -g -o "$tmp/object" "$1" && strings -a "$tmp/object" | grep test_clock >/dev/null
}
for o in build/release/certauth build/release/certauth-refresher build/release/*.so; do
	[ -e "$o" ] || { fault "words: $o is not built"; continue; }
	if knows "$o"; then
		fault "words: $o knows test_clock"
	fi
done
if ! knows build/test/certauth; then
	fault "words: the test build does not know test_clock, so this check proves nothing"
fi

[ $bad = 0 ] && echo "words: nothing forbidden"
exit $bad
