"""Two processes with two devices each that start wrongly, or go on as another number.

Rows R9 to R13 of the fault matrix; R11's drift of the copies has its own test.
"""

import hashlib
import json
import shutil
import signal
import socket
import time

import jax
import numpy as np
import pytest

from jaxseg.checkpoint.reader import load_weights
from jaxseg.runtime.metrics_file import read_metrics
from tests.xla_flags import xla_flags

TWO_DEVICES = {"XLA_FLAGS": xla_flags(2)}
STEPS = ("--config.train_cfg.max_iters=20", "--config.train_cfg.val_interval=20")


def free_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def start_both(command, arguments, own=((), ()), count=(2, 2), **variables):
    """Both processes; `own` are the arguments that only one of them has."""
    address = free_address()
    return [
        command(
            *arguments,
            *own[rank],
            f"--coordinator={address}",
            f"--num_processes={count[rank]}",
            f"--process_id={rank}",
            "--shutdown_timeout=30",
            deadline=200,
            **(TWO_DEVICES | variables),
        )
        for rank in range(2)
    ]


def sentences_of(both):
    """The one message of each process; both end with 1 and without a traceback."""
    messages = []
    for run in both:
        output = run.finish(1)
        assert "Traceback" not in output
        [message] = [line for line in output.split("\n") if line.startswith("error: ")]
        messages.append(output[output.index(message) :])
    return messages


@pytest.fixture(scope="module")
def odd(tiny_data, tmp_path_factory):
    """The arguments of the run, with five validation images."""
    data = shutil.copytree(tiny_data, tmp_path_factory.mktemp("odd") / "data")
    for kind in ("images", "labels"):
        shutil.copy(data / kind / "train/00.png", data / kind / "val/99.png")
    return ("--config", f"tests/tiny.py:{data}", *STEPS)


def test_a_process_that_never_joins_is_named(command, tiny):
    address = free_address()
    alone = command(
        *tiny,
        f"--coordinator={address}",
        "--num_processes=2",
        "--process_id=0",
        "--initialization_timeout=3",
    )
    nowhere = command(
        *tiny,
        f"--coordinator={free_address()}",
        "--num_processes=2",
        "--process_id=1",
        "--initialization_timeout=3",
    )
    message, lost = sentences_of([alone, nowhere])
    assert f"process 0 of 2: 2 processes did not meet at {address}" in message
    assert "within 3 seconds" in message
    assert "where nothing answers" in lost


def test_another_config_on_one_host_is_refused(command, tiny, tmp_path):
    messages = sentences_of(
        start_both(
            command,
            [*tiny, f"--workdir={tmp_path}"],
            own=((), ("--config.optim_wrapper.optimizer.lr=0.2",)),
        )
    )
    for rank, message in enumerate(messages):
        assert message.startswith(f"error: process {rank} of 2: ")
        expected = (
            "config.optim_wrapper.optimizer.lr: process 0 has 0.1, process 1 has 0.2"
        )
        assert [line.strip() for line in message.split("\n")[1:] if line] == [expected]
    assert not (tmp_path / "metrics.jsonl").exists()


@pytest.mark.faults
def test_an_evaluation_ends_on_sigterm(command, tiny, undisturbed, slow_images):
    arguments, environment = slow_images("val", seconds=60)
    run = command(
        *tiny,
        *arguments,
        "--mode=eval",
        f"--checkpoint={undisturbed}",
        f"--coordinator={free_address()}",
        "--num_processes=1",
        "--process_id=0",
        **environment,
    )
    run.wait_for("waiting for")
    sent = run.send(signal.SIGTERM)
    run.finish(-signal.SIGTERM)
    assert time.monotonic() - sent < 5


@pytest.mark.faults
def test_another_number_of_processes_is_refused(command, tiny, tmp_path):
    arguments = [*tiny, f"--workdir={tmp_path}"]
    for message in sentences_of(start_both(command, arguments, count=(2, 3))):
        assert "--num_processes: process 0 has 2, process 1 has 3" in message


