_base_ = ["_base_/fcn_small.py", "_base_/tiles.py"]
work_dir = "./work/{{ fileBasenameNoExtension }}"
names = ["{{fileBasename}}", "x{{ fileExtname }}"]
size = {{_base_.crop_size}}
depth = {{_base_.model.backbone.depth}}
model = dict(
    backbone={{_base_.model.backbone}},
    neck=dict(norm_cfg={{_base_.norm_cfg}}, sizes=[{{_base_.crop_size}}, 3]),
)
