"""Reduce on plateau: a value falls where a score does not get better any more.

When it falls is not known before the training, so that it is no part of the table that
the other schedules make: its factor is an array of the training state, which changes
after an evaluation, and the compiled step stays as it is.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.errors import FieldError
from jaxseg.hooks.rule import RULES, rule_of

# The types that `param_scheduler` can name.
__all__ = ["ReduceOnPlateauLR", "ReduceOnPlateauMomentum"]


@dataclass(frozen=True, kw_only=True)
class Plateau:
    """mmengine's ReduceOnPlateauParamScheduler.

    It multiplies what the other schedules give. (In mmengine they go on from the reduced
    value, which is the same where they multiply only, as LinearLR and MultiStepLR do.)

    Attributes:
        monitor: The score.
        rule: 'greater' or 'less' is better; by default 'less' of a loss.
        factor: What the value is multiplied by.
        patience: Evaluations in a row without a better score that are passed over; the
            next one reduces.
        threshold: What is better by no more than this is not better.
        threshold_rule: 'rel': the threshold is a part of the best score; 'abs'.
        cooldown: Evaluations after a reduction of which none counts as bad.
        min_value: The value is not reduced below it.
        begin: Iterations done (epochs with by_epoch) from which evaluations count.
        end: The same, from which they count no more; None is never.
        by_epoch: Whether begin and end are epochs.
    """

    is_momentum: ClassVar[bool] = False

    monitor: str
    rule: str | None = None
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_rule: str = "rel"
    cooldown: int = 0
    min_value: float = 0.0
    begin: int = 0
    end: int | None = None
    by_epoch: bool = False

    def __post_init__(self):
        if self.rule not in (None, *RULES):
            raise FieldError(f"rule: found {self.rule!r}, allowed: 'greater', 'less'")
        if self.threshold_rule not in ("rel", "abs"):
            raise FieldError(
                f"threshold_rule: found {self.threshold_rule!r}, allowed: 'rel', 'abs'"
            )
        if not 0 < self.factor < 1:
            raise FieldError(f"factor: needs to be in (0, 1), found {self.factor}")
        for name in ("patience", "threshold", "cooldown", "min_value", "begin"):
            if getattr(self, name) < 0:
                raise FieldError(
                    f"{name}: needs to be >= 0, found {getattr(self, name)}"
                )
        if self.end is not None and self.end <= self.begin:
            raise FieldError(f"end: needs to be > begin={self.begin}, found {self.end}")

    def init(self) -> dict[str, jax.Array]:
        """The state before the first evaluation, scalars.

        `scale` multiplies the value; `best` is the best score, `bad` counts the
        evaluations without a better one, `cooldown` those that are left of it, and
        `seen` is the iteration of the last evaluation.
        """
        worst = math.inf if self._is_less else -math.inf
        return {
            "scale": jnp.ones(()),
            "best": jnp.asarray(worst, jnp.float32),
            "bad": jnp.zeros((), jnp.int32),
            "cooldown": jnp.zeros((), jnp.int32),
            "seen": jnp.zeros((), jnp.int32),
        }

    def reduced(self, value: jax.Array, scale: jax.Array) -> jax.Array:
        """A value of the other schedules, reduced."""
        return jnp.maximum(value * scale, jnp.minimum(value, self.min_value))

    def after_evaluation(
        self, state: Mapping[str, Any], step: int, unit: int, score: float
    ) -> dict[str, np.ndarray]:
        """The state after an evaluation.

        Args:
            state: that before it, on the host.
            step: iterations done.
            unit: the iterations of what `begin` and `end` count.
            score: of `monitor`.
        """
        new = dict(state) | {"seen": np.int32(step)}
        done = step // unit
        if done < self.begin or (self.end is not None and done >= self.end):
            return new
        score = np.float32(score)  # as `best` is kept
        is_better = self._is_better(score, state["best"])
        bad, cooldown = (
            0 if is_better else int(state["bad"]) + 1,
            int(state["cooldown"]),
        )
        if is_better:
            new["best"] = score
        if cooldown > 0:
            bad, cooldown = 0, cooldown - 1
        if bad > self.patience:
            new["scale"] = np.float32(state["scale"] * np.float32(self.factor))
            bad, cooldown = 0, self.cooldown
        return new | {"bad": np.int32(bad), "cooldown": np.int32(cooldown)}

    @property
    def _is_less(self):
        return rule_of(self.monitor, self.rule) == "less"

    def _is_better(self, score, best):
        if not np.isfinite(best):  # there is none
            return np.isfinite(score)
        sign = -1 if self._is_less else 1
        relative = self.threshold_rule == "rel"
        limit = (
            best * (1 + sign * self.threshold)
            if relative
            else (best + sign * self.threshold)
        )
        return sign * score > sign * limit


@dataclass(frozen=True, kw_only=True)
class ReduceOnPlateauLR(Plateau):
    """Reduces the learning rate."""


@dataclass(frozen=True, kw_only=True)
class ReduceOnPlateauMomentum(Plateau):
    """Reduces the momentum."""

    is_momentum = True


def follow(
    plateaus: Sequence[Plateau],
    states: Sequence[Mapping[str, jax.Array]],
    step: int,
    epoch_length: int | None,
    scores: Mapping[str, float],
) -> tuple[dict[str, jax.Array], ...]:
    """The states of plateaus after an evaluation, where the old ones lay.

    An evaluation that they have seen changes nothing.

    Args:
        plateaus: of the config.
        states: that of each.
        step: iterations done.
        epoch_length: iterations of an epoch, in a run of epochs.
        scores: by name.
    """
    result = []
    for plateau, state in zip(plateaus, states, strict=True):
        old = jax.device_get(dict(state))
        # An earlier config of the run may have gone by another score.
        if step > old["seen"] and plateau.monitor in scores:
            unit = epoch_length if plateau.by_epoch else 1
            score = scores[plateau.monitor]
            new = plateau.after_evaluation(old, step, unit, score)
            put = lambda value, place: jax.device_put(value, place.sharding)
            state = jax.tree.map(put, new, dict(state))
        result.append(state)
    return tuple(result)
