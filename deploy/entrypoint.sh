#!/bin/sh
# What one container does: web, worker, beat, watchdog, migrate, manage, simulator. More arguments pass through.
set -eu

role=${1:-web}
[ $# -eq 0 ] || shift

case $role in
    web)
        exec gunicorn -c deploy/gunicorn.conf.py etims_integration.wsgi:application "$@" ;;
    worker)
        exec celery -A etims_integration worker -P threads -c "${WORKER_THREADS:-16}" \
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
    simulator)
        exec python -m simulator --host 0.0.0.0 --port 9800 \
            --state "${SIMULATOR_STATE:-/var/lib/etims/simulator}" --approve-any "$@" ;;
    *)
        echo "There is no role $role: web, worker, beat, watchdog, migrate, manage or simulator." >&2
        exit 64 ;;
esac
