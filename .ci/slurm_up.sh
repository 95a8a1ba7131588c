#!/usr/bin/env bash
# Starts a one-node SLURM for tests: Debian, as root, loopback only, no systemd, two fake GPUs.
# OVERWRITES /etc/slurm; `.ci/run` and `make cluster-up` call it, `make test` never does.
# Partitions: main (default), and urgent, which preempts main. Stop: `.ci/slurm_up.sh stop`.
set -euo pipefail
root=${SLURM_TEST_DIR:-/tmp/spiketune-slurm}

stop() {
    for name in slurmd slurmctld; do
        if [ -s "$root/$name.pid" ]; then kill "$(cat "$root/$name.pid")" 2>/dev/null || true; fi
    done
}

if [ "${1:-start}" = stop ]; then stop; exit 0; fi
if [ "$(id -u)" != 0 ]; then echo "SLURM for tests needs root" >&2; exit 1; fi
if ! command -v slurmctld >/dev/null || ! command -v munged >/dev/null; then
    if ! command -v apt-get >/dev/null; then echo "SLURM for tests needs Debian" >&2; exit 1; fi
    apt-get update -qq >/dev/null
    apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null
fi
if sinfo --noheader --format=%T --partition=main 2>/dev/null | grep -q -e idle -e mix -e alloc; then
    exit 0
fi

mkdir -p "$root"/{state,spool,log,dev} /run/munge /var/log/munge
chown munge:munge /run/munge /var/log/munge /etc/munge/munge.key
chmod 755 /run/munge
pgrep -x munged >/dev/null || su -s /bin/sh munge -c /usr/sbin/munged
for _ in $(seq 50); do
    if munge --no-input 2>/dev/null | unmunge >/dev/null 2>&1; then break; fi
    sleep 0.2
done
for i in 0 1; do  # a device-like path whose name ends in the index is all that SLURM asks for
    [ -e "$root/dev/nvidia$i" ] || mknod "$root/dev/nvidia$i" c 1 3 2>/dev/null || touch "$root/dev/nvidia$i"
done

host=$(hostname -s)
memory_mib=$(awk '/MemTotal/ {print int($2 / 1024 * 0.8)}' /proc/meminfo)
mkdir -p /etc/slurm
cat > /etc/slurm/slurm.conf <<CONF
ClusterName=spiketune-tests
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=200
GresTypes=gpu
MpiDefault=none
ReturnToService=2
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$root/state
SlurmdSpoolDir=$root/spool
SlurmctldPidFile=$root/slurmctld.pid
SlurmdPidFile=$root/slurmd.pid
SlurmctldLogFile=$root/log/slurmctld.log
SlurmdLogFile=$root/log/slurmd.log
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
MinJobAge=300
KillWait=5
SlurmdTimeout=30
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$memory_mib Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP PriorityTier=1 OverSubscribe=NO
PartitionName=urgent Nodes=$host MaxTime=INFINITE State=UP PriorityTier=10
CONF
echo "NodeName=$host Name=gpu File=$root/dev/nvidia[0-1]" > /etc/slurm/gres.conf
echo "CgroupAutomount=no" > /etc/slurm/cgroup.conf
stop
slurmctld
for _ in $(seq 20); do scontrol ping 2>/dev/null | grep -q UP && break; sleep 0.5; done
slurmd
for _ in $(seq 60); do
    if sinfo --noheader --format=%T --partition=main 2>/dev/null | grep -q idle; then exit 0; fi
    sleep 0.5
done
echo "SLURM for tests did not come up; see $root/log" >&2
exit 1
