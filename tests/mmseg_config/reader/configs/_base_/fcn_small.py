norm_cfg = dict(type="SyncBN", requires_grad=True)
data_preprocessor = dict(
    type="SegDataPreProcessor",
    mean=[110.5, 112.0, 98.25],
    std=[55.0, 54.5, 57.0],
    bgr_to_rgb=True,
    seg_pad_val=255,
)
model = dict(
    type="EncoderDecoder",
    data_preprocessor=data_preprocessor,
    pretrained=None,
    backbone=dict(
        type="ResNetV1c",
        depth=18,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 1, 1),
        norm_cfg=norm_cfg,
    ),
    decode_head=dict(
        type="FCNHead",
        in_channels=512,
        num_classes=4,
        norm_cfg=norm_cfg,
        loss_decode=dict(type="CrossEntropyLoss", loss_weight=1.0),
    ),
    auxiliary_head=[
        dict(type="FCNHead", in_index=1, channels=16),
        dict(type="FCNHead", in_index=2, channels=32),
    ],
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)
