#!/usr/bin/env bash
# A SLURM of several nodes on one machine, for tests: its real daemons, and no systemd.
#
#   slurmlab.sh start             bring it up; returns when all nodes are idle
#   slurmlab.sh stop              remove all that it made, its logs excepted
#   slurmlab.sh restart           the one, then the other
#   slurmlab.sh status            nodes and jobs; fails where nothing is up
#   slurmlab.sh env               shell lines that SLURM's commands need: eval "$(slurmlab.sh env)"
#   slurmlab.sh exec HOST CMD...  run a command on node1, node2, ... or ctl
#   slurmlab.sh kill-node K       power off node K: its link first, then SIGKILL for all in it
#   slurmlab.sh crash-node K      SIGKILL for all in node K; the link stays, peers are told at once
#   slurmlab.sh revive-node K     boot node K again
#   slurmlab.sh link-down K       cut node K's network; link-up K restores it
#   slurmlab.sh kill-slurmd K     kill node K's daemon, its jobs live on; start-slurmd K starts it
#   slurmlab.sh kill-ctld         kill the controller; start-ctld starts it, with its state
#
# A node is a set of namespaces: its own network and address, host name, processes, /dev/shm and
# /etc/hosts; files are those of the machine. Another set, ctl, holds the controller's daemons and
# the bridge between the nodes. The first process of a PID namespace takes all others along when
# it is killed: that is how things end here, and nothing is ever ended by its name.
#
# Needs root and the packages of tests/support/cluster_packages.sh.

# Without -e: a function's exit code is its answer, and who needs it says what went wrong.
set -uo pipefail
umask 022
export LC_ALL=C
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH

# The folder says which cluster is meant, so that several can stand side by side. Short: a unix
# socket's path has at most 107 characters.
DIR=$(readlink -m "${SLURMLAB_DIR:-/tmp/slurmlab}")
NODES=${SLURMLAB_NODES:-2}
CPUS=${SLURMLAB_CPUS:-2}             # that each node says it has; may be more than the machine's
MEMORY_MIB=${SLURMLAB_MEMORY_MIB:-8000}
GPUS=${SLURMLAB_GPUS:-2}             # that each node says it has; nothing is behind them
GRACE_S=${SLURMLAB_GRACE_S:-30}      # between a preemption's first signal and its SIGTERM
SILENT_S=${SLURMLAB_SILENT_S:-10}    # until a node that says nothing is down
# For one message; a loss is found after SILENT_S and 1 to 2 of it. More than KILL_S: the end of a
# step is answered only after it, and one that is not answered is sent again a minute later, when
# the requeued job may have a new step of that number.
MESSAGE_S=${SLURMLAB_MESSAGE_S:-8}
REQUEUE_S=${SLURMLAB_REQUEUE_S:-5}   # that a requeued job waits at least; 120 by default
USER_SIGNAL=${SLURMLAB_USER_SIGNAL:-1} # whether a preempted job gets the signal that it asked for
KILL_S=${SLURMLAB_KILL_S:-5}         # between SIGTERM and SIGKILL
START_S=${SLURMLAB_START_S:-60}      # for each part of the start

PREFIX=sl$(printf %s "$DIR" | cksum | awk '{printf "%04x", $1 % 65536}')  # of names of links and networks
SELF=$(readlink -f "${BASH_SOURCE[0]}")
export SLURM_CONF=$DIR/etc/slurm.conf

say() { printf 'slurmlab: %s\n' "$*"; }
die() {
    printf 'slurmlab: %s\n' "$*" >&2
    exit 1
}
wait_for() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

# Processes. A file holds "pid start-time", so that a number used again is never taken for ours.

