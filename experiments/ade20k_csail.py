"""CSAIL's semantic-segmentation-pytorch on ADE20K, 100k iterations of 16 images.

    python -m jaxseg.main --config experiments/ade20k_csail.py
    python -m jaxseg.main --mode eval \
        --config experiments/ade20k_csail.py:hrnetv2-c1 \
        --checkpoint encoder_epoch_30.pth,decoder_epoch_30.pth

The argument is ENCODER-DECODER, as the repository names them in its folders of weights:
encoders resnet18dilated, resnet50dilated, resnet101dilated, resnet50, resnet101,
mobilenetv2dilated and hrnetv2; decoders c1, c1_deepsup, ppm, ppm_deepsup, upernet and
upernet_lite. The default is resnet50dilated-ppm_deepsup. Its pairs of checkpoints are
taken as they are. Data as of ade20k_upernet.py. The repository resizes images to a
short side of 450, rounded up to multiples of 8 or 32, by another interpolation;
it has not been trained with jaxseg yet.
"""

from typing import Any

import common

CLASSES = 150
ITERATIONS = 100_000  # 20 epochs of 5000


def get_config(name: str = "resnet50dilated-ppm_deepsup") -> dict[str, Any]:
    return dict(
        model=_model(name),
        **common.ade20k((1000, 450), (448, 448)),
        **common.sgd_schedule(ITERATIONS, lr=0.02),
    )


def _model(name: str) -> dict[str, Any]:
    """The model of ENCODER-DECODER."""
    encoder, decoder = name.removesuffix("_deepsup").split("-")
    backbone, channels = _encoder(encoder)
    config = dict(
        type="EncoderDecoder",
        data_preprocessor=common.preprocessor((448, 448)),
        backbone=backbone,
        decode_head=_decoder(decoder, channels),
        test_cfg=dict(mode="whole"),
    )
    if name.endswith("_deepsup"):
        config["auxiliary_head"] = _c1(
            channels[-2],
            channels[-1] // 4,
            in_index=len(channels) - 2,
            dropout_ratio=0.1 if decoder == "ppm" else 0.0,
            loss_weight=0.4,
        )
    return config


def _encoder(name: str) -> tuple[dict[str, Any], list[int]]:
    """A backbone, and the channels of its maps."""
    if name == "hrnetv2":
        return _HRNET, [48, 96, 192, 384]
    if name == "mobilenetv2dilated":
        return _MOBILENET, [24, 32, 64, 160, 320]
    depth = int(name.removeprefix("resnet").removesuffix("dilated"))
    dilated = name.endswith("dilated")
    backbone = dict(
        type="ResNetV1c",
        depth=depth,
        stem_channels=128,
        strides=(1, 2, 1, 1) if dilated else (1, 2, 2, 2),
        dilations=(1, 1, 2, 4) if dilated else (1, 1, 1, 1),
        contract_dilation=True,
        dilates_both=depth == 18,
        norm_cfg=common.SYNC_BN,
    )
    widest = 512 if depth == 18 else 2048
    return backbone, [widest // 8, widest // 4, widest // 2, widest]


def _decoder(name: str, channels: list[int]) -> dict[str, Any]:
    last = channels[-1]
    if name == "ppm":
        return _head("PSPHead", in_channels=last, channels=512)
    if name.startswith("upernet"):
        return _head(
            "UPerHead",
            in_channels=channels,
            in_index=[0, 1, 2, 3],
            channels=256 if name == "upernet_lite" else 512,
            pool_channels=512,
            resizes_pooled_first=True,
            dropout_ratio=0.0,
        )
    if channels == [48, 96, 192, 384]:  # HRNet joins its maps
        several = dict(in_index=[0, 1, 2, 3], input_transform="resize_concat")
        return _c1(channels, sum(channels) // 4, **several)
    return _c1(last, last // 4)


def _c1(
    in_channels: int | list[int],
    channels: int,
    dropout_ratio: float = 0.0,
    **config: Any,
) -> dict[str, Any]:
    return _head(
        "FCNHead",
        in_channels=in_channels,
        channels=channels,
        num_convs=1,
        concat_input=False,
        dropout_ratio=dropout_ratio,
        **config,
    )


def _head(kind: str, loss_weight: float = 1.0, **config: Any) -> dict[str, Any]:
    return dict(
        type=kind,
        num_classes=CLASSES,
        norm_cfg=common.SYNC_BN,
        loss_decode=dict(
            type="CrossEntropyLoss", avg_non_ignore=True, loss_weight=loss_weight
        ),
        **config,
    )


def _hr_stage(modules: int, *channels: int, block: str = "BASIC") -> dict[str, Any]:
    return dict(
        num_modules=modules,
        num_branches=len(channels),
        block=block,
        num_blocks=(4,) * len(channels),
        num_channels=channels,
    )


_HRNET = dict(
    type="HRNet",
    extra=dict(
        stage1=_hr_stage(1, 64, block="BOTTLENECK"),
        stage2=_hr_stage(1, 48, 96),
        stage3=_hr_stage(4, 48, 96, 192),
        stage4=_hr_stage(3, 48, 96, 192, 384),
    ),
    norm_cfg=common.SYNC_BN,
)

# Its maps are those where the image was halved, and the last one.
_MOBILENET = dict(
    type="MobileNetV2",
    strides=(1, 2, 2, 1, 1, 1, 1),
    dilations=(1, 1, 1, (1, 2, 2, 2), (2, 2, 2), (2, 4, 4), 4),
    out_indices=(1, 2, 3, 5, 6),
    early_indices=(1, 2, 3, 5),
    norm_cfg=common.SYNC_BN,
)
