"""Learning rate finder: the loss over a rate that rises from step to step.

Smith, Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186. The steps
are those of the training, by its own compiled program: the sweep is a schedule.
"""

import json
import logging
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax

from jaxseg.config import ConfigError, plain
from jaxseg.runtime.progress import Progress
from jaxseg.train.compiled_step import compiled_step
from jaxseg.train.run import Run
from jaxseg.train.sharding import put_batch
from jaxseg.visualize import new_figure

_log = logging.getLogger("jaxseg")

# Weight of the losses before in the smoothed one.
_SMOOTHING = 0.8
# The sweep ends where the smoothed loss is so many times the lowest one.
_DIVERGED = 4.0
# What of train_cfg says how the loss of a step is taken, and not how long a run is.
_OF_A_STEP = ("loss_scope",)


class Sweep(NamedTuple):
    """What a sweep has measured, up to the rate at which the loss diverged.

    Attributes:
        rates: the learning rate of each step.
        losses: of the batch, before the step's update.
        smoothed: mean of the losses up to it, of which later ones count more.
    """

    rates: list[float]
    losses: list[float]
    smoothed: list[float]

    @property
    def lowest(self) -> int:
        """The step with the lowest smoothed loss."""
        return min(range(len(self.smoothed)), key=self.smoothed.__getitem__)

    @property
    def suggested(self) -> float:
        """A tenth of the rate with the lowest smoothed loss: there it still falls."""
        return self.rates[self.lowest] / 10


def find_learning_rate(
    config: Mapping[str, Any],
    workdir: str | pathlib.Path,
    lr_range: Sequence[float] = (1e-6, 1.0),
    steps: int = 100,
) -> Sweep:
    """Trains some steps with a rising learning rate, and draws their losses.

    Writes `lr_find.png` and `lr_find.json` into the work directory, and nothing else: a
    run that is in it stays as it is. The model starts as the training would.

    Args:
        config: a whole config; `param_scheduler`, the length of the run and its
            validation have no effect.
        workdir: the work directory.
        lr_range: the first and the last learning rate, that of `optimizer.lr`:
            multipliers of parameters hold.
        steps: of the sweep; the rate rises by the same factor in each.

    Raises:
        ConfigError, DataError: for what is wrong with the config or the data.
    """
    workdir = pathlib.Path(workdir)
    run = Run(sweep_config(config, lr_range, steps), workdir)
    with run.batches(0) as batches:
        batch = next(batches)
        optimizer, state = run.fresh_state(batch)
        batch = put_batch(batch, run.mesh)
        _log.info("the training step is compiled, which may take minutes")
        step_fn = compiled_step(run, optimizer, state, batch)
        sweep = Sweep([], [], [])
        with Progress(steps, name="lr_find") as progress:
            for step in range(steps):
                state, result = step_fn(state, batch)
                rate = float(optimizer.learning_rate(step))
                if not _add(sweep, rate, float(result["loss"])):
                    break
                progress.update(step + 1, {"loss": sweep.losses[-1], "lr": rate})
                if step + 1 < steps:
                    batch = put_batch(next(batches), run.mesh)
    if not sweep.rates:
        raise ConfigError(
            f"optim_wrapper.optimizer.lr: the loss is not finite at {lr_range[0]:g}, the "
            "first rate of the sweep, before any update: look at the data and the model"
        )
    if jax.process_index() == 0:
        workdir.mkdir(parents=True, exist_ok=True)
        _report(sweep, workdir, lr_range)
    return sweep


def sweep_config(
    config: Mapping[str, Any], lr_range: Sequence[float], steps: int
) -> dict[str, Any]:
    """The config of a run whose learning rate rises exponentially over a range.

    Raises:
        ConfigError: if the range or the number of steps is none.
    """
    if len(lr_range) != 2 or not 0 < lr_range[0] < lr_range[1]:
        raise ConfigError(
            f"--lr_range is {','.join(map(str, lr_range))}; it takes two numbers, the "
            "lowest rate above 0, and a higher one: 1e-6,1"
        )
    if steps < 10:
        raise ConfigError(f"--lr_steps is {steps}; a curve needs 10 at least")
    config = plain(config)
    wrapper = config.get("optim_wrapper")
    if not isinstance(wrapper, Mapping) or not isinstance(
        wrapper.get("optimizer"), Mapping
    ):
        raise ConfigError("optim_wrapper.optimizer is missing: whose rate is it?")
    low, high = lr_range
    gamma = (high / low) ** (1 / (steps - 1))
    optimizer = {**wrapper["optimizer"], "lr": low}
    train_cfg = config.get("train_cfg") or {}
    kept = {key: train_cfg[key] for key in _OF_A_STEP if key in train_cfg}
    left_out = ("val_dataloader", "default_hooks", "custom_hooks", "ema")
    return {key: value for key, value in config.items() if key not in left_out} | {
        "optim_wrapper": {**wrapper, "optimizer": optimizer},
        "param_scheduler": [{"type": "ExponentialLR", "gamma": gamma}],
        "train_cfg": {"max_iters": steps, **kept},
    }


def _add(sweep: Sweep, rate: float, loss: float) -> bool:
    """Takes a step's loss; False where it has diverged."""
    if not math.isfinite(loss):
        return False
    count = len(sweep.losses)
    before = sweep.smoothed[-1] if count else 0.0
    # A mean whose weights add up to 1 from the first one on.
    weight = (1 - _SMOOTHING) / (1 - _SMOOTHING ** (count + 1))
    smoothed = before + weight * (loss - before)
    if count and smoothed > _DIVERGED * min(sweep.smoothed):
        return False
    for values, value in zip(sweep, (rate, loss, smoothed)):
        values.append(value)
    return True


def _report(sweep, workdir, lr_range):
    lowest = sweep.lowest
    (workdir / "lr_find.json").write_text(
        json.dumps(sweep._asdict() | {"suggested": sweep.suggested}, indent=2) + "\n"
    )
    _draw(sweep, workdir / "lr_find.png")
    if lowest == 0:
        _log.warning(
            "the loss rises from the first rate on, %g: begin lower, --lr_range",
            sweep.rates[0],
        )
    elif math.isclose(sweep.rates[lowest], lr_range[1], rel_tol=1e-4):
        _log.warning(
            "the loss still falls at the last rate, %g: end higher, --lr_range",
            lr_range[1],
        )
    print(f"loss over learning rate: {workdir / 'lr_find.png'}")
    print(
        f"the loss is lowest at {sweep.rates[lowest]:.2g}; suggested: "
        f"--config.optim_wrapper.optimizer.lr={sweep.suggested:.2g}"
    )


def _draw(sweep, path):
    figure = new_figure(6.4, 4.0)
    axes = figure.subplots()
    axes.plot(sweep.rates, sweep.losses, color="0.8", linewidth=1.0, label="loss")
    axes.plot(sweep.rates, sweep.smoothed, linewidth=1.6, label="smoothed")
    axes.axvline(
        sweep.suggested,
        color="tab:red",
        linestyle="--",
        linewidth=1.2,
        label=f"suggested: {sweep.suggested:.2g}",
    )
    axes.set_xscale("log")
    top = _DIVERGED * min(sweep.smoothed)
    axes.set_ylim(top=min(max(*sweep.smoothed, sweep.losses[0]) * 1.1, top))
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)
