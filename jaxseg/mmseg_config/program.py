"""Program: keys of a config that say how mmengine's or mmcv's program runs and prints."""

from collections.abc import Mapping
from typing import Any

from jaxseg.config import plain
from jaxseg.mmseg_config.line import is_v0
from jaxseg.mmseg_config.report import Report

# Keys of 0.x that nothing reads in a config of 1.x.
_WITHOUT_EFFECT_IN_V1 = ("runner", "total_iters", "lr_config", "optimizer_config")
_WITHOUT_EFFECT_IN_V1 += ("momentum_config",)
_WITHOUT_EFFECT_IN_V1 += ("fp16", "evaluation", "checkpoint_config", "log_config")

# What writes the numbers that a run has in its work directory here, too.
_WRITERS = (
    "LocalVisBackend",
    "TensorboardLoggerHook",
    "TensorboardVisBackend",
    "TextLoggerHook",
)

# How the processes of mmengine and mmcv run and print.
_OF_THE_PROGRAM = (
    *("auto_resume", "cudnn_benchmark", "device", "dist_params", "env_cfg"),
    *("experiment_name", "find_unused_parameters", "gpu_ids", "launcher"),
    *("log_level", "log_processor", "mp_start_method", "opencv_num_threads"),
)


def note_program(raw: Mapping[str, Any], report: Report) -> None:
    """Reports what of a config is about mmengine's program, and not about ours.

    Args:
        raw: a whole config of either line.
        report: is told.
    """
    report.drop("", [key for key in _OF_THE_PROGRAM if raw.get(key)])
    if not is_v0(raw):
        _note_of_v1(raw, report)
    for where, key in (("visualizer", "vis_backends"), ("log_config", "hooks")):
        for i, writer in enumerate((raw.get(where) or {}).get(key) or []):
            report.drop_others(f"{where}.{key}.{i}", writer, ("type",))
            _note_writer(writer.get("type"), report)
    if raw.get("custom_imports"):
        report.drop_others("custom_imports", raw["custom_imports"], ("imports",))
        report.note(
            f"custom_imports: {raw['custom_imports'].get('imports')} not imported, an "
            "mmseg config runs no code; --config.custom_imports.imports=[...] does"
        )
    scaling = raw.get("auto_scale_lr") or {}
    report.drop_others("auto_scale_lr", scaling, ("enable",))
    if scaling.get("enable"):
        report.lacks("optim_wrapper.optimizer.lr", "auto_scale_lr(enable=True)")
    if raw.get("work_dir"):
        report.note(f"work_dir={raw['work_dir']!r}: not used, --workdir is")
    if validates_by_workflow(raw):
        report.note(
            f"workflow={raw['workflow']!r:.60}: the losses of the validation data are "
            "measured in every evaluation (train_cfg.val_loss)"
        )
    elif plain(raw.get("workflow")) not in (None, [], [["train", 1]]):
        report.note(f"workflow={raw['workflow']!r:.60}: not honoured")


def validates_by_workflow(raw: Mapping[str, Any]) -> bool:
    """Whether 0.x's `workflow` asks for the losses of the validation data."""
    return is_v0(raw) and any("val" in phase for phase in raw.get("workflow") or [])


def _note_writer(name, report):
    if name not in _WRITERS:
        report.note(
            f"{name}: not written to; the numbers are in metrics.jsonl and in "
            "TensorBoard's files"
        )


def _note_of_v1(raw, report):
    for name, loop in (("val_cfg", "ValLoop"), ("test_cfg", "TestLoop")):
        config = raw.get(name) or {}
        if config.get("fp16"):
            report.note(f"{name}.fp16: not honoured, the model computes in its dtype")
        if config.get("type", loop) != loop:
            report.note(
                f"{name}: {config['type']} is not run, the data is gone through"
            )
        report.drop_others(name, config, ("type", "fp16"))
    for key in _WITHOUT_EFFECT_IN_V1:
        if key in raw:
            report.note(f"{key}: a key of mmseg 0.x, without effect in 1.x")
    report.drop_others("visualizer", raw.get("visualizer") or {}, ("vis_backends",))
    if raw.get("default_scope") not in (None, "mmseg"):
        report.note(
            f"default_scope={raw['default_scope']!r}: not used; a type without a scope "
            "is mmseg's"
        )
