"""Mask2Former of Hugging Face."""

from jaxseg.weights.huggingface.errors import HuggingFaceError
from jaxseg.weights.huggingface.family import SegmentorFamily
from jaxseg.weights.huggingface.forms import join_queries_keys_values
from jaxseg.weights.huggingface.masks import (
    OF_DECODER,
    OF_PREDICTORS,
    POINT_DEFAULTS,
    point_training,
)
from jaxseg.weights.key_table import KeyTable

_LEVELS = 3


def _mask2former(fields, backbone, channels, classes):
    width, heads = fields["hidden_dim"], fields["num_attention_heads"]
    if fields["feature_size"] != width or len(channels) != 4:
        raise HuggingFaceError(
            f"config.json: feature_size is {fields['feature_size']} and hidden_dim "
            f"{width}, of {len(channels)} maps; allowed: the same, of 4"
        )
    attention = dict(embed_dims=width, num_heads=heads)
    encoder_layer = dict(
        self_attn_cfg=dict(attention, num_levels=_LEVELS, dropout=0.0),
        ffn_cfg=dict(
            embed_dims=width, feedforward_channels=fields["encoder_feedforward_dim"]
        ),
    )
    decoder_layer = dict(
        self_attn_cfg=attention,
        cross_attn_cfg=attention,
        ffn_cfg=dict(embed_dims=width, feedforward_channels=fields["dim_feedforward"]),
    )
    encoding = dict(num_feats=width // 2, normalize=True)
    return dict(
        type="EncoderDecoder",
        backbone=backbone,
        decode_head=dict(
            type="Mask2FormerHead",
            in_channels=channels,
            feat_channels=width,
            out_channels=fields["mask_feature_size"],
            num_classes=classes,
            num_queries=fields["num_queries"],
            ignore_index=fields["ignore_value"],
            num_transformer_feat_level=_LEVELS,
            enforce_decoder_input_project=fields["enforce_input_projection"],
            pixel_decoder=dict(
                type="mmdet.MSDeformAttnPixelDecoder",
                num_outs=_LEVELS,
                encoder=dict(
                    num_layers=fields["encoder_layers"], layer_cfg=encoder_layer
                ),
                positional_encoding=encoding,
            ),
            positional_encoding=encoding,
            # transformers counts what the queries are before the first layer, too.
            transformer_decoder=dict(
                num_layers=fields["decoder_layers"] - 1, layer_cfg=decoder_layer
            ),
            **point_training(fields, classes),
        ),
    )


def _weights(weights, model):
    del model
    return join_queries_keys_values(weights, "in_proj_")


_PIXELS = r"^model\.pixel_level_module\.decoder\."
_QUERIES = r"^model\.transformer_module\."

MASK2FORMER = SegmentorFamily(
    backbone_prefix="model.pixel_level_module.encoder.",
    defaults=POINT_DEFAULTS
    | {
        "feature_size": 256,
        "mask_feature_size": 256,
        "hidden_dim": 256,
        "encoder_feedforward_dim": 1024,
        "encoder_layers": 6,
        "decoder_layers": 10,
        "num_attention_heads": 8,
        "dim_feedforward": 2048,
        "enforce_input_projection": False,
        "ignore_value": 255,
        "num_queries": 100,
    },
    only={
        "activation_function": "relu",
        "dropout": 0.0,
        "pre_norm": False,
        "common_stride": 4,
        "feature_strides": [4, 8, 16, 32],
    },
    model=_mask2former,
    key_table=KeyTable(
        renames=(
            (
                _PIXELS + r"level_embed$",
                "decode_head.pixel_decoder.level_encoding.weight",
            ),
            (_PIXELS + r"mask_projection\.", "decode_head.pixel_decoder.mask_feature."),
            (_PIXELS + r"adapter_1\.", "decode_head.pixel_decoder.lateral_convs.0."),
            (_PIXELS + r"layer_1\.", "decode_head.pixel_decoder.output_convs.0."),
            (
                _PIXELS + r"input_projections\.",
                "decode_head.pixel_decoder.input_convs.",
            ),
            (r"(_convs\.\d)\.0\.", r"\1.conv."),
            (r"(_convs\.\d)\.1\.", r"\1.gn."),
            (_PIXELS + r"encoder\.", "decode_head.pixel_decoder.encoder."),
            (r"(\.encoder\.layers\.\d+)\.self_attn_layer_norm\.", r"\1.norms.0."),
            (r"(\.encoder\.layers\.\d+)\.final_layer_norm\.", r"\1.norms.1."),
            (_QUERIES + r"queries_embedder\.", "decode_head.query_embed."),
            (_QUERIES + r"queries_features\.", "decode_head.query_feat."),
            (_QUERIES + r"level_embed\.", "decode_head.level_embed."),
            (_QUERIES + r"input_projections\.", "decode_head.decoder_input_projs."),
            (_QUERIES + r"decoder\.mask_predictor\.", ""),
            (_QUERIES + r"decoder\.", "decode_head.transformer_decoder."),
            (r"\.cross_attn_layer_norm\.", ".norms.0."),
            (r"\.self_attn_layer_norm\.", ".norms.1."),
            (r"\.cross_attn\.", ".cross_attn.attn."),
            *OF_DECODER,
            *OF_PREDICTORS,
        ),
        unused=("criterion.",),
        convert=_weights,
    ),
)
