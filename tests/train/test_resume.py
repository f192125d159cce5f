"""What two configs of one run do not have alike, and which of it is refused."""

import copy
import pathlib

import pytest

from jaxseg.config import ConfigError, load
from jaxseg.train.resume import check_changes, compare

TINY = pathlib.Path(__file__).parents[1] / "tiny.py"

FLIP = {"type": "RandomFlip", "prob": 0.2}


@pytest.fixture
def saved():
    config = load(f"{TINY}:/data")
    config["dataset_meta"] = {"classes": ["a", "b"], "palette": [[0, 0, 0]] * 2}
    return config


def changed(saved, path, value):
    """A copy with another value; None takes the key out."""
    config = copy.deepcopy(saved)
    *parents, last = path.split(".")
    node = config
    for key in parents:
        node = node[int(key)] if isinstance(node, list) else node[key]
    if value is None:
        del node[last]
    elif isinstance(node, list):
        node[int(last)] = value
    else:
        node[last] = value
    return config


GOES_ON = {
    "optim_wrapper.optimizer.lr": (0.2, "0.1 -> 0.2"),
    "optim_wrapper.clip_grad": ({"max_norm": 1}, "nothing -> {'max_norm': 1}"),
    "param_scheduler.0.power": (1.0, "0.9 -> 1.0"),
    "train_cfg.max_iters": (90, "60 -> 90"),
    "train_dataloader.num_workers": (2, "nothing -> 2"),
    "train_dataloader.dataset.data_root": ("/moved", "'/data' -> '/moved'"),
    "train_dataloader.dataset.pipeline.2.prob": (0.2, "0.5 -> 0.2"),
    "val_dataloader.dataset.data_prefix.img_path": ("x", "'images/val' -> 'x'"),
    "model.decode_head.dropout_ratio": (0.3, "0.1 -> 0.3"),
    "model.decode_head.loss_decode": (
        {"loss_weight": 3.0},
        "nothing -> {'loss_weight'",
    ),
    "model.test_cfg": ({"mode": "slide"}, "nothing -> {'mode': 'slide'}"),
    "dataset_meta.palette": ([[1, 1, 1]], "nothing"),
    "ema": (None, "{'momentum': 0.05} -> nothing"),
}

REFUSED = {
    "model.data_preprocessor.mean": ([0.0, 0.0, 0.0], "127.5 -> 0.0"),
    "model.data_preprocessor.bgr_to_rgb": (False, "True -> False"),
    "model.backbone.enc_dilations.0": (2, "1 -> 2"),
    "model.decode_head.align_corners": (True, "nothing -> True"),
    "train_dataloader.batch_size": (8, "4 -> 8"),
    "train_dataloader.dataset.data_prefix.img_path": ("x", "'images/train' -> 'x'"),
    "train_dataloader.dataset.reduce_zero_label": (True, "nothing -> True"),
    "train_dataloader.dataset.pipeline.1.reduce_zero_label": (True, "nothing -> True"),
    "randomness.seed": (4, "3 -> 4"),
    "dataset_meta.classes.1": ("c", "'b' -> 'c'"),
}


@pytest.mark.parametrize("path", [*GOES_ON, *REFUSED])
def test_every_difference_is_found_and_judged(saved, path):
    value, text = (GOES_ON | REFUSED)[path]
    changes = compare(saved, changed(saved, path, value), (12, 12))
    assert changes
    assert any(text in str(change) for change in changes)
    for change in changes:
        assert change.path.startswith(path)
        assert change.is_refused == (path in REFUSED)


def test_what_decides_the_order_may_be_left_out_where_it_is_the_default(saved):
    saved["randomness"] = {"seed": 0}
    saved["train_dataloader"]["batch_size"] = 1
    without = changed(saved, "randomness", None)
    without = changed(without, "train_dataloader.batch_size", None)
    assert compare(saved, without, (12, 12)) == []
    assert compare(without, saved | {"resume": True}, (None, 12)) == []
    (change,) = compare(saved, saved, (12, 11))
    assert str(change) == "train_dataloader.dataset: 12 samples -> 11 samples"
    assert change.is_refused


def test_numbers_of_one_value_and_tuples_are_no_difference(saved):
    new = changed(saved, "optim_wrapper.optimizer.momentum", 0.9)
    new["train_cfg"]["max_iters"] = 60.0
    new["model"]["data_preprocessor"]["size"] = (64, 64)
    assert compare(saved, new, (12, 12)) == []


def test_an_entry_that_is_new_in_a_list_does_not_change_those_behind_it(saved):
    new = copy.deepcopy(saved)
    new["train_dataloader"]["dataset"]["pipeline"].insert(2, FLIP)
    (change,) = compare(saved, new, (12, 12))
    path = "train_dataloader.dataset.pipeline.2"
    assert str(change) == f"{path}: nothing -> {FLIP}"
    assert not change.is_refused
    (change,) = compare(new, saved, (12, 12))
    assert str(change) == f"{path}: {FLIP} -> nothing"


def test_the_refusal_names_each_change_in_the_way_and_what_to_do(saved, tmp_path):
    new = changed(saved, "randomness.seed", 4)
    new = changed(new, "dataset_meta.classes.0", "c")
    new = changed(new, "optim_wrapper.optimizer.lr", 1.0)
    changes = compare(saved, new, (12, 12))
    with pytest.raises(ConfigError) as error:
        check_changes(changes, tmp_path, False)
    _, *listed, hint = str(error.value).splitlines()
    assert sorted(listed) == [
        "  dataset_meta.classes.0: 'a' -> 'c'",
        "  randomness.seed: 3 -> 4",
    ]
    assert "--resume_changed" in hint and "--workdir" in hint
    check_changes(changes, tmp_path, True)
