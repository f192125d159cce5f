import pytest

from jaxseg.mmseg_config.report import Report
from jaxseg.mmseg_config.training import translate_training
from jaxseg.settings.read import read_settings

SGD = dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=0.0005)


def v1(**changes):
    raw = dict(
        default_scope="mmseg",
        optim_wrapper=dict(type="OptimWrapper", optimizer=SGD, clip_grad=None),
        param_scheduler=[dict(type="PolyLR", power=0.9, end=100, by_epoch=False)],
        train_cfg=dict(type="IterBasedTrainLoop", max_iters=100, val_interval=20),
        default_hooks=dict(
            timer=dict(type="IterTimerHook"),
            logger=dict(type="LoggerHook", interval=50, log_metric_by_epoch=False),
            param_scheduler=dict(type="ParamSchedulerHook"),
            checkpoint=dict(type="CheckpointHook", by_epoch=False, interval=20),
            sampler_seed=dict(type="DistSamplerSeedHook"),
            visualization=dict(type="SegVisualizationHook"),
        ),
        visualizer=dict(vis_backends=[dict(type="LocalVisBackend")]),
        env_cfg=dict(cudnn_benchmark=True),
        log_processor=dict(by_epoch=False),
        log_level="INFO",
        load_from=None,
        resume=False,
        auto_scale_lr=dict(enable=False, base_batch_size=16),
    )
    return raw | changes


def v0(**changes):
    raw = dict(
        data=dict(samples_per_gpu=2),
        optimizer=SGD,
        optimizer_config=dict(),
        lr_config=dict(policy="poly", power=0.9, min_lr=1e-4, by_epoch=False),
        runner=dict(type="IterBasedRunner", max_iters=100),
        checkpoint_config=dict(by_epoch=False, interval=20),
        evaluation=dict(interval=20, metric="mIoU", pre_eval=True),
        log_config=dict(interval=50, hooks=[dict(type="TextLoggerHook")]),
        dist_params=dict(backend="nccl"),
        workflow=[("train", 1)],
        cudnn_benchmark=True,
        load_from=None,
        resume_from=None,
    )
    return raw | changes


def translated(raw):
    report = Report()
    return translate_training(raw, report), report


def names(report):
    return [name for _, name in report.missing]


@pytest.mark.parametrize("raw", [v0(), v1()], ids=["0.x", "1.x"])
def test_both_lines_say_the_same_run(raw):
    ours, report = translated(raw)
    assert report == Report()
    assert ours.pop("param_scheduler")
    assert ours == dict(
        optim_wrapper=dict(type="OptimWrapper", optimizer=SGD),
        train_cfg=dict(max_iters=100, val_interval=20),
        default_hooks=dict(
            checkpoint=dict(interval=20, max_keep_ckpts=5, save_best=None),
            logger=dict(interval=50),
        ),
    )
    settings = read_settings(ours)
    assert settings.train_loop.max_iters == 100 and settings.checkpoint.interval == 20


# MARK: the optimiser


def wrapper_of(raw):
    ours, report = translated(raw)
    return ours["optim_wrapper"], report


def wrapped(**changes):
    return v1(optim_wrapper=v1()["optim_wrapper"] | changes)


def test_the_optimizer_beside_the_wrapper_is_dead():
    ours, report = wrapper_of(v1(optimizer=dict(SGD, lr=1.0)))
    assert ours["optimizer"]["lr"] == 0.01
    assert [note.partition(":")[0] for note in report.notes] == ["optimizer"]
    assert wrapper_of(v1(optimizer=SGD))[1] == Report()


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (wrapped(type="AmpOptimWrapper", loss_scale=512.0), "AmpOptimWrapper"),
        (
            v0(optimizer_config=dict(type="Fp16OptimizerHook", loss_scale="dynamic")),
            "AmpOptimWrapper",
        ),
        # A mark that mmseg's training does not read, in either line.
        (v0(fp16=dict(loss_scale="dynamic")), "OptimWrapper"),
        (v1(fp16=dict(loss_scale="dynamic")), "OptimWrapper"),
    ],
)
def test_mixed_precision(raw, kind):
    ours, report = wrapper_of(raw)
    assert ours == dict(type=kind, optimizer=SGD)
    assert report.missing == [] and len(report.notes) == 1


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (wrapped(accumulative_counts=2), "OptimWrapper"),
        (
            v0(
                optimizer_config=dict(
                    type="GradientCumulativeOptimizerHook", cumulative_iters=2
                )
            ),
            "OptimWrapper",
        ),
        (
            v0(
                optimizer_config=dict(
                    type="GradientCumulativeFp16OptimizerHook", cumulative_iters=2
                )
            ),
            "AmpOptimWrapper",
        ),
    ],
)
def test_accumulation(raw, kind):
    assert wrapper_of(raw)[0] == dict(type=kind, optimizer=SGD, accumulative_counts=2)


