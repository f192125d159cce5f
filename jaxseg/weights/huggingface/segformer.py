"""SegFormer of Hugging Face, and its Mix Transformer alone."""

import numpy as np

from jaxseg.weights.huggingface.family import BackboneFamily, SegmentorFamily
from jaxseg.weights.huggingface.fields import the_one
from jaxseg.weights.huggingface.forms import as_convolutions, join_queries_keys_values
from jaxseg.weights.key_table import KeyTable


def _mit(fields, where):
    heads, widths = fields["num_attention_heads"], fields["hidden_sizes"]
    ratios = [width / number for width, number in zip(widths, heads, strict=True)]
    ratio = the_one(ratios, "hidden_sizes / num_attention_heads", where)
    return dict(
        type="MixVisionTransformer",
        in_channels=fields["num_channels"],
        embed_dims=int(ratio),
        num_stages=fields["num_encoder_blocks"],
        num_layers=fields["depths"],
        num_heads=heads,
        patch_sizes=fields["patch_sizes"],
        strides=fields["strides"],
        sr_ratios=fields["sr_ratios"],
        out_indices=tuple(range(fields["num_encoder_blocks"])),
        mlp_ratio=the_one(fields["mlp_ratios"], "mlp_ratios", where),
        drop_rate=fields["hidden_dropout_prob"],
        attn_drop_rate=fields["attention_probs_dropout_prob"],
        drop_path_rate=fields["drop_path_rate"],
        norm_cfg=dict(type="LN", eps=1e-5),  # transformers ignores layer_norm_eps
    )


def _mit_weights(weights, backbone):
    del backbone
    weights = join_queries_keys_values(weights, "in_proj_")
    return as_convolutions(weights, r"\.ffn\.layers\.[04]\.weight$")


MIT = BackboneFamily(
    prefix="segformer.",
    defaults={
        "num_channels": 3,
        "num_encoder_blocks": 4,
        "depths": (2, 2, 2, 2),
        "sr_ratios": (8, 4, 2, 1),
        "hidden_sizes": (32, 64, 160, 256),
        "patch_sizes": (7, 3, 3, 3),
        "strides": (4, 2, 2, 2),
        "num_attention_heads": (1, 2, 5, 8),
        "mlp_ratios": (4, 4, 4, 4),
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "drop_path_rate": 0.1,
    },
    only={"hidden_act": "gelu", "reshape_last_stage": True},
    config=_mit,
    channels=lambda fields: tuple(fields["hidden_sizes"]),
    key_table=KeyTable(
        renames=(
            (r"^encoder\.patch_embeddings\.(\d+)\.proj\.", r"layers.\1.0.projection."),
            (r"^encoder\.patch_embeddings\.(\d+)\.layer_norm\.", r"layers.\1.0.norm."),
            (r"^encoder\.block\.(\d+)\.", r"layers.\1.1."),
            (r"^encoder\.layer_norm\.(\d+)\.", r"layers.\1.2."),
            (r"\.attention\.self\.layer_norm\.", ".attn.norm."),
            (r"\.attention\.self\.sr\.", ".attn.sr."),
            (r"\.attention\.self\.", ".attn.attn."),
            (r"\.attention\.output\.dense\.", ".attn.attn.out_proj."),
            (r"\.layer_norm_(\d)\.", r".norm\1."),
            (r"\.mlp\.dense1\.", ".ffn.layers.0."),
            (r"\.mlp\.dwconv\.dwconv\.", ".ffn.layers.1."),
            (r"\.mlp\.dense2\.", ".ffn.layers.4."),
        ),
        unused=("classifier.",),
        convert=_mit_weights,
    ),
)


def _segformer(fields, backbone, channels, classes):
    return dict(
        type="EncoderDecoder",
        backbone=backbone,
        decode_head=dict(
            type="SegformerHead",
            in_channels=channels,
            in_index=tuple(range(len(channels))),
            channels=fields["decoder_hidden_size"],
            dropout_ratio=fields["classifier_dropout_prob"],
            num_classes=classes,
            ignore_index=fields["semantic_loss_ignore_index"],
            norm_cfg=dict(type="SyncBN"),
            plain_projections=True,
        ),
    )


def _segformer_weights(weights, model):
    """The kernel of the joined maps in our order; theirs has the last map first."""
    weights = as_convolutions(weights, r"\.convs\.\d+\.conv\.weight$")
    key, count = (
        "decode_head.fusion_conv.conv.weight",
        len(model["backbone"]["num_layers"]),
    )
    if key in weights and weights[key].shape[1] % count == 0:
        parts = np.split(np.asarray(weights[key]), count, axis=1)
        weights[key] = np.concatenate(parts[::-1], axis=1)
    return weights


SEGFORMER = SegmentorFamily(
    backbone="segformer",
    backbone_prefix="segformer.",
    defaults={
        "decoder_hidden_size": 256,
        "classifier_dropout_prob": 0.1,
        "semantic_loss_ignore_index": 255,
    },
    model=_segformer,
    key_table=KeyTable(
        renames=(
            (r"\.linear_c\.(\d+)\.proj\.", r".convs.\1.conv."),
            (r"\.linear_fuse\.", ".fusion_conv.conv."),
            (r"\.batch_norm\.", ".fusion_conv.bn."),
            (r"\.classifier\.", ".conv_seg."),
        ),
        convert=_segformer_weights,
    ),
)
