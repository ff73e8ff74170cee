{## For tests of what comes before the installer: the live system says that it runs, and shows a login prompt. ##}
#!/bin/sh
# kickstand-report: {{ report_url }}
set -eu
export KICKSTAND_REPORT={{ report_url|shq }}
kickstand-agent report started
systemctl start --no-block kickstand-shell
