"""Makes the cases: logits of transformers' own classes, tiny, with drawn weights.

    python tests/weights/huggingface/make_cases.py [NAME ...]

It needs torch and transformers (5.24.0 made what is there). A case has `config` (the
config.json), `shapes` (of the checkpoint's weights by key, as save_pretrained writes
them), `size` of the image and `logits` at the image's size, every fifth pixel of each
axis; of a backbone, its maps.
"""

import functools
import json
import pathlib
import sys
import tempfile

import numpy as np
import torch
import transformers as t
from safetensors.numpy import load_file, save_file

FOLDER = pathlib.Path(__file__).parent
sys.path.insert(0, str(FOLDER))

from drawn import drawn_image, drawn_weights

NAMES = {i: name for i, name in enumerate(("sky", "road", "tree", "car", "dog"))}
STAGES = ["stage1", "stage2", "stage3", "stage4"]

TINY_SWIN = dict(
    embed_dim=8,
    depths=[2, 1, 1, 1],
    num_heads=[1, 2, 2, 4],
    window_size=3,
    out_features=STAGES,
)


def segformer():
    return t.SegformerForSemanticSegmentation(
        t.SegformerConfig(
            depths=[1, 1, 1, 2],
            hidden_sizes=[8, 16, 24, 32],
            num_attention_heads=[1, 2, 3, 4],
            decoder_hidden_size=16,
            id2label=NAMES,
        )
    )


def upernet_swin():
    return upernet(
        t.SwinConfig(**TINY_SWIN),
        auxiliary_in_channels=32,
    )


def upernet_convnext():
    return upernet(
        t.ConvNextConfig(
            hidden_sizes=[8, 12, 16, 20], depths=[1, 1, 2, 1], out_features=STAGES
        )
    )


def upernet_convnextv2():
    return upernet(
        t.ConvNextV2Config(
            hidden_sizes=[8, 12, 16, 20], depths=[1, 1, 2, 1], out_features=STAGES
        )
    )


def upernet(backbone, **fields):
    return t.UperNetForSemanticSegmentation(
        t.UperNetConfig(
            backbone_config=backbone,
            hidden_size=12,
            auxiliary_channels=8,
            id2label=NAMES,
            **fields,
        )
    )


def beit():
    return t.BeitForSemanticSegmentation(
        t.BeitConfig(
            image_size=64,
            hidden_size=16,
            num_hidden_layers=5,
            num_attention_heads=2,
            intermediate_size=32,
            out_indices=[2, 3, 4, 5],
            use_relative_position_bias=True,
            auxiliary_channels=8,
            id2label=NAMES,
        )
    )


TINY_VIT = dict(
    hidden_size=16, num_hidden_layers=2, num_attention_heads=2, out_indices=[1, 2]
)


def dinov2():
    return t.Dinov2Backbone(t.Dinov2Config(image_size=56, **TINY_VIT))


def dinov2_with_registers():
    return t.Dinov2WithRegistersBackbone(
        t.Dinov2WithRegistersConfig(
            image_size=70, patch_size=14, use_swiglu_ffn=True, **TINY_VIT
        )
    )


def dinov3():
    return t.DINOv3ViTBackbone(
        t.DINOv3ViTConfig(intermediate_size=32, num_register_tokens=4, **TINY_VIT)
    )


def dinov3_gated():
    return t.DINOv3ViTBackbone(
        t.DINOv3ViTConfig(
            intermediate_size=32, use_gated_mlp=True, hidden_act="silu", **TINY_VIT
        )
    )


def eomt():
    return t.EomtForUniversalSegmentation(
        t.EomtConfig(
            image_size=64,
            hidden_size=16,
            num_hidden_layers=4,
            num_attention_heads=2,
            num_blocks=2,
            num_queries=6,
            num_register_tokens=2,
            id2label=NAMES,
        )
    )


def mask2former():
    return t.Mask2FormerForUniversalSegmentation(
        t.Mask2FormerConfig(
            backbone_config=t.SwinConfig(**TINY_SWIN),
            feature_size=32,
            mask_feature_size=24,
            hidden_dim=32,
            num_attention_heads=2,
            encoder_layers=1,
            decoder_layers=4,
            encoder_feedforward_dim=20,
            dim_feedforward=12,
            num_queries=6,
            id2label=NAMES,
        )
    )


