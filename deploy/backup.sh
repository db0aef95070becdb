#!/bin/sh
# backup.sh [--nightly] FOLDER: a sealed copy more, proven, and those older than BACKUP_DAYS gone.
# --nightly goes on for ever: one at the start when none is younger than a day, then one at
# BACKUP_AT (UTC; 22:15 is 01:15 in Nairobi). What fails is tried again after BACKUP_RETRY_SECONDS.
set -eu

once() {
    now=$(date -u +%Y%m%dT%H%M%SZ)
    new=$folder/etims-$now.new
    python manage.py backup "$new"
    # Restores it beside the original and compares; needs the right to create a database.
    [ "${BACKUP_VERIFY:-true}" != true ] || python manage.py restore --verify "$new"
    # A copy has its name only once it is proven.
    mv "$new" "$folder/etims-$now.backup"
    # Only after a success: whoever can make no new copy keeps all old ones.
    find "$folder" -name 'etims-*.backup' -mtime "+${BACKUP_DAYS:-30}" -delete
    find "$folder" -name 'etims-*.new*' -mtime +7 -delete
}

has_fresh() { find "$folder" -name 'etims-*.backup' -mmin -1440 | grep -q .; }

seconds_until() {
    at=$(date -u -d "$1" +%s) now=$(date -u +%s)
    [ "$at" -gt "$now" ] || at=$((at + 86400))
    echo $((at - now))
}

nightly() {
    has_fresh || attempt
    while :; do
        sleep "$(seconds_until "${BACKUP_AT:-22:15}")"
        attempt
    done
}

# In a shell of its own: within "until", this one would not stop at a command that fails.
attempt() {
    until "$0" "$folder"; do
        echo "No backup was made; trying again later." >&2
        sleep "${BACKUP_RETRY_SECONDS:-900}"
    done
}

job=once
[ "${1:-}" != --nightly ] || { job=nightly && shift; }
folder=${1:?which folder?}
$job
