_base_ = "./whole.py"
model = dict(
    data_preprocessor=dict(pad_val=0.5, test_cfg=dict(size_divisor=48)),
)