CLIP = dict(max_norm=1, norm_type=2)


@pytest.mark.parametrize(
    "raw", [wrapped(clip_grad=CLIP), v0(optimizer_config=dict(grad_clip=CLIP))]
)
def test_clipping(raw):
    assert wrapper_of(raw)[0]["clip_grad"] == CLIP


RULES = dict(
    custom_keys={"head": dict(lr_mult=10.0, wd_mult=0.0), "theta": dict(wd_mult=0.0)},
    norm_decay_mult=0.0,
)


def test_clipping_by_value():
    clip = dict(type="value", clip_value=0.1, foreach=None)
    ours, report = translated(wrapped(clip_grad=clip))
    assert ours["optim_wrapper"]["clip_grad"] == dict(type="value", clip_value=0.1)
    assert ("optim_wrapper", "clip_grad.foreach") in report.without_effect


@pytest.mark.parametrize(
    "raw",
    [wrapped(paramwise_cfg=RULES), v0(optimizer=dict(SGD, paramwise_cfg=RULES))],
)
def test_custom_keys_without_those_that_nobody_reads(raw):
    ours, report = wrapper_of(raw)
    assert ours["paramwise_cfg"] == dict(
        custom_keys={"head": dict(lr_mult=10.0), "theta": {}},
        allow_unmatched=True,
        norm_decay_mult=0.0,
    )
    assert report.missing == []
    assert [
        note.partition(":")[0].rpartition("custom_keys.")[2] for note in report.notes
    ] == [
        "head.wd_mult",
        "theta.wd_mult",
    ]


def test_layer_decay_by_both_of_its_names():
    rules = dict(num_layers=12, layer_decay_rate=0.9)
    older = dict(constructor="LayerDecayOptimizerConstructor", paramwise_cfg=rules)
    rules = dict(num_layers=12, decay_rate=0.9, decay_type="layer_wise_vit")
    newer = dict(
        constructor="LearningRateDecayOptimizerConstructor", paramwise_cfg=rules
    )
    for raw in (wrapped(**older), wrapped(**newer), v0(optimizer=SGD | older)):
        ours, report = wrapper_of(raw)
        assert report == Report()
        assert ours["constructor"] == "LearningRateDecayOptimizerConstructor"
        assert ours["paramwise_cfg"] == dict(
            num_layers=12, decay_rate=0.9, decay_type="layer_wise"
        )


def test_a_constructor_that_forces_its_default_rules():
    rules = dict(
        bias_decay_mult=0,
        force_default_settings=True,
        custom_keys={"backbone.unet": dict(lr_mult=0.01)},
    )
    constructor = "ForceDefaultOptimWrapperConstructor"
    ours, report = wrapper_of(wrapped(constructor=constructor, paramwise_cfg=rules))
    assert report == Report()
    assert ours["constructor"] == constructor
    assert ours["paramwise_cfg"] == rules | {"allow_unmatched": True}


@pytest.mark.parametrize(
    ("raw", "missing"),
    [
        (wrapped(type="ApexOptimWrapper"), "ApexOptimWrapper"),
        (wrapped(optimizer=dict(type="Ranger", lr=1.0)), "Ranger"),
        (wrapped(optimizer=dict(SGD, dampening=0.5)), "SGD(dampening=0.5)"),
        (wrapped(clip_grad=dict(type="agc", max_norm=1)), "type='agc'"),
        (wrapped(constructor="MyConstructor"), "MyConstructor"),
        (
            wrapped(
                constructor="LearningRateDecayOptimizerConstructor",
                paramwise_cfg=dict(
                    num_layers=6, decay_rate=0.9, decay_type="block_wise"
                ),
            ),
            "decay_type='block_wise'",
        ),
        (v0(optimizer_config=dict(type="MyHook")), "MyHook"),
        (
            v1(auto_scale_lr=dict(enable=True, base_batch_size=16)),
            "auto_scale_lr(enable=True)",
        ),
    ],
)
def test_optimizers_that_are_missing(raw, missing):
    assert names(translated(raw)[1]) == [missing]