def maskformer(backbone):
    decoder = t.DetrConfig(
        d_model=32,
        decoder_layers=2,
        decoder_ffn_dim=12,
        decoder_attention_heads=2,
        num_queries=6,
    )
    return t.MaskFormerForInstanceSegmentation(
        t.MaskFormerConfig(
            backbone_config=backbone,
            decoder_config=decoder,
            fpn_feature_size=32,
            mask_feature_size=24,
            id2label=NAMES,
        )
    )


def maskformer_swin():
    return maskformer(t.SwinConfig(**TINY_SWIN))


def maskformer_resnet():
    return maskformer(
        t.ResNetConfig(
            embedding_size=8,
            hidden_sizes=[8, 16, 32, 64],
            depths=[2, 2, 2, 2],
            layer_type="basic",
            out_features=STAGES,
        )
    )


def dpt():
    return t.DPTForSemanticSegmentation(
        t.DPTConfig(
            image_size=48,
            hidden_size=16,
            num_hidden_layers=4,
            num_attention_heads=2,
            intermediate_size=32,
            backbone_out_indices=[0, 1, 2, 3],
            neck_hidden_sizes=[4, 6, 8, 10],
            fusion_hidden_size=8,
            use_batch_norm_in_fusion_residual=True,
            id2label=NAMES,
        )
    )


def mobilenet_v2():
    return t.MobileNetV2ForSemanticSegmentation(
        t.MobileNetV2Config(depth_multiplier=0.35, output_stride=8, id2label=NAMES)
    )


MODELS = {
    "dpt": (dpt, (64, 64)),
    "mobilenet_v2": (mobilenet_v2, (65, 96)),
    "mask2former": (mask2former, (64, 96)),
    "maskformer_resnet": (maskformer_resnet, (64, 96)),
    "maskformer_swin": (maskformer_swin, (64, 96)),
    "eomt": (eomt, (64, 64)),
    "dinov2": (dinov2, (42, 70)),
    "dinov2_with_registers": (dinov2_with_registers, (42, 98)),
    "dinov3": (dinov3, (48, 80)),
    "dinov3_gated": (dinov3_gated, (32, 48)),
    "beit": (beit, (64, 64)),
    "segformer": (segformer, (64, 96)),
    "upernet_convnext": (upernet_convnext, (64, 96)),
    "upernet_convnextv2": (upernet_convnextv2, (64, 96)),
    "upernet_swin": (upernet_swin, (64, 96)),
}


def logits_of(outputs, size):
    """(N, C, H, W): of a backbone the channels of its maps, one behind the other."""
    if "feature_maps" in outputs:
        return torch.cat(outputs.feature_maps, dim=1)
    resize = functools.partial(
        torch.nn.functional.interpolate, size=size, mode="bilinear", align_corners=False
    )
    if "masks_queries_logits" in outputs:
        # As in post_process_semantic_segmentation, with masks at the image's size.
        masks = resize(outputs.masks_queries_logits).sigmoid()
        classes = outputs.class_queries_logits.softmax(-1)[..., :-1]
        return torch.einsum("bqc, bqhw -> bchw", classes, masks)
    return resize(outputs.logits)


def make(name):
    build, size = MODELS[name]
    with tempfile.TemporaryDirectory() as folder:
        build().save_pretrained(folder)
        path = pathlib.Path(folder, "model.safetensors")
        saved = load_file(path)
        shapes = {k: list(a.shape) for k, a in saved.items() if a.dtype != np.int64}
        save_file(saved | drawn_weights(shapes), path, {"format": "pt"})
        config = pathlib.Path(folder, "config.json").read_text()
        loaded = type(build()).from_pretrained(folder, dtype=torch.float64)
    image = torch.from_numpy(drawn_image(*size)).double().permute(0, 3, 1, 2)
    with torch.no_grad():
        logits = logits_of(loaded.eval()(image), size).permute(0, 2, 3, 1)
    step = 5 if logits.shape[1:3] == size else 1
    logits = logits[:, ::step, ::step].numpy().astype(np.float32)
    np.savez_compressed(
        FOLDER / f"{name}.npz",
        config=json.dumps(json.loads(config), sort_keys=True),
        shapes=json.dumps(shapes, sort_keys=True),
        size=size,
        logits=logits,
    )
    print(
        name,
        logits.shape,
        np.abs(logits).max(),
        (FOLDER / f"{name}.npz").stat().st_size,
    )


if __name__ == "__main__":
    for case in sys.argv[1:] or MODELS:
        make(case)
