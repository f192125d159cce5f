"""MaskFormer of Hugging Face."""

from jaxseg.weights.huggingface.errors import HuggingFaceError
from jaxseg.weights.huggingface.family import SegmentorFamily
from jaxseg.weights.huggingface.fields import read_fields
from jaxseg.weights.huggingface.forms import join_queries_keys_values
from jaxseg.weights.huggingface.masks import (
    OF_DECODER,
    OF_PREDICTORS,
    assigner,
    class_loss,
    dice_loss,
)
from jaxseg.weights.key_table import KeyTable

# Of `decoder_config`, a DETR.
_DECODER_DEFAULTS = {
    "d_model": 256,
    "decoder_layers": 6,
    "decoder_ffn_dim": 2048,
    "decoder_attention_heads": 8,
    "num_queries": 100,
    "dropout": 0.1,
    "attention_dropout": 0.0,
}


def _maskformer(fields, backbone, channels, classes):
    where = "config.json: decoder_config"
    decoder = read_fields(
        fields["decoder_config"] or {},
        _DECODER_DEFAULTS,
        {"model_type": "detr", "activation_function": "relu"},
        where,
    )
    width = decoder["d_model"]
    if fields["fpn_feature_size"] != width or len(channels) != 4:
        raise HuggingFaceError(
            f"{where}: d_model is {width} and fpn_feature_size "
            f"{fields['fpn_feature_size']}, of {len(channels)} maps; allowed: the same, "
            "of 4"
        )
    attention = dict(
        embed_dims=width,
        num_heads=decoder["decoder_attention_heads"],
        attn_drop=decoder["attention_dropout"],
        proj_drop=decoder["dropout"],
    )
    layer = dict(
        self_attn_cfg=attention,
        cross_attn_cfg=attention,
        ffn_cfg=dict(
            embed_dims=width,
            feedforward_channels=decoder["decoder_ffn_dim"],
            ffn_drop=decoder["dropout"],
        ),
    )
    return dict(
        type="EncoderDecoder",
        backbone=backbone,
        decode_head=dict(
            type="MaskFormerHead",
            in_channels=channels,
            in_index=tuple(range(len(channels))),
            feat_channels=width,
            out_channels=fields["mask_feature_size"],
            num_classes=classes,
            num_queries=decoder["num_queries"],
            pixel_decoder=dict(type="mmdet.PixelDecoder"),
            positional_encoding=dict(num_feats=width // 2, normalize=True),
            transformer_decoder=dict(
                num_layers=decoder["decoder_layers"],
                layer_cfg=layer,
                return_intermediate=fields["use_auxiliary_loss"],
            ),
            **_training(fields, classes),
        ),
    )


def _training(fields, classes):
    entropy, mask, dice = (
        fields[f"{k}_weight"] for k in ("cross_entropy", "mask", "dice")
    )
    cost = dict(type="mmdet.FocalLossCost", weight=mask, binary_input=True)
    return dict(
        loss_cls=class_loss(classes, fields["no_object_weight"], entropy),
        loss_mask=dict(type="mmdet.FocalLoss", loss_weight=mask),
        loss_dice=dice_loss(dice),
        train_cfg=dict(assigner=assigner(cost, 1.0, dice)),
    )


def _weights(weights, model):
    del model
    return join_queries_keys_values(weights, "in_proj_")


_PIXELS = r"^model\.pixel_level_module\.decoder\."
_QUERIES = r"^model\.transformer_module\."


def _level(theirs):
    """The renames of a level of the pyramid, which is counted from the coarsest there."""
    start, ours = _PIXELS + rf"fpn\.layers\.{theirs}", 2 - theirs
    return (
        (start + r"\.proj\.", f"decode_head.pixel_decoder.lateral_convs.{ours}."),
        (start + r"\.block\.", f"decode_head.pixel_decoder.output_convs.{ours}."),
    )


MASKFORMER = SegmentorFamily(
    backbone_prefix="model.pixel_level_module.encoder.",
    defaults={
        "fpn_feature_size": 256,
        "mask_feature_size": 256,
        "no_object_weight": 0.1,
        "use_auxiliary_loss": False,
        "decoder_config": None,
        "dice_weight": 1.0,
        "cross_entropy_weight": 1.0,
        "mask_weight": 20.0,
    },
    model=_maskformer,
    key_table=KeyTable(
        renames=(
            (_PIXELS + r"fpn\.stem\.", "decode_head.pixel_decoder.last_feat_conv."),
            *_level(0),
            *_level(1),
            *_level(2),
            (r"(_feat_conv|_convs\.\d)\.0\.", r"\1.conv."),
            (r"(_feat_conv|_convs\.\d)\.1\.", r"\1.gn."),
            (_PIXELS + r"mask_projection\.", "decode_head.pixel_decoder.mask_feature."),
            (_QUERIES + r"queries_embedder\.", "decode_head.query_embed."),
            (_QUERIES + r"input_projection\.", "decode_head.decoder_input_proj."),
            (_QUERIES + r"decoder\.", "decode_head.transformer_decoder."),
            (r"\.self_attn_layer_norm\.", ".norms.0."),
            (r"\.encoder_attn_layer_norm\.", ".norms.1."),
            (r"\.encoder_attn\.", ".cross_attn."),
            *OF_DECODER,
            *OF_PREDICTORS,
        ),
        unused=("criterion.",),
        convert=_weights,
    ),
)
