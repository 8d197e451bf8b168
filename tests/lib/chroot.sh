# shellcheck shell=bash
#
# chroot.sh - another Debian in a folder, for what must be tried on one: sourced by
# tests/trixie and tests of packages.
#
#   . tests/lib/chroot.sh
#   chroot_alone "$0" "$@"        # first: this script again, in namespaces of its own
#   chroot_new bookworm           # a fresh one; its folder is in $CHROOT
#   chroot_clone /src             # HEAD of this repository
#   chroot_in make -C /src check  # runs there, in a clean environment
#
# It is debootstrap's minbase with ca-certificates, git and make: what the project needs
# beyond that it must say itself (tests/packages). No service is started by an
# installation, as a policy-rc.d forbids it. The packages come from where this machine
# has its own; the base of each suite and the packages are kept in build/chroot (or
# $CHROOT_STORE), each run begins anew.
#
# Mounts and processes end with the script: they live in namespaces that nobody else
# sees, so nothing is left to be found and removed. The folder is removed at its end,
# unless CHROOT_KEEP=1.

CHROOT_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CHROOT_STORE=${CHROOT_STORE:-$CHROOT_TOP/build/chroot}
CHROOT=

chroot_say() { echo "chroot: $*" >&2; }

# Arguments: the script and its arguments. Comes back in the namespaces only.
chroot_alone() {
	if [ "${CHROOT_ALONE:-}" = "$PPID" ]; then
		unset CHROOT_ALONE
		trap chroot_end EXIT
		trap 'exit 130' INT TERM HUP
		return 0
	fi
	if [ "$(id -u)" != 0 ]; then
		chroot_say "this needs root: it makes a chroot and mounts below it"
		exit 2
	fi
	command -v debootstrap >/dev/null || "$CHROOT_TOP/tests/deps" --install debootstrap || exit 2
	# The new namespace counts its processes from 1; the parent of 1 is 0.
	CHROOT_ALONE=0 exec unshare --mount --pid --fork --kill-child --propagation private "$@"
}

# Where this machine has Debian from.
chroot_mirror() {
	apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		awk -v label="$1" '$1 == label { sub(/\/$/, "", $2); print $2; exit }'
}

# How this machine's apt gets there: proxies, certificates, checks.
chroot_apt_conf() {
	apt-config dump | grep -E '^Acquire::(https?|ftp|Check-[A-Za-z-]*|Retries)(::| )' || true
}

# Makes the tar file of a suite if it is not there.
chroot_base() {
	local suite=$1 mirror security folder
	[ ! -s "$CHROOT_STORE/$suite.tar" ] || return 0
	mkdir -p "$CHROOT_STORE"
	mirror=$(chroot_mirror Debian)
	security=$(chroot_mirror Debian-Security)
	if [ -z "$mirror" ]; then
		chroot_say "apt names no Debian archive here (apt-get indextargets; apt-get update first)"
		return 1
	fi
	chroot_say "making the base of $suite from $mirror"
	folder=$(mktemp -d "$CHROOT_STORE/make-$suite.XXXXXX")
	if ! debootstrap --variant=minbase --include=ca-certificates,git,make \
	    "$suite" "$folder" "$mirror" >"$CHROOT_STORE/$suite.log" 2>&1; then
		tail -n 5 "$CHROOT_STORE/$suite.log" >&2
		chroot_say "debootstrap $suite failed; all it said is in $CHROOT_STORE/$suite.log"
		rm -rf --one-file-system "$folder"
		return 1
	fi
	{
		echo "deb $mirror $suite main"
		echo "deb $mirror $suite-updates main"
		[ -z "$security" ] || echo "deb $security $suite-security main"
	} >"$folder/etc/apt/sources.list"
	chroot_apt_conf >"$folder/etc/apt/apt.conf.d/80machine"
	printf '#!/bin/sh\nexit 101\n' >"$folder/usr/sbin/policy-rc.d"
	chmod 755 "$folder/usr/sbin/policy-rc.d"
	tar -C "$folder" -cf "$CHROOT_STORE/$suite.tar.part" .
	mv "$CHROOT_STORE/$suite.tar.part" "$CHROOT_STORE/$suite.tar"
	rm -rf --one-file-system "$folder"
}

# A fresh system in $CHROOT, with /proc, /dev and the packages of earlier runs.
chroot_new() {
	local suite=$1 node
	chroot_base "$suite" || return 1
	CHROOT=$(mktemp -d "$CHROOT_STORE/run-$suite.XXXXXX")
	tar -C "$CHROOT" -xf "$CHROOT_STORE/$suite.tar"
	# Tests look at everything on the way down as other users.
	chmod 755 "$CHROOT"
	cp /etc/resolv.conf /etc/hosts "$CHROOT/etc/"
	mount -t proc proc "$CHROOT/proc"
	mount -t tmpfs -o mode=755 tmpfs "$CHROOT/dev"
	for node in null:3 zero:5 full:7 random:8 urandom:9; do
		mknod -m 666 "$CHROOT/dev/${node%:*}" c 1 "${node#*:}"
	done
	mknod -m 666 "$CHROOT/dev/tty" c 5 0
	mkdir "$CHROOT/dev/pts" "$CHROOT/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$CHROOT/dev/pts"
	mount -t tmpfs -o mode=1777 tmpfs "$CHROOT/dev/shm"
	ln -s pts/ptmx "$CHROOT/dev/ptmx"
	ln -s /proc/self/fd "$CHROOT/dev/fd"
	ln -s /proc/self/fd/0 "$CHROOT/dev/stdin"
	ln -s /proc/self/fd/1 "$CHROOT/dev/stdout"
	ln -s /proc/self/fd/2 "$CHROOT/dev/stderr"
	mkdir -p "$CHROOT_STORE/$suite.debs/partial"
	mount --bind "$CHROOT_STORE/$suite.debs" "$CHROOT/var/cache/apt/archives"
	chroot_in apt-get update -q >"$CHROOT_STORE/$suite.update" 2>&1 || {
		tail -n 5 "$CHROOT_STORE/$suite.update" >&2
		chroot_say "apt-get update failed in it"
		return 1
	}
}

# HEAD of this repository, as somebody else would get it. Not what is not committed.
chroot_clone() {
	git -c safe.directory='*' clone -q "file://$CHROOT_TOP" "$CHROOT$1"
}

# Runs a command there. Proxies are passed on, nothing else is.
chroot_in() {
	local name keep=()
	for name in http_proxy https_proxy no_proxy; do
		[ -z "${!name:-}" ] || keep+=("$name=${!name}")
	done
	chroot "$CHROOT" /usr/bin/env -i HOME=/root USER=root LANG=C.UTF-8 TERM=dumb \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		DEBIAN_FRONTEND=noninteractive "${keep[@]}" "$@"
}

# By itself at the end of the script.
chroot_end() {
	local point
	[ -n "$CHROOT" ] || return 0
	if [ "${CHROOT_KEEP:-0}" = 1 ]; then
		chroot_say "kept: $CHROOT"
		return 0
	fi
	for point in var/cache/apt/archives dev/shm dev/pts dev proc; do
		umount -l "$CHROOT/$point" 2>/dev/null || true
	done
	rm -rf --one-file-system "$CHROOT"
	CHROOT=
}
