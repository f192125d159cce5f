"""scripts/benchmark/model.py as a user types it, and what its numbers are made of."""

import json
import os
import pathlib
import subprocess
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.config import load
from jaxseg.resolve import resolve_model
from scripts.benchmark.measuring.against import (
    AgainstError,
    OtherSide,
    check_same_model,
)
from scripts.benchmark.measuring.device import peak_flops
from scripts.benchmark.measuring.program import compile_program
from scripts.benchmark.measuring.setup import Setup, prepare_config
from scripts.benchmark.measuring.synthetic import missing_folders, typical_size
from scripts.benchmark.measuring.timing import Stopwatch
from tests.xla_flags import xla_flags

ROOT = pathlib.Path(__file__).parents[3]
TINY = ROOT / "tests/tiny.py"

# Speaks the protocol of scripts/benchmark/measuring/against.py; every step takes 1000 s, or 2000 s
# of the second variant.
STAND_IN = """#!{python}
import ast, json, sys
job = ast.literal_eval(sys.stdin.readline())
if job["model"]["decode_head"]["num_classes"] == 3:
    print(json.dumps(dict(error="ValueError: three classes")), flush=True)
hello = dict(variants=["first", "second"], parameters={parameters}, torch="2", mmseg="1",
             torch_device="cpu", threads=job["threads"], model_from="nothing")
print(json.dumps(hello), flush=True)
for line in sys.stdin:
    order = json.loads(line)
    assert order["measure"] in ("train", "network", "label_maps"), order
    seconds = order["steps"] * (1000 if order["variant"] == "first" else 2000)
    print(json.dumps(dict(seconds=seconds)), flush=True)
"""


def benchmark(*arguments):
    return subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "scripts/benchmark/model.py",
            *map(str, arguments),
        ],
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": xla_flags()},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )


def make_stand_in(path, parameters):
    path.write_text(STAND_IN.format(python=sys.executable, parameters=parameters))
    path.chmod(0o755)
    return path


def count_parameters(config):
    model = resolve_model(config["model"])
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))


def test_every_part_and_the_comparison(tiny_data, tmp_path):
    config = f"{TINY}:{tiny_data}"
    stand_in = make_stand_in(tmp_path / "python", count_parameters(load(config)))
    result = benchmark(
        *("--config", config, "--json", tmp_path / "result.json"),
        *("--batch_size", 2, "--steps", 1, "--repeats", 2),
        *("--against", "mmseg", "--torch-python", stand_in),
    )
    assert result.returncode == 0, result.stderr
    for words in ("training step", "images/s a core", "waits for data", "peak memory"):
        assert words in result.stdout
    found = json.loads((tmp_path / "result.json").read_text())
    assert found["config"] == config
    assert found["setup"]["data"] == "the config's own data set"
    assert found["setup"]["train_shape"] == [2, 64, 64, 3]
    train, inference = found["train"], found["inference"]
    for part in (train, found["loop"], found["input"], *inference.values()):
        assert part["fastest"] <= part["seconds_per_step"] <= part["slowest"]
    assert train["images_per_second"] == pytest.approx(2 / train["seconds_per_step"])
    for part in (train, inference["network"]):
        assert part["compilations"] >= 1 and part["compile_seconds"] > 0
        assert part["flops_per_second"] == part["flops"] / part["seconds_per_step"]
        assert "share_of_peak" not in part  # of a CPU it is not known
    # The state is donated: the new one takes the place of the old one.
    assert train["memory"]["outputs"] < 0.1 * train["memory"]["arguments"]
    assert found["input"]["images_per_second_a_core"] > 0
    assert 0 <= found["loop"]["data_wait"] <= 1
    assert found["peak_memory"]["host"] > 1e8
    # With its own times the training of the stand-in can be compared by hand.
    measures = found["against"]["measures"]
    assert set(measures) == {"train", "network", "label_maps"}
    ours = measures["train"]["ours"]
    assert ours["median"] == train["seconds_per_step"]
    variants = measures["train"]["variants"]
    assert variants["first"]["median"] == 1000
    assert variants["second"]["ratio"]["best"] == 2000 / ours["lowest"]


def test_images_are_made_where_the_data_is_not(tmp_path):
    result = benchmark(
        *("--config", f"{TINY}:{tmp_path / 'nowhere'}", "--parts", "input"),
        *("--size", "32,48", "--steps", 1, "--repeats", 1),
    )
    assert result.returncode == 0, result.stderr
    assert f"{tmp_path / 'nowhere'} does not exist: synthetic" in result.stderr
    assert "16 synthetic JPEG images of 512x683" in result.stdout
    assert "training 4x32x48x3 float32" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--against", "mmseg"], "--against mmseg and --torch-python PYTHON belong"),
        (["--size", "512x512"], "'512x512' is no HEIGHT,WIDTH such as 512,1024"),
        (["--parts", "train,evaluation"], "no part 'evaluation'; there are train,"),
    ],
)
def test_arguments_that_cannot_be_used(arguments, words):
    result = benchmark("--config", "any.py", *arguments)
    assert result.returncode == 2
    assert words in " ".join(result.stderr.split())


