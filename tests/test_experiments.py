"""Every experiment is resolved and initialised abstractly, and needs no data for that."""

import ast
import functools
import math
import pathlib

import jax
import numpy as np
import pytest

from input_pipeline.datasets import BaseSegDataset
from jaxseg.evaluation.checks import check_classes
from jaxseg.heads import Mask2FormerHead
from jaxseg.load_config import load_config
from jaxseg.optim.optimizer import make_optimizer
from jaxseg.resolve import resolve_model
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.settings.read import read_settings
from jaxseg.train.step import metric_names

FOLDER = pathlib.Path(__file__).parents[1] / "experiments"
# Two are what their argument is: tests/test_load_config.py has mmseg.py, and
# tests/test_prepare.py has prepared.py.
NAMES = sorted(
    {path.stem for path in FOLDER.glob("*.py")} - {"common", "mmseg", "prepared"}
)


def poly(t, base, begin, end, power=0.9, eta_min=1e-4):
    """mmengine's PolyLR in closed form; its last iteration has eta_min."""
    share = (1 - (t - begin) / (end - begin - 1)) ** power
    return eta_min + (base - eta_min) * share


def cosine(t, base, begin, end):
    return base / 2 * (1 + math.cos(math.pi * (t - begin) / (end - begin)))


# The learning rate at the first, the middle and the last of `end` iterations.
SCHEDULES = {
    "ade20k_csail": lambda t, end: poly(t, 0.02, 0, end),
    "ade20k_upernet": lambda t, end: poly(t, 0.01, 0, end),
    "camvid_fast_scnn": lambda t, end: poly(t, 0.12, 100, end) if t else 0.12 * 0.01,
    "camvid_fpn": lambda t, end: poly(t, 0.05, 100, end) if t else 0.05 * 0.01,
    "cityscapes_ocrnet_hr18": lambda t, end: poly(t, 0.01, 0, end),
    "cityscapes_pspnet": lambda t, end: poly(t, 0.01, 0, end),
    "digits_unet": lambda t, end: cosine(t, 0.3, 60, end) if t else 0.3 * 0.04,
    "dinov2_linear_own_folders": lambda t, end: poly(t, 1e-3, 0, end, 1.0, 0.0),
    "drive_unet": lambda t, end: poly(t, 0.01, 0, end),
    "mask2former_own_folders": lambda t, end: poly(t, 1e-4, 0, end, eta_min=0.0),
    "segformer_own_folders": lambda t, end: (
        poly(t, 6e-5, 1500, end, power=1.0, eta_min=0.0) if t else 6e-5 * 1e-6
    ),
    "segnext_own_folders": lambda t, end: (
        poly(t, 6e-5, 1500, end, power=1.0, eta_min=0.0) if t else 6e-5 * 1e-6
    ),
    "voc_deeplab_xception": lambda t, end: poly(t, 0.007, 0, end, eta_min=0.0),
    "voc_deeplabv3plus": lambda t, end: poly(t, 0.01, 0, end),
}


def test_every_experiment_has_its_schedule_here():
    assert sorted(SCHEDULES) == NAMES


# Half a minute of a core each, of kinds that other pages have.
LONG = {
    "cityscapes_ocrnet_hr18",
    "cityscapes_pspnet",
    "mask2former_own_folders",
    "segnext_own_folders",
}
PAGES = [
    pytest.param(name, marks=[pytest.mark.long] * (name in LONG)) for name in NAMES
]


@functools.cache
def abstract(name):
    """Config, model and the shapes of its variables."""
    config = load_config(FOLDER / f"{name}.py")
    model = resolve_model(config["model"])
    size = model.data_preprocessor.size or (96, 96)
    make = functools.partial(init_variables, model, 0, 3, size)
    return config, model, size, jax.eval_shape(make)


def losses_of(head):
    """The names of a head's losses and accuracies."""
    if not isinstance(head, Mask2FormerHead):
        return ["loss_ce", "acc_seg"]
    names = ["loss_cls", "loss_mask", "loss_dice"]
    layers = range(head.transformer_decoder.num_layers)
    return names + [f"d{i}.{name}" for i in layers for name in names]


@pytest.mark.parametrize("name", PAGES)
def test_model_optimiser_and_schedule(name):
    config, model, size, variables = abstract(name)
    batch = {
        "img": jax.ShapeDtypeStruct((2, *size, 3), np.uint8),
        "gt_seg_map": jax.ShapeDtypeStruct((2, *size), np.uint8),
        "img_shape": jax.ShapeDtypeStruct((2, 2), np.int32),
    }
    losses = {"loss", "grad_norm"}
    # As mmseg's log has them: decode, aux, decode_0, aux_1.
    for key, head in model.heads.items():
        prefix = key.replace("_head", "").replace("auxiliary", "aux").replace(".", "_")
        losses |= {f"{prefix}.{loss}" for loss in losses_of(head)}
    assert set(metric_names(model, variables, batch)) == losses

    end = config["train_cfg"]["max_iters"]
    params = variables["params"]
    optimizer = make_optimizer(
        config["optim_wrapper"], config["param_scheduler"], end, params
    )
    state = jax.eval_shape(optimizer.transform.init, params)
    kept = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(state) if leaf.shape)
    # SGD's momentum, or Adam's two moments.
    copies = {"SGD": 1, "AdamW": 2}[config["optim_wrapper"]["optimizer"]["type"]]
    parameters = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
    assert kept == copies * parameters
    for step in (0, end // 2, end - 1):
        expected = SCHEDULES[name](step, end)
        rate = float(optimizer.learning_rate(step))
        # The recursion in float64, kept as a float32 share of the base rate.
        assert rate == pytest.approx(expected, rel=2e-4, abs=1e-7), step


@pytest.mark.parametrize("name", PAGES)
def test_everything_else_without_the_data(name, monkeypatch):
    files = [("image.jpg", "label.png")]
    monkeypatch.setattr(BaseSegDataset, "_list_files", lambda self: files)
    config, model, size, _ = abstract(name)
    settings = read_settings(config)
    for part in ("train_dataloader", "val_dataloader"):
        dataset = getattr(settings, part).dataset
        check_classes(model, dataset, part)
        names = [type(transform).__name__ for transform in pipeline_of(dataset)]
        assert names[0] == "LoadImageFromFile"
        assert "LoadAnnotations" in names
        crops = [t for t in pipeline_of(dataset) if type(t).__name__ == "RandomCrop"]
        assert [crop.crop_size for crop in crops] == [size] * len(crops)
        assert bool(crops) == (part == "train_dataloader" and name != "digits_unet")
    end = settings.train_loop.max_iters
    # The last iteration is evaluated and saved; the others are so in between.
    assert end % settings.train_loop.val_interval == 0
    assert settings.train_loop.val_interval % settings.checkpoint.interval == 0
    [metric] = settings.val_evaluator
    assert settings.checkpoint.save_best in metric.iou_metrics
    page = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text()))
    assert f"python -m jaxseg.main --config experiments/{name}.py" in page


def pipeline_of(dataset):
    """The transforms of a data set, or of the first that it is made of."""
    for name in ("dataset", "datasets"):
        if hasattr(dataset, name):
            inner = getattr(dataset, name)
            return pipeline_of(inner[0] if isinstance(inner, tuple) else inner)
    return dataset.pipeline
