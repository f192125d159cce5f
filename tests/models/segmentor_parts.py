"""Parts of the small segmentors: backbones, heads and necks that several have."""

from tests.models.cases import BACKBONES

NORM = dict(type="SyncBN")
SIDE, CLASSES = 64, 5


def resnet(kind="ResNetV1c", **config):
    return dict(
        type=kind,
        depth=18,
        base_channels=8,
        stem_channels=8,
        norm_cfg=NORM,
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        **config,
    )


def resnext(kind):
    groups = dict(base_channels=8, stem_channels=8, groups=2, base_width=4)
    return dict({"type": kind} | BACKBONES[kind].config | groups, norm_cfg=NORM)


def unet(upsample):
    return dict(
        type="UNet",
        base_channels=8,
        num_stages=3,
        strides=(1, 1, 1),
        enc_num_convs=(2, 2, 2),
        dec_num_convs=(2, 2),
        downsamples=(True, True),
        enc_dilations=(1, 1, 1),
        dec_dilations=(1, 1),
        upsample_cfg=dict(type=upsample),
        norm_cfg=NORM,
    )


def vit(layers, **config):
    """Its maps are those of all layers."""
    return dict(
        type="VisionTransformer",
        img_size=(SIDE, SIDE),
        patch_size=8,
        embed_dims=16,
        num_layers=layers,
        num_heads=2,
        out_indices=list(range(layers)),
        **config,
    )


def head(kind, loss="CrossEntropyLoss", **config):
    common = dict(channels=16, num_classes=CLASSES, dropout_ratio=0.1, norm_cfg=NORM)
    return dict(type=kind, loss_decode=dict(type=loss), **(common | config))


def last(kind, channels=64, **config):
    return head(kind, in_channels=channels, in_index=-1, **config)


PYRAMID = dict(in_channels=[8, 16, 32, 64], in_index=[0, 1, 2, 3])
CE = dict(type="CrossEntropyLoss")
OHEM = dict(type="OHEMPixelSampler", thresh=0.7, min_kept=100)
FPN = dict(type="FPN", in_channels=[8, 16, 32, 64], out_channels=16, num_outs=4)
FPN_HEAD = head(
    "FPNHead",
    in_channels=[16] * 4,
    in_index=[0, 1, 2, 3],
    feature_strides=[4, 8, 8, 8],
)

# Every backbone, neck and head in as few models as they fit in.
