"""Checkpoints: what is kept, what a restore proves, and every fault we know of."""

import gc
import json
import os
import random
import resource
import shutil
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxseg.checkpoint.errors import (
    CheckpointError,
    DamagedCheckpointError,
    StructureMismatchError,
)
from jaxseg.checkpoint.reader import load_weights
from jaxseg.checkpoint.store import Checkpoints

CONFIG = {"model": {"type": "EncoderDecoder", "channels": [8, 16]}}


def make_state(seed=0, width=4096):
    """A state with every dtype that a run holds, and names as mmseg has them."""
    rng = np.random.default_rng(seed)
    kernel = jnp.asarray(rng.normal(size=(3, width)), jnp.float32)
    return {
        "params": {
            "backbone": {
                "layer1.0": {"conv1": {"kernel": kernel}},
                "layer1.0.bn": {"scale": jnp.asarray(rng.normal(size=8), jnp.float32)},
            }
        },
        "batch_stats": {"bn": {"mean": jnp.asarray(rng.normal(size=8), jnp.bfloat16)}},
        "opt_state": ({"trace": kernel[:, :8] * 2}, jnp.asarray(seed, jnp.int32)),
        "ema": {"params": {"kernel": kernel + 1}},
        "rng": jax.random.key_data(jax.random.key(seed)),
        "frozen": jnp.asarray([True, False, True]),
        "step": jnp.asarray(seed, jnp.int32),
    }


def abstract(state, sharding=None):
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), state
    )


def assert_equal(left, right):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right)):
        assert a.dtype == b.dtype
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def write(directory, steps, **options):
    """Saves `make_state(step)` at each step, with options to `Checkpoints`."""
    with Checkpoints(directory, **options) as checkpoints:
        for step in steps:
            checkpoints.save(step, make_state(step), config=CONFIG)
        checkpoints.wait()


def biggest_file(directory):
    files = [path for path in directory.rglob("*") if path.is_file()]
    return max(files, key=lambda path: path.stat().st_size)


# Where one array of a damaged checkpoint fails, orbax abandons its reads of the
# others: coroutines never awaited, futures whose event loop is closed by then.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore::pytest.PytestUnhandledThreadExceptionWarning",
    "ignore:coroutine .* was never awaited:RuntimeWarning",
)


@pytest.fixture(autouse=True)
def collect_what_orbax_abandons():
    """Has those warnings come while this module's filter holds, not in a later test."""
    yield
    time.sleep(0.02)
    gc.collect()


# What is saved, and what is kept.


def test_a_state_comes_back_bit_for_bit(tmp_path):
    state = make_state(3)
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.latest_step() is None
        assert checkpoints.save(3, state, config=CONFIG)
    with Checkpoints(tmp_path) as checkpoints:
        restored, step = checkpoints.restore(abstract(state))
    assert step == 3
    assert_equal(restored, state)


def test_the_state_may_be_donated_after_save(tmp_path):
    update = jax.jit(
        lambda s: jax.tree.map(lambda x: x * 0 if x.dtype != bool else x, s),
        donate_argnums=0,
    )
    with Checkpoints(tmp_path) as checkpoints:
        state = make_state(1)
        checkpoints.save(1, state, config=CONFIG)
        update(state)
        restored, _ = checkpoints.restore(abstract(make_state(1)))
    assert_equal(restored, make_state(1))


def test_layout_is_one_directory_a_step(tmp_path):
    write(tmp_path, [10, 20])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["10", "20"]
    body = json.loads((tmp_path / "20/manifest/manifest.json").read_text())
    assert body["config"] == CONFIG
    assert body["step"] == 20
    entry = body["arrays"]["params/backbone/layer1.0/conv1/kernel"]
    assert (entry["dtype"], entry["shape"]) == ("float32", [3, 4096])


def test_saving_a_step_again_is_no_save_and_going_back_is_an_error(tmp_path):
    write(tmp_path, [10])
    with Checkpoints(tmp_path) as checkpoints:
        assert not checkpoints.save(10, make_state(10), config=CONFIG)
        with pytest.raises(ValueError, match="cannot save step 5 behind step 10"):
            checkpoints.save(5, make_state(5), config=CONFIG)


# The metrics for which orbax's own BestN loses the best step, with a NaN.
SCORES = {1: 0.3, 2: 0.5, 3: 0.4, 4: float("nan"), 5: 0.2, 6: 0.1}


