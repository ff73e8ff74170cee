{## Each distribution's own client, where its variables are set. Without its service an install goes on. ##}
{% if rhsm_key is defined and rhsm_key and rhsm_org is defined %}
subscription-manager register --org={{ rhsm_org|shq }} --activationkey={{ rhsm_key|shq }}{% if rhsm_url is defined and rhsm_url %} --serverurl={{ rhsm_url|shq }}{% endif %} ||
    echo "kickstand: subscription-manager did not register this machine" >&2
{% endif %}
{% if scc_code is defined and scc_code %}
SUSEConnect --regcode {{ scc_code|shq }}{% if scc_url is defined and scc_url %} --url {{ scc_url|shq }}{% endif %} ||
    echo "kickstand: SUSEConnect did not register this machine" >&2
{% endif %}
{% if pro_token is defined and pro_token %}
pro attach {{ pro_token|shq }} || echo "kickstand: pro did not attach this machine" >&2
{% endif %}
