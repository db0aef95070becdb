#!/bin/sh
# Sourced by entrypoint.sh: NAME_FILE says in which file NAME is, as Docker and Kubernetes hand out
# secrets. Then {POSTGRES_PASSWORD} in DATABASE_URL, and {REDIS_PASSWORD} in REDIS_URL, are filled in.

read_secrets() {
    for name in DATABASE_URL REDIS_URL POSTGRES_PASSWORD REDIS_PASSWORD SECRET_KEY ENCRYPTION_KEYS \
        BACKUP_PASSPHRASE METRICS_TOKEN EMAIL_URL ALERT_SLACK_URL ALERT_WEBHOOK_URL ALERT_WEBHOOK_SECRET; do
        eval "file=\${${name}_FILE:-} given=\${$name:-}"
        # shellcheck disable=SC2154
        [ -n "$file" ] || continue
        # shellcheck disable=SC2154
        [ -z "$given" ] || refuse "$name and ${name}_FILE are both set: keep one."
        [ -r "$file" ] || refuse "$name: the file $file cannot be read by $(id -un)."
        # The shell drops the last line's end, which editors add.
        value=$(cat "$file")
        [ -n "$value" ] || refuse "$name: the file $file is empty."
        export "$name=$value"
    done
    unset name file given value
    DATABASE_URL=$(fill_in "${DATABASE_URL:-}" POSTGRES_PASSWORD "${POSTGRES_PASSWORD:-}") || exit 78
    REDIS_URL=$(fill_in "${REDIS_URL:-}" REDIS_PASSWORD "${REDIS_PASSWORD:-}") || exit 78
    # What the settings require must stay missing when it is missing.
    if [ -n "$DATABASE_URL" ]; then export DATABASE_URL; else unset DATABASE_URL; fi
    if [ -n "$REDIS_URL" ]; then export REDIS_URL; else unset REDIS_URL; fi
    unset POSTGRES_PASSWORD REDIS_PASSWORD
}

# fill_in URL NAME PASSWORD
fill_in() {
    case $1 in
        *"{$2}"*) ;;
        *) printf '%s' "$1" && return ;;
    esac
    case $3 in
        "" | *[!A-Za-z0-9._~-]*) refuse "$2 becomes part of a URL: letters and digits only, and not empty." ;;
    esac
    printf '%s%s%s' "${1%%"{$2}"*}" "$3" "${1#*"{$2}"}"
}

refuse() {
    echo "$1" >&2
    exit 78
}
