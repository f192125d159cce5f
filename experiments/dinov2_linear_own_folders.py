"""A linear head on frozen features of DINOv2 ViT-S, on your own images.

    pip install 'jaxseg[hub]'
    python -m jaxseg.main --config experiments/dinov2_linear_own_folders.py:DIR

DIR has images/{train,val} with .jpg files and labels/{train,val} with a .png of the same
name for each: a pixel is the number of its class in CLASSES, 255 where it has none. Write
your classes there. Without `:DIR` it is data/mine.

The backbone starts from facebook/dinov2-small on the Hugging Face Hub (88 MB) and stays
as it is: it has neither gradients nor a state of the optimiser, so that a batch needs
little more memory than a prediction. What learns is a batch norm and a linear layer on the
last four blocks' maps, joined: the "+ms" head of https://arxiv.org/abs/2304.07193, without
its several scales at test time. To fine-tune the backbone, too:
--config.model.backbone.frozen=False --config.optim_wrapper.optimizer.lr=1e-5.
"""

from typing import Any

import common

CLASSES = ("background", "foreground")
SCALE = (2072, 518)  # an image is within it, multiplied by 0.5 to 2 in training
CROP = (518, 518)  # 37 patches of 14 pixels, as in the pre-training
WIDTH, BLOCKS = 384, 12


def get_config(data_root: str = "data/mine") -> dict[str, Any]:
    return dict(
        model=dict(
            type="EncoderDecoder",
            data_preprocessor=common.preprocessor(CROP),
            backbone=dict(
                type="DINOv2",
                init_cfg=dict(
                    type="Pretrained", checkpoint="hf://facebook/dinov2-small"
                ),
                embed_dims=WIDTH,
                num_layers=BLOCKS,
                num_heads=6,
                out_indices=list(range(BLOCKS - 4, BLOCKS)),
                frozen=True,
            ),
            decode_head=dict(
                type="BNHead",
                in_channels=[WIDTH] * 4,
                in_index=[0, 1, 2, 3],
                input_transform="resize_concat",
                channels=4 * WIDTH,
                num_classes=len(CLASSES),
                norm_cfg=common.SYNC_BN,
            ),
            test_cfg=dict(mode="whole"),
        ),
        **common.folders(data_root, CLASSES, SCALE, CROP),
        optim_wrapper=dict(optimizer=dict(type="AdamW", lr=1e-3, weight_decay=1e-4)),
        param_scheduler=[
            dict(type="PolyLR", power=1.0, eta_min=0.0, begin=0, end=5000)
        ],
        **common.iterations(5000, 500),
    )
