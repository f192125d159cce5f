"""Cases: one small configuration of every entry of the tables of contents.

Everything that holds for each entry (shapes, gradients, padding, bands, compiled
programs) is a test over these. A new entry is one more line here.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from jaxseg.resolve import resolve
from jaxseg.testing.reference import fill
from jaxseg.weights.names import torch_key

BN = dict(type="BN", requires_grad=True)


@dataclasses.dataclass(frozen=True)
class Case:
    """An entry built from `config`, called with random maps of the shapes `inputs`.

    Attributes:
        config: its keys besides `type`.
        inputs: (H, W, C) of each map; odd sizes wherever they are legal.
        outputs: (h, w, c) of each map that it returns, in the order of the pytree.
        rate: the key of a dropout rate, or None where it has none.
        previous: (h, w, c) of what the head before it in a cascade gives.
    """

    config: dict[str, Any]
    inputs: tuple[tuple[int, int, int], ...]
    outputs: tuple[tuple[int, int, int], ...]
    rate: str | None = None
    previous: tuple[int, int, int] | None = None


def resnet(channels, **config):
    stages = dict(num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(0, 1))
    return Case(
        dict(depth=18, base_channels=4, stem_channels=6, **stages, **config),
        ((37, 29, 3),),
        ((10, 8, channels), (5, 4, 2 * channels)),
    )


def resnext(**config):
    """Of two stages, the second of which has a stride."""
    stages = dict(num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(0, 1))
    width = dict(base_channels=4, stem_channels=6, groups=2, base_width=2)
    return Case(
        dict(depth=50, **width, **stages, **config),
        ((37, 29, 3),),
        ((10, 8, 16), (5, 4, 32)),
    )


def hr_stage(branches, block="BASIC"):
    return dict(
        num_modules=1,
        num_branches=branches,
        block=block,
        num_blocks=[1] * branches,
        num_channels=[4, 6, 8, 10][:branches],
    )


def unet(upsample, **config):
    return Case(
        dict(
            type="UNet",
            base_channels=4,
            num_stages=3,
            strides=(1, 2, 1),
            enc_num_convs=(1, 2, 1),
            dec_num_convs=(1, 2),
            downsamples=(True, True),
            enc_dilations=(1, 1, 2),
            dec_dilations=(1, 2),
            upsample_cfg=dict(type=upsample),
            **config,
        ),
        ((12, 20, 3),),  # what 4 divides, else it is an error
        ((3, 5, 16), (6, 10, 8), (12, 20, 4)),
    )


STDC = dict(
    stdc_type="STDCNet1",
    in_channels=3,
    channels=(4, 6, 8, 16, 32),
    bottleneck_type="cat",
    norm_cfg=BN,
    act_cfg=dict(type="ReLU"),
    num_convs=3,
)

BACKBONES = {
    "BiSeNetV1": Case(
        dict(
            backbone_cfg=dict(
                type="ResNet",
                depth=18,
                base_channels=4,
                stem_channels=6,
                norm_cfg=BN,
            ),
            spatial_channels=(4, 5, 6, 8),
            context_channels=(8, 16, 32),
            out_channels=10,
        ),
        ((69, 53, 3),),
        ((9, 7, 10), (9, 7, 8), (5, 4, 8)),
    ),
    "BiSeNetV2": Case(
        dict(
            detail_channels=(4, 6, 8),
            semantic_channels=(4, 5, 6, 8),
            semantic_expansion_ratio=2,
            bga_channels=8,
        ),
        ((69, 53, 3),),
        ((9, 7, 8), (18, 14, 4), (9, 7, 5), (5, 4, 6), (3, 2, 8)),
    ),
    "CGNet": Case(
        dict(num_channels=(4, 6, 8), num_blocks=(2, 3), reductions=(2, 4)),
        ((37, 29, 3),),
        ((19, 15, 7), (10, 8, 15), (5, 4, 16)),
    ),
    "DDRNet": Case(
        dict(channels=4, ppm_channels=4),
        ((37, 23, 3),),
        ((5, 3, 8), (5, 3, 16)),
    ),
    "ERFNet": Case(
        dict(
            enc_downsample_channels=(4, 6, 8),
            enc_stage_non_bottlenecks=(1, 2),
            enc_non_bottleneck_dilations=(2, 4),
            enc_non_bottleneck_channels=(6, 8),
            dec_upsample_channels=(6, 5),
            dec_stages_non_bottleneck=(1, 1),
            dec_non_bottleneck_channels=(6, 5),
        ),
        ((37, 29, 3),),
        ((20, 16, 5),),
        rate="dropout_ratio",
    ),
    "FastSCNN": Case(
        dict(
            downsample_dw_channels=(4, 6),
            global_in_channels=8,
            global_block_channels=(4, 6, 8),
            global_out_channels=10,
            higher_in_channels=8,
            lower_in_channels=10,
            fusion_out_channels=10,
        ),
        ((69, 53, 3),),
        ((9, 7, 8), (3, 2, 10), (9, 7, 10)),
    ),
    "HRNet": Case(
        dict(
            extra=dict(
                stage1=hr_stage(1, "BOTTLENECK"),
                stage2=hr_stage(2),
                stage3=hr_stage(3),
                stage4=hr_stage(4),
            ),
        ),
        ((69, 53, 3),),
        ((18, 14, 4), (9, 7, 6), (5, 4, 8), (3, 2, 10)),
    ),
    "ICNet": Case(
        dict(
            backbone_cfg=dict(
                type="ResNetV1c",
                depth=18,
                base_channels=4,
                stem_channels=6,
                strides=(1, 2, 1, 1),
                dilations=(1, 1, 2, 4),
            ),
            layer_channels=(8, 32),
            light_branch_middle_channels=4,
            psp_out_channels=4,
            out_channels=(4, 6, 8),
        ),
        ((71, 67, 3),),
        ((9, 9, 4), (5, 5, 6), (2, 2, 8)),
    ),
    "MobileNetV2": Case(
        dict(
            widen_factor=0.1,
            strides=(1, 2, 2, 1, 1, 1, 1),
            dilations=(1, 1, 1, 2, 2, 4, 4),
            out_indices=(1, 6),
        ),
        ((37, 29, 3),),
        ((10, 8, 8), (5, 4, 32)),
    ),
    "MobileNetV3": Case(
        dict(reduction_factor=4),
        ((37, 29, 3),),
        ((19, 15, 16), (10, 8, 16), (5, 4, 576)),
    ),
    "PIDNet": Case(
        dict(channels=4, ppm_channels=4, num_branch_blocks=2),
        ((37, 23, 3),),
        ((5, 3, 8), (5, 3, 16), (5, 3, 8)),
    ),
    "ResNeSt": resnext(),
    "ResNet": resnet(4, style="caffe"),
    "ResNetV1c": resnet(4, with_cp=True),
    "ResNetV1d": resnet(4, norm_eval=True),
    "ResNeXt": resnext(with_cp=True),
    "STDCContextPathNet": Case(
        dict(
            backbone_cfg=dict(type="STDCNet", **STDC),
            last_in_channels=(32, 16),
            out_channels=4,
            ffm_cfg=dict(in_channels=12, out_channels=6, scale_factor=2),
        ),
        ((69, 53, 3),),
        ((9, 7, 8), (5, 4, 4), (9, 7, 4), (9, 7, 6)),
    ),
    "STDCNet": Case(
        STDC | dict(bottleneck_type="add"),
        ((69, 53, 3),),
        ((9, 7, 8), (5, 4, 16), (3, 2, 32)),
    ),
    "UNet": unet("InterpConv", with_cp=True),
    # Entries of its upsample_cfg.
    "InterpConv": unet("InterpConv", norm_eval=True),
    "DeconvModule": unet("DeconvModule"),
    "VisionTransformer": Case(
        dict(
            img_size=(32, 24),
            patch_size=8,
            embed_dims=8,
            num_layers=2,
            num_heads=2,
            out_indices=(0, 1),
            attn_drop_rate=0.1,
            drop_path_rate=0.1,
        ),
        ((37, 29, 3),),
        ((5, 4, 8), (5, 4, 8)),
        rate="drop_rate",
    ),
}

PYRAMID = ((17, 13, 4), (9, 7, 6), (5, 4, 8))

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


def head(size, *more, previous=None, **config):
    config = dict(channels=6, num_classes=3, norm_cfg=BN) | config
    outputs = ((*size, 3), *more)
    return Case(config, PYRAMID, outputs, rate="dropout_ratio", previous=previous)


def maskformer():
    attention = dict(embed_dims=8, num_heads=2)
    layer = dict(
        self_attn_cfg=attention,
        cross_attn_cfg=attention,
        ffn_cfg=dict(embed_dims=8, feedforward_channels=6),
    )
    costs = [
        dict(type="mmdet.ClassificationCost", weight=1.0),
        dict(type="mmdet.FocalLossCost", weight=20.0, binary_input=True),
        dict(type="mmdet.DiceCost", weight=1.0, pred_act=True, eps=1.0),
    ]
    config = dict(
        in_channels=[4, 6, 8],
        in_index=[0, 1, 2],
        feat_channels=8,
        out_channels=8,
        num_classes=3,
        num_queries=4,
        enforce_decoder_input_project=True,
        pixel_decoder=dict(
            type="mmdet.PixelDecoder", norm_cfg=dict(type="GN", num_groups=2)
        ),
        positional_encoding=dict(num_feats=4, normalize=True),
        transformer_decoder=dict(num_layers=2, layer_cfg=layer),
        loss_cls=dict(type="mmdet.CrossEntropyLoss", class_weight=[1.0] * 3 + [0.1]),
        loss_mask=dict(type="mmdet.FocalLoss", loss_weight=20.0),
        loss_dice=dict(type="mmdet.DiceLoss", naive_dice=True, eps=1.0),
        train_cfg=dict(
            assigner=dict(type="mmdet.HungarianAssigner", match_costs=costs),
            sampler=dict(type="mmdet.MaskPseudoSampler"),
        ),
    )
    return Case(config, PYRAMID, ((2, 4, 4), (2, 4, 8), (17, 13, 8)))


SEVERAL = dict(in_channels=[4, 6, 8], in_index=[0, 1, 2])
HEADS = {
    "ANNHead": head(
        (5, 4),
        in_channels=[6, 8],
        in_index=[1, 2],
        project_channels=4,
        query_scales=[1, 1],
        key_pool_scales=[1, 3],
    ),
    "APCHead": head((5, 4), in_channels=8, pool_scales=[1, 3]),
    "ASPPHead": head((5, 4), in_channels=8, dilations=[1, 2]),
    "DepthwiseSeparableASPPHead": head(
        (17, 13), in_channels=8, dilations=[1, 2], c1_in_channels=4, c1_channels=3
    ),
    "CCHead": head((5, 4), in_channels=8, channels=8),
    "DAHead": head((5, 4), (5, 4, 3), (5, 4, 3), in_channels=8, pam_channels=4),
    "DDRHead": Case(
        dict(
            in_channels=8,
            channels=6,
            num_classes=3,
            norm_cfg=BN,
            loss_decode=[dict(type="OhemCrossEntropy", min_kept=5)] * 2,
        ),
        ((5, 4, 4), (5, 4, 8)),
        ((5, 4, 3), (5, 4, 3)),
        rate="dropout_ratio",
    ),
    "DMHead": head((5, 4), in_channels=8, filter_sizes=[1, 2, 3], fusion=True),
    "DNLHead": head((5, 4), in_channels=8, temperature=0.5),
    "EMAHead": head((5, 4), in_channels=8, ema_channels=6, num_bases=4, num_stages=2),
    "DepthwiseSeparableFCNHead": head((5, 4), in_channels=8),
    "EncHead": head((5, 4), (3,), num_codes=4, add_lateral=True, **SEVERAL),
    "FCNHead": head((17, 13), input_transform="resize_concat", **SEVERAL),
    "FPNHead": head((17, 13), feature_strides=[4, 8, 16], **SEVERAL),
    "GCHead": head(
        (5, 4), in_channels=8, ratio=0.5, fusion_types=["channel_mul", "channel_add"]
    ),
    "LRASPPHead": Case(
        dict(channels=6, num_classes=3, norm_cfg=BN)
        | dict(SEVERAL, input_transform="multiple_select"),
        ((71, 73, 4), (59, 61, 6), (50, 70, 8)),
        ((71, 73, 3),),
        rate="dropout_ratio",
    ),
    "ISAHead": head((5, 4), in_channels=8, isa_channels=4, down_factor=[2, 3]),
    "MaskFormerHead": maskformer(),
    "NLHead": head((5, 4), in_channels=8, mode="dot_product", concat_input=False),
    "OCRHead": head((5, 4), previous=(5, 4, 3), in_channels=8, ocr_channels=5),
    "PIDHead": Case(
        dict(
            in_channels=8,
            channels=6,
            num_classes=3,
            norm_cfg=BN,
            loss_decode=[
                dict(type="CrossEntropyLoss"),
                dict(type="OhemCrossEntropy", min_kept=5),
                dict(type="BoundaryLoss"),
                dict(type="OhemCrossEntropy", min_kept=5),
            ],
        ),
        ((5, 4, 4), (5, 4, 8), (5, 4, 4)),
        ((5, 4, 3), (5, 4, 3), (5, 4, 1)),
        rate="dropout_ratio",
    ),
    "PointHead": Case(
        dict(channels=6, num_classes=3, in_channels=[4], in_index=[0])
        | dict(num_points=20, subdivision_num_points=50),
        PYRAMID,
        ((20, 16, 3),),
        rate="dropout_ratio",
        previous=(5, 4, 3),
    ),
    "PSAHead": head((5, 4), in_channels=8, mask_size=[5, 3]),
    "PSPHead": head((5, 4), in_channels=8, align_corners=True),
    "STDCHead": head((5, 4), in_channels=8, num_convs=1, concat_input=False),
    "UPerHead": head((17, 13), **SEVERAL),
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

# Parts of heads that classify masks.
OF_MASKS = {
    "ClassificationCost",
    "DiceCost",
    "FocalLossCost",
    "HungarianAssigner",
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
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Swish",
    "Tanh",
}
NEEDED_ELSEWHERE = ACTIVATIONS | {
    "BN",
    "GN",
    "IN",
    "LN",
    "PixelDecoder",
    "SinePositionalEncoding",
    "SyncBN",
}

MODULES = BACKBONES | NECKS | HEADS


def build(name, **changes):
    case = MODULES[name]
    config = {"type": name} | case.config | changes
    return resolve(config, name)


def maps(name, dtype="float32", batch=2):
    """The arguments of a call, but for `train`."""
    rng = np.random.default_rng(0)

    def draw(shape):
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
