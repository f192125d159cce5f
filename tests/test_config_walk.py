"""Every key of a config with wrong values: built, or refused in a sentence.

A traceback is for mistakes in code; whatever stands in a config ends in JaxsegError or
DataError.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from input_pipeline.errors import DataError
from jaxseg.errors import JaxsegError
from jaxseg.load_config import load_config
from jaxseg.optim.optimizer import make_optimizer
from jaxseg.resolve import resolve
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.settings.read import read_settings
from jaxseg.testing.config_keys import paths, put
from tests.tiny import get_config

WRONG = (
    *(5, -1, 0, 1.5, 10**12, float("nan"), True, None, "x", "adamw"),
    *([], {}, [5], [None], {"a": 1}, [{"type": 5}], (0, 0)),
)


@pytest.fixture
def whole(tiny_data):
    """A config with every part, and of each part most of the keys."""
    config = get_config(str(tiny_data))
    head = config["model"]["decode_head"]
    head["loss_decode"] = [dict(type="CrossEntropyLoss", loss_weight=1.0)]
    config["model"]["auxiliary_head"] = [dict(head)]
    config["model"]["test_cfg"] = dict(mode="slide", crop_size=(8, 8), stride=(4, 4))
    loader = config["train_dataloader"]
    loader |= dict(num_workers=0, num_threads=1, max_bad_samples=0, cache=None)
    loader["augment_on_device"] = False
    loader["dataset"] |= dict(reduce_zero_label=False, ignore_index=255, label_map=None)
    loader["dataset"]["pipeline"][2:2] = [
        dict(type="RandomResize", scale=(64, 64), ratio_range=(0.5, 2.0)),
        dict(type="RandomCrop", crop_size=(32, 32), cat_max_ratio=0.75),
        dict(type="RandomFlip", prob=0.5, direction="horizontal"),
        dict(type="PhotoMetricDistortion"),
    ]
    config["optim_wrapper"] |= dict(
        type="OptimWrapper",
        constructor="DefaultOptimWrapperConstructor",
        paramwise_cfg=dict(
            norm_decay_mult=0.0,
            custom_keys=dict(kernel=dict(lr_mult=2.0)),
            allow_unmatched=True,
        ),
        clip_grad=dict(max_norm=1.0),
        accumulative_counts=1,
    )
    config["val_evaluator"] = dict(iou_metrics=["mIoU"], nan_to_num=0, beta=1.0)
    config["tta"] = dict(enabled=True, img_ratios=[1.0], flip=True)
    config["custom_imports"] = None
    return config


def build(config):
    """All that is built of a config before a model is traced."""
    config = load_config(config)
    settings = read_settings(config)
    resolve(config["model"], "model")
    make_optimizer(
        config["optim_wrapper"],
        config.get("param_scheduler") or [],
        settings.train_loop.max_iters if settings.train_loop else 60,
        {"backbone": {"conv": {"kernel": jnp.zeros(1)}}},
    )
    if settings.train_dataloader is not None:
        settings.train_dataloader.dataset.sample(0, np.random.default_rng(0))


def test_every_wrong_value_is_built_or_refused(whole):
    build(whole)
    refused, places = 0, [path for path in paths(whole) if path != ("model",)]
    for number, path in enumerate(places):
        # Each place gets some of the values, and each value comes by at every kind.
        for value in WRONG[number % 3 :: 3]:
            try:
                build(put(whole, path, value))
            except (JaxsegError, DataError):
                refused += 1
    assert refused > len(places)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("model.decode_head.loss_decode", "CrossEntropyLoss", "loss_decode: expected"),
        ("model.test_cfg.crop_size", 5, r"crop_size: expected tuple\[int, int\]"),
        ("model.train_cfg", dict(sampler=1), "train_cfg.sampler: this key is not kno"),
        ("tta.img_ratios", [], "tta.img_ratios|tta: img_ratios"),
        ("train_dataloader", 5, "train_dataloader is 5, it takes a dict"),
        ("train_dataloader.batch_size", "two", "batch_size: expected int, found 'two'"),
        ("train_dataloader.dataset.pipeline.2.scale", (0, 0), "scale|sides"),
        ("train_dataloader.dataset.pipeline.3.crop_size", (0, 0), "crop_size"),
        ("train_dataloader.dataset.data_prefix.img_path", 5, "data_prefix.img_path is"),
        ("train_dataloader.dataset.metainfo.classes", 5, "metainfo.classes is 5"),
        ("optim_wrapper", 5, "optim_wrapper is 5, it takes a dict"),
        ("optim_wrapper.optimizer.type", "sdg", "did you mean"),
        ("optim_wrapper.optimizer.type", [], "optimizer.type: "),
        ("train_cfg.max_iters", 10**12, "max_iters: is 1000000000000, allowed: "),
        ("default_hooks", [5], r"default_hooks is \[5\], it takes a dict"),
    ],
)
def test_a_sentence_names_the_place(whole, path, value, message):
    keys = [int(key) if key.isdecimal() else key for key in path.split(".")]
    with pytest.raises((JaxsegError, DataError), match=message):
        build(put_new(whole, keys, value))


def put_new(config, keys, value):
    """As `put`, of a key that may be new."""
    *above, last = keys
    node = config
    for key in above:
        node = node[key]
    node[last] = value
    return config


def test_a_feature_map_that_is_not_there(whole):
    whole["model"]["decode_head"]["in_index"] = 5
    model = resolve(whole["model"], "model")
    message = r"decode_head.in_index is 5, but there are 2 feature maps: 0 to 1"
    with pytest.raises(JaxsegError, match=message):
        jax.eval_shape(lambda: init_variables(model, 0, 3, (32, 32)))
