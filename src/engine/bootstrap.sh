# shellcheck shell=sh disable=SC2154
# Puts kickstand-agent onto this system and registers it: sh bootstrap --key NAME.SECRET[,…] [--name NAME]
# Runs with any POSIX shell, curl or wget, and sha256sum. Nothing happens before the last line, so that half of a script does nothing.

fail() {
    echo "kickstand: $*" >&2
    exit 1
}

fetch() {
    if command -v curl >/dev/null 2>&1; then
        curl -fsS --retry 3 -o "$2" "$1"
    elif command -v wget >/dev/null 2>&1; then
        wget -q -O "$2" "$1"
    else
        fail "neither curl nor wget is here: install one of them"
    fi
}

bootstrap() {
    key=${KICKSTAND_KEY:-}
    name=
    while [ $# -gt 0 ]; do
        case "$1" in
            --key) key=${2:-} ;;
            --name) name=${2:-} ;;
            *) fail "$1 is no option: --key NAME.SECRET, --name NAME" ;;
        esac
        [ $# -ge 2 ] || fail "$1 needs a value"
        shift 2
    done
    [ -n "$key" ] || fail "no key: \`kickstand key join NAME\` on the server makes one, give it with --key"
    [ "$(id -u)" = 0 ] || fail "only root can register this system"

    case "$(uname -m)" in
        x86_64 | amd64) binary=$X86_64 digest=$X86_64_SHA256 ;;
        aarch64 | arm64) binary=$AARCH64 digest=$AARCH64_SHA256 ;;
        *) fail "there is no agent for $(uname -m)" ;;
    esac
    [ -n "$digest" ] || fail "the server has no agent for $(uname -m): put it into its files folder as agent/kickstand-agent-$(uname -m)"
    command -v sha256sum >/dev/null 2>&1 || fail "sha256sum is not here: install coreutils or busybox"

    place=
    for folder in $FOLDERS; do
        if mkdir -p "$folder" 2>/dev/null && [ -w "$folder" ]; then
            place=$folder/kickstand-agent
            break
        fi
    done
    [ -n "$place" ] || fail "none of $FOLDERS can be written"

    # Beside its place, so that it comes there whole or not at all.
    fresh=$place.new.$$
    trap 'rm -f "$fresh" "$fresh.pem"' EXIT
    fetch "$FILES/$binary" "$fresh" || fail "$FILES/$binary could not be fetched"
    # The digest came with this script, so how the program came does not matter.
    seen=$(sha256sum <"$fresh")
    [ "${seen%% *}" = "$digest" ] || fail "$FILES/$binary is not what the server promised (SHA-256 ${seen%% *}, not $digest): nothing was installed"
    chmod 0755 "$fresh"
    "$fresh" --version >/dev/null 2>&1 || fail "the agent does not run here: nothing was installed"
    mv -f "$fresh" "$place"

    (umask 077 && printf '%s\n' "$CA" >"$fresh.pem")
    # In the environment, where other users do not see it.
    KICKSTAND_KEY=$key
    export KICKSTAND_KEY
    set -- register --server "$SERVER" --ca "$fresh.pem"
    if [ -n "$name" ]; then
        set -- "$@" --name "$name"
    fi
    "$place" "$@"
    status=$?
    unset KICKSTAND_KEY
    rm -f "$fresh.pem"
    [ $status -eq 0 ] || exit $status
    # Asks the server by itself from now on, where this agent can.
    if "$place" --help 2>&1 | grep -q 'timer install'; then
        "$place" timer install || echo "kickstand: the timer could not be installed; this system is registered all the same" >&2
    fi
}

bootstrap "$@"
