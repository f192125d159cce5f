"""The same small run as the two lines of mmseg write it; DATA is its data set."""

MODEL = """
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    backbone=dict(
        type='UNet', base_channels=4, num_stages=2, strides=(2, 1),
        enc_num_convs=(1, 1), dec_num_convs=(1, ), downsamples=(True, ),
        enc_dilations=(1, 1), dec_dilations=(1, ), norm_cfg=norm_cfg, dcn=None),
    decode_head=dict(
        type='FCNHead', in_channels=4, in_index=1, channels=8, num_convs=1,
        concat_input=False, num_classes=4, norm_cfg=norm_cfg,
        loss_decode=[dict(type='CrossEntropyLoss'), dict(type='DiceLoss')]),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
"""

# What the two lines write for the same run.
V1_CHILD = """
_base_ = ['model.py']
data_preprocessor = dict(
    type='SegDataPreProcessor', mean=[127.5] * 3, std=[60.] * 3, bgr_to_rgb=True,
    pad_val=0, seg_pad_val=255, size=(64, 64))
model = dict(data_preprocessor=data_preprocessor)
dataset_type = 'BaseSegDataset'
metainfo = dict(
    classes=('ground', 'red', 'green', 'blue'),
    palette=[[40, 40, 40], [220, 30, 30], [30, 200, 30], [30, 30, 220]])
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs')]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(64, 64), keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs')]
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type, data_root='DATA', metainfo=metainfo, img_suffix='.png',
        data_prefix=dict(img_path='images/train', seg_map_path='labels/train'),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type, data_root='DATA', metainfo=metainfo, img_suffix='.png',
        data_prefix=dict(img_path='images/val', seg_map_path='labels/val'),
        pipeline=test_pipeline))
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9),
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=2.), nothing=dict())))
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=1e-4, begin=0, end=2, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2, val_interval=2)
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2))
"""

V0_CHILD = """
_base_ = './model.py'
dataset_type = 'CustomDataset'
img_norm_cfg = dict(mean=[127.5] * 3, std=[60.] * 3, to_rgb=True)
crop_size = (64, 64)
data_shared = dict(
    type=dataset_type, data_root='DATA', img_suffix='.png', seg_map_suffix='.png',
    classes=('ground', 'red', 'green', 'blue'),
    palette=[[40, 40, 40], [220, 30, 30], [30, 200, 30], [30, 30, 220]])
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Normalize', **img_norm_cfg),
    dict(type='Pad', size=crop_size, pad_val=0, seg_pad_val=255),
    dict(type='DefaultFormatBundle'),
    dict(type='Collect', keys=['img', 'gt_semantic_seg'])]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='MultiScaleFlipAug', img_scale=(64, 64), flip=False,
        transforms=[
            dict(type='Resize', keep_ratio=True),
            dict(type='RandomFlip'),
            dict(type='Normalize', **img_norm_cfg),
            dict(type='ImageToTensor', keys=['img']),
            dict(type='Collect', keys=['img'])])]
data = dict(
    samples_per_gpu=2, workers_per_gpu=0,
    train=dict(
        img_dir='images/train', ann_dir='labels/train', pipeline=train_pipeline,
        **data_shared),
    val=dict(
        img_dir='images/val', ann_dir='labels/val', pipeline=test_pipeline,
        **data_shared))
log_config = dict(interval=1, hooks=[dict(type='TextLoggerHook', by_epoch=False)])
optimizer = dict(
    type='SGD', lr=0.1, momentum=0.9,
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=2.), nothing=dict())))
optimizer_config = dict()
lr_config = dict(policy='poly', power=0.9, min_lr=1e-4, by_epoch=False)
runner = dict(type='IterBasedRunner', max_iters=2)
checkpoint_config = dict(by_epoch=False, interval=2)
evaluation = dict(interval=2, metric='mIoU', pre_eval=True)
"""

# The same without a base.
V1 = MODEL + V1_CHILD.replace("_base_ = ['model.py']", "").replace(
    "model = dict(data_preprocessor=data_preprocessor)",
    "model.update(data_preprocessor=data_preprocessor)",
)
V0 = MODEL + V0_CHILD.replace("_base_ = './model.py'", "")
