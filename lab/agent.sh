#!/bin/bash
# Builds the agent as one static program and prints its path: musl where rustup has that target, else glibc linked
# statically (DNS names then need the host's own glibc: machines get addresses). It never fetches a target.
set -euo pipefail
cd "$(dirname "$0")/.."

has_target() {
    [ -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ]
}

target=x86_64-unknown-linux-musl
if ! has_target "$target"; then
    target=x86_64-unknown-linux-gnu
    # With an explicit --target this does not reach build scripts, which cannot be linked statically.
    export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static"
fi
# Beside target/, or the other flags would evict the workspace's own release build.
folder=${CARGO_TARGET_DIR:-target}/agent
cargo build --quiet --locked --release --package kickstand-agent --target "$target" --target-dir "$folder" >&2
realpath "$folder/$target/release/kickstand-agent"
