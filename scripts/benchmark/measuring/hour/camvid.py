"""A real training, shortly: losses on CamVid, on the accelerator and on the CPU."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import jax

from jaxseg.load_config import load_config
from jaxseg.train.sharding import put_batch
from scripts.benchmark.measuring.hour.context import Context, Cut
from scripts.benchmark.measuring.setup import Setup
from scripts.benchmark.measuring.synthetic import missing_folders
from scripts.benchmark.measuring.workload import Workload

_ROOT = pathlib.Path(__file__).parents[4]

_STEPS, _TINY_STEPS = 30, 3
_TINY = {
    "train_dataloader.batch_size": 2,
    "model.backbone.stem_channels": 8,
    "model.backbone.base_channels": 8,
    "model.neck.in_channels": [8, 16, 32, 64],
    "model.neck.out_channels": 8,
    "model.decode_head.in_channels": [8] * 4,
    "model.decode_head.channels": 8,
}

# Largest relative difference to the CPU's float32 losses. float32: other orders of
# summation, which 30 steps multiply. bfloat16: 8 bits of mantissa, so 0.4 % of each
# activation, and the same again of the steps before.
_BOUNDS = {"float32": 1e-3, "bfloat16": 5e-2}


def check_camvid(context: Context) -> None:
    """Writes a row `losses` for each type and for the CPU, and then `difference`s.

    The CPU's, in float32, are computed meanwhile: nothing is timed here.

    Raises:
        Cut: if the time ended one of the trainings early.
    """
    config = _config(context)
    missing = missing_folders(config)
    if missing:
        context.row("not_run", why=f"{', '.join(missing)} does not exist")
        return
    with subprocess.Popen(
        [sys.executable, "-m", "scripts.benchmark.measuring.hour.part"]
        + [json.dumps({**context.job, "part": "camvid_on_cpu"})],
        cwd=_ROOT,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        found = {dtype: _losses(config, dtype, context) for dtype in _BOUNDS}
        rows = [json.loads(line) for line in process.stdout]
    cpu = next((row["losses"] for row in rows if row["row"] == "losses"), None)
    if cpu is None:
        raise RuntimeError(f"the CPU's losses are missing: {rows}")
    context.row("losses", device="cpu", dtype="float32", losses=cpu)
    for dtype, losses in found.items():
        difference = _largest_difference(losses, cpu)
        context.row(
            "difference",
            dtype=dtype,
            steps=min(len(losses), len(cpu)),
            largest_relative=difference,
            bound=_BOUNDS[dtype],
            within=difference <= _BOUNDS[dtype],
        )
    done = {**{f"{k} here": len(v) for k, v in found.items()}, "CPU": len(cpu)}
    if min(done.values()) < _steps(context):
        raise Cut(f"steps done of {_steps(context)}: {done}")


def losses_on_cpu(context: Context) -> None:
    """Writes the row `losses`, in float32; its process sees CPUs alone."""
    _losses(_config(context), "float32", context)


def _config(context):
    source = f"{_ROOT / 'experiments/camvid_fpn.py'}:{context.camvid.resolve()}"
    changes = _TINY if context.tiny else {}
    return load_config(source, overrides=list(changes.items()))


def _losses(config, dtype, context) -> list[float]:
    """The losses of the first steps, from fresh weights; fewer if the time is up."""
    losses = []
    with tempfile.TemporaryDirectory(prefix="jaxseg_hour_") as folder:
        workload = Workload(config, Setup(dtype=dtype), pathlib.Path(folder))
        training = workload.training
        with workload.batches_of_one_thread() as batches:
            while not losses or (len(losses) < _steps(context) and context.left() > 0):
                batch = put_batch(next(batches), workload.run.mesh)
                training.state, result = training.step(training.state, batch)
                losses.append(float(result["loss"]))
    device = jax.devices()[0].device_kind
    context.row("losses", device=device, dtype=dtype, losses=losses)
    return losses


def _steps(context):
    return _TINY_STEPS if context.tiny else _STEPS


def _largest_difference(losses: Sequence[float], wanted: Sequence[float]) -> float:
    # Of a training that was cut there are fewer.
    pairs = zip(losses, wanted, strict=False)
    return max(abs(loss - value) / abs(value) for loss, value in pairs)
