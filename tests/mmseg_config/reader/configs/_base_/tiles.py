dataset_type = "TilesDataset"
data_root = "data/tiles"
crop_size = (64, 96)
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomResize", scale=(256, 128), ratio_range=(0.5, 2.0)),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    dict(type="PackSegInputs"),
]
img_ratios = [0.5, 1.0, 1.75]
tta_pipeline = [
    dict(
        type="TestTimeAug",
        transforms=[
            [dict(type="Resize", scale_factor=r, keep_ratio=True) for r in img_ratios],
            [
                dict(type="RandomFlip", prob=0.0, direction="horizontal"),
                dict(type="RandomFlip", prob=1.0, direction="horizontal"),
            ],
        ],
    )
]
train_dataloader = dict(
    batch_size=4,
    sampler=dict(type="InfiniteSampler", shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path="images", seg_map_path="labels"),
        pipeline=train_pipeline,
    ),
)
