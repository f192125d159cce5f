_base_ = ["./_base_/fcn_small.py", "_base_/tiles.py", "./_base_/schedule.py"]
crop_size = (32, 32)
data_preprocessor = dict(size=crop_size)
model = dict(
    data_preprocessor=data_preprocessor,
    backbone=dict(depth=34),
    decode_head=dict(num_classes=7),
    test_cfg=dict(mode="slide", crop_size=crop_size, stride=(21, 21)),
)
