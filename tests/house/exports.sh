#!/bin/bash
#
# exports.sh - does each server module show its server's symbols and no others?
#
# The core is linked in statically and hidden, so that two modules of different
# age can live in one process.
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0

look() {	# file, extended regular expression of what may be seen
	local f=$1 seen
	if [ ! -e "$f" ]; then
		echo "$f: not built"
		bad=1
		return
	fi
	seen=$(nm -D --defined-only "$f" | awk '{ print $NF }' | grep -Evx "$2" || true)
	if [ -n "$seen" ]; then
		echo "$f: exports more than it must:" $seen
		bad=1
	fi
	if [ -z "$(nm -D --defined-only "$f" | awk '{ print $NF }' | grep -Ex "$2" || true)" ]; then
		echo "$f: exports nothing of: $2"
		bad=1
	fi
	# A host's own symbols aside, everything comes from these libraries.
	seen=$(readelf -d "$f" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
	    grep -Ev '^lib(crypto|ssl|config|pcre2-8|jansson|idn2|unistring|c|pthread|m|dl|crypt|dovecot|dovecot-login|ssl_iostream_openssl)\.so' || true)
	if [ -n "$seen" ]; then
		echo "$f: needs a library that is not in the list:" $seen
		bad=1
	fi
}

look build/release/ngx_http_certauth_module.so 'ngx_modules|ngx_module_names|ngx_module_order|ngx_http_certauth_module'
look build/release/mod_certauth.so 'certauth_module'
look build/release/lib50_certauth_plugin.so 'certauth_plugin_(init|deinit|preinit|version|dependencies)|certauth_login_plugin_(init|deinit|version)'
[ $bad = 0 ] && echo "exports: three modules show their server's symbols only"
exit $bad
