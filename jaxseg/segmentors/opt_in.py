"""Opting in: which part of a model takes no padding, or no bands.

What looks at more than one pixel has to know of padding and bands, and only the author
of a class knows that it does. So a class says `takes_padding = True` or
`takes_bands = True` of itself; a subclass, which may compute anything, says it again.
"""

import dataclasses
from typing import Any

from jaxseg.losses.loss import Loss
from jaxseg.losses.sampler import Sampler
from jaxseg.weights.part import join
from jaxseg.weights.pretrained import Pretrained

# What computes nothing where a model predicts: types, and names of fields.
_IDLE = (Loss, Sampler, Pretrained)
_IDLE_FIELDS = ("parent", "auxiliary_head", "train_cfg", "test_cfg")


def part_without(model: Any, flag: str) -> str | None:
    """A part of a model whose class does not opt into something.

    Args:
        model: the segmentor.
        flag: `takes_padding` or `takes_bands`.

    Returns:
        Its place in the config and its class, or None: then the whole model does.
    """
    return _without(model, flag, "model")


def _without(part, flag, key):
    cls = type(part)
    if not (flag in vars(cls) and getattr(part, flag)):
        return f"{key} ({cls.__name__})"
    children = [
        (join(key, field.name), getattr(part, field.name))
        for field in dataclasses.fields(part)
        if field.name not in _IDLE_FIELDS
    ]
    found = (
        _without(child, flag, place)
        for below, value in children
        for place, child in _listed(below, value)
        if dataclasses.is_dataclass(child) and not isinstance(child, _IDLE)
    )
    return next(filter(None, found), None)


def _listed(key, value):
    if not isinstance(value, tuple):
        return [(key, value)]
    return [pair for i, v in enumerate(value) for pair in _listed(f"{key}.{i}", v)]
