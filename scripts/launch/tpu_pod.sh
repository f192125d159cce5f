#!/bin/bash
# A run on all hosts of a Cloud TPU slice, in the container that `Dockerfile` makes:
#
#   scripts/launch/tpu_pod.sh NAME ZONE start IMAGE FOLDER FLAG...
#   scripts/launch/tpu_pod.sh NAME ZONE logs      follow host 0, which speaks for all
#   scripts/launch/tpu_pod.sh NAME ZONE status    of every host, with the exit code
#   scripts/launch/tpu_pod.sh NAME ZONE stop      finish the step, save, exit with 143
#
# NAME and ZONE are the TPU VM's. FOLDER is mounted on every host from one and the same
# file system, and has the same path in the container; config, data and --workdir are
# below it. FLAG... are the flags of jaxseg.main, such as
#   --config=FOLDER/experiment.py --workdir=FOLDER/work_dirs/experiment
# `start` again, with the same flags, goes on with the run.

set -euo pipefail

usage() {
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

on_hosts() { # WHICH COMMAND: runs it there; the exit code is not 0 if it fails on one
    gcloud compute tpus tpu-vm ssh "$tpu" --zone="$zone" --worker="$1" --command="$2"
}

[[ $# -ge 3 ]] || usage
tpu=$1 zone=$2 action=$3
shift 3

case $action in
start)
    [[ $# -ge 3 ]] || usage
    image=$1 folder=$2
    shift 2
    # Detached: the run does not end with this connection. --stop-timeout: what Docker
    # waits between SIGTERM and SIGKILL, also where the host itself is shut down.
    # --privileged, --net, --ulimit: the TPU's devices, the other hosts, pinned memory.
    # --ipc: data workers hand over batches in shared memory, 64 MB by default.
    run=(sudo docker run --detach --name=jaxseg --label=jaxseg
        --stop-timeout=120 --privileged --net=host --ipc=host --ulimit=memlock=-1
        --volume="$folder:$folder" "$image" --distributed "$@")
    # The container of a run that has ended goes; one that still runs refuses.
    on_hosts all "sudo docker container prune --force --filter=label=jaxseg &&$(
        printf ' %q' "${run[@]}"
    )"
    ;;
logs) on_hosts 0 "sudo docker logs --follow jaxseg" ;;
status)
    on_hosts all "sudo docker inspect --format='{{.State.Status}} {{.State.ExitCode}}' jaxseg"
    ;;
stop)
    on_hosts all "sudo docker stop jaxseg"
    ;;
*) usage ;;
esac