def test_arguments_that_ask_for_nothing():
    ours, report = wrapper_of(wrapped(optimizer=dict(SGD, dampening=0, foreach=None)))
    assert ours["optimizer"] == SGD and report == Report()


# MARK: length, checkpoints, the rest


def test_total_iters_before_there_were_runners():
    raw = v0(total_iters=70)
    del raw["runner"]
    assert translated(raw)[0]["train_cfg"] == dict(max_iters=70, val_interval=20)


@pytest.mark.parametrize(
    "raw",
    [
        v1(train_cfg=dict(by_epoch=True, max_epochs=9)),
        v1(train_cfg=dict(type="EpochBasedTrainLoop", max_epochs=9, val_begin=1)),
        v0(
            runner=dict(type="EpochBasedRunner", max_epochs=9),
            evaluation=dict(metric="mIoU"),
        ),
        v0(runner=None, total_epochs=9, evaluation=dict(metric="mIoU")),
    ],
)
def test_runs_by_epochs(raw):
    ours, report = translated(raw)
    assert report.missing == []
    assert ours["train_cfg"] == dict(max_epochs=9, val_interval=1)


def test_total_iters_is_what_0x_reads_beside_total_epochs():
    ours, report = translated(v0(runner=None, total_epochs=9, total_iters=100))
    assert ours["train_cfg"]["max_iters"] == 100 and report.missing == []


def test_leftovers_of_0x_in_a_config_of_1x_have_no_effect():
    leftovers = dict(
        runner=dict(type="IterBasedRunner", max_iters=320), total_iters=7, fp16={}
    )
    ours, report = translated(v1(**leftovers))
    assert ours == translated(v1())[0]
    assert [note.partition(":")[0] for note in report.notes] == [
        "runner",
        "total_iters",
        "fp16",
    ]


def hook(**changes):
    hooks = v1()["default_hooks"]
    return v1(default_hooks=hooks | dict(checkpoint=hooks["checkpoint"] | changes))


@pytest.mark.parametrize(
    ("raw", "interval", "keep", "best"),
    [
        (hook(interval=30), 30, 4, None),  # all of them: 30, 60, 90, 100
        (hook(max_keep_ckpts=2), 20, 2, None),
        (hook(interval=-1), 100, 1, None),
        (hook(save_best="mDice"), 20, 5, "mDice"),
        (hook(save_best=["mDice", "mIoU"]), 20, 5, "mDice"),
        # The first score of an IoUMetric, whatever else it computes.
        (hook(save_best="auto"), 20, 5, "aAcc"),
        (v1(default_hooks={}), 100, 1, None),
        (v0(checkpoint_config=dict(interval=20, max_keep_ckpts=1)), 20, 1, None),
        (v0(evaluation=dict(metric=["mDice"], save_best="auto")), 20, 5, "aAcc"),
    ],
)
def test_checkpoints(raw, interval, keep, best):
    ours, report = translated(raw)
    assert report.missing == []
    assert ours["default_hooks"]["checkpoint"] == dict(
        interval=interval, max_keep_ckpts=keep, save_best=best
    )


def test_checkpoints_by_epochs_are_noted():
    ours, report = translated(hook(by_epoch=True, interval=1))
    assert ours["default_hooks"]["checkpoint"]["interval"] == 100
    assert "counts epochs, of which a run of iterations has one" in report.notes[0]


def test_checkpoints_of_a_run_by_epochs():
    loop = dict(type="EpochBasedTrainLoop", max_epochs=9)
    ours, report = translated(hook(by_epoch=True, interval=2) | dict(train_cfg=loop))
    assert ours["default_hooks"]["checkpoint"] == dict(
        save_best=None, interval=2, by_epoch=True, max_keep_ckpts=5
    )
    assert report.notes == []
    raw = hook(by_epoch=False, interval=20, max_keep_ckpts=2) | dict(train_cfg=loop)
    assert translated(raw)[0]["default_hooks"]["checkpoint"] == dict(
        save_best=None, interval=20, max_keep_ckpts=2
    )


