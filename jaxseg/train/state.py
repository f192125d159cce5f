"""Training state: all that a run carries from one step to the next."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

from jaxseg.optim.optimizer import Optimizer


class TrainState(flax.struct.PyTreeNode):
    """What is updated by a step and saved in a checkpoint.

    Attributes:
        step: iterations done, int32.
        params: float32 parameters.
        batch_stats: running statistics of the norms.
        opt_state: the state of the optimiser.
        ema: average of params that is evaluated in their place, or None.
        rng: key data that every step derives its own key from.
        window: sums of the metrics since the last log, and their `count`; in the
            state so that the log of a resumed run is the same to the bit.
        skipped: updates left out because they were not finite.
        skipped_in_a_row: those of them that no finite one has followed.
        plateaus: states of what evaluations reduce (`optim.plateau`), one each.
    """

    step: jax.Array
    params: Any
    batch_stats: Any
    opt_state: Any
    ema: Any
    rng: jax.Array
    window: dict[str, jax.Array]
    skipped: jax.Array
    skipped_in_a_row: jax.Array
    plateaus: tuple[dict[str, jax.Array], ...] = ()


def new_state(
    variables: Any, optimizer: Optimizer, seed: int, ema: bool, metrics: tuple[str, ...]
) -> TrainState:
    """The state before the first step.

    Args:
        variables: params and batch_stats of the model.
        optimizer: the optimizer of the run.
        seed: the seed of the steps' randomness.
        ema: whether to keep a moving average of the parameters.
        metrics: names of what a step measures (`step.metric_names`).
    """
    params = variables["params"]
    # Arrays of their own everywhere: a step donates the state, and the same buffer
    # cannot be donated twice.
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        batch_stats=variables.get("batch_stats", {}),
        opt_state=optimizer.transform.init(params),
        ema=jax.tree.map(jnp.copy, params) if ema or optimizer.averages else None,
        rng=jax.random.key_data(jax.random.fold_in(jax.random.key(seed), 1)),
        window={name: jnp.zeros(()) for name in (*metrics, "count")},
        skipped=jnp.zeros((), jnp.int32),
        skipped_in_a_row=jnp.zeros((), jnp.int32),
        plateaus=tuple(plateau.init() for plateau in optimizer.plateaus),
    )