def test_the_other_side_says_why_it_cannot(tmp_path):
    log = tmp_path / "log.txt"
    with pytest.raises(AgainstError, match="none cannot be started: .*No such file"):
        OtherSide([str(tmp_path / "none")], {}, log)
    stand_in = make_stand_in(tmp_path / "python", 0)
    job = {"model": {"decode_head": {"num_classes": 3}}, "threads": 1}
    with pytest.raises(AgainstError, match="python: ValueError: three classes"):
        OtherSide([str(stand_in)], job, log)
    with pytest.raises(AgainstError, match=r"it ended[^$]*KeyError: 'model'"):
        OtherSide([str(stand_in)], {}, log)


def test_models_of_different_sizes_are_not_compared():
    workload = types.SimpleNamespace(variables={"params": {"a": np.zeros((2, 3))}})
    check_same_model(workload, {"parameters": 6})
    with pytest.raises(AgainstError, match="ours has 6 parameters, the other 7"):
        check_same_model(workload, {"parameters": 7})


def test_turns_alternate_and_ratios_are_those_of_a_round():
    calls = []
    seconds = iter([9.0, 2.0, 7.0, 1.0])  # a step before each turn does not count

    def theirs(variant, measure, steps):
        calls.append((variant, measure, steps))
        return 4.0

    def ours(steps):
        calls.append(("ours", steps))
        return next(seconds)

    other = types.SimpleNamespace(hello={"variants": ["a"]}, turn=theirs)
    stopwatch = Stopwatch(steps=2, repeats=2, other=other)
    timing = stopwatch.versus("train", ours)
    ours_then_a = [("ours", 1), ("ours", 2), ("a", "train", 1), ("a", "train", 2)]
    assert calls == ours_then_a * 2
    assert timing.seconds == (1.0, 0.5)
    ratio = stopwatch.comparison["train"]["variants"]["a"]["ratio"]
    assert ratio == {"median": 3.0, "lowest": 2.0, "highest": 4.0, "best": 4.0}


def test_what_xla_says_of_a_program():
    x = jnp.ones((64, 32))
    step = jax.jit(lambda x, w: (x + 1, x @ w), donate_argnums=0)
    compiled, facts = compile_program(step, x, jnp.ones((32, 16)))
    # The product and the sum; x takes 8 KiB, and its donated buffer holds x + 1.
    assert facts["flops"] == 2 * 64 * 32 * 16 + 64 * 32
    assert facts["memory"]["arguments"] == 4 * (64 * 32 + 32 * 16)
    assert facts["memory"]["outputs"] < 4 * 64 * 32
    assert compiled(x, jnp.ones((32, 16)))[1].shape == (64, 16)


def test_the_peak_of_a_device_goes_by_its_kind():
    # NVIDIA's and Google's data sheets, dense bfloat16.
    assert peak_flops("NVIDIA H200") == 989e12
    assert peak_flops("NVIDIA H100 80GB HBM3") == 989e12
    assert peak_flops("NVIDIA H100 PCIe") == 756e12
    assert peak_flops("TPU v5 lite") == 197e12
    assert peak_flops("cpu") is None


def test_what_a_setup_changes(tmp_path):
    config = load(f"{TINY}:{tmp_path / 'nowhere'}")
    assert missing_folders(config) == [str(tmp_path / "nowhere")]
    assert typical_size(config) == (64, 64)  # nothing cuts: images as large as a batch
    pad = {"type": "Pad", "size": [64, 64]}
    config["train_dataloader"]["dataset"]["pipeline"].insert(-1, pad)
    config["optim_wrapper"]["type"] = "AmpOptimWrapper"
    changed = prepare_config(config, Setup(3, (32, 48), "float32"))
    assert changed["train_dataloader"]["batch_size"] == 3
    assert changed["model"]["data_preprocessor"]["size"] == [32, 48]
    assert changed["optim_wrapper"]["type"] == "OptimWrapper"
    assert changed["train_dataloader"]["dataset"]["pipeline"][-3:] == [
        {"type": "Pad", "size": [48, 32], "size_divisor": None},
        {"type": "RandomCrop", "crop_size": [32, 48]},
        {"type": "PackSegInputs"},
    ]
    assert config["train_dataloader"]["batch_size"] == 4
