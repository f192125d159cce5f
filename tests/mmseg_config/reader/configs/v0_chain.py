_base_ = "v0_fcn.py"
optimizer = dict(_delete_=True, type="AdamW", lr=0.00006)
optimizer_config = dict()
lr_config = dict(
    _delete_=True, policy="poly", warmup="linear", warmup_iters=150, warmup_ratio=1e-6
)
find_unused_parameters = True
fp16 = dict(loss_scale="dynamic")
