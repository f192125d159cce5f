"""Nothing of an mmseg config vanishes: every key is used, or named in a note.

scripts/mmseg_coverage.py --keys asks the same of all configs of a release.
"""

import re

import pytest

from jaxseg.mmseg_config.reader.inherit import read, read_text
from jaxseg.mmseg_config.report import Report
from jaxseg.mmseg_config.translate import translate
from jaxseg.testing.config_keys import FATES, SILENT, USED, Walk, is_refused
from tests.mmseg_config.whole_configs import MODEL, V0, V1

# What the two runs of whole_configs.py leave out, at every level.
MORE_OF_MODEL = """
model.update(
    pretrained='x.pth',
    auxiliary_head=[dict(
        type='FCNHead', in_channels=4, in_index=0, channels=4, num_convs=0,
        num_classes=4, sampler=dict(type='OHEMPixelSampler', thresh=0.7, min_kept=9))],
    test_cfg=dict(mode='slide', crop_size=(64, 64), stride=(32, 32)))
custom_imports = dict(imports=['mine'], allow_failed_imports=False)
load_from = 'y.pth'
work_dir = 'z'
find_unused_parameters = True
"""
MORE_OF_V1 = """
train_dataloader.update(
    persistent_workers=True, drop_last=True,
    collate_fn=dict(type='pseudo_collate'), batch_sampler=None,
    dataset=dict(type='RepeatDataset', times=2, dataset=dict(
        type='ConcatDataset', datasets=[train_dataloader['dataset']])))
train_pipeline.insert(2, dict(
    type='RandomResize', scale=(64, 64), ratio_range=(0.5, 2.0), keep_ratio=True,
    resize_type='Resize'))
val_dataloader['dataset'].update(
    serialize_data=True, indices=4, metainfo=dict(classes=['a', 'b'], author='me'))
test_dataloader = dict(
    batch_size=1, num_workers=1, persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=True),
    dataset=dict(
        type=dataset_type, data_root='DATA', metainfo=metainfo, img_suffix='.png',
        data_prefix=dict(img_path='test', seg_map_path='test'),
        pipeline=[
            dict(type='LoadImageFromFile', imdecode_backend='pillow'),
            dict(type='LoadAnnotations', backend_args=None),
            dict(type='PackSegInputs', meta_keys=('img_path',))]))
test_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mDice'], prefix='x', output_dir='out'),
    dict(type='CityscapesMetric', output_dir='out', format_only=True)]
tta_model = dict(type='SegTTAModel')
tta_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='TestTimeAug', transforms=[
        [dict(type='Resize', scale_factor=r, keep_ratio=True) for r in (0.5, 1.0)],
        [dict(type='RandomFlip', prob=0., direction='horizontal'),
         dict(type='RandomFlip', prob=1., direction='horizontal')],
        [dict(type='LoadAnnotations')], [dict(type='PackSegInputs')]])]
optim_wrapper = dict(
    type='AmpOptimWrapper', loss_scale='dynamic', accumulative_counts=2,
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.99), weight_decay=0.01),
    clip_grad=dict(max_norm=1., norm_type=2, error_if_nonfinite=True),
    constructor='LearningRateDecayOptimizerConstructor',
    paramwise_cfg=dict(num_layers=2, decay_rate=0.9, decay_type='stage_wise'))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=1, by_epoch=False),
    dict(type='PolyLR', power=0.9, eta_min=0., begin=1, end=2, by_epoch=False,
         verbose=True)]
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop', fp16=True)
default_hooks.update(
    timer=dict(type='IterTimerHook'), sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook', interval=5),
    logger=dict(type='LoggerHook', interval=1, log_metric_by_epoch=False),
    checkpoint=dict(
        type='CheckpointHook', by_epoch=False, interval=2, max_keep_ckpts=1,
        save_best='mIoU', rule='greater', save_optimizer=False))
custom_hooks = [
    dict(type='EMAHook', momentum=0.1, begin_iter=3, priority=49),
    dict(type='EarlyStoppingHook', monitor='mIoU', patience=3)]
visualizer = dict(
    type='SegLocalVisualizer', vis_backends=[dict(type='WandbVisBackend', a=dict(b=1))],
    name='visualizer')
default_scope = 'mmseg'
env_cfg = dict(cudnn_benchmark=True, dist_cfg=dict(backend='nccl'))
log_processor = dict(by_epoch=False)
auto_scale_lr = dict(enable=False, base_batch_size=16)
randomness = dict(seed=3, deterministic=True)
resume = False
"""
MORE_OF_V0 = """
data['train'] = dict(type='RepeatDataset', times=3, dataset=data['train'])
data.update(
    pin_memory=True, val_dataloader=dict(samples_per_gpu=2),
    test=dict(
        data['val'], img_dir=['images/val', 'images/test'], ann_dir=['a', 'b'],
        gt_seg_map_loader_cfg=dict(imdecode_backend='pillow')))
test_pipeline[1]['transforms'][1].update(prob=0.5)
optimizer = dict(
    type='AdamW', lr=1e-4, weight_decay=0.01,
    constructor='LayerDecayOptimizerConstructor',
    paramwise_cfg=dict(num_layers=2, layer_decay_rate=0.9))
optimizer_config = dict(
    type='Fp16OptimizerHook', loss_scale='dynamic', distributed=False,
    grad_clip=dict(max_norm=1.))
lr_config = dict(
    policy='poly', power=0.9, min_lr=1e-4, by_epoch=False, warmup='linear',
    warmup_iters=1, warmup_ratio=1e-6)
runner = dict(type='IterBasedRunner', max_iters=2)
total_iters = 2
fp16 = dict()
evaluation = dict(
    interval=2, start=1, metric=['mIoU', 'mFscore'], pre_eval=True, save_best='mIoU',
    rule='greater', by_epoch=False)
momentum_config = dict(policy='cyclic')
workflow = [('train', 1), ('val', 1)]
dist_params = dict(backend='nccl')
log_level = 'INFO'
cudnn_benchmark = True
resume_from = None
"""


