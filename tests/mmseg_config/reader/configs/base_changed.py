_base_ = ["_base_/fcn_small.py", "_base_/tiles.py", "_base_/schedule.py"]
# Changes of `_base_` itself reach the result, and update() merges deeply.
_base_.model.update(dict(decode_head=dict(num_classes=19, loss_decode=dict(a=1))))
_base_.model.backbone.depth = 101
_base_.model.backbone.pop("strides")
_base_.model.backbone.pop("no_such_key")
_base_.train_pipeline.insert(2, dict(type="RandomFlip", prob=0.5))
_base_.train_pipeline[3]["scale"] = (512, 256)
_base_.optim_wrapper.optimizer.update(lr=0.02)
_base_.model["neck"] = dict(type="FPN", num_outs=4)
_base_.model.neck.setdefault("in_channels", [1, 2])
fresh = [1, 2]
_base_.train_cfg.fresh = fresh
fresh.append(3)
schedule = _base_.optimizer.copy()
schedule.update(lr=1.0)
del _base_.model.auxiliary_head
del _base_.train_cfg["val_interval"]
plain = dict(_base_.optimizer, lr=0.5)
plain.update(momentum=dict(a=1))
