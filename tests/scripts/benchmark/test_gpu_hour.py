"""scripts/benchmark/gpu_hour.py as a user types it, with small models on a CPU."""

import json
import os
import pathlib
import subprocess
import sys
import zipfile

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scripts.benchmark.measuring.hour.cases import CASES
from scripts.benchmark.measuring.hour.profile import longest_kernels
from tests.xla_flags import xla_flags

ROOT = pathlib.Path(__file__).parents[3]


def hour(*arguments, timeout=2000):
    return subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "scripts/benchmark/gpu_hour.py",
            *map(str, arguments),
        ],
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": xla_flags()},
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def rows_of(folder):
    lines = (folder / "results.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def no_torch(folder):
    """An interpreter that sees no torch and none of mmseg's packages."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    return python


def make_wheel(folder):
    folder.mkdir()
    with zipfile.ZipFile(folder / "extra-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("extra.py", "value = 1\n")
    return folder


@pytest.mark.long
def test_a_model_without_torch_and_a_training_without_data(tmp_path):
    out, wheels = tmp_path / "out", make_wheel(tmp_path / "wheels")
    result = hour(
        *("--out", out, "--tiny", "--parts", "pspnet_r50,camvid"),
        *("--wheels", wheels, "--camvid", tmp_path / "nowhere"),
        *("--torch-python", no_torch(tmp_path), "--minutes", 30),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    first, *rows = rows_of(out)
    assert first["row"] == "wheels" and first["files"]["extra-1-py3-none-any.whl"] > 0
    model = {r["row"]: r for r in rows if r["part"] == "pspnet_r50"}
    assert model["setup"]["train_shape"] == [2, 64, 64, 3]
    for row in ("train", "network", "label_maps"):
        assert list(model[row]["best_seconds"]) == ["ours"]
        assert model[row]["torch_over_ours"] == {} and model[row]["rounds"] == 2
    assert model["train"]["flops"] > 0 and model["train"]["compilations"] > 0
    assert "mfu" not in model["train"]  # of a CPU the peak is not known
    assert model["end"]["status"] == "done"
    left_out = [r for r in rows if r["row"] == "left_out"]
    assert {r["variant"] for r in left_out} == {
        "contiguous",
        "channels_last",
        "channels_last compile",
    }
    assert all("No module named 'torch'" in r["why"] for r in left_out)
    camvid = [r for r in rows if r["part"] == "camvid"]
    assert [r["row"] for r in camvid] == ["not_run", "end"]
    assert f"{tmp_path / 'nowhere'} does not exist" in camvid[0]["why"]
    assert "pspnet_r50 train: best: {ours: " in result.stdout


def draw_camvid(folder):
    """Eight scenes of 96x128 in CamVid's layout; the label is the brightness."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for kind in ("images", "annotations"):
            (folder / kind / split).mkdir(parents=True)
        for i in range(8):
            label = np.kron(rng.integers(0, 11, (6, 8)), np.ones((16, 16)))
            image = np.stack([label * 20 + 20] * 3, -1).astype(np.uint8)
            cv2.imwrite(str(folder / f"images/{split}/{i}.png"), image)
            name = str(folder / f"annotations/{split}/{i}.png")
            cv2.imwrite(name, label.astype(np.uint8))
    return folder


@pytest.mark.long
def test_every_part(tmp_path):
    out = tmp_path / "out"
    result = hour(
        *("--out", out, "--tiny", "--minutes", 90),
        *("--camvid", draw_camvid(tmp_path / "camvid")),
        *("--torch-python", no_torch(tmp_path)),
        timeout=6000,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    rows = rows_of(out)
    ends = {r["part"]: r["status"] for r in rows if r["row"] == "end"}
    assert ends == dict.fromkeys([*CASES, "profile", "camvid", "flags"], "done")
    (kernels,) = [r for r in rows if r["row"] == "kernels"]
    assert len(kernels["longest"]) == 10
    # The compiler makes some; the others are somewhere in the model.
    assert any("backbone/" in k["origin"] for k in kernels["longest"])
    assert (out / "perfetto_trace.json.gz").stat().st_size > 1000
    assert len((out / "kernels.txt").read_text().splitlines()) == 11
    here, other, cpu = [r["losses"] for r in rows if r["row"] == "losses"]
    assert len(here) == len(other) == 3
    # The same program on the same device.
    assert here == cpu != other
    exact, rounded = [r for r in rows if r["row"] == "difference"]
    assert (exact["dtype"], exact["largest_relative"]) == ("float32", 0)
    assert (rounded["dtype"], rounded["steps"]) == ("bfloat16", 3)
    assert 0 < rounded["largest_relative"] <= rounded["bound"]
    assert exact["within"] and rounded["within"]
    (flags,) = [r for r in rows if r["row"] == "flags"]
    assert flags["flags"] == {"xla_cpu_enable_fast_math": True}
    assert flags["with_over_without"] > 0


@pytest.mark.parametrize("name", CASES)
def test_every_model_can_be_made_small(name):
    case = CASES[name]
    whole, tiny = case.load(tiny=False), case.load(tiny=True)
    assert whole["model"]["decode_head"]["type"] == tiny["model"]["decode_head"]["type"]
    assert tiny["model"]["decode_head"]["channels"] == 8
    assert whole["model"]["decode_head"]["channels"] == 512


def test_the_longest_kernels_of_a_profile(tmp_path):
    x = jnp.ones((256, 256))
    step = jax.jit(lambda x: jnp.tanh(x @ x))
    step(x).block_until_ready()
    with jax.profiler.trace(str(tmp_path)):
        for _ in range(3):
            step(x).block_until_ready()
    (found,) = tmp_path.rglob("*.xplane.pb")
    kernels, total = longest_kernels(found, 2)
    assert kernels[0]["calls"] == 3 and kernels[0]["operation"]
    assert [k["seconds"] for k in kernels] == sorted(
        (k["seconds"] for k in kernels), reverse=True
    )
    assert 0 < sum(k["seconds"] for k in kernels) <= total * (1 + 1e-9)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--parts", "pspnet"], "no part 'pspnet'; there are pspnet_r50, profile,"),
        ([], "the following arguments are required: --out"),
    ],
)
def test_arguments_that_cannot_be_used(arguments, words, tmp_path):
    out = ["--out", tmp_path] if arguments else []
    result = hour(*out, *arguments)
    assert result.returncode == 2
    assert words in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (None, "holds no *.whl"),
        ("extra-1-cp27-cp27m-any.whl", "extra-1-cp27-cp27m-any.whl is for cp27, and"),
        ("extra-1-py3-none-any.whl", "File is not a zip file"),
    ],
)
def test_wheels_that_cannot_be_used(name, words, tmp_path):
    if name is not None:
        (tmp_path / name).write_text("no archive")
    result = hour("--out", tmp_path / "out", "--wheels", tmp_path)
    assert result.returncode == 1
    assert words in result.stderr and "Traceback" not in result.stderr
