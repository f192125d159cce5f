_base_ = ["_base_/fcn_small.py", "./_base_/tiles_v0.py"]
norm_cfg = dict(type="BN", requires_grad=True)
model = dict(
    pretrained="torchvision://resnet18",
    backbone=dict(type="ResNet", norm_cfg=norm_cfg),
    decode_head=dict(norm_cfg=norm_cfg, sampler=dict(type="OHEMPixelSampler")),
    # Old lists of heads are replaced whole.
    auxiliary_head=[dict(type="FCNHead", in_index=0, norm_cfg=norm_cfg)],
)
img_norm_cfg = dict(to_rgb=False)
data = dict(samples_per_gpu=4, train=dict(img_dir="c", reduce_zero_label=True))
optimizer = dict(type="SGD", lr=0.01, paramwise_cfg=dict(custom_keys={"head": {}}))
lr_config = dict(policy="poly", power=0.9, min_lr=1e-4, by_epoch=False)
runner = dict(type="IterBasedRunner", max_iters=4000)