@pytest.mark.parametrize(
    "mode, sign, metrics, kept",
    [("max", 1, SCORES, [2, 5, 6]), ("min", -1, SCORES, [2, 5, 6])],
)
def test_latest_and_best_are_kept_and_nan_is_never_best(
    tmp_path, mode, sign, metrics, kept
):
    def run(steps):
        with Checkpoints(
            tmp_path, max_keep=2, best_metric="mIoU", best_mode=mode
        ) as checkpoints:
            for step in steps:
                result = {"mIoU": sign * metrics[step], "loss": 1.0}
                checkpoints.save(step, make_state(step), config=CONFIG)
                checkpoints.add_metrics(step, result)
            checkpoints.wait()
            return checkpoints.steps(), checkpoints.best_step()

    run([1, 2, 3])
    assert run([4, 5, 6]) == (kept, 2)  # a second run knows the first one's scores
    assert load_weights(tmp_path, "best")["step"] == 2
    assert load_weights(tmp_path)["step"] == 6


def test_a_nan_metric_alone_is_no_best(tmp_path):
    with Checkpoints(tmp_path, best_metric="mIoU") as checkpoints:
        checkpoints.save(1, make_state(), config=CONFIG)
        checkpoints.add_metrics(1, {"mIoU": float("nan")})
        assert checkpoints.best_step() is None
        with pytest.raises(ValueError, match="'mIoU' is not among the results: aAcc"):
            checkpoints.add_metrics(1, {"aAcc": 1.0})
    with pytest.raises(FileNotFoundError, match="no checkpoint was saved with"):
        load_weights(tmp_path, "best")


def test_another_number_of_devices(tmp_path):
    def on(devices, axes):
        mesh = jax.make_mesh(
            (devices,), ("data",), (AxisType.Auto,), devices=jax.devices()[:devices]
        )
        return NamedSharding(mesh, PartitionSpec(*axes))

    state = make_state(7)
    kernel = state["params"]["backbone"]["layer1.0"]["conv1"]
    kernel["kernel"] = jax.device_put(kernel["kernel"], on(4, (None, "data")))
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(7, state, config=CONFIG)
        for devices in (1, 2, 8):
            target = abstract(state, on(devices, ()))
            node = target["params"]["backbone"]["layer1.0"]["conv1"]
            node["kernel"] = abstract(node["kernel"], on(devices, (None, "data")))
            restored, _ = checkpoints.restore(target)
            assert_equal(restored, state)
            for a, b in zip(jax.tree.leaves(restored), jax.tree.leaves(target)):
                assert a.sharding == b.sharding


# Faults in the files.