@pytest.mark.parametrize(
    ("changes", "noted"),
    [
        (dict(custom_hooks=[dict(type="MyHook")]), "custom_hooks.0: MyHook is not run"),
        (
            dict(custom_imports=dict(imports=["mine"])),
            "custom_imports: ['mine'] not imported",
        ),
        (
            dict(visualizer=dict(vis_backends=[dict(type="WandbVisBackend")])),
            "WandbVisBackend: not written to",
        ),
        (dict(work_dir="runs/a"), "work_dir='runs/a': not used"),
        (
            dict(resume=True, load_from="a.pth"),
            "resume of 'a.pth': its weights are taken",
        ),
    ],
)
def test_what_a_user_would_expect_is_noted(changes, noted):
    _, report = translated(v1(**changes))
    assert report.missing == []
    assert len(report.notes) == 1 and report.notes[0].startswith(noted)


def test_where_evaluations_begin():
    begins = dict(max_iters=100, val_interval=20, val_begin=60)
    assert translated(v1(train_cfg=begins))[0]["train_cfg"] == begins
    ours, report = translated(v0(evaluation=dict(interval=20, start=60)))
    assert ours["train_cfg"] == begins and report.notes == []
    _, report = translated(v0(evaluation=dict(interval=20, start=50)))
    (note,) = report.notes
    assert note.startswith("evaluation.start=50: the run is evaluated from there on")


@pytest.mark.parametrize("raw", [v0(seed=304), v1(randomness=dict(seed=304))])
def test_the_seed(raw):
    assert translated(raw)[0]["randomness"] == dict(seed=304)


@pytest.mark.parametrize("raw", [v0(load_from="a.pth"), v1(load_from="a.pth")])
def test_load_from(raw):
    ours, report = translated(raw)
    assert ours["load_from"] == "a.pth" and report == Report()


def test_resume_from_of_0x_takes_the_weights():
    ours, report = translated(v0(resume_from="a.pth"))
    assert ours["load_from"] == "a.pth" and len(report.notes) == 1


@pytest.mark.parametrize("make", [v0, v1])
def test_moving_average(make):
    hooks = [dict(type="EMAHook", momentum=0.001, priority=49)]
    assert translated(make(custom_hooks=hooks))[0]["ema"] == dict(momentum=0.001)
    other = [dict(type="EMAHook", ema_type="StochasticWeightAverage")]
    assert names(translated(make(custom_hooks=other))[1]) == [
        "EMAHook(ema_type='StochasticWeightAverage')"
    ]


def test_what_has_no_effect_is_said_by_parts():
    raw = v1(
        env_cfg=dict(cudnn_benchmark=True),
        test_cfg=dict(type="TestLoop", fp16=True),
        randomness=dict(seed=1, deterministic=True),
    )
    _, report = translated(raw)
    notes = report.all_notes()
    assert "test_cfg.fp16: not honoured, the model computes in its dtype" in notes
    assert any(n.endswith("says why): deterministic") for n in notes)
    (line,) = [note for note in notes if note.startswith("config: ")]
    assert "env_cfg" in line


def test_checkpoints_without_the_optimiser():
    for value, expected in ((False, {"save_optimizer": False}), (True, {})):
        hook = dict(interval=10, save_optimizer=value)
        ours, _ = translated(v0(checkpoint_config=hook))
        found = ours["default_hooks"]["checkpoint"]
        assert found.items() >= expected.items()
        assert ("save_optimizer" in found) == bool(expected)


def test_a_schedule_of_another_parameter_is_missing():
    raw = v1(param_scheduler=dict(type="LinearLR", param_name="momentum"))
    _, report = translated(raw)
    assert ("param_scheduler.0", "LinearLR(param_name='momentum')") in report.missing


def test_a_workflow_with_validation_measures_its_losses():
    runner = dict(type="IterBasedRunner", max_iters=9)
    workflow = [("train", 1), ("val", 1)]
    ours, report = translated(v0(runner=runner, workflow=workflow))
    assert ours["train_cfg"]["val_loss"] is True
    assert any("]: the losses of the validation" in note for note in report.notes)
    ours, _ = translated(v0(runner=runner, workflow=workflow[:1]))
    assert "val_loss" not in ours["train_cfg"]