stat_of() { # PID FIELD, counted from 1 after the command's name, which may hold anything
    sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f"$2"
}
record() { echo "$1 $(stat_of "$1" 20)" >"$2"; } # PID FILE
pid_of() { cut -d' ' -f1 "$1"; }
alive() { # FILE
    local pid start
    read -r pid start 2>/dev/null <"$1" || return 1
    [ -n "$start" ] && [ "$(stat_of "$pid" 20)" = "$start" ] && [ "$(stat_of "$pid" 1)" != Z ]
}
gone() { ! alive "$1"; }
kill_recorded() { # FILE
    alive "$1" && kill -KILL "$(pid_of "$1")" 2>/dev/null
    wait_for 5 gone "$1" || return 1
    rm -f "$1"
}

# Hosts: node1, node2, ... and ctl.

net_of() { # HOST
    case $1 in
        ctl) echo "${PREFIX}ctl" ;;
        *) echo "${PREFIX}n${1#node}" ;;
    esac
}
inside() { # HOST COMMAND...
    local host=$1
    shift
    nsenter --all --target "$(pid_of "$DIR/pid/$host.init")" -- "$@"
}
boot() { # HOST
    local host=$1 outer inner
    rm -f "$DIR/pid/$host".{outer,init,ready}
    # Every descriptor is redirected: no caller's pipe or terminal stays open for our sake.
    # shellcheck disable=SC2016  # that shell has arguments of its own
    SLURMLAB_DIR=$DIR setsid bash -c 'echo $$ >"$1"; shift; exec "$@"' _ "$DIR/pid/$host.new" \
        nsenter --net="/run/netns/$(net_of "$host")" \
        unshare --mount --uts --ipc --pid --fork --kill-child --mount-proc --propagation private \
        bash "$SELF" __init "$host" </dev/null >>"$DIR/log/$host.init.log" 2>&1 &
    disown $!
    wait_for 20 test -e "$DIR/pid/$host.ready" || {
        cat "$DIR/log/$host.init.log" >&2
        return 1
    }
    outer=$(cat "$DIR/pid/$host.new")
    inner=$(tr -d ' \n' <"/proc/$outer/task/$outer/children")
    rm -f "$DIR/pid/$host.new"
    record "$outer" "$DIR/pid/$host.outer"
    record "$inner" "$DIR/pid/$host.init"
}
power_off() { # HOST
    kill_recorded "$DIR/pid/$1.init" && kill_recorded "$DIR/pid/$1.outer" && rm -f "$DIR/pid/$1.ready"
}
init() { # HOST: what process 1 of a host does, set up and then reap the orphans
    [ $$ = 1 ] || die "__init is not for use by hand"
    hostname "$1"
    # /sys of this network, with the machine's cgroups put back where programs look for them.
    mkdir -p "$DIR/mnt/$1"
    mount --rbind /sys/fs/cgroup "$DIR/mnt/$1" && mount -t sysfs -o ro sysfs /sys &&
        mount --rbind "$DIR/mnt/$1" /sys/fs/cgroup
    mount --bind "$DIR/etc/hosts" /etc/hosts
    [ ! -e /etc/resolv.conf ] || mount --bind "$DIR/etc/resolv.conf" /etc/resolv.conf
    mount -t tmpfs -o mode=1777 shm /dev/shm
    touch "$DIR/pid/$1.ready"
    while :; do
        sleep 86400 &
        wait $!
    done
}

# Network: .1 this machine, .2 ctl, .11 node1, .12 node2, ...

free_net() { # three numbers of a /24 that no interface and no route of this machine uses
    local used third
    used=$(ip -4 addr show && ip -4 route show) || return 1
    for third in {0..254}; do
        grep -qE "(^| )10\.77\.$third\." <<<"$used" || {
            echo "10.77.$third"
            return
        }
    done
    return 1
}
lay_net() {
    local ctl net
    ctl=$(net_of ctl)
    net=$(free_net) || die "no free 10.77.x.0/24"
    echo "$net" >"$DIR/net"
    ip netns add "$ctl" && ip -n "$ctl" link set lo up &&
        ip -n "$ctl" link add br0 type bridge && ip -n "$ctl" addr add "$net.2/24" dev br0 &&
        ip -n "$ctl" link set br0 up &&
        ip link add "${PREFIX}root" type veth peer name root netns "$ctl" &&
        ip -n "$ctl" link set root master br0 up &&
        ip addr add "$net.1/24" dev "${PREFIX}root" && ip link set "${PREFIX}root" up
}
lay_link() { # K
    local ctl node
    ctl=$(net_of ctl)
    node=$(net_of "node$1")
    ip netns add "$node" && ip -n "$node" link set lo up &&
        ip -n "$ctl" link add "node$1" type veth peer name eth0 netns "$node" &&
        ip -n "$ctl" link set "node$1" master br0 up &&
        ip -n "$node" addr add "$NET.$((10 + $1))/24" dev eth0 && ip -n "$node" link set eth0 up
}

