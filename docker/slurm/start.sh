#!/usr/bin/env bash
# start-slurm controller|node: one container of compose.yaml's SLURM.
set -euo pipefail

key=/munge/munge.key # on a volume that all containers share
case ${1:-} in
    controller) daemon=slurmctld ;;
    node) daemon=slurmd ;;
    *) exec "$@" ;;
esac

if [ "$daemon" = slurmctld ] && [ ! -s "$key" ]; then
    (umask 077 && head -c 1024 /dev/urandom >"$key.new" && mv "$key.new" "$key")
fi
until [ -s "$key" ]; do sleep 0.2; done
install -o munge -g munge -m 0400 "$key" /etc/munge/munge.key
install -d -o munge -g munge -m 0755 /run/munge
runuser -u munge -- /usr/sbin/munged

install -d -m 0755 /var/spool/slurmctld /var/spool/slurmd
if [ "$daemon" = slurmctld ]; then chown ftdist:ftdist /work; fi
exec "$daemon" -D
