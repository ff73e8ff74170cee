#!/bin/bash
# A host that koan runs on: host.sh SPACE FOLDER KOAN COMMAND… runs COMMAND in the network namespace SPACE, on a copy of
# this machine's files that is thrown away: what is written lies below FOLDER/written afterwards. Programs that would
# start something write down what they are given in FOLDER/asked. FOLDER/os-release, if it is there, says what system it is.
set -euo pipefail

if [ "${1:-}" = inside ]; then
    shift
    folder=$1 koan=$2
    shift 2
    mount -t tmpfs tmpfs "$folder/room"
    mkdir "$folder/room"/{up,work,root}
    root=$folder/room/root
    mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/room/up,workdir=$folder/room/work" "$root"
    for tree in proc sys dev; do mount --rbind "/$tree" "$root/$tree"; done
    mkdir -p "$root/asked" "$root/etc/grub.d" "$root/etc/default" "$root/boot" "$root/var/log/koan" "$root/var/lib/koan/config"
    find "$root/boot" -mindepth 1 -delete
    echo 'GRUB_DEFAULT=0' >"$root/etc/default/grub"
    [ ! -e "$folder/os-release" ] || { rm -f "$root/etc/os-release" && cp "$folder/os-release" "$root/etc/os-release"; }
    # Each of them: its name, its words one a line, an empty line.
    for program in /usr/sbin/update-grub /usr/sbin/kexec /usr/bin/virt-install /sbin/grubby; do
        name=$(basename "$program")
        mkdir -p "$root$(dirname "$program")"
        rm -f "$root$program"
        # shellcheck disable=SC2016  # for the program
        printf '#!/bin/sh\n{ echo %s; printf "%%s\\n" "$@"; echo; } >>/asked/%s\ncase "$1" in --version) echo 4.1.0 ;; esac\n' \
            "$name" "$name" >"$root$program"
        chmod 755 "$root$program"
    done
    [ -e "$root/usr/bin/qemu-img" ] || cp "$root/usr/bin/virt-install" "$root/usr/bin/qemu-img"
    # koan gives curl an option with a blank behind it, which curl does not know.
    mv "$root/usr/bin/curl" "$root/usr/bin/curl.real"
    # shellcheck disable=SC2016
    printf '#!/bin/bash\nexec /usr/bin/curl.real --fail --silent "${@%% }"\n' >"$root/usr/bin/curl"
    chmod 755 "$root/usr/bin/curl"
    # A libvirt that knows one kind of guest.
    printf 'class C:\n    def getCapabilities(self):\n        return "<capabilities><guest><arch><domain type=\\"kvm\\"/></arch></guest></capabilities>"\ndef openReadOnly(name):\n    return C()\n' \
        >"$root/asked/libvirt.py"
    status=0
    PYTHONPATH=/asked PATH="$koan/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin" chroot "$root" "$@" || status=$?
    rm -rf "$folder/written" "$folder/asked"
    mkdir "$folder/written"
    cp -a "$root/asked" "$folder/asked"
    for path in boot etc/grub.d/42_koan etc/default/grub etc/kickstand-test var/log/koan; do
        [ ! -e "$folder/room/up/$path" ] || { mkdir -p "$folder/written/$(dirname "$path")" && cp -a "$folder/room/up/$path" "$folder/written/$path"; }
    done
    exit "$status"
fi

space=$1 folder=$2 koan=$3
shift 3
mkdir -p "$folder/room"
exec ip netns exec "$space" unshare --mount --propagation private "$0" inside "$folder" "$koan" "$@"
