"""Swin Transformer of Hugging Face."""

from jaxseg.weights.huggingface.family import BackboneFamily
from jaxseg.weights.huggingface.fields import stages_of
from jaxseg.weights.huggingface.forms import columns_first, join_queries_keys_values
from jaxseg.weights.key_table import KeyTable


def _swin(fields, where):
    return dict(
        type="SwinTransformer",
        in_channels=fields["num_channels"],
        pretrain_img_size=fields["image_size"],
        embed_dims=fields["embed_dim"],
        patch_size=fields["patch_size"],
        strides=(fields["patch_size"],) + (2,) * (len(fields["depths"]) - 1),
        window_size=fields["window_size"],
        mlp_ratio=fields["mlp_ratio"],
        depths=fields["depths"],
        num_heads=fields["num_heads"],
        out_indices=stages_of(fields, len(fields["depths"]), where),
        qkv_bias=fields["qkv_bias"],
        drop_rate=fields["hidden_dropout_prob"],
        attn_drop_rate=fields["attention_probs_dropout_prob"],
        drop_path_rate=fields["drop_path_rate"],
    )


def _channels(fields):
    stages = stages_of(fields, len(fields["depths"]), "")
    return tuple(fields["embed_dim"] * 2**stage for stage in stages)


def _swin_weights(weights, backbone):
    del backbone
    weights = join_queries_keys_values(weights, "qkv.")
    return columns_first(weights, r"\.downsample\.(norm|reduction)\.")


SWIN = BackboneFamily(
    prefix="swin.",
    defaults={
        "image_size": 224,
        "patch_size": 4,
        "num_channels": 3,
        "embed_dim": 96,
        "depths": (2, 2, 6, 2),
        "num_heads": (3, 6, 12, 24),
        "window_size": 7,
        "mlp_ratio": 4.0,
        "qkv_bias": True,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "drop_path_rate": 0.1,
        "out_features": None,
        "out_indices": None,
    },
    only={
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
        "use_absolute_embeddings": False,
    },
    config=_swin,
    channels=_channels,
    key_table=KeyTable(
        renames=(
            (r"^model\.", ""),  # MaskFormer's Swin
            (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.projection."),
            (r"^embeddings\.norm\.", "patch_embed.norm."),
            (r"^encoder\.layers\.", "stages."),
            *(
                (rf"^hidden_states_norms\.stage{i + 1}\.", f"norm{i}.")
                for i in range(4)
            ),
            (r"^hidden_states_norms\.(\d)\.", r"norm\1."),
            (r"\.attention\.self\.", ".attn.w_msa."),
            (r"\.attention\.output\.dense\.", ".attn.w_msa.proj."),
            (r"\.layernorm_before\.", ".norm1."),
            (r"\.layernorm_after\.", ".norm2."),
            (r"\.intermediate\.dense\.", ".ffn.layers.0.0."),
            (r"\.output\.dense\.", ".ffn.layers.1."),
        ),
        # The norm of the pooled features, and the classifier.
        unused=(
            "layernorm.",
            "swin.layernorm.",
            "classifier.",
            "embeddings.mask_token",
        ),
        convert=_swin_weights,
    ),
)
