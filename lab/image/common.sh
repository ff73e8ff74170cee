# What both images share: sourced by root.sh and live.sh. KERNEL=cloud (virtual machines, small) or generic.
# shellcheck shell=bash
# $1 in the hooks is for mmdebstrap: the folder of the system being made.
# shellcheck disable=SC2016

kernel_package() {
    case ${KERNEL:-cloud} in
    cloud) echo linux-image-cloud-amd64 ;;
    # Many real network cards also want firmware-misc-nonfree, from Debian's non-free-firmware.
    generic) echo linux-image-amd64 ;;
    *)
        echo "KERNEL=$KERNEL: use cloud (virtual machines) or generic (real hardware)" >&2
        exit 2
        ;;
    esac
}

# bootstrap VARIANT OUTPUT PACKAGE… -- MMDEBSTRAP-OPTION…
bootstrap() {
    local variant=$1 output=$2 include=() sources
    shift 2
    while [ "$1" != -- ]; do
        include+=("$1")
        shift
    done
    shift
    sources=$("$(dirname "${BASH_SOURCE[0]}")/sources.sh")
    # With no Debian source on this machine, mmdebstrap falls back on Debian's own address.
    # Documentation is as large as the programs and emulated machines unpack it file by file.
    mmdebstrap --quiet --mode=root --variant="$variant" --format=tar \
        --include="$(IFS=,; echo "${include[*]}")" \
        --aptopt='Acquire::Languages "none"' \
        --dpkgopt=force-unsafe-io \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        "$@" \
        --customize-hook='rm -f "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap "$1"/etc/apt/apt.conf.d/99mmdebstrap' \
        bookworm "$output" ${sources:+-} <<<"$sources"
}
