"""What Hugging Face's models that classify masks have in common: their training."""

from typing import Any

from jaxseg.weights.huggingface.fields import Fields

# Of Mask2Former and EoMT.
POINT_DEFAULTS = {
    "class_weight": 2.0,
    "mask_weight": 5.0,
    "dice_weight": 5.0,
    "no_object_weight": 0.1,
    "train_num_points": 12544,
    "oversample_ratio": 3.0,
    "importance_sample_ratio": 0.75,
}


def class_loss(classes: int, no_object: float, weight: float) -> dict[str, Any]:
    """`loss_cls` of a head; no_object is the weight of queries without a class."""
    return dict(
        type="mmdet.CrossEntropyLoss",
        class_weight=(1.0,) * classes + (no_object,),
        loss_weight=weight,
    )


def dice_loss(weight: float) -> dict[str, Any]:
    """`loss_dice` of a head."""
    return dict(type="mmdet.DiceLoss", naive_dice=True, eps=1.0, loss_weight=weight)


def assigner(mask_cost: dict[str, Any], of_class: float, dice: float) -> dict[str, Any]:
    """The `assigner` of a head's `train_cfg`, of three costs with their weights."""
    costs = (
        dict(type="mmdet.ClassificationCost", weight=of_class),
        mask_cost,
        dict(type="mmdet.DiceCost", weight=dice, pred_act=True, eps=1.0),
    )
    return dict(type="mmdet.HungarianAssigner", match_costs=costs)


def point_training(fields: Fields, classes: int) -> dict[str, Any]:
    """The losses and the matching of a head that compares masks at points.

    Args:
        fields: with those of `POINT_DEFAULTS`.
        classes: the number of classes.
    """
    of_class, mask, dice = (fields[f"{k}_weight"] for k in ("class", "mask", "dice"))
    cost = dict(type="mmdet.CrossEntropyLossCost", weight=mask)
    return dict(
        loss_cls=class_loss(classes, fields["no_object_weight"], of_class),
        loss_mask=dict(
            type="mmdet.CrossEntropyLoss", use_sigmoid=True, loss_weight=mask
        ),
        loss_dice=dice_loss(dice),
        train_cfg=dict(
            num_points=fields["train_num_points"],
            oversample_ratio=fields["oversample_ratio"],
            importance_sample_ratio=fields["importance_sample_ratio"],
            assigner=assigner(cost, of_class, dice),
        ),
    )
