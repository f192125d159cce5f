"""EoMT of Hugging Face."""

import numpy as np

from jaxseg.weights.huggingface.dinov2 import BLOCKS, DINOV2, common_fields
from jaxseg.weights.huggingface.errors import HuggingFaceError
from jaxseg.weights.huggingface.family import BackboneFamily, SegmentorFamily
from jaxseg.weights.huggingface.forms import join_queries_keys_values
from jaxseg.weights.huggingface.masks import POINT_DEFAULTS, point_training
from jaxseg.weights.key_table import KeyTable


def _vit(fields, where):
    return dict(
        type="DINOv2",
        img_size=fields["image_size"],
        mlp_ratio=fields["mlp_ratio"],
        swiglu=fields["use_swiglu_ffn"],
        num_queries=fields["num_queries"],
        num_query_blocks=fields["num_blocks"],
        **common_fields(fields, where),
    )


def _vit_weights(weights, backbone):
    del backbone
    weights = join_queries_keys_values(weights, "qkv.")
    if "pos_embed" in weights:  # of the patches; the class token has none
        table = np.asarray(weights["pos_embed"])
        weights["pos_embed"] = np.concatenate([np.zeros_like(table[:1]), table])[None]
    return weights


EOMT_VIT = BackboneFamily(
    prefix="",
    defaults=DINOV2.defaults
    | {
        "image_size": 640,
        "patch_size": 16,
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "num_register_tokens": 4,
        "num_queries": 200,
        "num_blocks": 4,
    },
    only={"hidden_act": "gelu", "hidden_dropout_prob": 0.0, "attention_dropout": 0.0},
    config=_vit,
    channels=lambda fields: (fields["hidden_size"],),
    key_table=KeyTable(
        renames=(
            (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.projection."),
            (r"^embeddings\.position_embeddings\.weight$", "pos_embed"),
            (r"^embeddings\.", ""),
            (r"^layers\.", "blocks."),
            (r"^layernorm\.", "norm."),
            (r"\.attention\.q_proj\.", ".attn.query."),
            (r"\.attention\.k_proj\.", ".attn.key."),
            (r"\.attention\.v_proj\.", ".attn.value."),
            (r"\.attention\.out_proj\.", ".attn.proj."),
            *BLOCKS,
        ),
        convert=_vit_weights,
    ),
)


def _segmentor(fields, backbone, channels, classes):
    never = (0,) * backbone["num_query_blocks"]
    return dict(
        type="EoMT",
        backbone=backbone,
        mask_annealing=dict(start=never, end=never),
        decode_head=dict(
            type="EoMTHead",
            in_channels=channels[0],
            num_classes=classes,
            num_queries=backbone["num_queries"],
            num_upscale_blocks=fields["num_upscale_blocks"],
            **point_training(fields, classes),
        ),
    )


def _weights(weights, model):
    del model
    weights = dict(weights)
    if np.any(weights.pop("attn_mask_probs", 0)):
        raise HuggingFaceError(
            "attn_mask_probs are not all 0: the model needs its masks where it predicts. "
            "jaxseg reads those whose mask annealing has come to its end"
        )
    return weights


EOMT = SegmentorFamily(
    backbone="eomt",
    backbone_prefix=("embeddings.", "layers.", "layernorm.", "query."),
    defaults=POINT_DEFAULTS | {"num_upscale_blocks": 2},
    model=_segmentor,
    key_table=KeyTable(
        renames=(
            (r"^class_predictor\.", "decode_head.cls_embed."),
            (r"^mask_head\.fc1\.", "decode_head.mask_embed.0."),
            (r"^mask_head\.fc2\.", "decode_head.mask_embed.2."),
            (r"^mask_head\.fc3\.", "decode_head.mask_embed.4."),
            (r"^upscale_block\.block\.", "decode_head.upscale."),
            (r"\.layernorm2d\.", ".norm."),
        ),
        unused=("criterion.",),
        convert=_weights,
    ),
)
