"""Models of timm whose features are stored, and the side of the image of each."""

SEED = 7

CASES = {
    "resnet18": (dict(model_name="resnet18"), 64),
    "resnet18d": (dict(model_name="resnet18d", out_indices=(0, 2, 4)), 64),
    "resnet50c at 16": (
        dict(model_name="resnet50c", output_stride=16, out_indices=(1, 2, 3)),
        64,
    ),
    "resnet50 at 8": (dict(model_name="resnet50.a1_in1k", output_stride=8), 64),
    "resnet50s": (dict(model_name="resnet50s", out_indices=(0, 1)), 32),
    "resnet50d": (dict(model_name="resnet50d", out_indices=2), 64),
    "resnext50_32x4d": (dict(model_name="resnext50_32x4d", out_indices=(0, 3)), 64),
    "resnext50d_32x4d": (dict(model_name="resnext50d_32x4d", out_indices=(2,)), 64),
    "mobilenetv2_035": (dict(model_name="mobilenetv2_035"), 64),
    "mobilenetv2_140": (dict(model_name="mobilenetv2_140", out_indices=(-1,)), 64),
    "hrnet_w18_small": (dict(model_name="hrnet_w18_small"), 64),
    "hrnet_w18_small_v2": (
        dict(model_name="hrnet_w18_small_v2", out_indices=(1, 3)),
        64,
    ),
    "vit_tiny": (dict(model_name="vit_tiny_patch16_224", img_size=48), 48),
    "deit_small": (
        dict(model_name="deit_small_patch16_224", img_size=64, out_indices=(0, -9)),
        64,
    ),
}
