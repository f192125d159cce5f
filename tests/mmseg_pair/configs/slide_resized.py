_base_ = "./whole.py"
# The image becomes 83 rows high, fewer than a window has.
model = dict(test_cfg=dict(mode="slide", crop_size=(96, 64), stride=(64, 43)))
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(131, 83), keep_ratio=True),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs"),
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
