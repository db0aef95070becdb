#!/bin/sh
# make_secrets.sh NAME: what docker-compose.yml reads from files, for a server called NAME. What is
# there already is never touched. Keep a copy of encryption_keys and backup_passphrase elsewhere.
set -eu
name=${1:?under which name do tills reach this server?}
case $name in *[!A-Za-z0-9.-]*) echo "$name is no host name." >&2 && exit 1 ;; esac
secrets=${SECRETS_FOLDER:-secrets}
certificates=${TLS_FOLDER:-deploy/nginx/certificates}

# The folder is closed; the files are not, because the containers' accounts read them by themselves.
umask 022
mkdir -p "$secrets" "$certificates"
chmod 0700 "$secrets" "$certificates"

# From standard input, and under its name only when it is whole.
keep() {
    if [ -s "$secrets/$1" ]; then cat >/dev/null && return; fi
    cat >"$secrets/.$1"
    mv "$secrets/.$1" "$secrets/$1"
    echo "made $secrets/$1"
}

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

for each in postgres_password redis_password secret_key backup_passphrase; do
    random | keep $each
done
head -c 32 /dev/urandom | base64 | tr '+/' '-_' | keep encryption_keys

if [ ! -s "$certificates/privkey.pem" ]; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj "/CN=$name" \
        -addext "subjectAltName=DNS:$name" -keyout "$certificates/privkey.pem" \
        -out "$certificates/fullchain.pem" 2>/dev/null
    chmod 0600 "$certificates/privkey.pem"
    echo "made $certificates/: signed by itself for 90 days; put a real certificate there"
fi
