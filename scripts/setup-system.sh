#!/bin/sh
# Install the programs that the tests talk to: nobody here wrote them, that is the point.
set -eu
missing=""
need() { # command, Debian package
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need sipp sip-tester
need baresip baresip-core
need linphonec linphone-cli
need kamailio kamailio
need sox sox
need wrk wrk
need curl curl
need pebble pebble
need faketime faketime
ldconfig -p 2>/dev/null | grep -q 'libspandsp\.so\.2' || missing="$missing libspandsp2"
need chromium chromium
[ -n "$(ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null)" ] || missing="$missing postgresql"
command -v mariadbd >/dev/null 2>&1 || [ -x /usr/sbin/mariadbd ] || missing="$missing mariadb-server-core"
command -v mariadb >/dev/null 2>&1 || missing="$missing mariadb-client-core"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    printf 'setup: installing for the tests:%s\n' "$missing" >&2
    apt-get update -qq >/dev/null
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    printf 'setup: the tests need more programs; run: sudo apt-get install%s\n' "$missing" >&2
    exit 1
fi
