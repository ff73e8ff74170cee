#!/bin/bash
# Makes the first inputs of both targets from tests/packets.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p corpus/packet corpus/server

# A packet as the server's target wants it: how it arrives, its length, its bytes.
framed() {
    local hex=$1
    printf '%s%04x%s' "$2" $((${#hex} / 2)) "$hex"
}

story=
for file in ../tests/packets/*.hex; do
    name=$(basename "$file" .hex)
    hex=$(tr -d ' \n' <"$file")
    xxd -r -p <<<"$hex" >"corpus/packet/$name"
    framed "$hex" 00 | xxd -r -p >"corpus/server/$name"
    story+=$(framed "$hex" 22)
done
xxd -r -p <<<"$story" >corpus/server/story
