#!/usr/bin/env bash
# Installs the bridge on Debian 12+ or Ubuntu 22.04+, or upgrades what an earlier run installed.
#
#   sudo deploy/server/install.sh --domain pos.example.co.ke
#
#   --domain NAME   the name under which tills and buyers reach this server
#   --database URL  a private database: postgres://… ; without it PostgreSQL is installed here
#   --redis URL     a private Redis: redis://… ; without it Redis is installed here
#   --no-start      lay everything out, start nothing (images, rehearsals)
#
# What it lays: /opt/etims/releases/N with /opt/etims/current pointing at one of them,
# /etc/etims/etims.env (secrets; never overwritten), units in /etc/systemd/system, nginx's
# configuration. Running it again from a newer checkout is the upgrade.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
root=/opt/etims
env_file=/etc/etims/etims.env
domain="" database="" redis="" release="" units=() start=yes

say() { printf '%s\n' "-- $*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

while (($#)); do
    case $1 in
        --domain) domain=${2:?}; shift 2 ;;
        --database) database=${2:?}; shift 2 ;;
        --redis) redis=${2:?}; shift 2 ;;
        --no-start) start=no; shift ;;
        -h | --help) sed -n '2,/^set -/p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 0 ;;
        *) fail "I do not know $1; see --help." ;;
    esac
done

((EUID == 0)) || fail "Run it as root: sudo $0 …"
command -v apt-get >/dev/null || fail "This is for Debian and Ubuntu; docs/server.md has the steps for others."
[[ -n $domain || -f $env_file ]] || fail "Which name do tills reach this server under? --domain NAME"
[[ -z $domain || $domain =~ ^[A-Za-z0-9.-]+$ ]] || fail "$domain is no host name."