# Configuration.

write_configuration() {
    local k gres=""
    {
        echo "127.0.0.1 localhost"
        echo "$NET.1 login $(hostname)"
        echo "$NET.2 ctl"
        for ((k = 1; k <= NODES; k++)); do echo "$NET.$((10 + k)) node$k"; done
    } >"$DIR/etc/hosts"
    echo "options timeout:1 attempts:1" >"$DIR/etc/resolv.conf" # no name server: fail at once
    : >"$DIR/etc/gres.conf"
    if [ "$GPUS" -gt 0 ]; then
        gres="Gres=gpu:$GPUS"
        # Each must be a character device: links to one will do.
        for ((k = 0; k < GPUS; k++)); do ln -sfn /dev/null "$DIR/dev/nvidia$k"; done
        echo "Name=gpu File=$DIR/dev/nvidia[0-$((GPUS - 1))]" >"$DIR/etc/gres.conf"
    fi
    {
        slurm_conf
        for ((k = 1; k <= NODES; k++)); do
            echo "NodeName=node$k NodeAddr=$NET.$((10 + k)) CPUs=$CPUS RealMemory=$MEMORY_MIB $gres State=UNKNOWN"
        done
    } >"$DIR/etc/slurm.conf"
    (umask 077 && slurmdbd_conf >"$DIR/etc/slurmdbd.conf") # it refuses to be read by others
}
slurm_conf() {
    local partition="Nodes=ALL DefaultTime=10 MaxTime=INFINITE State=UP"
    cat <<CONF
ClusterName=slurmlab
SlurmctldHost=ctl($NET.2)
SlurmUser=root
SlurmdUser=root
# A munge of our own: SLURM's daemons are told by the first, its commands that ask the accounts by
# the second. A requeued job waits until the credential of its earlier start has expired.
AuthType=auth/munge
AuthInfo=socket=$DIR/munge/socket,cred_expire=$REQUEUE_S
AccountingStoragePass=$DIR/munge/socket
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=$NET.2
AccountingStorageTRES=gres/gpu
GresTypes=gpu
StateSaveLocation=$DIR/state
SlurmdSpoolDir=$DIR/spool/%n
SlurmctldPidFile=$DIR/pid/slurmctld.pid
SlurmdPidFile=$DIR/pid/slurmd.%n.pid
SlurmctldLogFile=$DIR/log/slurmctld.log
SlurmdLogFile=$DIR/log/slurmd.%n.log
SlurmctldDebug=verbose
SlurmdDebug=verbose
# No cgroups: the nodes share one kernel and one tree of them.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=10
MpiDefault=none
MailProg=/bin/true
PropagateResourceLimits=NONE
# Nodes may say that they have more than the machine has.
SlurmdParameters=config_overrides
# A job that must make way gets the signal that it asked for at once, SIGTERM after its grace; or
# SIGTERM at once.
$([ "$USER_SIGNAL" = 0 ] || echo SlurmctldParameters=preempt_send_user_signal)
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=200000,bf_interval=2
SlurmdTimeout=$SILENT_S
SlurmctldTimeout=10
MessageTimeout=$MESSAGE_S
TCPTimeout=2
KillWait=$KILL_S
InactiveLimit=0
# Ended jobs stay in squeue's memory for as long as a test may look at them.
MinJobAge=600
ReturnToService=2
JobRequeue=1
PartitionName=main $partition Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=$GRACE_S
PartitionName=spot $partition PriorityTier=1 PreemptMode=REQUEUE GraceTime=0
PartitionName=high $partition PriorityTier=10 PreemptMode=OFF
CONF
}
slurmdbd_conf() {
    cat <<CONF
AuthType=auth/munge
AuthInfo=socket=$DIR/munge/socket
DbdHost=ctl
DbdAddr=$NET.2
SlurmUser=root
LogFile=$DIR/log/slurmdbd.log
PidFile=$DIR/pid/slurmdbd.pid
DebugLevel=verbose
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
CONF
}

