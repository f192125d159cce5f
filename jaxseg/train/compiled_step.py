"""Compiled step: the training step of a run, for the batches that it has."""

from collections.abc import Callable, Mapping

import jax

from jaxseg.optim.optimizer import Optimizer
from jaxseg.train.run import Run
from jaxseg.train.sharding import state_sharding
from jaxseg.train.state import TrainState
from jaxseg.train.step import StepOptions, make_train_step


def compiled_step(
    run: Run, optimizer: Optimizer, state: TrainState, batch: Mapping[str, jax.Array]
) -> Callable:
    """Compiles `(state, batch) -> (state, results)`, which donates the state."""
    ema = run.settings.ema
    options = StepOptions(
        ema_momentum=None if ema is None else ema.momentum,
        loss_scope=run.settings.train_loop.loss_scope,
        log_interval=run.settings.logger.interval,
        xla_flags=run.settings.xla_flags,
    )
    step = make_train_step(
        run.train_model,
        optimizer,
        run.mesh,
        options,
        state_sharding(state, run.mesh),
        state.params,
    )
    return step.lower(state, batch).compile()
