#!/bin/sh
# backup.sh FOLDER: one encrypted backup more, and those older than BACKUP_DAYS gone.
set -eu
folder=${1:?which folder?}
now=$(date -u +%Y%m%dT%H%M%SZ)
.venv/bin/python manage.py backup "$folder/etims-$now.backup.part"
# A backup has its name only once it is whole.
mv "$folder/etims-$now.backup.part" "$folder/etims-$now.backup"
find "$folder" -name 'etims-*.backup' -mtime "+${BACKUP_DAYS:-30}" -delete
find "$folder" -name '*.part' -mmin +1440 -delete