# Daemons.

daemon() { # HOST COMMAND...: one that leaves to the background by itself
    inside "$@" </dev/null >>"$DIR/log/daemons.out" 2>&1 || die "$2 on $1: $(tail -n 3 "$DIR/log/daemons.out")"
}
start_munged() {
    (umask 077 && head -c 128 /dev/urandom >"$DIR/munge/key")
    # One for all hosts: a socket that has a path is reached from every network.
    daemon ctl munged --force --key-file="$DIR/munge/key" --socket="$DIR/munge/socket" \
        --pid-file="$DIR/pid/munged.pid" --log-file="$DIR/log/munged.log" --seed-file="$DIR/munge/seed"
}
start_database() {
    local options=(--no-defaults --user=root --datadir="$DIR/db" --skip-log-bin --performance-schema=OFF
        --innodb-buffer-pool-size=32M --innodb-log-file-size=8M --innodb-flush-method=nosync
        --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 --innodb-lock-wait-timeout=900)
    # While it makes its tables it reads one statement a line.
    { printf 'create database mysql;\nuse mysql;\n' && cat /usr/share/mysql/mysql_system_tables.sql; } |
        inside ctl mariadbd "${options[@]}" --bootstrap >"$DIR/log/mariadbd.out" 2>&1 || return 1
    # No port and no passwords: who can enter the folder of its socket may use it.
    # shellcheck disable=SC2016  # that shell has arguments of its own
    inside ctl bash -c 'setsid mariadbd "$@" &' _ "${options[@]}" --skip-networking \
        --skip-grant-tables --skip-name-resolve --socket="$DIR/db/s" --pid-file="$DIR/pid/mariadbd.pid" \
        --log-error="$DIR/log/mariadbd.log" </dev/null >/dev/null 2>&1
    wait_for "$START_S" test -S "$DIR/db/s"
}
start_accounts() {
    MYSQL_UNIX_PORT=$DIR/db/s daemon ctl slurmdbd
    wait_for "$START_S" sacctmgr -n list cluster && sacctmgr -i add cluster slurmlab >/dev/null
}
start_ctld() { daemon ctl slurmctld -f "$SLURM_CONF"; }
start_slurmd() { daemon "node$1" slurmd -f "$SLURM_CONF" -N "node$1"; }

# Commands.

