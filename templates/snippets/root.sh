{## Root's keys, the distribution's own client and the agent; in the installed system, as root, with sh -eu. ##}
{% if ssh_authorized_keys %}
mkdir -p /root/.ssh
chmod 0700 /root/.ssh
printf '%s\n'{% for ssh_authorized_key in ssh_authorized_keys %} {{ ssh_authorized_key|line|shq }}{% endfor %} >/root/.ssh/authorized_keys
{% endif %}
{% include "snippets/clients.sh" %}
{% if key %}
{% include "snippets/register.sh" %}
{% endif %}
