{## Writes the list `files` of {path, text} below the folder `below`, which is empty or a shell word; as root. ##}
{% for file in files %}
mkdir -p "$(dirname {{ below }}{{ file.path|shq }})"
echo {{ file.text|b64|shq }} | base64 -d >{{ below }}{{ file.path|shq }}
{% endfor %}
