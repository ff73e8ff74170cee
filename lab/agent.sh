#!/bin/bash
# Builds the agent as one static program and prints its path: musl where rustup has that target, else glibc linked
# statically (DNS names then need the host's own glibc: machines get addresses). It never fetches a target.
set -euo pipefail
cd "$(dirname "$0")/.."

has_target() {
    [ -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ]
}

# agent.sh aarch64 builds the other one, where its target and a linker for it are installed.
processor=${1:-x86_64}
# It is fetched by each machine that boots a live system.
most_bytes=8000000

target=$processor-unknown-linux-musl
if ! has_target "$target"; then
    target=$processor-unknown-linux-gnu
    has_target "$target" || {
        echo "agent: rustup has no target for $processor: rustup target add $processor-unknown-linux-musl" >&2
        exit 2
    }
    # With an explicit --target this does not reach build scripts, which cannot be linked statically.
    export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static"
fi
# Beside target/, or the other flags would evict the workspace's own release build.
folder=${CARGO_TARGET_DIR:-target}/agent
cargo build --quiet --locked --release --package kickstand-agent --target "$target" --target-dir "$folder" >&2
agent=$(realpath "$folder/$target/release/kickstand-agent")
bytes=$(stat --format=%s "$agent")
[ "$bytes" -lt $most_bytes ] || {
    echo "agent: $agent has $bytes bytes, $most_bytes are too many" >&2
    exit 1
}
echo "$agent"
