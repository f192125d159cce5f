_base_ = ["_base_/fcn_small.py", "_base_/schedule.py"]
# Meets nothing in the bases, so that the mark stays.
extra = dict(_delete_=True, kept=1)
optim_wrapper = dict(
    _delete_=True,
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=6e-5, betas=(0.9, 0.999)),
    paramwise_cfg=dict(custom_keys={"norm": dict(decay_mult=0.0)}),
)
model = dict(
    backbone=dict(_delete_=False, depth=50),
    decode_head=dict(loss_decode=dict(_delete_=True, type="DiceLoss")),
    auxiliary_head=None,
    train_cfg=dict(_delete_=True, inner=dict(_delete_=True, a=1)),
)
param_scheduler = [dict(type="LinearLR", start_factor=1e-6)]
