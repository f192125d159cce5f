_base_ = ["_base_/fcn_small.py", "_base_/tiles.py"]
depth = _base_.model.backbone.depth
strides = _base_.model["backbone"]["strides"]
backbone = _base_.model.get("backbone")
crop_size = [side * 2 for side in _base_.crop_size]
train_pipeline = [*_base_.train_pipeline[:2], dict(type="RandomFlip", prob=0.5)]
train_pipeline += _base_.train_pipeline[-1:]
missing = _base_.get("no_such_key", "default")
has_model = "model" in _base_
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="RepeatDataset",
        dataset=dict(
            type=_base_.dataset_type,
            data_root=f"{_base_.data_root}/large",
            pipeline=train_pipeline,
        ),
    )
)
head_types = [head.type for head in _base_.model.auxiliary_head]
