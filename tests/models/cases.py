"""Cases: one small configuration of every entry of the tables of contents.

Everything that holds for each entry (shapes, gradients, padding, bands, compiled
programs) is a test over these. A new entry is one more line, here or where it says
what it is: backbone_cases.py, head_cases.py.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from jaxseg.resolve import resolve
from jaxseg.testing.reference import fill
from jaxseg.weights.names import torch_key
from tests.models.backbone_cases import BACKBONES
from tests.models.case import BN, PYRAMID, Case
from tests.models.head_cases import HEADS

NECKS = {
    "FPN": Case(
        dict(in_channels=[4, 6, 8], out_channels=5, num_outs=4, norm_cfg=BN),
        PYRAMID,
        ((17, 13, 5), (9, 7, 5), (5, 4, 5), (3, 2, 5)),
    ),
    "Feature2Pyramid": Case(
        dict(embed_dim=6, norm_cfg=BN),
        ((9, 7, 6),) * 4,
        ((36, 28, 6), (18, 14, 6), (9, 7, 6), (4, 3, 6)),
    ),
    "ICNeck": Case(
        dict(in_channels=[4, 6, 8], out_channels=5, norm_cfg=BN),
        PYRAMID,
        ((9, 7, 5), (17, 13, 5), (17, 13, 5)),
    ),
    "JPU": Case(
        dict(in_channels=[4, 6, 8], mid_channels=5, dilations=[1, 2], norm_cfg=BN),
        PYRAMID,
        ((17, 13, 4), (9, 7, 6), (17, 13, 10)),
    ),
    "MLANeck": Case(
        dict(in_channels=[6, 6, 6], out_channels=5, norm_cfg=BN),
        ((9, 7, 6),) * 3,
        ((9, 7, 5),) * 3,
    ),
    "MultiLevelNeck": Case(
        dict(in_channels=[6], out_channels=5, scales=[0.5, 1, 2.5]),
        PYRAMID[1:2],
        ((4, 3, 5), (9, 7, 5), (22, 17, 5)),
    ),
}


def class_map(rng):
    return rng.choice([0, 1, 2, 255], (2, 17, 13)).astype(np.uint8)


def edge_map(rng):
    return rng.choice([0, 1, 255], (2, 17, 13)).astype(np.uint8)


def depth_map(rng):
    return rng.uniform(0, 9, (2, 17, 13)).astype(np.float32)


def teacher(rng):
    return rng.standard_normal((2, 17, 13, 3)).astype(np.float32)


# Name -> (config, channels of the logits, label).
LOSSES = {
    "BoundaryLoss": (dict(), 1, edge_map),
    "CrossEntropyLoss": (dict(avg_non_ignore=True), 3, class_map),
    "DiceLoss": (dict(), 3, class_map),
    "DiceLossV0": (dict(), 3, class_map),
    "FocalLoss": (dict(), 3, class_map),
    "HuasdorffDisstanceLoss": (dict(), 3, class_map),
    "KLDivLoss": (dict(temperature=30.0), 3, teacher),
    "LovaszLoss": (dict(per_image=True), 3, class_map),
    "OHEMPixelSampler": (dict(thresh=0.7, min_kept=5), 3, class_map),
    "OhemCrossEntropy": (dict(min_kept=5), 3, class_map),
    "SiLogLoss": (dict(), 1, depth_map),
    "TverskyLoss": (dict(), 3, class_map),
}

# Parts of heads that classify masks, and of K-Net.
OF_MASKS = {
    "ClassificationCost",
    "CrossEntropyLossCost",
    "DiceCost",
    "FocalLossCost",
    "HungarianAssigner",
    "KernelUpdateHead",
    "MaskCrossEntropyLoss",
    "MaskDiceLoss",
    "MaskFocalLoss",
    "MaskPseudoSampler",
    "QueryClassLoss",
}

# Tried as parts of the others and in tests/layers.
ACTIVATIONS = {
    "ELU",
    "GELU",
    "HSigmoid",
    "HSwish",
    "LeakyReLU",
    "PReLU",
    "QuickGELU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Swish",
    "Tanh",
}
# Tried in tests/layers and tests/backbones/test_resnet.py.
PARTS_OF_RESNET = {
    "ContextBlock",
    "Conv",
    "Conv2dAdaptivePadding",
    "ConvAWS",
    "ConvWS",
    "DCN",
    "DCNv2",
    "GeneralizedAttention",
    "NonLocal2d",
}
NEEDED_ELSEWHERE = (
    ACTIVATIONS
    | PARTS_OF_RESNET
    | {
        "BN",
        "GN",
        "IN",
        "KernelUpdator",
        "LN",
        "MSDeformAttnPixelDecoder",
        "PixelDecoder",
        "SinePositionalEncoding",
        "SyncBN",
    }
)

MODULES = BACKBONES | NECKS | HEADS

OF_VAN = {"VAN", "VANBase", "VANLarge", "VANSmall", "VANTiny"}

# Entries that are another one of their family with other settings. The default tests try
# everything that holds for an entry of one of each family, the long ones of all.
VARIANTS = {
    "MAE",  # BEiT
    "PCPVT",  # SVT
    "ResNet",  # ResNetV1c
    "ResNetV1d",
    "STDCNet",  # STDCContextPathNet, which holds one
    "TIMMBackbone",  # ResNet and others
    *(OF_VAN - {"VAN"}),
}


def variants_long(names):
    """Names of entries as parameters of a test; variants are marked as long."""
    return [
        pytest.param(name, marks=[pytest.mark.long] * (name in VARIANTS))
        for name in names
    ]


OF_DINO = {"BNHead", "DINOv2", "DINOv3", "EoMTHead"}
# Of other repositories: mmseg has no starting values of theirs.
NOT_IN_MMSEG = {"AlignedXception", "DRN", "DeepLabV3PlusHead"} | OF_VAN | OF_DINO


def build(name, **changes):
    case = MODULES[name]
    config = {"type": name} | case.config | changes
    return resolve(config, name)


def maps(name, dtype="float32", batch=2):
    """The arguments of a call, but for `train`."""
    rng = np.random.default_rng(0)

    def draw(shape):
        if isinstance(shape[0], tuple):
            return tuple(map(draw, shape))
        return jnp.asarray(rng.standard_normal((batch, *shape)), dtype)

    inputs = tuple(map(draw, MODULES[name].inputs))
    previous = MODULES[name].previous
    more = () if previous is None else (draw(previous),)
    return (inputs[0] if name in BACKBONES else inputs, *more)


def weights(module, *inputs):
    """Weights for a module without its `init`, whose random draws compile slowly."""
    init = functools.partial(module.init, train=False)
    target = jax.eval_shape(init, jax.random.key(0), *inputs)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(target))
    return traverse_util.unflatten_dict(
        {
            path: fill(torch_key(path[1:]), leaf.shape, seed=0)
            for path, leaf in traverse_util.flatten_dict(target).items()
        }
    )


@functools.cache
def weights_of(name):
    """Weights of an entry, float32 where its maps are bfloat16 too.

    The tests of one entry follow each other (`scope="session"` where they name their
    entries), so that they find them.
    """
    return weights(build(name), *maps(name, "bfloat16"))
