"""Training step: a pure function, the same on one device and on many."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxseg.layers.data_axis import mean_over_devices, over_data_axis
from jaxseg.ops.compiler_options import compiler_options
from jaxseg.optim.optimizer import Optimizer, averaged_parameters
from jaxseg.segmentors.augment import augment
from jaxseg.train.sharding import BATCH_AXES, replicated
from jaxseg.train.state import TrainState

Batch = Mapping[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class StepOptions:
    """What a config says of the step.

    Attributes:
        ema_momentum: weight of the new parameters in their moving average, or None.
        loss_scope: `device`: each device's losses are divided by what it counts, as
            in mmseg; `global`: by what all count.
        log_interval: steps between two logs; the metrics are summed in between.
        xla_flags: flags of XLA that the config asks for.
    """

    ema_momentum: float | None = None
    loss_scope: str = "device"
    log_interval: int = 50
    xla_flags: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def total_loss(losses: Mapping[str, jax.Array]) -> jax.Array:
    """The sum of the entries with `loss` in their name, as in mmseg."""
    return sum(value for name, value in losses.items() if "loss" in name)


def metric_names(
    model: Any, variables: Any, batch: Batch, mesh: Mesh | None = None
) -> tuple[str, ...]:
    """The names of what a step measures, found without running one.

    Args:
        model: the segmentor.
        variables: its params and batch_stats, or their shapes.
        batch: `img`, every `gt_*` and `img_shape` of all devices, or their shapes.
        mesh: over which the batch is split; None is one device.

    Raises:
        ModelSizeError: what the model says of a device's part of the batch.
    """
    losses = losses_over_devices(model, mesh, "device")
    found = jax.eval_shape(losses, variables, dict(batch))
    return (*found, "loss", "grad_norm")


def losses_over_devices(
    model: Any, mesh: Mesh | None, loss_scope: str, train: bool = True
) -> Callable[[Any, Batch], dict[str, jax.Array]]:
    """`(variables, batch) -> losses`, the means over the devices of a batch.

    Args:
        model, mesh: as of `metric_names`.
        loss_scope: as of `TrainLoop`.
        train: whether the model computes as in a training.
    """

    def losses(variables, batch):
        key = jax.random.key(0)
        found, _ = batch_losses(model, variables, batch, key, train)
        return jax.tree.map(mean_over_devices, found)

    if mesh is None or all(mesh.shape[axis] == 1 for axis in BATCH_AXES):
        return losses

    def device_losses(variables, batch):
        with over_data_axis(BATCH_AXES, loss_scope):
            return losses(variables, batch)

    return jax.shard_map(
        device_losses,
        mesh=mesh,
        in_specs=(P(), P(BATCH_AXES)),
        out_specs=P(),
        axis_names=set(BATCH_AXES),
    )


def make_train_step(
    model: Any,
    optimizer: Optimizer,
    mesh: Mesh,
    options: StepOptions,
    sharding: TrainState,
    params: Any,
) -> Callable[[TrainState, Batch], tuple[TrainState, dict[str, jax.Array]]]:
    """The jitted step `(state, batch) -> (state, metrics)`; it donates the state.

    Over several devices the gradients come from `shard_map` over `data` and `fsdp`,
    with explicit sums: left to itself, the partitioner gathers the whole batch on
    every device for OHEM's selection, and sums over the devices in every iteration of
    the loss's loop. The update, which works on the state where it lies, and the axis
    `spatial` are the partitioner's.

    Args:
        model: the segmentor.
        optimizer: the optimizer of the run.
        mesh: from `sharding.make_mesh`.
        options: the options of the run.
        sharding: where the state lies, from `sharding.state_sharding`. The result is
            put there too: elsewhere, the next call would compile again.
        params: the parameters or their shapes, for `compiler_options`.
    """
    gradients_of = functools.partial(_gradients, model)
    if any(mesh.shape[axis] > 1 for axis in BATCH_AXES):
        specs = jax.tree.map(lambda place: place.spec, sharding.params)
        gradients_of = jax.shard_map(
            functools.partial(_device_gradients, model, specs, options.loss_scope),
            mesh=mesh,
            in_specs=(specs, P(), P(), P(BATCH_AXES)),
            out_specs=(specs, P(), P()),
            axis_names=set(BATCH_AXES),
        )

    def step(state, batch):
        return _train_step(state, batch, gradients_of, optimizer, options)

    return jax.jit(
        step,
        donate_argnums=0,
        out_shardings=(sharding, replicated(mesh)),
        compiler_options=compiler_options(
            params, mesh.devices.flat[0], options.xla_flags
        ),
    )


def _gradients(model, params, batch_stats, key, batch):
    """(gradients, losses, new batch_stats) of a batch, or of a device's part of it."""

    def loss_of(params):
        variables = {"params": params, "batch_stats": batch_stats}
        losses, new = batch_losses(model, variables, batch, key)
        losses = {name: mean_over_devices(value) for name, value in losses.items()}
        return total_loss(losses), (losses, new.get("batch_stats", {}))

    gradients, (losses, batch_stats) = jax.grad(loss_of, has_aux=True)(params)
    return gradients, losses, jax.tree.map(_replicated, batch_stats)


