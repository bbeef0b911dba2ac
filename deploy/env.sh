#!/bin/sh
# Writes .env, which docker-compose.yml reads: random secrets and the folders on this host. What is in it stays as it is:
# run again after an upgrade, this adds what is new. The environment decides what is no secret, if it names it:
#
#   YMIR_WORK=/data/ymir/work deploy/env.sh
set -eu
cd "$(dirname "$0")/.."
umask 077
touch .env
chmod 600 .env
# A last line without its end would swallow the next.
[ -z "$(tail -c 1 .env)" ] || echo >> .env

owner=10001 # the user of the image

secret() {
  od -An -N 32 -t x1 /dev/urandom | tr -d ' \n'
}

setting() {
  grep -q "^$1=" .env || printf '%s=%s\n' "$1" "$2" >> .env
}

folder() {
  path=$(sed -n "s/^$1=//p" .env)
  if [ "$(id -u)" = 0 ]; then
    mkdir -p -m 755 "$path"
    chown "$owner:$owner" "$path"
  elif [ ! -d "$path" ]; then
    echo "$0: make the folder first: sudo install -d -o $owner -g $owner $path" >&2
  fi
}

setting YMIR_ADMIN_KEY "$(secret)"
setting YMIR_LINK_KEY "$(secret)"
setting YMIR_AMQP_PASSWORD "$(secret)"
setting YMIR_MONGO_PASSWORD "$(secret)"
setting YMIR_MONGO_ROOT_PASSWORD "$(secret)"
setting YMIR_MONGO_REPLICA_KEY "$(secret)"
setting YMIR_S3_SECRET_KEY "$(secret)"
setting YMIR_WORK "${YMIR_WORK:-/var/lib/ymir/work}"
setting YMIR_IMPORT "${YMIR_IMPORT:-/var/lib/ymir/import}"
setting YMIR_WORKER_SLOTS "${YMIR_WORKER_SLOTS:-{\"data\": 2, \"executor\": 1, \"service\": 8, \"delivery\": 64\}}"
setting YMIR_DOCKER_GROUP "${YMIR_DOCKER_GROUP:-$(stat -c %g /var/run/docker.sock 2>/dev/null || echo 999)}"
setting YMIR_PUBLISH "${YMIR_PUBLISH:-127.0.0.1:8080}"
setting YMIR_PUBLIC_URL "${YMIR_PUBLIC_URL:-http://127.0.0.1:8080}"

folder YMIR_WORK
folder YMIR_IMPORT
