#!/bin/bash
#
# includes.sh - do the arrows between rooms still point one way?
#
# The list below is the whole truth: a file may include headers of its own room
# and of the rooms named for it, nothing else. Server modules see one header.
set -euo pipefail
cd "$(dirname "$0")/../.."

# room: rooms whose headers its files may include (its own is always allowed).
# "." is the top of shared/: the public doors and the conductor.
declare -A may=(
	[base]=""
	[verdict]="base"
	[trust]="base verdict"
	[ask]="base"
	[revocation]="base verdict trust ask"
	[identity]="base verdict trust/cert.h"
	[config]="base verdict trust revocation identity"
)
# The public door and the table of reasons are plain words that every room from
# verdict up may use; base knows nothing about certificates.
door="certauth.h reasons.def"
host='^(ngx_|http(d|_)|ap_|apr|mod_ssl|util_|login-common|client-common|dovecot|auth-client|iostream|master-service)'
bad=0

fault() { echo "$1: $2"; bad=$((bad + 1)); }

# Prints "line:header" of each #include "..." and <...> of a file.
includes() {
	sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]+(["<])([^">]+)[">].*/\1 \2/p' "$1"
}

allowed() {	# file room header
	local room=$2 h=$3 r
	case "$h" in
	"$room"/*) return 0 ;;
	esac
	for r in ${may[$room]}; do
		case "$r" in
		*.h) [ "$h" = "$r" ] && return 0 ;;
		*) case "$h" in "$r"/*) return 0 ;; esac ;;
		esac
	done
	# certauth_error, the reasons and the reports of door 2 are the vocabulary.
	case "$room:$h" in
	*:certauth.h) return 0 ;;
	base:*) return 1 ;;
	*:reasons.def) [ "$room" = verdict ] && return 0 ;;
	revocation:certauth_data.h | config:config/directives.def) return 0 ;;
	esac
	return 1
}

files=0
for room in "${!may[@]}"; do
	for f in shared/"$room"/*.[ch]; do
		[ -e "$f" ] || continue
		files=$((files + 1))
		while read -r kind h; do
			if [[ "$h" =~ $host ]]; then fault "$f" "a server's header: $h"; continue; fi
			if [ "$kind" = '<' ]; then
				case "$room:$h" in
				base:openssl/*) fault "$f" "base knows nothing about certificates: $h" ;;
				*:curl/* | *:sys/socket.h | *:netdb.h | *:arpa/* | *:netinet/*)
					fault "$f" "no network in shared/: $h" ;;
				verdict:pthread.h | trust:pthread.h)
					# a lock is no thread: the two caches have one each
					case "$f" in
					shared/verdict/cache.c | shared/trust/sigcache.c) ;;
					*) fault "$f" "a lock belongs into the caches or the engine" ;;
					esac ;;
				*:pthread.h | *:threads.h | *:syslog.h | *:signal.h)
					fault "$f" "no threads, logs or signals in a room: $h" ;;
				esac
				continue
			fi
			case "$h" in
			*..*) fault "$f" "no way round by ..: $h" ;;
			*/* | certauth.h | certauth_data.h | reasons.def)
				allowed "$f" "$room" "$h" || fault "$f" "$room may not include $h" ;;
			*) fault "$f" "write the room: $h" ;;
			esac
		done < <(includes "$f")
	done
	# STACK_OF stays out of what has no business with chains. (verdict/ holds the
	# path that the public door shows, and no other.)
	case "$room" in identity | config)
		while IFS= read -r hit; do
			fault "$hit" "STACK_OF in $room"
		done < <(grep -Hn 'STACK_OF(' shared/"$room"/*.[ch] 2>/dev/null || true)
	esac
done

# The conductor and the doors.
for f in shared/*.[ch]; do
	files=$((files + 1))
	while read -r kind h; do
		[[ "$h" =~ $host ]] && fault "$f" "a server's header: $h"
		case "$f:$h" in
		shared/certauth.h:*/*) [ "$kind" = '<' ] || fault "$f" "the public door shows no room: $h" ;;
		shared/certauth_data.h:*/*) [ "$kind" = '<' ] || fault "$f" "the public door shows no room: $h" ;;
		esac
	done < <(includes "$f")
done

# Translators.
for f in $(find modules -name '*.[ch]' | sort); do
	files=$((files + 1))
	while read -r kind h; do
		[ "$kind" = '"' ] || continue
		m=${f#modules/}; m=${m%%/*}
		case "$h" in
		certauth.h) ;;
		certauth_data.h | ask/ask.h)
			case "$m" in command | refresher) ;; *)
				fault "$f" "door 2 is for the command and the refresher only" ;;
			esac ;;
		*/*)
			case "$m:${h%%/*}" in
			*:base | *:ask | *:verdict | *:trust | *:revocation | *:identity | *:config)
				fault "$f" "a module may not see a room: $h" ;;
			esac ;;
		esac
	done < <(includes "$f")
done

[ "$files" -gt 20 ] || fault "includes.sh" "only $files files were looked at"
[ "$bad" = 0 ] && echo "includes: $files files, every arrow points one way"
exit $((bad > 0))
