"""scripts/launch: read as their programs read them, and run with stand-ins for these."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import yaml
from absl import flags

import jaxseg.main  # noqa: F401 - defines the flags
from tests.xla_flags import xla_flags

ROOT = pathlib.Path(__file__).parents[2]
LAUNCH = ROOT / "scripts/launch"
MANIFESTS = ("jobset_gpu.yaml", "jobset_tpu.yaml")

# As much of Slurm as the script and JAX see: two tasks on this host, and the highest of
# their exit codes.
SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do shift; done
export SLURM_NTASKS=2 SLURM_STEP_NODELIST=localhost SLURM_STEP_NUM_NODES=1
for rank in 0 1; do
    SLURM_PROCID=$rank SLURM_LOCALID=$rank "$@" &
    tasks+=($!)
done
echo "${tasks[@]}" > "$STAND_INS/tasks"
code=0
for task in "${tasks[@]}"; do
    wait "$task"
    found=$?
    code=$((found > code ? found : code))
done
exit $code
"""
SCONTROL = """#!/bin/bash
echo "$@" >> "$STAND_INS/scontrol.txt"
"""
# One host, whichever are asked for.
GCLOUD = """#!/bin/bash
printf '%s\\n' "$@" > "$STAND_INS/gcloud.txt"
for last; do :; done
bash -c "${last#--command=}"
"""
SUDO = """#!/bin/bash
exec "$@"
"""
DOCKER = """#!/bin/bash
{ printf '%s\\n' "$@"; echo; } >> "$STAND_INS/docker.txt"
"""


@pytest.fixture
def stand_ins(tmp_path):
    """A folder of programs that come first in PATH; (name, text) adds one."""
    folder = tmp_path / "stand_ins"
    folder.mkdir()

    def add(name, text):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    add("srun", SRUN)
    add("scontrol", SCONTROL)
    add("gcloud", GCLOUD)
    add("sudo", SUDO)
    add("docker", DOCKER)
    add.folder = folder
    add.environment = {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "STAND_INS": str(folder),
    }
    return add


def lines_of(path):
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("name", ["slurm.sbatch", "tpu_pod.sh"])
def test_bash_parses_the_script(name):
    subprocess.run(["bash", "-n", LAUNCH / name], check=True)


def test_options_of_sbatch():
    lines = (LAUNCH / "slurm.sbatch").read_text().splitlines()
    command = next(i for i, line in enumerate(lines) if line and line[0] != "#")
    # After the first command sbatch reads no further option.
    options = [line.split()[1] for line in lines[:command] if line[:7] == "#SBATCH"]
    assert options == [line.split()[1] for line in lines if line[:7] == "#SBATCH"]
    assert {"--signal=TERM@120", "--requeue", "--open-mode=append"} <= set(options)


