{## Defines kickstand_report STAGE TRIES, which tells the appliance how far the install is; needs report_url, or secure_report_url and
    server_ca: by HTTPS, unless curl_verifies says that this installer's client can not verify it. ##}
{% set ca = server_ca if curl_verifies is not defined or curl_verifies else "" %}
kickstand_report() {
    tries=0
    # Not curl's own retries: those of RHEL 8 and before take a refused connection for an answer.
    until kickstand_post "{\"stage\":\"$1\"}"; do
        tries=$((tries + 1))
        [ "$tries" -lt "$2" ] || return 1
        sleep 5
    done
}
{% if ca %}
# The server is known by this CA, and by no other: the folder keeps the client from looking elsewhere.
kickstand_post() {
    ca=$(mktemp -d) || return 1
    printf '%s' {{ ca|shq }} >"$ca/ca.pem"
    if command -v curl >/dev/null; then
        curl -fsS --cacert "$ca/ca.pem" --capath "$ca" -o /dev/null -H 'Content-Type: application/json' -d "$1" {{ secure_report_url|shq }}
    else
        wget -q --ca-certificate="$ca/ca.pem" --ca-directory="$ca" -O /dev/null --header 'Content-Type: application/json' --post-data "$1" {{ secure_report_url|shq }}
    fi
    said=$?
    rm -r "$ca"
    return "$said"
}
{% else %}
kickstand_post() {
    if command -v curl >/dev/null; then
        curl -fsS -o /dev/null -H 'Content-Type: application/json' -d "$1" {{ report_url|shq }}
    else
        wget -q -O /dev/null --header 'Content-Type: application/json' --post-data "$1" {{ report_url|shq }}
    fi
}
{% endif %}