random() { python3 -c 'import secrets; print(secrets.token_hex(32))'; }
fernet_key() { python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'; }

install_packages() {
    local wanted=(python3 python3-venv nginx openssl rsync ca-certificates logrotate postgresql-client)
    [[ -n $database ]] || wanted+=(postgresql)
    [[ -n $redis ]] || wanted+=(redis-server)
    say "Packages: ${wanted[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
    python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' ||
        fail "Python 3.11 to 3.13 is needed; this is $(python3 --version)."
}

make_account() {
    id etims >/dev/null 2>&1 || useradd --system --home-dir $root --no-create-home --shell /usr/sbin/nologin etims
    install -d -m 0755 $root $root/releases
    install -d -m 0750 -o root -g etims /etc/etims
}

# The server must run for these; with --no-start it is started for a moment by hand.
as_postgres() { runuser -u postgres -- psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 "$@"; }

make_database() {
    local password=$1
    as_postgres -c "SELECT 1 FROM pg_roles WHERE rolname = 'etims'" | grep -q 1 ||
        as_postgres -c "CREATE ROLE etims LOGIN"
    # By standard input: the password shows in no process list.
    printf "ALTER ROLE etims PASSWORD '%s'\n" "$password" | as_postgres
    as_postgres -c "SELECT 1 FROM pg_database WHERE datname = 'etims'" | grep -q 1 ||
        as_postgres -c "CREATE DATABASE etims OWNER etims"
    # A host that was cut off must not hold a lock for longer than its lease (docs/scaling.md).
    as_postgres -c "ALTER ROLE etims SET idle_in_transaction_session_timeout = '60s'"
}

protect_redis() {
    local password=$1 conf=/etc/redis/redis.conf
    grep -q '^include /etc/redis/etims.conf' $conf || echo 'include /etc/redis/etims.conf' >>$conf
    install -m 0640 -o redis -g redis /dev/null /etc/redis/etims.conf
    printf 'requirepass %s\nmaxmemory-policy noeviction\nappendonly yes\n' "$password" >/etc/redis/etims.conf
}

# Secrets are made once. What the file holds already is never touched.
make_environment() {
    [[ ! -f $env_file ]] || { say "$env_file is kept"; return; }
    local database_password redis_password
    database_password=$(random) redis_password=$(random)
    if [[ -z $database ]]; then
        systemd_start postgresql
        make_database "$database_password"
        database="postgres://etims:$database_password@127.0.0.1:5432/etims"
    fi
    if [[ -z $redis ]]; then
        protect_redis "$redis_password"
        redis="redis://:$redis_password@127.0.0.1:6379/0"
    fi
    install -m 0600 /dev/null $env_file
    cat >$env_file <<END
# Made on $(date -u +%F). Read by systemd as root; keep a copy of ENCRYPTION_KEYS and
# BACKUP_PASSPHRASE where the backups are not.
DATABASE_URL=$database
REDIS_URL=$redis
SECRET_KEY=$(random)
ENCRYPTION_KEYS=$(fernet_key)
BACKUP_PASSPHRASE=$(random)
ALLOWED_HOSTS=$domain,127.0.0.1
PUBLIC_URL=https://$domain
NUM_PROXIES=1
FORWARDED_ALLOW_IPS=127.0.0.1
WEB_WORKERS=$(nproc)
WORKER_THREADS=10
END
    say "Secrets: $env_file"
}

# A folder per release: the running one is never changed under its processes.
lay_release() {
    local newest
    newest=$(find $root/releases -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -n | tail -n 1)
    release=$root/releases/$((${newest:-0} + 1))
    say "Code: $release"
    install -d -m 0755 "$release"
    rsync -a --exclude='.*' --exclude=tests/ --exclude=__pycache__/ --exclude=node_modules/ \
        --exclude=/bench/ --exclude=/staticfiles/ "$here/" "$release/"
    python3 -m venv "$release/.venv"
    "$release/.venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
        --requirement "$release/requirements.txt"
    if [[ -f $env_file ]] && grep -Eq '^(SENTRY_DSN|OTEL_EXPORTER_OTLP_ENDPOINT)=.' "$env_file"; then
        "$release/.venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
            --requirement "$release/requirements.txt" --requirement "$release/requirements-telemetry.txt"
    fi
    "$release/.venv/bin/python" -m compileall -q "$release" -x '/\.venv/' || true
    in_release collectstatic --noinput --verbosity=0
    chown -R root:root "$release"
    chmod -R go+rX,go-w "$release"
}

# manage.py of the new release, before anything points at it.
# shellcheck source=/dev/null
in_release() {
    (set -a && . $env_file && set +a && cd "$release" && STATIC_MANIFEST=true .venv/bin/python manage.py "$@")
}

lay_units() {
    install -m 0644 "$here"/deploy/systemd/etims*.{service,socket,timer,target} /etc/systemd/system/
    install -d /etc/systemd/system/etims-.service.d
    install -m 0644 "$here"/deploy/systemd/etims-.service.d/*.conf /etc/systemd/system/etims-.service.d/
    install -m 0644 "$here/deploy/systemd/journald@etims.conf" /etc/systemd/
    install -m 0755 "$here/deploy/server/etims" /usr/local/bin/etims
    install -m 0644 "$here/deploy/server/logrotate.conf" /etc/logrotate.d/etims
    ! has_systemd || systemctl daemon-reload
    mapfile -t units < <(workers)
    systemctl enable --quiet etims.target etims-web.socket etims-backup.timer "${units[@]}"
}

workers() { seq -f 'etims-worker@%g.service' "$(nproc)"; }

lay_nginx() {
    local name=${domain:-localhost}
    install -d /etc/nginx/etims /etc/nginx/certificates
    install -m 0644 "$here"/deploy/nginx/*.inc /etc/nginx/etims/
    install -m 0644 "$here/deploy/server/web.inc" /etc/nginx/etims/web.inc
    install -m 0644 "$here/deploy/nginx/etims-tls.conf" /etc/nginx/conf.d/etims.conf
    rm -f /etc/nginx/sites-enabled/default
    if [[ ! -f /etc/nginx/certificates/privkey.pem ]]; then
        say "A certificate of its own signs for now; docs/server.md says how to get a real one"
        openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj "/CN=$name" \
            -addext "subjectAltName=DNS:$name" -keyout /etc/nginx/certificates/privkey.pem \
            -out /etc/nginx/certificates/fullchain.pem 2>/dev/null
        chmod 0600 /etc/nginx/certificates/privkey.pem
    fi
    nginx -t -q
}

has_systemd() { [[ -d /run/systemd/system ]]; }

systemd_start() {
    if has_systemd; then systemctl start "$1"; else service "$1" start >/dev/null; fi
}

# Before the new code runs: the old code goes on working with the new tables (docs/upgrading.md).
migrate() {
    in_release migrate --noinput --verbosity=0
    in_release check --deploy --fail-level ERROR
}

switch() {
    ln -sfn "$release" $root/current.new
    mv -T $root/current.new $root/current
    # The last three stay, for the way back: ln -sfn, then the same restart.
    find $root/releases -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -n | head -n -3 |
        while read -r old; do rm -rf "${root:?}/releases/$old"; done
}

start_all() {
    [[ $start == yes ]] || { say "Laid out; nothing was started (--no-start)"; return; }
    systemctl restart redis-server 2>/dev/null || true
    systemctl start etims-web.socket etims.target
    # One after the other: while one worker hands over its lanes, the others send.
    systemctl restart etims-web.service etims-beat.service etims-watchdog.service
    local each
    for each in "${units[@]}"; do systemctl restart "$each"; done
    systemctl reload-or-restart nginx
    say "It runs: https://${domain:-$(hostname -f)}/health/"
    say "Next: etims createsuperuser; etims create_platform_token"
}

install_packages
make_account
make_environment
lay_release
migrate
lay_units
lay_nginx
switch
start_all
