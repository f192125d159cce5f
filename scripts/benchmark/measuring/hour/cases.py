"""The models that the hour with a GPU measures."""

import dataclasses
import pathlib
from typing import Any

import jax

from jaxseg.load_config import load_config
from scripts.benchmark.measuring.setup import Setup

_ROOT = pathlib.Path(__file__).parents[4]

_TINY_BATCH, _TINY_SIZE = 2, (64, 64)


@dataclasses.dataclass(frozen=True)
class Case:
    """A config, and at which size it is measured.

    Attributes:
        config: a file below the root of the repository.
        batch_size: images of a step.
        size: (height, width) of them.
        changes: values of the config by their paths.
        tiny: more of them, for a small model.
    """

    config: str
    batch_size: int
    size: tuple[int, int]
    tiny: dict[str, Any]
    changes: dict[str, Any] = dataclasses.field(default_factory=dict)

    def load(self, tiny: bool) -> dict[str, Any]:
        """The whole config.

        Raises:
            ConfigError: if the file does not hold what is changed.
        """
        changes = self.changes | (self.tiny if tiny else {})
        return load_config(str(_ROOT / self.config), overrides=list(changes.items()))

    def setup(self, tiny: bool) -> Setup:
        """What is measured of it: made-up images, in bfloat16 where it is fast."""
        batch_size = _TINY_BATCH if tiny else self.batch_size
        size = _TINY_SIZE if tiny else self.size
        on_cpu = jax.devices()[0].platform == "cpu"
        dtype = "float32" if on_cpu else "bfloat16"
        return Setup(batch_size, size, dtype, synthetic=size)


# ResNet-18 with an eighth of the channels.
_TINY_RESNET = {
    "model.backbone.depth": 18,
    "model.backbone.stem_channels": 8,
    "model.backbone.base_channels": 8,
    "model.decode_head.channels": 8,
    "model.auxiliary_head.in_channels": 32,
    "model.auxiliary_head.channels": 8,
}

# ViT-B/16 as in mmseg's vit_vit-b16_mln_upernet_8xb2-160k_ade20k-512x512.py, but for its
# custom key `norm`, which is in the name of no parameter.
_VIT = {
    "model.backbone": dict(
        type="VisionTransformer",
        img_size=(512, 512),
        patch_size=16,
        in_channels=3,
        embed_dims=768,
        num_layers=12,
        num_heads=12,
        mlp_ratio=4,
        out_indices=(2, 5, 8, 11),
        qkv_bias=True,
        drop_rate=0.0,
        attn_drop_rate=0.0,
        drop_path_rate=0.0,
        with_cls_token=True,
        norm_cfg=dict(type="LN", eps=1e-6),
        act_cfg=dict(type="GELU"),
        norm_eval=False,
        interpolate_mode="bicubic",
    ),
    "model.neck": dict(
        type="MultiLevelNeck",
        in_channels=[768] * 4,
        out_channels=768,
        scales=[4, 2, 1, 0.5],
    ),
    "model.decode_head.in_channels": [768] * 4,
    "model.auxiliary_head.in_channels": 768,
    "model.auxiliary_head.in_index": 3,
    "optim_wrapper.optimizer": dict(
        type="AdamW", lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01
    ),
    "optim_wrapper.paramwise_cfg": dict(
        custom_keys={
            "pos_embed": dict(decay_mult=0.0),
            "cls_token": dict(decay_mult=0.0),
        }
    ),
}

CASES = {
    "pspnet_r50": Case(
        "experiments/cityscapes_pspnet.py",
        batch_size=8,
        size=(512, 1024),
        tiny=_TINY_RESNET | {"model.decode_head.in_channels": 64},
    ),
    "deeplabv3plus_r50": Case(
        "experiments/voc_deeplabv3plus.py",
        batch_size=16,
        size=(512, 512),
        tiny=_TINY_RESNET
        | {
            "model.decode_head.in_channels": 64,
            "model.decode_head.c1_in_channels": 8,
            "model.decode_head.c1_channels": 8,
        },
    ),
    "upernet_r50": Case(
        "experiments/ade20k_upernet.py",
        batch_size=16,
        size=(512, 512),
        tiny=_TINY_RESNET | {"model.decode_head.in_channels": [8, 16, 32, 64]},
    ),
    "vit_b_upernet": Case(
        "experiments/ade20k_upernet.py",
        batch_size=16,
        size=(512, 512),
        changes=_VIT,
        tiny={
            "model.backbone.img_size": _TINY_SIZE,
            "model.backbone.embed_dims": 16,
            "model.backbone.num_layers": 4,
            "model.backbone.num_heads": 2,
            "model.backbone.out_indices": (0, 1, 2, 3),
            "model.neck.in_channels": [16] * 4,
            "model.neck.out_channels": 16,
            "model.decode_head.in_channels": [16] * 4,
            "model.decode_head.channels": 8,
            "model.auxiliary_head.in_channels": 16,
            "model.auxiliary_head.channels": 8,
        },
    ),
}
