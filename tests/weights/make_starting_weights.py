"""Makes starting_weights.npz: keys of published weights, and mmseg's position tables.

    python tests/weights/make_starting_weights.py

in an environment with torch 2.13, torchvision, timm 1.0.31, mmpretrain 1.2.0 and
mmsegmentation 1.2.2. Nothing is downloaded: the models are built small, and the names of
their weights are those of the published files.
"""

import json
import pathlib
import sys

import mmseg
import numpy as np
import torch
import torchvision
from mmpretrain.models import backbones as mmpretrain
from mmseg.models.backbones import VisionTransformer
from timm.models import create_model

sys.path.append(f"{mmseg.__path__[0]}/.mim/tools/model_converters")
import vit2mmseg

OUT = pathlib.Path(__file__).with_name("starting_weights.npz")
TINY = {
    "img_size": 32,
    "patch_size": 8,
    "embed_dim": 16,
    "depth": 2,
    "num_heads": 2,
    "num_classes": 5,
}


def shapes(state_dict, prefix=""):
    return {
        prefix + key: list(value.shape)
        for key, value in state_dict.items()
        if not key.endswith("num_batches_tracked")
    }


def names():
    """{origin: {key: shape}}, and what mmseg's converter makes of timm's keys."""
    timm_vit = create_model("vit_base_patch16_224", **TINY)
    distilled = create_model("deit_base_distilled_patch16_224", **TINY)
    theirs = mmpretrain.VisionTransformer(
        arch={
            "embed_dims": 16,
            "num_layers": 2,
            "num_heads": 2,
            "feedforward_channels": 64,
        },
        img_size=32,
        patch_size=8,
    )
    head = {"head.fc.weight": [1000, 512], "head.fc.bias": [1000]}
    vit_head = {"head.layers.head.weight": [5, 16], "head.layers.head.bias": [5]}
    origins = {
        "torchvision resnet18": shapes(torchvision.models.resnet18().state_dict()),
        "timm resnet18d": shapes(create_model("resnet18d").state_dict()),
        "mmpretrain ResNet": shapes(
            mmpretrain.ResNet(depth=18).state_dict(), "backbone."
        )
        | head,
        "mmpretrain ResNetV1c": shapes(
            mmpretrain.ResNetV1c(depth=18).state_dict(), "backbone."
        )
        | head,
        "mmpretrain ResNetV1d": shapes(
            mmpretrain.ResNetV1d(depth=18).state_dict(), "backbone."
        )
        | head,
        "timm vit": shapes(timm_vit.state_dict()),
        "timm deit distilled": shapes(distilled.state_dict()),
        "mmpretrain vit": shapes(theirs.state_dict(), "backbone.") | vit_head,
    }
    # The converter sees names alone: each key's value is the key.
    given = {key: key for key in timm_vit.state_dict()}
    converted = {old: new for new, old in vit2mmseg.convert_vit(given).items()}
    return {"origins": origins, "vit2mmseg": converted}


def position_tables():
    """A table for 3x3 patches and its cls token, at other sizes."""
    table = torch.randn(1, 10, 4, generator=torch.Generator().manual_seed(0))
    arrays = {"table": table.numpy()}
    for mode in ("bicubic", "bilinear"):
        for grid in ((5, 7), (2, 2), (4, 3)):
            resized = VisionTransformer.resize_pos_embed(table, grid, (3, 3), mode)
            arrays[f"{mode}_{grid[0]}x{grid[1]}"] = resized.numpy()
    return arrays


if __name__ == "__main__":
    text = np.frombuffer(json.dumps(names()).encode(), np.uint8)
    np.savez_compressed(OUT, names=text, **position_tables())
