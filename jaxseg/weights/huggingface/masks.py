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


# Keys of a DETR decoder's layers, but for the norms of its attentions, which models
# have in another order.
OF_DECODER = (
    (r"_attn\.q_proj\.", "_attn.attn.query."),
    (r"_attn\.k_proj\.", "_attn.attn.key."),
    (r"_attn\.v_proj\.", "_attn.attn.value."),
    (r"_attn\.(out|o)_proj\.", "_attn.attn.out_proj."),
    (r"\.final_layer_norm\.", ".norms.2."),
    (r"\.(mlp\.)?fc1\.", ".ffn.layers.0.0."),
    (r"\.(mlp\.)?fc2\.", ".ffn.layers.1."),
    (r"\.transformer_decoder\.layernorm\.", ".transformer_decoder.post_norm."),
)
# What is made of queries.
OF_PREDICTORS = (
    (r"^class_predictor\.", "decode_head.cls_embed."),
    (r"^mask_embedder\.0\.0\.", "decode_head.mask_embed.0."),
    (r"^mask_embedder\.1\.0\.", "decode_head.mask_embed.2."),
    (r"^mask_embedder\.2\.0\.", "decode_head.mask_embed.4."),
)
