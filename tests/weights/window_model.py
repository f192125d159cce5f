"""A model that needs all that a key table has: `Windows`, a backbone made for tests.

Its attention over 2x2 windows has a table of indices, as Swin's has, and q, k and v
in three layers where mmseg's file would have one.
"""

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.backbones.backbone import Backbone
from jaxseg.layers.conv import Conv2d
from jaxseg.layers.transformer import Linear
from jaxseg.necks.neck import Neck
from jaxseg.weights.key_table import KeyTable

INDEX = "attn.relative_position_index"


def index_of(window):
    """Swin's: which entry of the bias table is that of two places in a window."""
    places = np.stack(np.meshgrid(*[np.arange(window)] * 2, indexing="ij"), -1)
    places = places.reshape(-1, 2)
    offsets = places[:, None] - places[None] + window - 1
    return offsets @ np.array([2 * window - 1, 1])


def _split(weights, part):
    result = {}
    for key, array in weights.items():
        names = [key.replace(".qkv.", f".{name}.") for name in "qkv"]
        if ".qkv." in key and array.shape[0] == 3 * part.channels:
            result |= dict(zip(names, np.split(array, 3), strict=True))
        else:
            result[key] = array
    return result


def _join(weights, part):
    result = {}
    for key, array in weights.items():
        if match := re.fullmatch(r"(.*)\.q\.(.*)", key):
            names = [f"{match[1]}.{name}.{match[2]}" for name in "qkv"]
            joined = np.concatenate([weights[name] for name in names])
            result[f"{match[1]}.qkv.{match[2]}"] = joined
        elif not re.search(r"\.[kv]\.", key):
            result[key] = array
    return result


class Windows(Backbone):
    """One attention over windows.

    Attributes:
        channels: of the tokens.
        window: side of a window in pixels.
    """

    channels: int = 4
    window: int = 2

    key_table = KeyTable(
        renames=((r"^patch_embed\.proj\.", "stem."),),
        unused=("head.",),
        buffers=lambda part: {INDEX: index_of(part.window)},
        convert=_split,
        convert_back=_join,
    )

    @nn.compact
    def __call__(self, x, train):
        x = Conv2d(self.channels, 1, bias=False, name="stem")(x)
        return (_Attention(self.channels, self.window, name="attn")(x),)


class _Attention(nn.Module):
    channels: int
    window: int

    @nn.compact
    def __call__(self, x):
        n, height, width, channels = x.shape
        side = self.window
        x = x.reshape(n, height // side, side, width // side, side, channels)
        x = x.swapaxes(2, 3).reshape(-1, side * side, channels)
        q, k, v = (Linear(channels, name=name)(x) for name in "qkv")
        table = self.param(
            "relative_position_bias_table",
            nn.initializers.normal(0.02),
            ((2 * side - 1) ** 2, 1),
        )
        bias = table[index_of(side)][..., 0]
        scores = jax.nn.softmax(jnp.einsum("nic,njc->nij", q, k) + bias)
        y = jnp.einsum("nij,njc->nic", scores, v)
        y = y.reshape(n, height // side, width // side, side, side, channels)
        return y.swapaxes(2, 3).reshape(n, height, width, channels)


class Blend(Neck):
    """A neck with weights of its own, all of them frozen."""

    channels: int = 4

    frozen_modules = ("",)

    @nn.compact
    def __call__(self, inputs, train):
        return tuple(Conv2d(self.channels, 1, name="blend")(x) for x in inputs)


CLASSES = (Windows, Blend)
CONFIG = {
    "model": {
        "type": "EncoderDecoder",
        "data_preprocessor": {"type": "SegDataPreProcessor", "size": [8, 8]},
        "backbone": {"type": "Windows"},
        "neck": {"type": "Blend"},
        "decode_head": {
            "type": "FCNHead",
            "in_channels": 4,
            "channels": 4,
            "num_convs": 1,
            "concat_input": False,
            "num_classes": 3,
            "norm_cfg": {"type": "SyncBN"},
        },
        "auxiliary_head": [
            {
                "type": "FCNHead",
                "in_channels": 4,
                "channels": 4,
                "num_convs": 0,
                "concat_input": False,
                "num_classes": 3,
            }
        ],
    }
}
# As mmseg's state dict of such a model would have them, in its order.
SHAPES = {
    "backbone.stem.weight": (4, 3, 1, 1),
    "backbone.attn.relative_position_bias_table": (9, 1),
    f"backbone.{INDEX}": None,
    "backbone.attn.qkv.weight": (12, 4),
    "backbone.attn.qkv.bias": (12,),
    "neck.blend.weight": (4, 4, 1, 1),
    "neck.blend.bias": (4,),
    "decode_head.conv_seg.weight": (3, 4, 1, 1),
    "decode_head.conv_seg.bias": (3,),
    "decode_head.convs.0.conv.weight": (4, 4, 3, 3),
    "decode_head.convs.0.bn.weight": (4,),
    "decode_head.convs.0.bn.bias": (4,),
    "decode_head.convs.0.bn.running_mean": (4,),
    "decode_head.convs.0.bn.running_var": (4,),
    "decode_head.convs.0.bn.num_batches_tracked": (),
    "auxiliary_head.0.conv_seg.weight": (3, 4, 1, 1),
    "auxiliary_head.0.conv_seg.bias": (3,),
}


def draw(shapes, seed=0):
    """Weights that differ from each other; the index as it must be."""
    rng = np.random.default_rng(seed)
    return {
        key: index_of(2)
        if shape is None
        else np.asarray(7 + (1 << 40))
        if shape == ()
        else rng.standard_normal(shape, np.float32)
        for key, shape in shapes.items()
    }
