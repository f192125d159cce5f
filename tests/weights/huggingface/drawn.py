"""Weights that anyone draws again: by their key, so that cases need not store them."""

import zlib

import numpy as np


def drawn_weights(shapes):
    """{key: shape} -> float32 arrays, of a size that leaves no layer without effect."""
    return {key: _drawn(key, tuple(shape)) for key, shape in shapes.items()}


def _drawn(key, shape):
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    if key.endswith("num_batches_tracked"):
        return np.asarray(3, np.int64)
    if key == "attn_mask_probs":
        return np.zeros(shape, np.float32)  # EoMT's after its training
    if key.endswith("running_var"):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if len(shape) == 1:
        is_scale = key.endswith(("weight", "lambda1", "lambda_1", "lambda_2"))
        return (is_scale + 0.2 * rng.standard_normal(shape)).astype(np.float32)
    fan_in = max(np.prod(shape[1:]), 1) if "table" not in key else 1
    return (rng.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32)


def drawn_image(height, width):
    """(1, height, width, 3) float32, as normalised."""
    rng = np.random.default_rng(height * 1000 + width)
    return rng.standard_normal((1, height, width, 3)).astype(np.float32)
