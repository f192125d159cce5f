"""DPT of Hugging Face, for segmentation, with its ViT."""

from jaxseg.weights.huggingface.family import BackboneFamily, SegmentorFamily
from jaxseg.weights.huggingface.fields import whole_ratio
from jaxseg.weights.huggingface.forms import join_queries_keys_values
from jaxseg.weights.key_table import KeyTable


def _vit(fields, where):
    return dict(
        type="VisionTransformer",
        in_channels=fields["num_channels"],
        img_size=fields["image_size"],
        patch_size=fields["patch_size"],
        embed_dims=fields["hidden_size"],
        num_layers=fields["num_hidden_layers"],
        num_heads=fields["num_attention_heads"],
        mlp_ratio=whole_ratio(fields, "intermediate_size", "hidden_size", where),
        out_indices=fields["backbone_out_indices"],
        qkv_bias=fields["qkv_bias"],
        drop_rate=fields["hidden_dropout_prob"],
        attn_drop_rate=fields["attention_probs_dropout_prob"],
        norm_cfg=dict(type="LN", eps=fields["layer_norm_eps"]),
        patch_bias=True,
        output_cls_token=True,
        interpolate_mode="bilinear",
    )


def _vit_weights(weights, backbone):
    del backbone
    return join_queries_keys_values(weights, "in_proj_")


DPT_VIT = BackboneFamily(
    prefix="dpt.",
    defaults={
        "num_channels": 3,
        "image_size": 384,
        "patch_size": 16,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "backbone_out_indices": (2, 5, 8, 11),
        "qkv_bias": True,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "layer_norm_eps": 1e-12,
    },
    only={"hidden_act": "gelu", "is_hybrid": False, "backbone_config": None},
    config=_vit,
    channels=lambda fields: (
        (fields["hidden_size"],) * len(fields["backbone_out_indices"])
    ),
    key_table=KeyTable(
        renames=(
            (r"^embeddings\.patch_embeddings\.", "patch_embed."),
            (r"^embeddings\.position_embeddings$", "pos_embed"),
            (r"^embeddings\.", ""),
            (r"^encoder\.layer\.", "layers."),
            (r"\.attention\.attention\.", ".attn.attn."),
            (r"\.attention\.output\.dense\.", ".attn.attn.out_proj."),
            (r"\.layernorm_before\.", ".ln1."),
            (r"\.layernorm_after\.", ".ln2."),
            (r"\.intermediate\.dense\.", ".ffn.layers.0.0."),
            (r"\.output\.dense\.", ".ffn.layers.1."),
        ),
        unused=("layernorm.", "pooler."),
        convert=_vit_weights,
    ),
)


def _dpt(fields, backbone, channels, classes):
    return dict(
        type="EncoderDecoder",
        backbone=backbone,
        decode_head=dict(
            type="DPTHead",
            in_channels=channels,
            in_index=tuple(range(len(channels))),
            embed_dims=channels[0],
            post_process_channels=fields["neck_hidden_sizes"],
            readout_type=fields["readout_type"],
            channels=fields["fusion_hidden_size"],
            dropout_ratio=fields["semantic_classifier_dropout"],
            num_classes=classes,
            ignore_index=fields["semantic_loss_ignore_index"],
            norm_cfg=dict(type="SyncBN"),
            up_scale=2,
        ),
    )


_FUSION = r"^neck\.fusion_stage\.layers\."

DPT = SegmentorFamily(
    backbone="dpt",
    backbone_prefix="dpt.",
    defaults={
        "neck_hidden_sizes": (96, 192, 384, 768),
        "readout_type": "project",
        "fusion_hidden_size": 256,
        "semantic_classifier_dropout": 0.1,
        "semantic_loss_ignore_index": 255,
        "use_batch_norm_in_fusion_residual": False,
        "use_bias_in_fusion_residual": None,
    },
    only={
        "use_batch_norm_in_fusion_residual": True,
        "reassemble_factors": [4, 2, 1, 0.5],
        "head_in_index": -1,
    },
    model=_dpt,
    key_table=KeyTable(
        renames=(
            (
                r"^neck\.reassemble_stage\.layers\.(\d)\.projection\.",
                r"decode_head.reassemble_blocks.projects.\1.conv.",
            ),
            (
                r"^neck\.reassemble_stage\.layers\.(\d)\.resize\.",
                r"decode_head.reassemble_blocks.resize_layers.\1.",
            ),
            (r"^neck\.reassemble_stage\.", "decode_head.reassemble_blocks."),
            (r"^neck\.convs\.(\d)\.", r"decode_head.convs.\1.conv."),
            (_FUSION, "decode_head.fusion_blocks."),
            (r"\.projection\.", ".project.conv."),
            (r"\.residual_layer(\d)\.", r".res_conv_unit\1."),
            (r"\.convolution(\d)\.", r".conv\1.conv."),
            (r"\.batch_norm(\d)\.", r".conv\1.bn."),
            (r"^head\.head\.0\.", "decode_head.project.conv."),
            (r"^head\.head\.1\.", "decode_head.project.bn."),
            (r"^head\.head\.4\.", "decode_head.conv_seg."),
        ),
        # The auxiliary head looks at the fused map, where ours look at the backbone's.
        # The coarsest level has nothing to be added to.
        unused=("auxiliary_head.", "decode_head.fusion_blocks.0.res_conv_unit1."),
    ),
)
