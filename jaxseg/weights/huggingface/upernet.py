"""UPerNet of Hugging Face, over any of its backbones."""

from jaxseg.weights.huggingface.family import SegmentorFamily
from jaxseg.weights.key_table import KeyTable

HEAD_DEFAULTS = {
    "pool_scales": (1, 2, 3, 6),
    "use_auxiliary_head": True,
    "auxiliary_loss_weight": 0.4,
    "auxiliary_channels": 256,
    "auxiliary_num_convs": 1,
    "auxiliary_concat_input": False,
}


def heads(fields, channels, width, classes, ignore_index, auxiliary_in=None):
    """The two heads, which BEiT has, too.

    Args:
        fields: with those of `HEAD_DEFAULTS`.
        channels: those of the maps.
        width: channels of the decode head.
        classes: the number of classes.
        ignore_index: the label that does not count.
        auxiliary_in: channels of the auxiliary head's map, where the config says them.

    Returns:
        `decode_head` and, where there is one, `auxiliary_head`.
    """
    common = dict(
        dropout_ratio=0.0,
        num_classes=classes,
        ignore_index=ignore_index,
        norm_cfg=dict(type="SyncBN"),
    )
    found = dict(
        decode_head=dict(
            type="UPerHead",
            in_channels=channels,
            in_index=tuple(range(len(channels))),
            pool_scales=fields["pool_scales"],
            channels=width,
            **common,
        )
    )
    if fields["use_auxiliary_head"]:
        weight = fields["auxiliary_loss_weight"]
        found["auxiliary_head"] = dict(
            type="FCNHead",
            in_channels=auxiliary_in or channels[2],
            in_index=2,
            channels=fields["auxiliary_channels"],
            num_convs=fields["auxiliary_num_convs"],
            concat_input=fields["auxiliary_concat_input"],
            loss_decode=dict(type="CrossEntropyLoss", loss_weight=weight),
            **common,
        )
    return found


def _upernet(fields, backbone, channels, classes):
    return dict(
        type="EncoderDecoder",
        backbone=backbone,
        **heads(
            fields,
            channels,
            fields["hidden_size"],
            classes,
            fields["loss_ignore_index"],
            fields["auxiliary_in_channels"],
        ),
    )


HEAD_RENAMES = (
    (r"\.batch_norm\.", ".bn."),
    (r"_head\.classifier\.", "_head.conv_seg."),
)

UPERNET = SegmentorFamily(
    backbone_prefix="backbone.",
    defaults=HEAD_DEFAULTS
    | {"hidden_size": 512, "auxiliary_in_channels": None, "loss_ignore_index": 255},
    model=_upernet,
    key_table=KeyTable(renames=HEAD_RENAMES),
)
