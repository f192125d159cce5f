"""MobileNetV2 of Hugging Face, with DeepLabV3's head."""

from jaxseg.ops.make_divisible import make_divisible
from jaxseg.weights.huggingface.errors import HuggingFaceError
from jaxseg.weights.huggingface.family import BackboneFamily, SegmentorFamily
from jaxseg.weights.key_table import KeyTable

# Blocks of each stage behind the first one, and the stride of the first of them.
_STAGES = ((2, 2), (3, 2), (4, 2), (3, 1), (3, 2), (1, 1))


def _mobilenet_v2(fields, where):
    stride, factor = fields["output_stride"], fields["depth_multiplier"]
    if stride not in (8, 16, 32):
        raise HuggingFaceError(
            f"{where}: output_stride is {stride}, allowed: 8, 16, 32"
        )
    # Of equal widths the first block adds its input, in mmseg and not in transformers.
    if make_divisible(32 * factor) == make_divisible(16 * factor):
        raise HuggingFaceError(
            f"{where}: depth_multiplier is {factor}, allowed: from 0.35"
        )
    strides, dilations = _strides_and_dilations(stride)
    return dict(
        type="MobileNetV2",
        in_channels=fields["num_channels"],
        widen_factor=fields["depth_multiplier"],
        strides=strides,
        dilations=dilations,
        out_indices=(6,),
        conv_cfg=dict(type="Conv2dAdaptivePadding") if fields["tf_padding"] else None,
        norm_cfg=dict(type="SyncBN", eps=fields["layer_norm_eps"]),
    )


def _strides_and_dilations(output_stride):
    """Where the map has the size that it will have, a stride becomes a dilation.

    The block that would have the stride keeps the dilation before it.
    """
    strides, dilations, current, dilation = [1], [1], 2, 1
    for count, stride in _STAGES:
        first = dilation
        if current == output_stride:
            dilation *= stride
            stride = 1
        current *= stride
        strides.append(stride)
        dilations.append((first, *[dilation] * (count - 1)))
    return tuple(strides), tuple(dilations)


def _renames():
    yield r"^conv_stem\.first_conv\.", "conv1."
    yield r"^conv_stem\.conv_3x3\.", "layer1.0.conv.0."
    yield r"^conv_stem\.reduce_1x1\.", "layer1.0.conv.1."
    number = 0
    for stage, (count, _) in enumerate(_STAGES, 2):
        for block in range(count):
            for item, name in enumerate(("expand_1x1", "conv_3x3", "reduce_1x1")):
                theirs = rf"^layer\.{number}\.{name}\."
                yield theirs, f"layer{stage}.{block}.conv.{item}."
            number += 1
    yield r"\.convolution\.", ".conv."
    yield r"\.normalization\.", ".bn."


MOBILENET_V2 = BackboneFamily(
    prefix="mobilenet_v2.",
    defaults={
        "num_channels": 3,
        "depth_multiplier": 1.0,
        "output_stride": 32,
        "tf_padding": True,
        "layer_norm_eps": 0.001,
    },
    only={
        "hidden_act": "relu6",
        "depth_divisible_by": 8,
        "min_depth": 8,
        "expand_ratio": 6,
        "first_layer_is_expansion": True,
    },
    config=_mobilenet_v2,
    channels=lambda fields: (make_divisible(320 * fields["depth_multiplier"]),),
    key_table=KeyTable(renames=tuple(_renames()), unused=("conv_1x1.", "classifier.")),
)


def _deeplab(fields, backbone, channels, classes):
    return dict(
        type="EncoderDecoder",
        backbone=backbone,
        decode_head=dict(
            type="ASPPHead",
            in_channels=channels[0],
            in_index=0,
            channels=256,
            dilations=(1,),
            bottleneck_kernel_size=1,
            dropout_ratio=fields["classifier_dropout_prob"],
            num_classes=classes,
            ignore_index=fields["semantic_loss_ignore_index"],
            norm_cfg=dict(type="SyncBN"),
        ),
    )


DEEPLAB = SegmentorFamily(
    backbone="mobilenet_v2",
    backbone_prefix="mobilenet_v2.",
    defaults={"classifier_dropout_prob": 0.8, "semantic_loss_ignore_index": 255},
    model=_deeplab,
    key_table=KeyTable(
        renames=(
            (r"^segmentation_head\.conv_pool\.", "decode_head.image_pool.1."),
            (r"^segmentation_head\.conv_aspp\.", "decode_head.aspp_modules.0."),
            (r"^segmentation_head\.conv_projection\.", "decode_head.bottleneck."),
            (r"^segmentation_head\.classifier\.convolution\.", "decode_head.conv_seg."),
            (r"\.convolution\.", ".conv."),
            (r"\.normalization\.", ".bn."),
        )
    ),
)