@pytest.mark.parametrize(
    "code, requeued", [(0, False), (1, False), (134, False), (143, True)]
)
def test_only_a_stop_that_was_asked_for_is_requeued(stand_ins, code, requeued):
    stand_ins("python", f'#!/bin/bash\necho "$@"\nexit {code}\n')
    done = subprocess.run(
        ["bash", LAUNCH / "slurm.sbatch", "--config=a b"],
        env={**stand_ins.environment, "SLURM_JOB_ID": "7"},
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == code, done.stderr
    assert done.stdout.count("-m jaxseg.main --distributed --config=a b\n") == 2
    assert lines_of(stand_ins.folder / "scontrol.txt") == ["requeue 7"] * requeued


def test_a_cancelled_job_is_not_requeued(stand_ins):
    stand_ins("python", "#!/bin/bash\necho started\nexec sleep 60\n")
    job = subprocess.Popen(
        ["bash", LAUNCH / "slurm.sbatch"],
        env={**stand_ins.environment, "SLURM_JOB_ID": "7"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert job.stdout.readline() == "started\n"
    assert job.stdout.readline() == "started\n"
    try:
        job.terminate()  # scancel signals the shell of the script as well as the tasks
        assert job.wait(timeout=20) == -signal.SIGTERM
    finally:
        for task in (stand_ins.folder / "tasks").read_text().split():
            os.kill(int(task), signal.SIGTERM)
        job.stdout.close()
    assert lines_of(stand_ins.folder / "scontrol.txt") == []


def free_job_id():
    """A job number whose port, as JAX computes it, is free; and that address."""
    for job in range(os.getpid(), os.getpid() + 4096):
        with socket.socket() as free:
            try:
                free.bind(("127.0.0.1", job % 4096 + 61440))
            except OSError:
                continue
            return str(job), f"127.0.0.1:{job % 4096 + 61440}"
    raise AssertionError("no free port above 61440")


def tiny_run(tiny_data, workdir):
    return [f"--config=tests/tiny.py:{tiny_data}", f"--workdir={workdir}"]


@contextlib.contextmanager
def batch_job(arguments, environment, log):
    """The started script; it and its tasks are killed at the end, or after 150 s."""
    with open(log, "w") as file:
        process = subprocess.Popen(
            ["bash", LAUNCH / "slurm.sbatch", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def kill():
        with contextlib.suppress(ProcessLookupError):  # all of them have ended
            os.killpg(process.pid, signal.SIGKILL)

    deadline = threading.Timer(150, kill)
    deadline.start()
    try:
        yield process
    finally:
        deadline.cancel()
        kill()
        process.wait()


@pytest.mark.long
def test_slurm_stops_requeues_and_resumes(stand_ins, tiny_data, tmp_path):
    stand_ins("python", f'#!/bin/bash\nexec {sys.executable} -W error "$@"\n')
    job, address = free_job_id()
    environment = {
        **stand_ins.environment,
        "SLURM_JOB_ID": job,
        "JAX_COORDINATOR_BIND_ADDRESS": address,  # not all of this host's addresses
        "XLA_FLAGS": xla_flags(),
        "HOME": str(tmp_path),
    }
    workdir = tmp_path / "run"
    # JAX looks for the signal once a second: the run has to be longer than that. The only
    # checkpoint that it makes before its end is that of the stop.
    run = [
        *tiny_run(tiny_data, workdir),
        "--config.train_cfg.max_iters=200",
        "--config.train_cfg.val_interval=200",
        "--config.default_hooks.checkpoint.interval=200",
    ]
    requeued = stand_ins.folder / "scontrol.txt"

    first = tmp_path / "first.txt"
    with batch_job(run, environment, first) as process:
        while "train 13/200" not in first.read_text():
            assert process.poll() is None, first.read_text()[-4000:]
            time.sleep(0.01)
        # As --signal=TERM@120: every task, and not the shell.
        for task in (stand_ins.folder / "tasks").read_text().split():
            os.kill(int(task), signal.SIGTERM)
        assert process.wait() == 143, first.read_text()[-4000:]
    assert lines_of(requeued) == [f"requeue {job}"]
    [stopped] = [
        int(path.name)
        for path in (workdir / "checkpoints").iterdir()
        if path.name.isdigit()
    ]
    assert 13 <= stopped < 200

    second = tmp_path / "second.txt"
    with batch_job(run, environment, second) as process:
        assert process.wait() == 0, second.read_text()[-4000:]
    assert f"resumed at step {stopped}" in second.read_text()
    assert "train 200/200" in second.read_text()
    assert lines_of(requeued) == [f"requeue {job}"]


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifest(name):
    [manifest] = yaml.safe_load_all((LAUNCH / name).read_text())
    assert manifest["apiVersion"] == "jobset.x-k8s.io/v1alpha2"
    assert manifest["kind"] == "JobSet"
    [group] = manifest["spec"]["replicatedJobs"]
    job = group["template"]["spec"]
    assert job["completionMode"] == "Indexed"
    assert job["parallelism"] == job["completions"]
    pod = job["template"]["spec"]
    assert pod["restartPolicy"] == "Never"  # podFailurePolicy takes no other
    assert pod["terminationGracePeriodSeconds"] >= 120
    assert pod["securityContext"]["runAsNonRoot"] is True
    [container] = pod["containers"]
    on_exit = [r["onExitCodes"] for r in job["podFailurePolicy"]["rules"][1:]]
    assert on_exit == [
        {"containerName": container["name"], "operator": "In", "values": [143]}
    ]
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in pod["volumes"]}
    for argument in container["args"]:
        assert argument.lstrip("-").partition("=")[0] in flags.FLAGS, argument
    devices = container["resources"]["limits"]
    assert all(isinstance(count, int) for count in devices.values())


def gpu_host():
    """The manifest's Job and the environment and arguments of its container."""
    manifest = yaml.safe_load((LAUNCH / "jobset_gpu.yaml").read_text())
    assert manifest["spec"]["coordinator"]["replicatedJob"] == "hosts"
    job = manifest["spec"]["replicatedJobs"][0]["template"]["spec"]
    [container] = job["template"]["spec"]["containers"]
    variables = {v["name"]: v.get("value") for v in container["env"]}
    assert f"--num_processes={job['completions']}" in container["args"]
    return job, variables, container["args"]


@pytest.mark.long
def test_arguments_of_the_gpu_manifest_start_its_hosts(command, tiny_data, tmp_path):
    job, variables, arguments = gpu_host()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    hosts = []
    for index in range(job["completions"]):
        # What the label and the Job controller say; the port may be taken here.
        here = {
            **variables,
            "COORDINATOR": "127.0.0.1",
            "JOB_COMPLETION_INDEX": str(index),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        }
        expanded = [
            re.sub(r"\$\((\w+)\)", lambda match, here=here: here[match[1]], argument)
            for argument in (a.replace(":8476", f":{port}") for a in arguments)
        ]
        assert f"--coordinator=127.0.0.1:{port}" in expanded
        assert f"--process_id={index}" in expanded
        hosts.append(command(*expanded, *tiny_run(tiny_data, tmp_path), **here))
    outputs = [host.finish() for host in hosts]
    assert "val mIoU" in outputs[0]
    assert "val mIoU" not in outputs[1]  # process 0 speaks for all


def tpu_pod(stand_ins, *arguments):
    return subprocess.run(
        [LAUNCH / "tpu_pod.sh", *arguments],
        env=stand_ins.environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
    )


def test_tpu_pod_starts_every_host_with_the_flags_as_given(stand_ins):
    given = [
        "--config=/shared/my experiment.py",
        "--config.train_dataloader.dataset.pipeline.2.crop_size=[512,512]",
        "--config.custom_imports={'imports': ['a']}",
        "--workdir=/shared/$HOME",
    ]
    done = tpu_pod(stand_ins, "pod", "zone-b", "start", "image:tpu", "/shared", *given)
    assert done.returncode == 0, done.stderr
    gcloud = lines_of(stand_ins.folder / "gcloud.txt")
    assert gcloud[:5] == ["compute", "tpus", "tpu-vm", "ssh", "pod"]
    assert gcloud[5:7] == ["--zone=zone-b", "--worker=all"]
    prune, run, _ = (stand_ins.folder / "docker.txt").read_text().split("\n\n")
    assert prune.split("\n")[:2] == ["container", "prune"]
    run = run.split("\n")
    assert run[0] == "run" and "--stop-timeout=120" in run
    assert run[run.index("image:tpu") :] == ["image:tpu", "--distributed", *given]


@pytest.mark.parametrize(
    "action, worker, docker",
    [
        ("logs", "0", ["logs", "--follow", "jaxseg"]),
        ("status", "all", ["inspect"]),
        ("stop", "all", ["stop", "jaxseg"]),
    ],
)
def test_tpu_pod_actions(stand_ins, action, worker, docker):
    assert tpu_pod(stand_ins, "pod", "zone-b", action).returncode == 0
    assert f"--worker={worker}" in lines_of(stand_ins.folder / "gcloud.txt")
    assert lines_of(stand_ins.folder / "docker.txt")[: len(docker)] == docker


@pytest.mark.parametrize(
    "arguments", [[], ["pod", "zone-b", "begin"], ["pod", "zone-b", "start", "image"]]
)
def test_tpu_pod_says_how_it_is_called(stand_ins, arguments):
    done = tpu_pod(stand_ins, *arguments)
    assert done.returncode == 2
    assert "tpu_pod.sh NAME ZONE start IMAGE FOLDER FLAG..." in done.stderr
    assert lines_of(stand_ins.folder / "gcloud.txt") == []


def stages():
    """Target -> its instructions, those of the target it begins from included."""
    text = (LAUNCH / "Dockerfile").read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line.startswith("FROM "):
            _, parent, _, name = line.split()
            found[name] = list(found.get(parent, []))
        elif line and not line.startswith("#"):
            found[name].append(line)
    return found


def test_dockerfile_copies_what_there_is():
    copied = []
    for line in stages()["source"]:
        *sources, _ = line.split()[1:]
        copied += sources
    for source in copied:
        assert (ROOT / source).exists(), source
    # As setup.cfg says: what is installed.
    assert {"setup.cfg", "jaxseg", "input_pipeline"} <= set(copied)


@pytest.mark.parametrize("target", ["cpu", "cuda", "tpu"])
def test_images_do_not_run_as_root(target):
    instructions = stages()[target]
    assert [i for i in instructions if i.startswith("USER")] == ["USER 1000:1000"]
    assert instructions[-1] == "USER 1000:1000"
    assert any("useradd --uid 1000" in i for i in instructions)
    assert 'ENTRYPOINT ["python", "-m", "jaxseg.main"]' in instructions
