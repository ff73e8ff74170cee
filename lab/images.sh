#!/bin/bash
# Builds what machines boot and install: images.sh [FOLDER] puts vmlinuz, initrd.img, live.squashfs and root.tar.zst
# there (default: images/ in the cache) and prints the folder. What has not changed comes from the cache.
#
#   KICKSTAND_CACHE   where built parts are kept (default: .demo/cache); delete it to take in newer packages
#   KERNEL            cloud (default: virtual machines, small) or generic (real hardware)
#   KICKSTAND_AGENT   the agent to put into the live system (default: what lab/agent.sh builds)
set -euo pipefail
lab=$(cd "$(dirname "$0")" && pwd)
export KERNEL=${KERNEL:-cloud}
cache=${KICKSTAND_CACHE:-$lab/../.demo/cache}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
images=${1:-$cache/images}

say() {
    echo "images: $*" >&2
}

# key_of FILE-OR-FOLDER…: the content that a part is made from, as twelve digits.
key_of() {
    {
        echo "$KERNEL"
        find "$@" -type f -print0 | sort -z | xargs -0 sha256sum | cut -d' ' -f1
    } | sha256sum | cut -c1-12
}

# part NAME KEY COMMAND…: runs COMMAND FOLDER unless that part with that key is in the cache; the folder is $cache/NAME-KEY.
part() {
    local name=$1 folder=$cache/$1-$2 start=$SECONDS
    shift 2
    if [ -e "$folder" ]; then
        say "$name: from the cache"
        touch "$folder"
        return
    fi
    say "$name: building (log: $folder.log) …"
    rm -rf "$folder.new"
    mkdir "$folder.new"
    if ! "$@" "$folder.new" >"$folder.log" 2>&1; then
        say "$name: failed; the end of its log:"
        tail -20 "$folder.log" >&2
        rm -rf "$folder.new"
        return 1
    fi
    mv "$folder.new" "$folder"
    rm -f "$folder.log"
    say "$name: built in $((SECONDS - start)) s, $(du -sh "$folder" | cut -f1)"
}

build_squashfs() {
    local tar=$1/live.tar
    # Appended to the tar file, so that a new agent costs a new squashfs and no new system.
    cp "$cache/live-$live_key/base.tar" "$tar"
    tar --append --file "$tar" --owner=0 --group=0 --numeric-owner --mode=0755 \
        --transform='s,.*,./usr/sbin/kickstand-agent,' --absolute-names "$agent"
    mksquashfs - "$1/live.squashfs" -tar -comp zstd -Xcompression-level 9 -quiet -no-progress <"$tar"
    rm "$tar"
}

exec 9>"$cache/lock"
flock 9

agent=${KICKSTAND_AGENT:-$("$lab/agent.sh")}
common=("$lab/image/common.sh" "$lab/image/sources.sh")
root_key=$(key_of "${common[@]}" "$lab/image/root.sh" "$lab/image/root")
live=("${common[@]}" "$lab/image/live.sh" "$lab/image/live" "$lab/image/initramfs")
live_key=$(key_of "${live[@]}")
squashfs_key=$(key_of "${live[@]}" "$agent" "$lab/images.sh")

# The two systems are independent: one is unpacked while the other waits for its downloads.
set -m # a process group of its own, to be ended as a whole
part root "$root_key" "$lab/image/root.sh" &
root=$!
set +m
trap 'kill -- "-$root" 2>/dev/null || true' EXIT
part live "$live_key" "$lab/image/live.sh"
part squashfs "$squashfs_key" build_squashfs
wait "$root"
trap - EXIT

# Into place at once and one by one: a server may be reading the old ones.
mkdir -p "$images"
for file in "live-$live_key/vmlinuz" "live-$live_key/initrd.img" \
    "squashfs-$squashfs_key/live.squashfs" "root-$root_key/root.tar.zst"; do
    name=$(basename "$file")
    [ ! "$images/$name" -ef "$cache/$file" ] || continue
    cp --link --force "$cache/$file" "$images/$name.new" 2>/dev/null || cp "$cache/$file" "$images/$name.new"
    mv -f "$images/$name.new" "$images/$name"
done

# Parts that nothing has used for two weeks.
find "$cache" -maxdepth 1 -type d -regex '.*/\(root\|live\|squashfs\)-[0-9a-f]*' -mtime +14 -exec rm -rf {} +
echo "$images"
