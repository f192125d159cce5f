"""XLA's flags for GPUs, each against a program without any."""

import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any

import jax

from jaxseg.config import ConfigError
from scripts.benchmark.measuring.hour.cases import Case
from scripts.benchmark.measuring.hour.context import Context
from scripts.benchmark.measuring.timing import Stopwatch
from scripts.benchmark.measuring.workload import Training, Workload

# Those for several GPUs say nothing on one. docs/performance.md gives reasons.
FLAGS = {
    "gpu": {
        "no command buffers": {"xla_gpu_enable_command_buffer": ""},
        "command buffers": {
            "xla_gpu_enable_command_buffer": "FUSION,CUBLAS,CUSTOM_CALL"
        },
        "cudnn gemm fusion": {"xla_gpu_cudnn_gemm_fusion_level": 2},
        "latency hiding": {"xla_gpu_enable_latency_hiding_scheduler": True},
    },
    "cpu": {"fast math": {"xla_cpu_enable_fast_math": True}},
}


class Programs:
    """The training step with other flags, which takes turns with that without any."""

    def __init__(self, flags: Mapping[str, Any], training: Training):
        """Takes one program.

        Args:
            flags: that it was compiled with.
            training: the program, ready to run.
        """
        self.hello = {"variants": [", ".join(f"{k}={v}" for k, v in flags.items())]}
        self._training = training

    def turn(self, variant: str, measure: str, steps: int) -> float:
        """As of `OtherSide`."""
        return self._training.turn(steps)


def measure_flags(case: Case, context: Context) -> None:
    """Writes a row `flags` for each set of flags.

    Raises:
        Cut: if the time is used up between two of them.
    """
    tiny = context.tiny
    steps, rounds = (1, 2) if tiny else (3, 5)
    config = case.load(tiny)
    platform = jax.devices()[0].platform
    with tempfile.TemporaryDirectory(prefix="jaxseg_hour_") as name:
        plain = Workload(config, case.setup(tiny), _folder(name, "plain")).training
        for title, flags in FLAGS[platform].items():
            context.go_on_with(title)
            asked = {**config, "xla_flags": flags}
            try:
                workload = Workload(asked, case.setup(tiny), _folder(name, title))
            except ConfigError as error:  # this jaxlib has no such flag
                context.row("left_out", flags=flags, why=str(error))
                continue
            programs = Programs(flags, workload.training)
            stopwatch = Stopwatch(steps, rounds, programs, context.deadline)
            stopwatch.versus("train", plain.turn)
            compared = stopwatch.comparison["train"]
            (variant,) = compared["variants"].values()
            context.row(
                "flags",
                flags=flags,
                best_seconds={
                    "ours": compared["ours"]["lowest"],
                    title: variant["lowest"],
                },
                with_over_without=variant["ratio"]["best"],
                compile_seconds=workload.training.facts["compile_seconds"],
                rounds=compared["rounds"],
            )


def _folder(name, title):
    folder = pathlib.Path(name) / title.replace(" ", "_")
    folder.mkdir()
    return folder
