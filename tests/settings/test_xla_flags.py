"""`xla_flags` of a config: which are passed on, and what is refused."""

import logging
import pathlib

import jax
import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.evaluation.evaluate import Evaluator
from jaxseg.inference.loaded import load_model
from jaxseg.load_config import load_config
from jaxseg.settings import read
from jaxseg.settings.read import read_settings
from jaxseg.train.loop import train
from jaxseg.train.run import Run

TINY = pathlib.Path(__file__).parents[1] / "tiny.py"

CPU_FLAG = {"xla_cpu_enable_fast_math": True}
GPU_FLAG = {"xla_gpu_enable_latency_hiding_scheduler": True}


def test_flags_of_another_platform_are_kept_and_said(caplog):
    caplog.set_level(logging.INFO, logger="jaxseg")
    flags = read_settings({"xla_flags": CPU_FLAG | GPU_FLAG}).xla_flags
    assert flags == CPU_FLAG | GPU_FLAG
    (name,) = GPU_FLAG
    assert [r.getMessage() for r in caplog.records] == [
        f"xla_flags.{name}: not used on a cpu"
    ]


def test_without_any_nothing_is_asked_for():
    assert read_settings({}).xla_flags == {}
    assert read_settings({"xla_flags": None}).xla_flags == {}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("fast", "xla_flags is 'fast', it takes a dict"),
        (
            {"enable_fast_math": True},
            "xla_flags.enable_fast_math: a flag's name begins",
        ),
        ({"xla_cpu_no_such": 1}, "xla_flags.xla_cpu_no_such=1: .*No such compile"),
        ({"xla_gpu_no_such": 1}, "xla_flags.xla_gpu_no_such=1: .*No such compile"),
        (
            {"xla_gpu_enable_command_buffer": "TREES"},
            "xla_flags.xla_gpu_enable_command_buffer='TREES': .*not a valid enum",
        ),
        (
            {"xla_gpu_autotune_level": [4]},
            r"xla_flags.xla_gpu_autotune_level is \[4\], it takes True, False, a number",
        ),
        (
            {"xla_gpu_per_fusion_autotune_cache_dir": "/tmp/x"},
            "autotune_cache_dir is '/tmp/x'; a text .* XLA_FLAGS",
        ),
    ],
)
def test_what_is_no_flag_is_refused_by_its_path(flags, words):
    with pytest.raises(ConfigError, match=words):
        read_settings({"xla_flags": flags})


def test_the_step_the_evaluation_and_the_predictions_are_compiled_with_them(
    tiny_data, tmp_path, monkeypatch
):
    asked = [("xla_flags.xla_cpu_no_such", 1), ("train_dataloader.batch_size", 8)]
    config = load_config(f"{TINY}:{tiny_data}", overrides=asked)
    assert config["xla_flags"] == {"xla_cpu_no_such": 1}
    # Only the compiler knows that there is none: so its refusal shows that it is asked.
    monkeypatch.setattr(read, "read_xla_flags", lambda config: config["xla_flags"])
    refused = pytest.raises(jax.errors.JaxRuntimeError, match="xla_cpu_no_such")
    with refused:
        train(config, tmp_path / "run")
    model = load_model(config)
    with refused:
        model.predict(np.zeros((64, 64, 3), np.uint8))
    settings = read_settings(config)
    predictor = Run(config, tmp_path / "other").evaluator.predictor
    with refused:
        Evaluator(predictor, settings)(model.variables)
