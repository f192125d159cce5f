"""Gradient clipping: by the norm over all trained parameters, or value by value."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax

from jaxseg.errors import FieldError


@dataclass(frozen=True, kw_only=True)
class ClipGrad:
    """clip_grad: PyTorch's clip_grad_norm_ or clip_grad_value_.

    Attributes:
        type: 'norm' or 'value'.
        max_norm: Of type 'norm': all gradients are scaled by one factor, so that their
            norm is no larger.
        norm_type: Which norm: 2, 1, any p > 0, or 'inf', the largest absolute value.
        clip_value: Of type 'value': each value is clipped to [-clip_value, clip_value].
    """

    type: str = "norm"
    max_norm: float | None = None
    norm_type: float | str = 2.0
    clip_value: float | None = None

    def __post_init__(self):
        keys = {"norm": "max_norm", "value": "clip_value"}
        if self.type not in keys:
            raise FieldError(f"type: found {self.type!r}, allowed: 'norm', 'value'")
        for kind, key in keys.items():
            limit = getattr(self, key)
            if kind != self.type and limit is not None:
                raise FieldError(f"{key}: goes with type={kind!r}")
            if kind == self.type and not (limit or 0) > 0:
                raise FieldError(f"{key}: needs to be > 0, found {limit}")
        if isinstance(self.norm_type, str) and self.norm_type != "inf":
            raise FieldError(f"norm_type: found {self.norm_type!r}, allowed: 'inf'")
        if not float(self.norm_type) > 0:
            raise FieldError(f"norm_type: needs to be > 0, found {self.norm_type}")

    def __str__(self) -> str:
        if self.type == "value":
            return f"gradients clipped to values of {self.clip_value:g} at most"
        of_kind = "" if self.norm_type == 2 else f" (of type {self.norm_type})"
        return f"gradients clipped at norm {self.max_norm:g}{of_kind}"

    def transform(self) -> optax.GradientTransformation:
        """The transformation of the gradients of all trained parameters."""
        if self.type == "value":
            return optax.clip(self.clip_value)

        def clip(grads, params=None):
            # optax's clip_by_global_norm lacks torch's 1e-6.
            factor = self.max_norm / (self._norm(grads) + 1e-6)
            return jax.tree.map(lambda g: g * jnp.minimum(factor, 1.0), grads)

        return optax.stateless(clip)

    def _norm(self, grads):
        p = float(self.norm_type)
        if p == 2:
            return optax.tree.norm(grads)
        leaves = [jnp.abs(leaf) for leaf in jax.tree.leaves(grads)]
        if math.isinf(p):
            return jnp.stack([leaf.max() for leaf in leaves]).max()
        return sum((leaf**p).sum() for leaf in leaves) ** (1 / p)
