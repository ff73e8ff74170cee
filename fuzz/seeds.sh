#!/bin/bash
# Makes the first inputs of the targets: from tests/packets, and from the loaders that this host has.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p corpus/packet corpus/server corpus/pe corpus/script

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

# Small programs: what is looked at lies in their heads.
for file in /usr/lib/ipxe/snponly.efi ../.demo/cache/loaders/root/usr/lib/shim/fb*.signed; do
    [ ! -e "$file" ] || cp "$file" corpus/pe/
done
for text in "it's" 'a="b c"' ' || shell' "\${x}" $'\n' 'initrd=x' 'a\b'; do
    printf '\0\0%s' "$text" >"corpus/script/$(printf %s "$text" | sha256sum | cut -c1-12)"
done

# What UEFI asks for, then the acknowledgements of its first windows; the kind before each length.
mkdir -p corpus/tftp
{
    printf '\3\56\0\1snponly.efi\0octet\0blksize\0001468\0windowsize\0004\0'
    printf '\3\4\0\4\0\0\3\4\0\4\0\4\3\4\0\4\0\5\0\0\2\0\3\4\0\5\0\0'
} >corpus/tftp/uefi

# Small images and archives, without what stands before their descriptors; the kind before each.
mkdir -p corpus/import
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/top/images/pxeboot"
echo kernel >"$scratch/top/images/pxeboot/vmlinuz"
ln -s vmlinuz "$scratch/top/images/pxeboot/link"
for names in -R -J; do
    genisoimage -quiet -no-pad "$names" -o "$scratch/a.iso" "$scratch/top" 2>/dev/null || continue
    { printf '\0' && tail -c +32769 "$scratch/a.iso"; } >"corpus/import/iso$names"
done
if genisoimage -quiet -no-pad -udf -o "$scratch/a.iso" "$scratch/top" 2>/dev/null; then
    { printf '\1' && tail -c +524289 "$scratch/a.iso"; } >corpus/import/udf
fi
{ printf '\2' && tar -C "$scratch/top" -c .; } >corpus/import/tar
{ printf '\3' && (cd "$scratch/top" && sha256sum images/pxeboot/vmlinuz); } >corpus/import/sums
{ printf '\4' && printf '<a href="a%%2Bb/">a</a>'; } >corpus/import/page

# Lists of packages as they are packed; the kind before each.
mkdir -p corpus/lists
cat >"$scratch/primary.xml" <<'XML'
<?xml version="1.0"?><metadata><!-- a --><package type="rpm"><checksum type="sha256" pkgid="YES">00</checksum><size package="1"/><location href="a&amp;b.rpm"/></package></metadata>
XML
{ printf '\0' && printf '<repomd><data type="primary"><checksum>0</checksum><location href="a/../b"/><size>1</size></data></repomd>'; } >corpus/lists/repomd
{ printf '\1' && cat "$scratch/primary.xml"; } >corpus/lists/primary
{ printf '\2' && printf 'Package: a\nFilename: pool/a\nSize: 1\nSHA256: 00\nDescription: b\n c\n\nPackage: d\n'; } >corpus/lists/packages
{ printf '\3' && gzip -c "$scratch/primary.xml"; } >corpus/lists/gzip
{ printf '\5' && xz -c "$scratch/primary.xml"; } >corpus/lists/xz
if command -v zstd >/dev/null; then
    { printf '\4' && zstd -qc "$scratch/primary.xml"; } >corpus/lists/zstd
fi

# Templates, and answer files as they are checked. The bytes behind the texts say where one ends: no matter here.
mkdir -p corpus/render
for file in ../templates/*/* ../templates/snippets/*; do
    [ ! -f "$file" ] || cp "$file" "corpus/render/$(printf %s "$file" | sha256sum | cut -c1-12)"
done

# Calls of XML-RPC, as koan and its like send them.
mkdir -p corpus/xmlrpc
start="<?xml version='1.0'?><methodCall><methodName>"
printf '%s' "${start}get_systems</methodName><params></params></methodCall>" >corpus/xmlrpc/list
value='<value><struct><member><name>eth0</name><value><struct><member><name>mac_address</name><value><string>52:54:00:00:00:01</string></value></member></struct></value></member></struct></value>'
printf '%s' "${start}register_new_system</methodName><params><param>$value</param></params></methodCall>" >corpus/xmlrpc/register
value='<value><int>3</int></value></param><param><value><base64>YWJj</base64></value></param><param><value><array><data><value><nil/></value></data></array></value>'
printf '%s' "${start}upload_log_data</methodName><params><param>$value</param></params></methodCall>" >corpus/xmlrpc/upload

# Templates of Cheetah's: a line of each kind, and Cobbler's own where lab/cobbler.sh has put them; then records beside one.
mkdir -p corpus/cheetah
cat >corpus/cheetah/words <<'TEXT'
#set $x = $getVar('a', 'b').split(',')[0]
#for $k, $v in $b.items()
  #if $k == 'c' and not $v: $k#end if#
  #if $k in ['c'] or $len($a) > 1
$SNIPPET('s') ${v.upper()} @@x@@ TEMPLATE::x SNIPPET::s
  #else if $re.match('[a-z]+', $x)
#echo '%s/%d' % ($x, 1)
  #else
#continue
  #end if
#set $last = $k
#end for
#def f($y, $z=1)
$y$z#slurp
#end def
#raw
$not #this
#end raw
$f($x) $last \$HOME $(command) #* a
comment *# ## another
#if $a then 'y' else 'n'
<% python %>
#try
#end try
TEXT
printf '%s\0%s' '{"settings":{"server":"10.0.0.1"},"distro":[{"name":"d","breed":"redhat","kernel":"/k","initrd":"/i","kernel_options":{"!quiet":"~"}}],"profile":[{"name":"p","distro":"d","autoinstall":"a.ks","repos":["r"],"autoinstall_meta":{"x":true}}],"repo":[{"name":"r","mirror":"http://10.0.0.2/r"}],"system":[{"name":"w","profile":"p","interfaces":{"bond0":{"interface_type":"bond","ip_address":"10.0.0.9","netmask":"255.255.255.0"},"eth0":{"mac_address":"52:54:00:00:00:01","interface_type":"bond_slave","interface_master":"bond0"},"eth0.5":{"ip_address":"10.1.0.9"}}}]}' \
    '{{ x }} {# a #}{% raw %}{{{% endraw %}' >corpus/cheetah/records
for file in ../.demo/cache/cobbler-*/source/autoinstall_{scripts,snippets,templates}/*; do
    [ ! -f "$file" ] || cp "$file" "corpus/cheetah/$(basename "$file")"
done
