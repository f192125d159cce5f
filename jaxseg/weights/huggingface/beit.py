"""BEiT of Hugging Face, with UPerNet's head."""

from jaxseg.weights.huggingface.errors import HuggingFaceError
from jaxseg.weights.huggingface.family import BackboneFamily, SegmentorFamily
from jaxseg.weights.huggingface.fields import whole_ratio
from jaxseg.weights.huggingface.forms import join_queries_keys_values
from jaxseg.weights.huggingface.upernet import HEAD_DEFAULTS, HEAD_RENAMES, heads
from jaxseg.weights.key_table import KeyTable


def _beit(fields, where):
    # transformers counts from 1 and begins with the tokens before the first block.
    indices = fields["out_indices"] or fields["segmentation_indices"]
    blocks = tuple(index - 2 for index in indices)
    if not set(blocks) <= set(range(fields["num_hidden_layers"])):
        raise HuggingFaceError(
            f"{where}: out_indices is {list(indices)}, allowed: 2 to "
            f"{fields['num_hidden_layers']}"
        )
    return dict(
        type="BEiT",
        in_channels=fields["num_channels"],
        img_size=fields["image_size"],
        patch_size=fields["patch_size"],
        embed_dims=fields["hidden_size"],
        num_layers=fields["num_hidden_layers"],
        num_heads=fields["num_attention_heads"],
        mlp_ratio=whole_ratio(fields, "intermediate_size", "hidden_size", where),
        out_indices=blocks,
        attn_drop_rate=fields["attention_probs_dropout_prob"],
        drop_path_rate=fields["drop_path_rate"],
        norm_cfg=dict(type="LN", eps=fields["layer_norm_eps"]),
        init_values=fields["layer_scale_init_value"],
    )


def _beit_weights(weights, backbone):
    del backbone
    return join_queries_keys_values(weights, "qkv.")


BEIT = BackboneFamily(
    prefix="beit.",
    defaults={
        "num_channels": 3,
        "image_size": 224,
        "patch_size": 16,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "attention_probs_dropout_prob": 0.0,
        "drop_path_rate": 0.1,
        "layer_norm_eps": 1e-12,
        "layer_scale_init_value": 0.1,
        "out_indices": None,
        # The name of transformers before 4.38.
        "segmentation_indices": (3, 5, 7, 11),
    },
    only={
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "use_relative_position_bias": True,
        "use_shared_relative_position_bias": False,
        "use_absolute_position_embeddings": False,
    },
    config=_beit,
    channels=lambda fields: (fields["hidden_size"],) * 4,
    key_table=KeyTable(
        renames=(
            (r"^embeddings\.cls_token$", "cls_token"),
            (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.projection."),
            (r"^encoder\.layer\.", "layers."),
            (r"\.attention\.attention\.relative_position_bias\.", ".attn."),
            (r"\.attention\.attention\.query\.bias$", ".attn.q_bias"),
            (r"\.attention\.attention\.value\.bias$", ".attn.v_bias"),
            (r"\.attention\.attention\.", ".attn."),
            (r"\.attention\.output\.dense\.", ".attn.proj."),
            (r"\.lambda_(\d)$", r".gamma_\1"),
            (r"\.layernorm_before\.", ".ln1."),
            (r"\.layernorm_after\.", ".ln2."),
            (r"\.intermediate\.dense\.", ".ffn.layers.0.0."),
            (r"\.output\.dense\.", ".ffn.layers.1."),
        ),
        unused=("layernorm.", "pooler.", "classifier.", "embeddings.mask_token"),
        convert=_beit_weights,
    ),
)


def _segmentor(fields, backbone, channels, classes):
    width = channels[0]
    return dict(
        type="EncoderDecoder",
        data_preprocessor=dict(size=(backbone["img_size"],) * 2),
        backbone=backbone,
        neck=dict(type="Feature2Pyramid", embed_dim=width, rescales=(4, 2, 1, 0.5)),
        **heads(fields, channels, width, classes, fields["semantic_loss_ignore_index"]),
    )


BEIT_UPERNET = SegmentorFamily(
    backbone="beit",
    backbone_prefix="beit.",
    defaults=HEAD_DEFAULTS | {"semantic_loss_ignore_index": 255},
    model=_segmentor,
    key_table=KeyTable(
        renames=(
            (r"^fpn1\.", "neck.upsample_4x."),
            (r"^fpn2\.", "neck.upsample_2x."),
            *HEAD_RENAMES,
        )
    ),
)
