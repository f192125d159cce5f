"""Fast-SCNN, a real-time network, on CamVid's road scenes, small enough for a CPU.

    python -m jaxseg.main --config experiments/camvid_fast_scnn.py

Data: data/camvid with images/{train,val} and annotations/{train,val}, 480x360, 11
classes; `--config experiments/camvid_fast_scnn.py:DIR` takes it from elsewhere.
"""

from typing import Any

import common

CLASSES = 11
# Images of half the width and height: trainings on two cores end within minutes.
CROP = (96, 128)
SCALE = (240, 180)
CE = dict(type="CrossEntropyLoss", avg_non_ignore=True)


def get_config(data_root: str = "data/camvid") -> dict[str, Any]:
    return dict(
        model=dict(
            type="EncoderDecoder",
            data_preprocessor=common.preprocessor(CROP),
            backbone=dict(type="FastSCNN", norm_cfg=common.SYNC_BN),
            decode_head=_head("DepthwiseSeparableFCNHead", 128, -1, channels=128),
            auxiliary_head=[
                _head("FCNHead", 128, -2, 0.4, channels=32, num_convs=1),
                _head("FCNHead", 64, -3, 0.4, channels=32, num_convs=1),
            ],
            test_cfg=dict(mode="whole"),
        ),
        **common.camvid(data_root, SCALE, CROP),
        **common.camvid_schedule(2000, lr=0.12, weight_decay=4e-5, saved_each=500),
    )


def _head(
    kind: str, in_channels: int, in_index: int, loss_weight: float = 1.0, **config: Any
) -> dict[str, Any]:
    return dict(
        type=kind,
        in_channels=in_channels,
        in_index=in_index,
        concat_input=False,
        num_classes=CLASSES,
        norm_cfg=common.SYNC_BN,
        loss_decode=CE | dict(loss_weight=loss_weight),
        **config,
    )