@pytest.mark.faults
def test_work_directories_that_are_not_one_are_refused(command, tiny, tmp_path):
    own = [(f"--workdir={tmp_path / str(rank)}",) for rank in range(2)]
    for message in sentences_of(start_both(command, tiny, own=own)):
        assert "processes 1 do not see what process 0 wrote" in message


CROP = """
import dataclasses, jax
from input_pipeline.transforms.transform import Transform
from jaxseg.registry import register

@register
@dataclasses.dataclass(frozen=True)
class CropOnOneHost(Transform):
    def __call__(self, results, rng):
        size = 64 - 16 * jax.process_index()
        results["img"] = results["img"][:size]
        results["gt_seg_map"] = results["gt_seg_map"][:size]
        return results
"""


@pytest.mark.faults
def test_batches_of_another_shape_are_refused(command, tiny, tmp_path):
    (tmp_path / "crop_on_one_host.py").write_text(CROP)
    both = start_both(
        command,
        [
            *tiny,
            f"--workdir={tmp_path / 'run'}",
            "--config.custom_imports={'imports': ['crop_on_one_host']}",
            "--config.model.data_preprocessor.size=None",
            "--config.train_dataloader.dataset.pipeline.2={'type': 'CropOnOneHost'}",
        ],
        PYTHONPATH=str(tmp_path),
    )
    for message in sentences_of(both):
        assert "batch.img.1: process 0 has 64, process 1 has 48" in message


def scores_of(command, arguments, workdir, checkpoint, several=False):
    arguments = [
        *arguments,
        "--mode=eval",
        f"--checkpoint={checkpoint}",
        f"--workdir={workdir}",
    ]
    runs = start_both(command, arguments) if several else [command(*arguments)]
    for run in runs:
        run.finish()
    return json.loads((workdir / "eval.json").read_text())


@pytest.mark.faults
def test_an_odd_number_of_images_is_counted_as_by_one_process(
    command, odd, undisturbed, tmp_path
):
    # Every score of every class is a quotient of the counts, and not rounded.
    two = scores_of(command, odd, tmp_path / "two", undisturbed, several=True)
    assert two == scores_of(command, odd, tmp_path / "one", undisturbed)


@pytest.mark.faults
def test_two_processes_share_the_images_that_they_predict(
    command, tiny_data, undisturbed, tmp_path
):
    arguments = [
        "--mode=predict",
        f"--checkpoint={undisturbed}",
        f"--input={tiny_data / 'images'}",
        f"--output={tmp_path}",
    ]
    for run in start_both(command, arguments):
        output = run.finish()
        assert output.count(" -> ") == 8 and "8/8  " in output
    assert len(list((tmp_path / "labels").rglob("*.png"))) == 16


# Writes the samples of every batch, in order, and the parameters that are restored.
RECORD = """
import hashlib, itertools, json, os, jax, numpy as np
from input_pipeline.loader import Loader
from jaxseg.checkpoint.store import Checkpoints

numbers = itertools.count()
following, restoring = Loader.__next__, Checkpoints.restore

def write(**line):
    path = os.path.join(os.environ["RECORD"], f"{jax.process_index()}.jsonl")
    with open(path, "a") as file:
        file.write(json.dumps(line) + "\\n")

def digest(arrays):
    data = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    return hashlib.sha256(data).hexdigest()

def recorded(self):
    batch = following(self)
    if batch["img"].ndim == 4:  # of the training
        if not hasattr(self, "number"):
            self.number = next(numbers)
        names = sorted(batch)
        for row in range(len(batch["img"])):
            sample = digest(batch[name][row] for name in names)
            write(loader=self.number, sample=sample)
    return batch

def restored(self, *args, **kwargs):
    state, step = restoring(self, *args, **kwargs)
    leaves = jax.tree.leaves(state.params)
    write(step=step, params=digest(leaf.addressable_data(0) for leaf in leaves))
    return state, step

Loader.__next__, Checkpoints.restore = recorded, restored
"""


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """Arguments, and a function from a folder to the variables of what is recorded."""
    folder = tmp_path_factory.mktemp("record")
    (folder / "record_batches.py").write_text(RECORD)
    arguments = ("--config.custom_imports={'imports': ['record_batches']}",)

    def variables(into):
        into.mkdir()
        return {"PYTHONPATH": str(folder), "RECORD": str(into)}

    return arguments, variables


