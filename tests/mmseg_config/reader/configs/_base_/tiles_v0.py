"""A data set in the manner of 0.x."""

dataset_type = "TilesDataset"
img_norm_cfg = dict(mean=[110.5, 112.0, 98.25], std=[55.0, 54.5, 57.0], to_rgb=True)
train_pipeline = [
    dict(type="Resize", img_scale=[(256, 128), (128, 64)], ratio_range=(0.5, 2.0)),
    dict(type="Normalize", **img_norm_cfg),
    dict(type="Pad", size=(64, 96), pad_val=0, seg_pad_val=255),
]
data = dict(
    samples_per_gpu=2,
    workers_per_gpu=2,
    train=dict(type=dataset_type, img_dir=["a", "b"], pipeline=train_pipeline),
    val=dict(type=dataset_type, img_dir="val"),
)
optimizer_config = dict(type="OptimizerHook", grad_clip=None)
