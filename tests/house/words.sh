#!/bin/bash
#
# words.sh - words that may not be written, or only in one place.
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0

fault() { echo "$*"; bad=1; }

# Prints C code without comments and string contents, as file:line:code.
code() {
	local f
	for f; do
		gcc -fpreprocessed -dD -E -P -x c "$f" 2>/dev/null | sed -E 's/"([^"\\]|\\.)*"/""/g' | sed "s|^|$f: |"
	done
}
core=$(find shared -name '*.[ch]' | sort)
hosts=$(find modules -name '*.[ch]' | sort)
[ -n "$core" ] || { echo "words.sh: no files"; exit 1; }

# The clock is an argument; one place reads it.
code $core | grep -E '\b(time|gettimeofday|localtime|gmtime|mktime|ctime|strftime)[[:space:]]*\(' |
    grep -Ev '^shared/certauth\.c: .*\btime[[:space:]]*\(' &&
	fault "words: time belongs into certauth.c alone (clock as an argument)"
code $core | grep -E '\bclock_gettime[[:space:]]*\(' | grep -Ev '^shared/(certauth|compile)\.c: .*CLOCK_MONOTONIC' &&
	fault "words: clock_gettime is for durations only"

# Functions that cannot be used safely, or that say too much to a host.
code $core $hosts | grep -E '\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|alloca|atoi|atol|rand|srand|system|popen|tmpnam|mktemp)[[:space:]]*\(' |
    grep -Ev 'ngx_(v?s?n?printf|rand)|ap_|apr_|i_' &&
	fault "words: an unsafe function"
code $core | grep -E '\b(printf|fprintf|puts|perror|syslog|exit|abort|_exit|signal|sigaction|setenv|fork|socket|connect|pthread_create|ERR_print_errors_fp)[[:space:]]*\(' &&
	fault "words: the core writes no log, ends no process, opens no socket and starts no thread"
# An int of OpenSSL as a truth value hides its -1.
code $core $hosts | grep -E '!\s*(X509_verify|X509_verify_cert|X509_CRL_verify|EVP_DigestVerify[A-Za-z]*|X509_check_issued|PKCS12_parse|EVP_Digest[A-Za-z_]*)[[:space:]]*\(' &&
	fault "words: compare with the exact success value"

# Nothing here may need or name the machine it was written on.
here='work/shar''ed|/work/m''ain|\.\./shared/(per''sonalsign|facts|trial|tools|DESIGN|INTER''FACE)|/home/[a-z]|/tmp/br''ief'
git ls-files -z | grep -zv '^tests/house/words\.sh$' | xargs -0 grep -InE "$here" 2>/dev/null |
    grep -Ev 'tests/(cases|lib|pki|vectors|unit)/.*\.\./shared/personalsign/(cas\.pem|issuers\.tsv)' &&
	fault "words: a path of one machine"

# What is committed is finished: no leftovers.
code $core $hosts | grep -E '\b(TODO|FIXME|XXX|HACK)\b' && fault "words: unfinished"
grep -nE '(TODO|FIXME|XXX:|HACK)' $core $hosts && fault "words: unfinished"

# Fixed times are for the test build; the release does not know the setting.
for o in build/release/libcertauth.a build/release/certauth build/release/*.so; do
	[ -e "$o" ] || { fault "words: $o is not built"; continue; }
	if strings -a "$o" | grep -q 'test_clock'; then
		fault "words: $o knows test_clock"
	fi
done
if [ -e build/test/libcertauth.a ] && ! strings -a build/test/libcertauth.a | grep -q test_clock; then
	fault "words: the test build does not know test_clock, so the check above proves nothing"
fi

[ $bad = 0 ] && echo "words: nothing forbidden"
exit $bad
