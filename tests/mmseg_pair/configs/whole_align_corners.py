_base_ = "./whole.py"
model = dict(
    decode_head=dict(align_corners=True), auxiliary_head=dict(align_corners=True)
)
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(117, 118)),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs"),
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