@pytest.mark.parametrize(
    "text",
    [V0 + MORE_OF_MODEL + MORE_OF_V0, V1 + MORE_OF_MODEL + MORE_OF_V1],
    ids=["0.x", "1.x"],
)
def test_no_key_vanishes(text):
    walk = Walk(read_text(text, "a_1xb2.py"), "a_1xb2.py")
    assert set(walk.fates.values()) == set(FATES) - {SILENT}
    assert sum(fate == USED for fate in walk.fates.values()) > 100
    # A key that nobody knows is told, or refused where its dict is built.
    through = list(walk.strangers())
    assert [path for path, config in through if config is None] == []
    assert [path for path, config in through if not is_refused(config)] == []


def test_the_walk_finds_what_vanishes(monkeypatch):
    monkeypatch.setattr(Report, "drop", lambda self, path, keys: None)
    more = "env_cfg = dict(a=1)\nvisualizer = dict(name='x')\ntrain_cfg = {}\n"
    walk = Walk(read_text(MODEL + more, "a_1xb2.py"), "a_1xb2.py")
    silent = {path for path, fate in walk.fates.items() if fate == SILENT}
    assert {("env_cfg",), ("env_cfg", "a"), ("visualizer", "name")} <= silent
    assert (("env_cfg",), None) in list(walk.strangers())


BASE = MODEL + "optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD'))\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("optim_wraper = dict(clip_grad=None)", "optim_wraper.* 'optim_wrapper'"),
        ("norm_cfg = dict(type='GN', num_groups=2)", "norm_cfg: nothing reads this"),
        ("norm_cfg = dict(eps=1)\nmodel = dict(neck=dict(norm_cfg=norm_cfg))", None),
        ("model = dict(neck=dict(norm_cfg=_base_.norm_cfg))", None),
        ("model = dict(neck=dict(norm_cfg={{_base_.norm_cfg}}))", None),
        ("rates = (1, 2)\nmodel = dict(a=[r + 1 for r in rates])", None),
        ("name = 'x'\nload_from = f'{name}.pth'", None),
        ("a = 1\nload_from = f'{a}.pth'\na = 2", "a: nothing reads this"),
    ],
)
def test_variables_that_nothing_reads_are_told(tmp_path, text, told):
    (tmp_path / "base.py").write_text(BASE)
    path = tmp_path / "child.py"
    path.write_text(f"_base_ = './base.py'\n{text}\n")
    notes = [n for n in translate(read(path), path).notes if "nothing reads" in n]
    assert len(notes) == (told is not None)
    if told:
        assert re.match(told, notes[0])


def test_variables_of_the_new_style_are_told(tmp_path):
    (tmp_path / "base.py").write_text(BASE)
    path = tmp_path / "child.py"
    path.write_text(
        "from mmengine.config import read_base\n"
        "with read_base():\n    from .base import *\n"
        "norm_cfg = dict(type='GN')\ncrop = 3\nload_from = f'{crop}.pth'\n"
    )
    assert read(path).unread == {"norm_cfg", "model", "optim_wrapper", "load_from"}
