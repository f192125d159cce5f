_base_ = [
    "./_base_/models/unet.py",
    "./_base_/datasets/shapes.py",
    "./_base_/default_runtime.py",
]
metainfo = dict(classes=("background", "thing"), palette=[[0, 0, 0], [230, 120, 40]])
val_dataloader = dict(dataset=dict(metainfo=metainfo))
test_dataloader = val_dataloader
