#!/usr/bin/env bash
# A private PostgreSQL for tests: `lab/postgres.sh` starts it and prints its URL, `lab/postgres.sh stop` ends it.
#
# It never touches the system's own cluster. It listens on a Unix socket only, in a folder that nobody else
# can enter, with fsync on as in production. KICKSTAND_POSTGRES_DIR names another folder for it.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)

say() { echo "lab/postgres.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# PostgreSQL refuses to run as root, so root lends it the package's own user.
owner=$(id -un)
[ "$owner" != root ] || owner=postgres
as_owner() {
    if [ "$(id -un)" = "$owner" ]; then (cd / && "$@"); else (cd / && runuser -u "$owner" -- "$@"); fi
}

bin() { find /usr/lib/postgresql -maxdepth 2 -type d -name bin 2>/dev/null | sort -V | tail -n 1; }

install_postgres() {
    [ "$(id -u)" = 0 ] || die "PostgreSQL is missing: install the package postgresql, or run this once as root"
    say "installing the package postgresql"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq
      # The package would make and start a cluster of its own: not here.
      apt-get install -y -qq --no-install-recommends postgresql-common
      sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
      apt-get install -y -qq --no-install-recommends postgresql
    } >&2
}

folder() {
    if [ -n "${KICKSTAND_POSTGRES_DIR:-}" ]; then echo "$KICKSTAND_POSTGRES_DIR"; return; fi
    # A Unix socket's path holds 107 bytes, and the package's user must be able to walk there.
    if [ ${#root} -le 60 ] && as_owner test -x "$root" && [ "$(id -un)" = "$owner" ]; then
        echo "$root/.demo/postgres"
    else
        echo "/var/tmp/kickstand-postgres-$(printf %s "$root" | cksum | cut -d' ' -f1)"
    fi
}

make_cluster() {
    mkdir -p "$dir"
    chmod 0700 "$dir"
    [ "$(id -un)" = "$owner" ] || chown "$owner:" "$dir"
    [ "$(stat -c %U "$dir")" = "$owner" ] || die "$dir belongs to somebody else: set KICKSTAND_POSTGRES_DIR"
    [ -s "$dir/data/PG_VERSION" ] || {
        say "making a cluster in $dir"
        as_owner "$bin/initdb" --pgdata="$dir/data" --username=kickstand --auth=trust --encoding=UTF8 --locale=C.UTF-8 >&2
    }
}

start() {
    bin=$(bin)
    [ -n "$bin" ] || { install_postgres; bin=$(bin); }
    make_cluster
    as_owner "$bin/pg_ctl" --pgdata="$dir/data" status >/dev/null 2>&1 || {
        as_owner "$bin/pg_ctl" --pgdata="$dir/data" --log="$dir/log" --wait --silent \
            --options="-c listen_addresses='' -c unix_socket_directories='$dir' -c fsync=on -c max_connections=200" \
            start >&2 || { tail -n 20 "$dir/log" >&2; die "it did not start; the log is $dir/log"; }
    }
    echo "postgres://kickstand@localhost/postgres?host=$dir"
}

stop() {
    bin=$(bin)
    [ -n "$bin" ] && [ -d "$dir/data" ] || return 0
    as_owner "$bin/pg_ctl" --pgdata="$dir/data" --mode=fast --silent stop >&2 || say "it was not running"
}

dir=$(folder)
case "${1:-start}" in
    start) start ;;
    stop) stop ;;
    *) die "usage: lab/postgres.sh [start|stop]" ;;
esac
