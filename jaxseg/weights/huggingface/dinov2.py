"""DINOv2 and DINOv3 of Hugging Face."""

import dataclasses
from typing import Any

import numpy as np

from jaxseg.weights.huggingface.errors import HuggingFaceError
from jaxseg.weights.huggingface.family import BackboneFamily
from jaxseg.weights.huggingface.fields import Fields, stages_of
from jaxseg.weights.huggingface.forms import join_queries_keys_values
from jaxseg.weights.join_weights import join_weights
from jaxseg.weights.key_table import KeyTable


def common_fields(fields: Fields, where: str) -> dict[str, Any]:
    """Our fields that all of these ViTs have, for the fields of a config.json."""
    return dict(
        in_channels=fields["num_channels"],
        patch_size=fields["patch_size"],
        embed_dims=fields["hidden_size"],
        num_layers=fields["num_hidden_layers"],
        num_heads=fields["num_attention_heads"],
        num_register_tokens=fields["num_register_tokens"],
        out_indices=stages_of(fields, fields["num_hidden_layers"], where),
        drop_path_rate=fields["drop_path_rate"],
        init_values=fields["layerscale_value"],
        norm_cfg=dict(type="LN", eps=fields["layer_norm_eps"]),
    )


def _dinov2(fields, where):
    return dict(
        type="DINOv2",
        img_size=fields["image_size"],
        mlp_ratio=fields["mlp_ratio"],
        swiglu=fields["use_swiglu_ffn"],
        qkv_bias=fields["qkv_bias"],
        final_norm=fields["apply_layernorm"],
        interpolate_antialias=fields["num_register_tokens"] > 0,
        **common_fields(fields, where),
    )


def _dinov3(fields, where):
    hidden, width = fields["intermediate_size"], fields["hidden_size"]
    gated = fields["use_gated_mlp"]
    act = "silu" if gated else "gelu"
    if fields["hidden_act"] != act:
        raise HuggingFaceError(
            f"{where}: hidden_act is {fields['hidden_act']!r}, allowed with "
            f"use_gated_mlp={gated}: {act}"
        )
    if gated and hidden % 8:
        raise HuggingFaceError(
            f"{where}: intermediate_size is {hidden}, allowed: multiples of 8"
        )
    return dict(
        type="DINOv3",
        mlp_ratio=hidden * (1.5 if gated else 1) / width,
        swiglu=gated,
        rope_base=fields["rope_theta"],
        **common_fields(fields, where),
    )


def _channels(fields):
    count = len(stages_of(fields, fields["num_hidden_layers"], ""))
    return (fields["hidden_size"],) * count


def _weights(weights, backbone):
    del backbone
    return join_queries_keys_values(weights, "qkv.")


def _weights_of_dinov3(weights, backbone):
    """With a bias of zeros for the keys, and SwiGLU's first two layers as one."""
    # Without registers there is an empty table of them.
    weights = {key: array for key, array in weights.items() if np.size(array)}
    for key in list(weights):
        if key.endswith(".query.bias"):
            zeros = np.zeros_like(weights[key])
            weights.setdefault(key.replace(".query.", ".key."), zeros)
    if backbone["swiglu"]:
        weights = {k.replace(".mlp.fc2.", ".mlp.w3."): a for k, a in weights.items()}
        halves = (".mlp.gate_proj.", ".mlp.fc1.")
        weights = join_weights(weights, halves, ".mlp.w12.")
    return _weights(weights, backbone)


# Names inside a block that all of them have.
BLOCKS = (
    (r"\.layer_scale(\d)\.lambda1$", r".ls\1.gamma"),
    (r"\.mlp\.weights_in\.", ".mlp.w12."),
    (r"\.mlp\.weights_out\.", ".mlp.w3."),
)
_DEFAULTS = {
    "num_channels": 3,
    "image_size": 224,
    "patch_size": 14,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "num_register_tokens": 0,
    "layer_norm_eps": 1e-6,
    "layerscale_value": 1.0,
    "drop_path_rate": 0.0,
    "out_features": None,
    "out_indices": None,
}

DINOV2 = BackboneFamily(
    prefix="dinov2.",
    defaults=_DEFAULTS
    | {
        "mlp_ratio": 4.0,
        "use_swiglu_ffn": False,
        "qkv_bias": True,
        "apply_layernorm": True,
    },
    only={
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    },
    config=_dinov2,
    channels=_channels,
    key_table=KeyTable(
        renames=(
            (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.projection."),
            (r"^embeddings\.position_embeddings$", "pos_embed"),
            (r"^embeddings\.", ""),
            (r"^encoder\.layer\.", "blocks."),
            (r"^layernorm\.", "norm."),
            (r"\.attention\.attention\.", ".attn."),
            (r"\.attention\.output\.dense\.", ".attn.proj."),
            *BLOCKS,
        ),
        unused=("mask_token", "classifier."),
        convert=_weights,
    ),
)

DINOV2_WITH_REGISTERS = dataclasses.replace(
    DINOV2,
    prefix="dinov2_with_registers.",
    defaults=DINOV2.defaults | {"patch_size": 16, "num_register_tokens": 4},
)

DINOV3 = BackboneFamily(
    prefix="dinov3_vit.",
    defaults=_DEFAULTS
    | {
        "patch_size": 16,
        "hidden_size": 384,
        "intermediate_size": 1536,
        "num_attention_heads": 6,
        "layer_norm_eps": 1e-5,
        "use_gated_mlp": False,
        "hidden_act": "gelu",
        "rope_theta": 100.0,
    },
    only={
        "attention_dropout": 0.0,
        "query_bias": True,
        "key_bias": False,
        "value_bias": True,
        "proj_bias": True,
        "mlp_bias": True,
        "apply_layernorm": True,
    },
    config=_dinov3,
    channels=_channels,
    key_table=KeyTable(
        renames=(
            (r"^embeddings\.patch_embeddings\.", "patch_embed.projection."),
            (r"^embeddings\.", ""),
            (r"^(model\.)?layer\.", "blocks."),
            (r"\.attention\.q_proj\.", ".attn.query."),
            (r"\.attention\.k_proj\.", ".attn.key."),
            (r"\.attention\.v_proj\.", ".attn.value."),
            (r"\.attention\.o_proj\.", ".attn.proj."),
            (r"\.mlp\.up_proj\.", ".mlp.fc1."),
            (r"\.mlp\.down_proj\.", ".mlp.fc2."),
            *BLOCKS,
        ),
        unused=("mask_token",),
        convert=_weights_of_dinov3,
    ),
)