def recorded_steps(folder, hosts, per_host):
    """step -> the samples of its global batch, from the loader of the steps."""
    blocks = []
    for host in range(hosts):
        lines = map(json.loads, (folder / f"{host}.jsonl").read_text().splitlines())
        samples = [line["sample"] for line in lines if line.get("loader") == 1]
        blocks.append(np.array(samples).reshape(-1, per_host))
    return np.concatenate(blocks, 1).tolist()


def losses_of(workdir):
    lines = read_metrics(workdir / "metrics.jsonl")
    return {line["step"]: line["loss"] for line in lines if line["split"] == "train"}


@pytest.fixture(scope="module")
def whole(command, odd, record, tmp_path_factory):
    """One process, one device: work directory and batches of a run of 20 steps."""
    workdir = tmp_path_factory.mktemp("whole")
    arguments, variables = record
    into = variables(workdir / "record")
    command(*odd, *arguments, f"--workdir={workdir / 'run'}", **into).finish()
    return workdir / "run", recorded_steps(workdir / "record", 1, 4)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("hosts", "devices", "workers"), [(2, 2, 0), (1, 4, 0), (1, 1, 2)], ids=str
)
def test_a_run_goes_on_with_other_hosts_devices_or_workers(
    command, odd, record, whole, tmp_path, hosts, devices, workers
):
    expected, batches = whole
    workdir = shutil.copytree(expected, tmp_path / "run")
    shutil.rmtree(workdir / "checkpoints/20")
    arguments = [
        *odd,
        *record[0],
        f"--workdir={workdir}",
        f"--config.train_dataloader.num_workers={workers}",
    ]
    variables = record[1](tmp_path / "record") | {"XLA_FLAGS": xla_flags(devices)}
    if hosts == 1:
        runs = [command(*arguments, **variables)]
    else:
        runs = start_both(command, arguments, **variables)
    outputs = [run.finish() for run in runs]
    assert "resumed at step 10" in outputs[0]
    assert recorded_steps(tmp_path / "record", hosts, 4 // hosts) == batches[10:]
    assert_restored(tmp_path / "record", hosts, expected / "checkpoints/10")
    assert_same_losses(workdir, expected)


def assert_restored(record, hosts, checkpoint):
    params = load_weights(checkpoint, collections=("params",))["params"]
    wanted = [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(params)]
    digest = hashlib.sha256(b"".join(wanted)).hexdigest()
    for host in range(hosts):
        lines = map(json.loads, (record / f"{host}.jsonl").read_text().splitlines())
        assert [line["params"] for line in lines if "params" in line] == [digest]


def assert_same_losses(workdir, expected):
    ours, theirs = losses_of(workdir), losses_of(expected)
    assert list(ours) == list(theirs) == list(range(1, 21))
    for step, loss in theirs.items():
        np.testing.assert_allclose(ours[step], loss, rtol=1e-6, err_msg=str(step))


@pytest.mark.faults
def test_a_run_of_two_hosts_is_stopped_and_goes_on_as_one(
    command, odd, whole, tmp_path, slow_images
):
    expected, _ = whole
    # JAX looks for the signal once a second: the steps have to take longer.
    slow, variables = slow_images("train", seconds=0.5)
    arguments = [*odd, *slow, f"--workdir={tmp_path}"]
    both = start_both(command, arguments, **variables)
    both[0].wait_for("train 2/20")
    both[1].send(signal.SIGTERM)
    for run in both:
        run.finish(143)
    output = command(*odd, "--resume_changed", f"--workdir={tmp_path}").finish()
    assert "resumed at step" in output
    assert_same_losses(tmp_path, expected)