def _device_gradients(model, specs, loss_scope, params, batch_stats, key, batch):
    """As `_gradients`, where each device has its part of the batch and the parameters.

    The gradients are summed over the devices in the parameters' type, whatever the
    model computes in. Those of parameters that are split over `fsdp` are summed and
    split at once, before they are summed over `data`.
    """
    with over_data_axis(BATCH_AXES, loss_scope):
        whole, split = jax.vjp(
            lambda params: jax.tree.map(_gathered, params, specs), params
        )
        gradients, losses, batch_stats = _gradients(
            model, whole, batch_stats, key, batch
        )
    return split(gradients)[0], losses, batch_stats


def _gathered(param, spec):
    """A whole parameter, from the parts that the devices of `fsdp` have.

    It counts as another one on each device: left to itself, shard_map sums gradients
    where the parameter meets the batch, in bfloat16 if the model computes in that.
    """
    if "fsdp" not in spec:
        return jax.lax.pcast(param, BATCH_AXES, to="varying")
    part = jax.lax.pcast(param, "data", to="varying")
    return jax.lax.all_gather(part, "fsdp", axis=spec.index("fsdp"), tiled=True)


def batch_losses(
    model: Any, variables: Any, batch: Batch, key: jax.Array, train: bool = True
) -> tuple[dict[str, jax.Array], Any]:
    """The losses of a batch, and what the model changes of its `batch_stats`."""
    images, targets = augment(batch)
    images = model.data_preprocessor(images, batch["img_shape"])
    return model.apply(
        variables,
        images,
        targets,
        train,
        method="loss",
        mutable=["batch_stats"],
        rngs={"dropout": key, "sample": jax.random.fold_in(key, 1)},
    )


def _train_step(state, batch, gradients_of, optimizer, options):
    key = jax.random.fold_in(jax.random.wrap_key_data(state.rng), state.step)
    gradients, losses, batch_stats = gradients_of(
        state.params, state.batch_stats, key, batch
    )
    updates, opt_state = optimizer.transform.update(
        gradients,
        state.opt_state,
        state.params,
        step=state.step,
        plateaus=state.plateaus,
    )
    loss, norm = total_loss(losses), optax.tree.norm(gradients)
    updated = state.replace(
        params=optax.apply_updates(state.params, updates),
        batch_stats=batch_stats,
        opt_state=opt_state,
    )
    if options.ema_momentum is not None:
        ema = _moving_average(state.ema, updated.params, options.ema_momentum)
        updated = updated.replace(ema=ema)
    elif optimizer.averages:
        averaged = averaged_parameters(updated.params, updated.opt_state)
        updated = updated.replace(ema=averaged)
    # What the update makes counts too: too large a learning rate overflows the
    # parameters before it does the loss, and a checkpoint may lie in between.
    finite = jnp.isfinite(loss) & jnp.isfinite(norm) & _all_finite(updated)
    updated = jax.tree.map(lambda new, old: jnp.where(finite, new, old), updated, state)
    bad = 1 - finite.astype(jnp.int32)
    measured = losses | {"loss": loss, "grad_norm": norm, "count": jnp.ones(())}
    skipped_in_a_row = (state.skipped_in_a_row + 1) * bad
    updated = updated.replace(
        step=state.step + 1,
        window=_add_to_window(state, measured, finite, options.log_interval),
        skipped=state.skipped + bad,
        skipped_in_a_row=skipped_in_a_row,
    )
    # Arrays of their own: those of the state are donated to the next step.
    return updated, {"loss": loss, "skipped_in_a_row": skipped_in_a_row + 0}


def _all_finite(state):
    """Whether a state has neither infinities nor NaNs.

    By the sum of squares: with any other reduction of every array, tried as sums and as
    `all`, XLA's CPU compiler takes 125 s, not 22, for a step of UPerNet-R50. Of numbers
    times 2^-90 that sum cannot overflow.
    """
    arrays = (state.params, state.batch_stats, state.opt_state, state.ema)
    small = [leaf * jnp.float32(2.0**-90) for leaf in jax.tree.leaves(arrays)]
    return jnp.isfinite(optax.tree.norm(small))


def _moving_average(average, params, momentum):
    return jax.tree.map(lambda a, p: (1 - momentum) * a + momentum * p, average, params)


def _replicated(statistic):
    """SyncBN's statistics are the same everywhere; of BN's local ones, the mean."""
    varies = jax.typeof(statistic).manual_axis_type.varying
    return mean_over_devices(statistic) if varies else statistic


def _add_to_window(state, measured, finite, log_interval):
    """Sums of the steps since the last log, without those that were left out."""
    fresh = state.step % log_interval == 0
    return {
        name: jnp.where(fresh, 0.0, total)
        + jnp.where(finite, measured[name].astype(jnp.float32), 0.0)
        for name, total in state.window.items()
    }
