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

# What UEFI asks for, then the acknowledgements of its first windows; the kind before each length.
mkdir -p corpus/tftp
{
    printf '\3\56\0\1snponly.efi\0octet\0blksize\0001468\0windowsize\0004\0'
    printf '\3\4\0\4\0\0\3\4\0\4\0\4\3\4\0\4\0\5\0\0\2\0\3\4\0\5\0\0'
} >corpus/tftp/uefi
