#!/bin/sh
# What one container does: web, worker, beat, watchdog, migrate, manage, backup, backups, check-worker,
# simulator. More arguments pass through.
set -eu

# shellcheck source=deploy/secrets.sh
. "${0%/*}/secrets.sh"
role=${1:-web}
[ $# -eq 0 ] || shift
[ "$role" = simulator ] || read_secrets

case $role in
    web)
        exec gunicorn -c deploy/gunicorn.conf.py etims_integration.wsgi:application "$@" ;;
    worker)
        exec celery -A etims_integration worker -P threads -c "${WORKER_THREADS:-10}" \
            --without-gossip --without-mingle "$@" ;;
    beat)
        # Exactly one of these runs; the schedule it keeps may be lost at any time.
        exec celery -A etims_integration beat --schedule "${BEAT_SCHEDULE:-/tmp/beat-schedule}" --pidfile= "$@" ;;
    watchdog)
        # Tells people what is wrong; several may run.
        exec python manage.py watchdog "$@" ;;
    migrate)
        exec python manage.py migrate --noinput "$@" ;;
    manage)
        exec python manage.py "$@" ;;
    backup)
        exec deploy/backup.sh "${BACKUP_FOLDER:-/var/lib/etims/backups}" ;;
    backups)
        exec deploy/backup.sh --nightly "${BACKUP_FOLDER:-/var/lib/etims/backups}" ;;
    check-worker)
        # Whether the worker of this container answers; for health checks.
        exec celery -A etims_integration inspect ping --destination "celery@$(hostname)" --timeout 10 ;;
    simulator)
        exec python -m simulator --host 0.0.0.0 --port 9800 \
            --state "${SIMULATOR_STATE:-/var/lib/etims/simulator}" --approve-any "$@" ;;
    *)
        echo "There is no role $role: web, worker, beat, watchdog, migrate, manage, backup, backups," \
            "check-worker or simulator." >&2
        exit 64 ;;
esac
