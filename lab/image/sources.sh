#!/bin/bash
# Prints the Debian 12 package sources that this machine itself uses, as sources.list lines
# for mmdebstrap: behind a company mirror or a proxy no setting has to be repeated here.
# $(…) in the format is for apt.
# shellcheck disable=SC2016
set -euo pipefail

# Third-party sources are not Debian's; -backports would bring newer kernels than the recipes know.
apt-get indextargets \
    --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)|$(RELEASE)' 'Created-By: Packages' 2>/dev/null |
    awk -F'|' '$1 == "Debian" && $4 ~ /^bookworm(-updates|-security)?$/ {
        print "deb", $3, $4, "main"
    }' | sort -u