def truncate(step):
    path = biggest_file(step / "state")
    os.truncate(path, path.stat().st_size // 2)


def flip_bytes(step):
    path = biggest_file(step / "state")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(b ^ 0x10 for b in data[middle : middle + 64])
    path.write_bytes(data)


def flip_a_bit_of_the_manifest(step):
    path = step / "manifest/manifest.json"
    path.write_text(path.read_text().replace("EncoderDecoder", "EncoderDecodes"))


DAMAGE = {
    "truncated chunk": truncate,
    "flipped bytes": flip_bytes,
    "missing chunk": lambda step: biggest_file(step / "state").unlink(),
    "no state": lambda step: shutil.rmtree(step / "state"),
    "no manifest": lambda step: (step / "manifest/manifest.json").unlink(),
    "empty manifest": lambda step: os.truncate(step / "manifest/manifest.json", 0),
    "other manifest": flip_a_bit_of_the_manifest,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_newest_checkpoint_falls_back_with_a_warning(
    tmp_path, damage, caplog
):
    write(tmp_path, [10, 20])
    DAMAGE[damage](tmp_path / "20")
    with pytest.raises(DamagedCheckpointError, match=str(tmp_path / "20")):
        load_weights(tmp_path)
    with Checkpoints(tmp_path) as checkpoints:
        with pytest.raises(DamagedCheckpointError, match=str(tmp_path / "20")):
            checkpoints.restore(abstract(make_state()), step=20)
        caplog.clear()
        restored, step = checkpoints.restore(abstract(make_state()))
        assert step == 10
        assert_equal(restored, make_state(10))
        assert f"trying an older one: {tmp_path / '20'}" in caplog.text
        # The run goes on, reaches step 20 again and saves there.
        assert (tmp_path / "20.damaged").is_dir()
        assert checkpoints.save(20, make_state(20), config=CONFIG)
        checkpoints.wait()
        restored, step = checkpoints.restore(abstract(make_state()))
    assert step == 20
    assert_equal(restored, make_state(20))


def test_flipped_bytes_name_the_array(tmp_path):
    write(tmp_path, [10])
    flip_bytes(tmp_path / "10")
    error = r"/10: 1 of 9 arrays .*: params/backbone/layer1.0/conv1/kernel$"
    with Checkpoints(tmp_path) as checkpoints:
        with pytest.raises(DamagedCheckpointError, match=error):
            checkpoints.restore(abstract(make_state()))
        with pytest.raises(DamagedCheckpointError, match=error):
            checkpoints.restore(abstract(make_state()), step=10)


@pytest.mark.parametrize("damage", ["no orbax metadata", "no commit", "empty", "junk"])
def test_what_is_no_checkpoint_is_ignored_or_harmless(tmp_path, damage):
    write(tmp_path, [10, 20])
    expected = 10
    if damage == "no orbax metadata":
        # What these hold is in the manifest as well; the checksums prove the rest.
        (tmp_path / "20/_CHECKPOINT_METADATA").unlink()
        (tmp_path / "20/state/_METADATA").unlink()
        expected = 20
    elif damage == "no commit":
        (tmp_path / "20/commit_success.txt").unlink()
    elif damage == "empty":
        shutil.rmtree(tmp_path / "20")
        (tmp_path / "20").mkdir()
    else:
        (tmp_path / "30").write_text("not a directory")
        (tmp_path / "notes.txt").write_text("junk")
        (tmp_path / "latest").mkdir()
        expected = 20
    assert load_weights(tmp_path)["step"] == expected
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.latest_step() == expected
        restored, step = checkpoints.restore(abstract(make_state()))
        assert step == expected
        assert_equal(restored, make_state(expected))
        checkpoints.save(40, make_state(40), config=CONFIG)
    if damage == "junk":  # what is not ours is not removed either
        names = {"10", "20", "30", "40", "latest", "notes.txt"}
        assert {path.name for path in tmp_path.iterdir()} == names


def test_unfinished_checkpoints_of_a_killed_run_are_removed(tmp_path, caplog):
    write(tmp_path, [10])
    shutil.copytree(tmp_path / "10", tmp_path / "20")
    (tmp_path / "20/commit_success.txt").unlink()
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.steps() == [10]
        checkpoints.save(30, make_state(30), config=CONFIG)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["10", "30"]
    assert f"{tmp_path / '20'}: removing an unfinished checkpoint" in caplog.text


def test_a_step_whose_directory_was_renamed_is_passed_over(tmp_path, caplog):
    write(tmp_path, [10, 20])
    (tmp_path / "20").rename(tmp_path / "30")
    with pytest.raises(DamagedCheckpointError, match="30: holds step 20.*was renamed"):
        load_weights(tmp_path)
    with Checkpoints(tmp_path) as checkpoints:
        restored, step = checkpoints.restore(abstract(make_state()))
        assert checkpoints.steps() == [10]
    assert step == 10
    assert_equal(restored, make_state(10))
    assert "30: holds step 20, as its manifest says" in caplog.text
    assert (tmp_path / "30.damaged").is_dir()
    # Weights alone may lie anywhere, and are what they are.
    (tmp_path / "30.damaged").rename(tmp_path / "release")
    assert load_weights(tmp_path / "release")["step"] == 20


def test_all_damaged_is_an_error_that_lists_them(tmp_path):
    write(tmp_path, [10, 20])
    truncate(tmp_path / "10")
    flip_bytes(tmp_path / "20")
    with Checkpoints(tmp_path) as checkpoints:
        with pytest.raises(DamagedCheckpointError, match="every checkpoint") as error:
            checkpoints.restore(abstract(make_state()))
        assert checkpoints.steps() == [10, 20]
    assert str(tmp_path / "10") in str(error.value)
    assert str(tmp_path / "20") in str(error.value)


def test_no_checkpoint(tmp_path):
    state = abstract(make_state())
    with Checkpoints(tmp_path) as checkpoints:
        with pytest.raises(FileNotFoundError, match="there are none"):
            checkpoints.restore(state)
        checkpoints.save(10, make_state(), config=CONFIG)
        with pytest.raises(FileNotFoundError, match=r"no checkpoint 5; .*\[10\]"):
            checkpoints.restore(state, step=5)
    with pytest.raises(FileNotFoundError, match="no finished checkpoint"):
        load_weights(tmp_path / "elsewhere")


# A checkpoint of another model is not damaged: nothing older is tried.


def test_every_structural_difference_is_listed_at_once(tmp_path):
    write(tmp_path, [10, 20])
    target = abstract(make_state())
    target["params"]["backbone"]["layer1.0.bn"]["bias"] = jax.ShapeDtypeStruct(
        (8,), jnp.float32
    )
    del target["ema"]
    target["step"] = jax.ShapeDtypeStruct((2,), jnp.int32)
    target["batch_stats"]["bn"]["mean"] = jax.ShapeDtypeStruct((8,), jnp.float32)
    with Checkpoints(tmp_path) as checkpoints:
        with pytest.raises(StructureMismatchError) as error:
            checkpoints.restore(target)
        assert checkpoints.steps() == [10, 20]
    text = str(error.value)
    assert "4 differences" in text
    assert "not in the checkpoint: params/backbone/layer1.0.bn/bias float32[8]" in text
    assert "only in the checkpoint: ema/params/kernel float32[3, 4096]" in text
    assert "step is int32[] in the checkpoint, int32[2] in this run" in text
    assert "mean is bfloat16[8] in the checkpoint, float32[8] in this run" in text


def test_a_state_that_cannot_be_stored_is_refused(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        with pytest.raises(TypeError, match="'a/b' is a float, not an array"):
            checkpoints.save(1, {"a": {"b": 1.0}}, config=CONFIG)
        with pytest.raises(TypeError, match="'rng' is a typed PRNG key"):
            checkpoints.save(1, {"rng": jax.random.key(0)}, config=CONFIG)
        with pytest.raises(TypeError, match="share the path 'a/b'"):
            checkpoints.save(
                1, {"a": {"b": np.zeros(1)}, "a/b": np.zeros(1)}, config=CONFIG
            )


# A process that fails or is killed while it saves.


def test_a_full_disk_is_logged_and_the_earlier_checkpoints_stay(tmp_path, caplog):
    big = make_state(20, width=200_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(10, make_state(10), config=CONFIG)
        checkpoints.wait()
        # Python ignores SIGXFSZ, so a write past the limit fails like a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
        try:
            checkpoints.save(20, big, config=CONFIG)
            with pytest.raises(CheckpointError, match="was not saved"):
                checkpoints.wait()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert f"{tmp_path / '20'}: saving this checkpoint failed" in caplog.text
        assert sorted(path.name for path in tmp_path.iterdir()) == ["10"]
        restored, step = checkpoints.restore(abstract(make_state()))
        assert step == 10
        assert_equal(restored, make_state(10))
        # The next interval tries again.
        assert checkpoints.save(20, make_state(20), config=CONFIG)
        checkpoints.wait()
        assert checkpoints.steps() == [10, 20]


ENDLESS = """
import sys
import jax.numpy as jnp
from jaxseg.checkpoint.store import Checkpoints
with Checkpoints(sys.argv[1], max_keep=2) as checkpoints:
    step = checkpoints.latest_step() or 0
    while True:
        step += 1
        state = {"params": {f"w{i}": jnp.full((500, 500), step + i) for i in range(8)}}
        checkpoints.save(step, state, config={})
        print(step, flush=True)
"""


def test_killed_at_any_moment_the_newest_finished_step_is_whole(tmp_path, spawn):
    rng = random.Random(0)
    last = 0
    for _ in range(3):
        process = spawn(ENDLESS, tmp_path)
        for _ in range(3):  # the third line: two steps are on the disk
            started = int(process.stdout.readline())
        time.sleep(rng.uniform(0.0, 0.5))
        process.kill()
        process.wait()
        weights = load_weights(tmp_path)
        assert weights["step"] >= started - 1 > last
        last = weights["step"]
        for i in range(8):
            assert (weights["params"][f"w{i}"] == last + i).all()
