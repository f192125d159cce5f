_base_ = "./whole.py"
model = dict(test_cfg=dict(mode="slide", crop_size=(64, 80), stride=(43, 53)))
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs"),
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
