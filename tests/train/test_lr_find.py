"""The learning rate finder: its sweep by numbers, and as a user runs it."""

import json
import math
import pathlib

import numpy as np
import pytest

from jaxseg.config import ConfigError, load
from jaxseg.optim.schedule import make_schedule
from jaxseg.train.lr_find import Sweep, _add, find_learning_rate, sweep_config

TINY = pathlib.Path(__file__).parents[1] / "tiny.py"


def test_the_rate_rises_by_one_factor_from_the_first_to_the_last():
    config = load(f"{TINY}:/data")
    config["train_cfg"]["loss_scope"] = "global"
    swept = sweep_config(config, (1e-5, 10.0), 61)
    assert swept["optim_wrapper"]["optimizer"] == dict(
        type="SGD", lr=1e-5, momentum=0.9, weight_decay=1e-4
    )
    assert config["optim_wrapper"]["optimizer"]["lr"] == 0.1
    schedule = make_schedule(swept["param_scheduler"], 61)(1e-5)
    found = [schedule(step) for step in (0, 10, 60)]
    np.testing.assert_allclose(found, [1e-5, 1e-4, 10.0], rtol=1e-5)
    assert swept["train_cfg"] == dict(max_iters=61, loss_scope="global")
    assert not {"val_dataloader", "ema", "custom_hooks"} & swept.keys()


def test_the_rate_that_is_suggested():
    sweep, rates = Sweep([], [], []), np.geomspace(1e-4, 1.0, 41)
    # A bowl over the logarithm, lowest at 1e-2; then it diverges.
    losses = [1 + (math.log10(rate) + 2) ** 2 for rate in rates]
    taken = [_add(sweep, *pair) for pair in zip(rates, losses, strict=True)]
    assert all(taken) and sweep.losses == losses
    np.testing.assert_allclose(sweep.smoothed[0], losses[0])
    # The smoothed minimum comes a few steps of a tenth of a decade later.
    assert 1e-2 <= sweep.rates[sweep.lowest] <= 5e-2
    assert sweep.suggested == sweep.rates[sweep.lowest] / 10
    assert not _add(sweep, 1.0, math.inf) and not _add(sweep, 1.0, 1e3)
    assert len(sweep.rates) == 41


@pytest.mark.parametrize(
    ("lr_range", "steps", "message"),
    [
        ((1.0, 0.1), 100, "--lr_range is 1.0,0.1; it takes two numbers"),
        ((0.0, 0.1), 100, "--lr_range is 0.0,0.1"),
        ((0.1,), 100, "--lr_range is 0.1;"),
        ((0.1, 1.0), 9, "--lr_steps is 9; a curve needs 10"),
    ],
)
def test_a_range_that_is_none(lr_range, steps, message):
    with pytest.raises(ConfigError, match=message):
        sweep_config(load(f"{TINY}:/data"), lr_range, steps)


@pytest.mark.long
def test_the_files_that_are_written(tiny_data, tmp_path, capsys):
    config = load(f"{TINY}:{tiny_data}")
    config["train_dataloader"]["batch_size"] = 8
    sweep = find_learning_rate(config, tmp_path, (1e-4, 10.0), 30)
    assert {path.name for path in tmp_path.iterdir()} == {"lr_find.json", "lr_find.png"}
    written = json.loads((tmp_path / "lr_find.json").read_text())
    assert written["losses"] == sweep.losses
    assert f"optimizer.lr={written['suggested']:.2g}" in capsys.readouterr().out
    # The loss falls before it rises.
    assert sweep.smoothed[sweep.lowest] < 0.9 * sweep.losses[0]
