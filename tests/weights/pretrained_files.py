"""Files of published weights, written small, and a backbone that is started from one.

starting_weights.npz has the keys of torchvision, timm and mmpretrain, and position
tables by mmseg; make_starting_weights.py made it.
"""

import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.backbones import STDCNet, VisionTransformer
from jaxseg.layers.activation import ReLU
from jaxseg.layers.norm import BN
from jaxseg.segmentors import EncoderDecoder
from jaxseg.weights.files.weights_file import write_weights
from jaxseg.weights.load_pretrained import load_pretrained
from jaxseg.weights.pretrained import Pretrained
from jaxseg.weights.state_dict import to_state_dict, torch_shapes

STORED = np.load(pathlib.Path(__file__).with_name("starting_weights.npz"))
NAMES = json.loads(STORED["names"].tobytes())
ORIGINS = NAMES["origins"]

Vit = functools.partial(
    VisionTransformer,
    img_size=32,
    patch_size=8,
    embed_dims=16,
    num_layers=2,
    num_heads=2,
    patch_bias=True,
)


def stdc(stdc_type, bottleneck_type="cat"):
    return STDCNet(
        stdc_type=stdc_type,
        channels=(4, 6, 8, 16, 32),
        bottleneck_type=bottleneck_type,
        norm_cfg=BN(),
        act_cfg=ReLU(),
    )


def fresh(backbone):
    """Shapes of a segmentor's variables, its head one weight that stays as it is."""
    size = getattr(backbone, "img_size", 32)
    size = (size, size) if isinstance(size, int) else size
    images = jnp.zeros((1, *size, backbone.in_channels))
    init = functools.partial(backbone.init, train=False)
    own = jax.eval_shape(init, jax.random.key(0), images)
    tree = {name: {"backbone": values} for name, values in own.items()}
    tree["params"]["decode_head"] = {"bias": np.full(3, 7.0, np.float32)}
    return tree


def shapes_of(backbone):
    tree = {name: values["backbone"] for name, values in fresh(backbone).items()}
    return torch_shapes(tree)


def write(path, shapes):
    """A file whose weights differ from each other."""
    draw = np.random.default_rng(0).standard_normal
    state_dict = {key: draw(shape, np.float32) for key, shape in shapes.items()}
    write_weights(path, state_dict, {})
    return state_dict


def load(pretrained, backbone, adapt=False):
    if isinstance(pretrained, pathlib.Path):
        pretrained = str(pretrained)
    if not isinstance(pretrained, Pretrained):
        pretrained = Pretrained(pretrained)
    model = EncoderDecoder(backbone, None)
    loaded = load_pretrained("backbone", pretrained, fresh(backbone), model, adapt)
    assert loaded["params"].pop("decode_head")["bias"].tolist() == [7.0] * 3
    loaded = {name: values["backbone"] for name, values in loaded.items()}
    return to_state_dict(loaded)
