#!/usr/bin/env bash
# Install what tests/support/slurmlab.sh makes a SLURM of: Debian's packages, as root, those that
# are missing. None of their own services is started.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

missing=()
for package in slurmctld slurmd slurmdbd slurm-client slurm-wlm-basic-plugins \
    slurm-wlm-mysql-plugin munge mariadb-server-core iproute2 util-linux procps; do
    # shellcheck disable=SC2016  # dpkg-query's own variable
    state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) || state=absent
    [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if ! command -v apt-get >/dev/null; then
    echo "No apt-get here. To fix: install SLURM, munge, MariaDB's server and iproute2 another way."
    exit 1
fi

# Debian asks this file before it starts the service of a package.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
apt-get update -q
apt-get install -q -y --no-install-recommends "${missing[@]}"
