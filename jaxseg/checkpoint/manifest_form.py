"""Manifest form: what a reader may rely on, whoever wrote the file."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

_MAX_SIZE = 1 << 48
_MAX_NAME = 1000


def check_manifest(body: Mapping[str, Any]) -> str | None:
    """The first entry of a manifest that is not of the form that `manifest.build` gives.

    Args:
        body: Parsed, so of JSON's types.

    Returns:
        Its name, such as 'step'; None of a sound one.
    """
    for name, is_sound in _ENTRIES.items():
        is_there = name in body or name in ("samples", "source")
        if not is_there or not is_sound(body.get(name)):
            return name
    return None


def _is_count(value):
    return type(value) is int and 0 <= value < _MAX_SIZE


def _is_config(value):
    return type(value) is dict


def _is_metrics(value):
    return type(value) is dict and all(
        v is None or type(v) in (int, float) for v in value.values()
    )


def _is_best_by(value):
    return value is None or (
        type(value) is list
        and len(value) == 2
        and type(value[0]) is str
        and value[1] in ("max", "min")
    )


def _is_samples(value):
    return value is None or _is_count(value)


def _is_source(value):
    if value is None:
        return True
    if type(value) is not dict:
        return False
    meta, keys, counters = (value.get(name) for name in ("meta", "keys", "counters"))
    return (
        type(meta) is dict
        and type(keys) is list
        and all(type(key) is str for key in keys)
        and type(counters) is dict
        and all(type(n) is int and abs(n) < 1 << 63 for n in counters.values())
    )


def _are_arrays(value):
    if type(value) is not dict or not all(map(_is_array, value.values())):
        return False
    if any(len(name) > _MAX_NAME for name in value):
        return False
    # 'a/b' beside 'a' would be an array inside an array.
    parents = {name[:i] for name in value for i, c in enumerate(name) if c == "/"}
    return not parents & value.keys()


def _is_array(entry):
    if type(entry) is not dict:
        return False
    shape, dtype, checksum = (entry.get(n) for n in ("shape", "dtype", "checksum"))
    return (
        type(shape) is list
        and len(shape) <= 32
        and all(map(_is_count, shape))
        and type(dtype) is str
        and _is_dtype(dtype)
        and type(checksum) is int
    )


def _is_dtype(name):
    if len(name) > 20:  # NumPy takes lists of types, too
        return False
    try:
        dtype = jnp.dtype(name)
    except (TypeError, ValueError, SyntaxError):
        return False
    kinds = (jnp.number, jnp.bool_)
    return dtype.name == name and any(jnp.issubdtype(dtype, kind) for kind in kinds)


_ENTRIES = {
    "step": _is_count,
    "metrics": _is_metrics,
    "best_by": _is_best_by,
    "config": _is_config,
    "samples": _is_samples,
    "source": _is_source,
    "arrays": _are_arrays,
}
