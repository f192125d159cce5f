"""Validation loss: the losses of a state on the validation data."""

from collections.abc import Callable, Mapping
from typing import Any

import jax

from jaxseg.config import ConfigError
from jaxseg.train.run import Run
from jaxseg.train.sharding import put_batch, replicated
from jaxseg.train.step import Batch, losses_over_devices, total_loss


class ValLoss:
    """The losses that `train_cfg.val_loss` asks for.

    The model computes as in an evaluation: with running statistics, without dropout.
    """

    def __init__(self, run: Run):
        self._run = run
        self._losses: Callable | None = None

    def __call__(
        self, variables: Mapping[str, Any], report_done: Callable[[], None]
    ) -> dict[str, float]:
        """The means over all batches, by the names of the training's, and `loss`.

        Every sample counts once; those of the first fill up the last batch. Crops and
        other draws are the same in every evaluation.

        Args:
            variables: params and batch_stats, on the devices.
            report_done: called after each batch.

        Raises:
            ConfigError: if the model has outputs for its losses in training alone.
        """
        totals, count = {}, 0
        with self._run.val_loss_batches() as batches:
            for _ in range(self._run.val_loss_order.epoch_length):
                batch = put_batch(next(batches), self._run.mesh)
                if self._losses is None:
                    self._losses = self._compile(variables, batch)
                found = jax.device_get(self._losses(variables, batch))
                for name, value in found.items():
                    totals[name] = totals.get(name, 0.0) + float(value)
                count += 1
                report_done()
        return {name: total / count for name, total in totals.items()}

    def _compile(self, variables, batch):
        run = self._run
        _check_outputs(run.model, variables, batch)
        scope = run.settings.train_loop.loss_scope
        losses_of = losses_over_devices(run.model, run.mesh, scope, train=False)

        def losses(variables: Any, batch: Batch) -> dict[str, jax.Array]:
            found = losses_of(variables, batch)
            return found | {"loss": total_loss(found)}

        jitted = jax.jit(losses, out_shardings=replicated(run.mesh))
        return jitted.lower(variables, batch).compile()


def _check_outputs(model, variables, batch):
    """Refuses a model whose outputs are others in training, as those of PointHead."""
    keys = {"dropout": jax.random.key(0), "sample": jax.random.key(0)}
    found = [
        jax.tree.structure(
            jax.eval_shape(
                lambda v, b, train=train: model.apply(
                    v,
                    model.data_preprocessor(b["img"], b["img_shape"]),
                    train=train,
                    mutable=["batch_stats"],
                    rngs=keys,
                )[0],
                variables,
                batch,
            )
        )
        for train in (False, True)
    ]
    if found[0] != found[1]:
        heads = ", ".join(type(head).__name__ for head in model.heads.values())
        raise ConfigError(
            f"train_cfg.val_loss: the model ({heads}) has the outputs of its losses in "
            "training alone; leave val_loss out"
        )