healthy() {
    alive "$DIR/pid/ctl.init" && [ "$(sinfo -h -N -p main -o %t 2>/dev/null | grep -cxE 'idle|alloc|mix|comp|plnd')" = "$NODES" ]
}
settings() { declare -p NODES CPUS MEMORY_MIB GPUS USER_SIGNAL GRACE_S SILENT_S MESSAGE_S REQUEUE_S KILL_S; }
start() {
    local k begin=$SECONDS
    if healthy && settings | cmp -s - "$DIR/settings"; then
        say "is up already"
        return
    fi
    stop # whatever a start that was cut short left behind
    rm -rf "$DIR/log"
    mkdir -p "$DIR"/{etc,log,pid,munge,db,state,spool,dev,mnt}
    settings >"$DIR/settings"
    # Two that start at once must not choose the same network.
    (flock --timeout 60 8 && lay_net) 8>/run/slurmlab.lock || die "no network for ctl"
    NET=$(cat "$DIR/net")
    write_configuration
    boot ctl || die "ctl did not boot"
    start_munged
    for ((k = 1; k <= NODES; k++)); do
        mkdir -p "$DIR/spool/node$k"
        lay_link "$k" || die "no network for node$k"
        boot "node$k" || die "node$k did not boot"
        start_slurmd "$k"
    done
    # The accounts must answer before the controller starts for the first time.
    start_database || die "mariadbd did not start, see $DIR/log"
    start_accounts || die "slurmdbd gives no answer: $(tail -n 3 "$DIR/log/slurmdbd.log")"
    start_ctld
    wait_for "$START_S" healthy || die "nodes not idle after $START_S s, see $DIR/log: $(sinfo -N)"
    say "$NODES nodes are up after $((SECONDS - begin)) s"
}
stop() {
    local file net pid
    for file in "$DIR"/pid/*.init "$DIR"/pid/*.outer; do
        [ ! -e "$file" ] || kill_recorded "$file" || say "could not end $(basename "$file")"
    done
    # What a start that was cut short had not yet recorded is found by its network's name.
    for net in $(ip netns list 2>/dev/null | awk '{print $1}' | grep -xE "$PREFIX(ctl|n[0-9]+)"); do
        for pid in $(ip netns pids "$net" 2>/dev/null); do kill -KILL "$pid" 2>/dev/null; done
        ip netns del "$net"
    done
    if ip link show "${PREFIX}root" >/dev/null 2>&1; then ip link del "${PREFIX}root" 2>/dev/null; fi
    rm -rf --one-file-system "${DIR:?}"/{pid,munge,db,state,spool,etc,dev,mnt,settings,net}
}
set_link() { ip -n "$(net_of ctl)" link set "node$1" "$2"; } # K up|down
revive() { # K
    if alive "$DIR/pid/node$1.init"; then die "node$1 is up"; fi
    set_link "$1" up && boot "node$1" && start_slurmd "$1"
}
kill_daemon() { inside "$1" kill -KILL "$(cat "$DIR/pid/$2.pid")"; } # HOST NAME

check_tools() {
    local tool missing=()
    [ "$(id -u)" = 0 ] || die "needs root"
    for tool in ip nsenter unshare flock munged mariadbd slurmdbd slurmctld slurmd sinfo sacctmgr; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    [ ${#missing[@]} = 0 ] || die "not installed: ${missing[*]} (tests/support/cluster_packages.sh installs them)"
    [ ${#DIR} -le 60 ] || die "SLURMLAB_DIR is too long for sockets: $DIR"
}
locked() { # COMMAND: alone among those that change this cluster; no daemon inherits the lock
    mkdir -p "$DIR"
    exec flock --close --timeout 120 "$DIR/lock" bash "$SELF" "$@"
}

[ $# -gt 0 ] || set -- help
command=$1
shift
case $command in
    status | exec | kill-* | crash-* | revive-* | link-* | start-*)
        alive "$DIR/pid/ctl.init" || die "is not up"
        ;;
esac
case $command in
    start | restart)
        check_tools
        locked "__$command"
        ;;
    stop) locked __stop ;;
    __start) start ;;
    __stop) stop ;;
    __restart) stop && start ;;
    __init) init "$1" ;;
    status) sinfo -N && squeue ;;
    env) printf 'export SLURM_CONF=%q SLURMLAB_DIR=%q\n' "$SLURM_CONF" "$DIR" ;;
    exec) inside "$@" ;;
    kill-node) set_link "$1" down && power_off "node$1" ;;
    crash-node) power_off "node$1" ;;
    revive-node) locked __revive "$1" ;;
    __revive) revive "$1" ;;
    link-down) set_link "$1" down ;;
    link-up) set_link "$1" up ;;
    kill-slurmd) kill_daemon "node$1" "slurmd.node$1" ;;
    start-slurmd) start_slurmd "$1" ;;
    kill-ctld) kill_daemon ctl slurmctld ;;
    start-ctld) start_ctld ;;
    *)
        sed -n '2,15p' "$SELF"
        exit 2
        ;;
esac
