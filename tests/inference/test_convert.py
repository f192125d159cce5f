"""Checkpoints of mmseg to every form and back: nothing is lost on the way.

mmseg_unet.pth is of mmseg 1.2.2 itself; make_mmseg_unet.py made it.
"""

import json
import pathlib
import shutil

import jax
import numpy as np
import pytest

from jaxseg.apis import init_model
from jaxseg.checkpoint.reader import SavedWeights
from jaxseg.checkpoint.store import Checkpoints
from jaxseg.inference.convert import convert_checkpoint
from jaxseg.load_config import load_config
from jaxseg.weights.files.weights_file import read_weights, write_weights
from jaxseg.weights.load import LoadError, read_checkpoint
from jaxseg.weights.state_dict import to_state_dict

FOLDER = pathlib.Path(__file__).parent
CONFIG, FILE = FOLDER / "mmseg_unet.py", FOLDER / "mmseg_unet.pth"


def config_with(**backbone):
    config = load_config(CONFIG)
    config["model"]["backbone"].update(backbone)
    return config


def same_bits(ours, theirs):
    assert ours.keys() == theirs.keys()
    for key, array in theirs.items():
        assert ours[key].dtype == array.dtype
        assert ours[key].shape == array.shape
        assert ours[key].tobytes() == array.tobytes()


def test_mmsegs_file_comes_back_as_it_was(tmp_path):
    convert_checkpoint(CONFIG, FILE, tmp_path / "ours")
    convert_checkpoint(None, tmp_path / "ours", tmp_path / "back.pth")
    theirs, back = read_weights(FILE), read_weights(tmp_path / "back.pth")
    same_bits(back.state_dict, theirs.state_dict)
    assert list(back.state_dict) == list(theirs.state_dict)
    assert back.meta == theirs.meta
    counters = {k: a for k, a in back.state_dict.items() if "num_batches" in k}
    assert len(counters) == 6
    assert min(counters.values()) > 1 << 40


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_files_of_other_kinds_hold_the_same(tmp_path, suffix):
    convert_checkpoint(CONFIG, FILE, tmp_path / f"a{suffix}")
    convert_checkpoint(CONFIG, tmp_path / f"a{suffix}", tmp_path / "back.pth")
    theirs, back = read_weights(FILE), read_weights(tmp_path / "back.pth")
    same_bits(back.state_dict, theirs.state_dict)
    assert back.meta == theirs.meta


def test_the_model_computes_what_mmsegs_does(tmp_path):
    images = np.random.default_rng(0).standard_normal((1, 3, 16, 16), np.float64)
    images = images.astype(np.float32).transpose(0, 2, 3, 1)
    expected = np.load(FOLDER / "mmseg_unet.npz")["logits"]
    convert_checkpoint(CONFIG, FILE, tmp_path / "ours")
    for config, checkpoint in (
        (CONFIG, FILE),
        (CONFIG, tmp_path / "ours"),
        (None, tmp_path / "ours"),  # it brings the config
        (str(tmp_path / "ours"), None),  # and stands alone
    ):
        model = init_model(config, checkpoint)
        logits = model.encode_decode(images)
        np.testing.assert_allclose(logits, expected, atol=1e-5 * abs(expected).max())
        assert model.classes == ("sky", "road", "car")
        assert model.palette == ((1, 2, 3), (4, 5, 6), (7, 8, 9))


def test_half_precision_keeps_its_bits(tmp_path):
    file = read_weights(FILE)
    half = {
        key: array if "num_batches" in key else array.astype(np.float16)
        for key, array in file.state_dict.items()
    }
    write_weights(tmp_path / "half.pth", half, file.meta)
    convert_checkpoint(CONFIG, tmp_path / "half.pth", tmp_path / "ours")
    convert_checkpoint(None, tmp_path / "ours", tmp_path / "back.pth")
    same_bits(read_weights(tmp_path / "back.pth").state_dict, half)
    # Read to compute, it is in the model's type.
    leaves = jax.tree.leaves(init_model(None, tmp_path / "ours").variables)
    assert {leaf.dtype for leaf in leaves} == {np.dtype("float32")}


def test_a_run_of_ours_gets_the_counters_that_mmseg_would_have(tmp_path):
    model = init_model(CONFIG, FILE)
    state = jax.tree.map(np.asarray, dict(model.variables))
    ema = jax.tree.map(lambda a: a + 1, state["params"])
    meta = {"classes": ["a", "b", "c"], "palette": [[0, 0, 0]] * 3}
    with Checkpoints(tmp_path / "run" / "checkpoints") as checkpoints:
        config = {**model.config, "dataset_meta": meta}
        checkpoints.save(60, {**state, "ema": ema}, config=config)
        checkpoints.wait()
    lines = convert_checkpoint(None, tmp_path / "run", tmp_path / "a.pth")
    assert lines == [f"{tmp_path / 'a.pth'}: 40 entries, step 60"]
    file = read_weights(tmp_path / "a.pth")
    assert file.state_dict.keys() == read_weights(FILE).state_dict.keys()
    counters = [int(a) for k, a in file.state_dict.items() if "num_batches" in k]
    assert counters == [60] * 6
    expected = to_state_dict({"params": ema, "batch_stats": state["batch_stats"]})
    same_bits({k: file.state_dict[k] for k in expected}, expected)
    assert file.meta == {**meta, "iter": 60}


def test_every_difference_is_listed(tmp_path):
    file = read_weights(FILE)
    broken = dict(file.state_dict)
    del broken["decode_head.conv_seg.bias"]
    broken["neck.conv.weight"] = np.zeros((1, 1, 1, 1), np.float32)
    broken["decode_head.convs.0.bn.weight"] = np.zeros(9, np.float32)
    write_weights(tmp_path / "broken.pth", broken, {})
    with pytest.raises(LoadError) as error:
        convert_checkpoint(CONFIG, tmp_path / "broken.pth", tmp_path / "ours")
    assert str(error.value).splitlines() == [
        f"{tmp_path / 'broken.pth'} does not fit the model in 3 keys:",
        "  missing: decode_head.conv_seg.bias",
        "  unexpected: neck.conv.weight",
        "  misshapen: decode_head.convs.0.bn.weight is (9,), the model has (4,)",
    ]
    assert not (tmp_path / "ours").exists()


def test_a_head_of_other_classes_is_skipped_by_name(tmp_path):
    config = config_with()
    config["model"]["decode_head"]["num_classes"] = 5
    config["model"]["auxiliary_head"][0]["num_classes"] = 5
    heads = ["decode_head.conv_seg", "auxiliary_head.0.conv_seg"]
    with pytest.raises(LoadError, match=r"in 4 keys:\n.*auxiliary_head.0.conv_seg"):
        convert_checkpoint(config, FILE, tmp_path / "a.npz")
    lines = convert_checkpoint(config, FILE, tmp_path / "a.npz", skip=heads)
    assert sorted(lines[:-1]) == [
        f"starts fresh: {head}.{leaf}"
        for head in sorted(heads)
        for leaf in ("bias", "weight")
    ]
    new = read_weights(tmp_path / "a.npz").state_dict
    theirs = read_weights(FILE).state_dict
    assert new["decode_head.conv_seg.weight"].shape == (5, 4, 1, 1)
    assert 0 < new["decode_head.conv_seg.weight"].std() < 0.1  # normal, 0.01
    kept = [key for key in theirs if "conv_seg" not in key]
    same_bits({k: new[k] for k in kept}, {k: theirs[k] for k in kept})
    # Nor has the classifier learnt the classes that the file names.
    assert "classes" not in read_weights(tmp_path / "a.npz").meta
    with pytest.raises(LoadError, match="skip: there is no decode_head.conv_se; "):
        convert_checkpoint(
            config, FILE, tmp_path / "b.npz", skip=["decode_head.conv_se"]
        )


def test_a_part_that_the_model_does_not_have_is_skipped_too(tmp_path):
    config = config_with()
    del config["model"]["auxiliary_head"]
    lines = convert_checkpoint(
        config, FILE, tmp_path / "a.npz", skip=["auxiliary_head"]
    )
    assert len(lines) == 1
    new = read_weights(tmp_path / "a.npz")
    assert {key.split(".")[0] for key in new.state_dict} == {"backbone", "decode_head"}
    assert new.meta["classes"] == ["sky", "road", "car"]


def test_images_of_more_channels_on_request(tmp_path):
    config = config_with(in_channels=4)
    with pytest.raises(LoadError, match="--adapt-in-channels writes such a checkpoint"):
        convert_checkpoint(config, FILE, tmp_path / "ours")
    convert_checkpoint(config, FILE, tmp_path / "ours", adapt=True)
    key = "backbone.encoder.0.0.convs.0.conv.weight"
    old = read_weights(FILE).state_dict[key]
    new = read_checkpoint(tmp_path / "ours").state_dict[key]
    # timm's rule: r, g, b, r, scaled by 3 / 4.
    np.testing.assert_allclose(new, old[:, [0, 1, 2, 0]] * 0.75, rtol=1e-6)
    with pytest.raises(LoadError, match="no first layer for 3 channels where"):
        convert_checkpoint(CONFIG, FILE, tmp_path / "b", adapt=True)


def test_a_copy_by_an_ema_hook_is_left_out_and_named(tmp_path):
    file = read_weights(FILE)
    copy = {"ema_decode_head_conv_seg_bias": np.ones(3, np.float32)}
    write_weights(tmp_path / "ema.pth", {**file.state_dict, **copy}, file.meta)
    lines = convert_checkpoint(CONFIG, tmp_path / "ema.pth", tmp_path / "a.npz")
    assert lines[0] == "left out: ema_decode_head_conv_seg_bias"
    same_bits(read_weights(tmp_path / "a.npz").state_dict, file.state_dict)


def test_what_is_there_is_replaced_on_request_alone(tmp_path):
    ours, file = tmp_path / "ours", tmp_path / "a.npz"
    for target in (ours, file):
        convert_checkpoint(CONFIG, FILE, target)
        with pytest.raises(LoadError, match=f"{target.name} is there; --overwrite"):
            convert_checkpoint(CONFIG, FILE, target)
    halved = {k: a // 2 for k, a in read_weights(FILE).state_dict.items()}
    write_weights(tmp_path / "half.pth", halved, {"iter": 7})
    for target in (ours, file):
        convert_checkpoint(CONFIG, tmp_path / "half.pth", target, overwrite=True)
        same_bits(read_checkpoint(target).state_dict, halved)
    assert [step.name for step in ours.iterdir()] == ["7"]
    # From a folder to itself, too.
    convert_checkpoint(None, ours, ours, overwrite=True)
    same_bits(read_checkpoint(ours).state_dict, halved)
    assert {path.name for path in tmp_path.iterdir()} == {"a.npz", "half.pth", "ours"}


def test_a_conversion_that_fails_leaves_what_is_there(tmp_path):
    convert_checkpoint(CONFIG, FILE, tmp_path / "ours")
    write_weights(tmp_path / "a.pth", {"x": np.zeros(1, np.float32)}, {})
    with pytest.raises(LoadError, match="unexpected: x"):
        convert_checkpoint(
            CONFIG, tmp_path / "a.pth", tmp_path / "ours", overwrite=True
        )
    same_bits(
        read_checkpoint(tmp_path / "ours").state_dict, read_weights(FILE).state_dict
    )


def test_nothing_but_checkpoints_is_replaced(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(LoadError, match=r"holds note\.txt: only a folder with nothing"):
        convert_checkpoint(CONFIG, FILE, tmp_path, overwrite=True)
    with pytest.raises(LoadError, match=r"note\.txt is a file; a checkpoint of jaxseg"):
        convert_checkpoint(CONFIG, FILE, tmp_path / "note.txt", overwrite=True)
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(LoadError, match=r"a\.npz is a folder"):
        convert_checkpoint(CONFIG, FILE, tmp_path / "a.npz", overwrite=True)
    assert (tmp_path / "note.txt").read_text() == "mine"


def test_an_empty_folder_is_written_into(tmp_path):
    (tmp_path / "empty").mkdir()
    convert_checkpoint(CONFIG, FILE, tmp_path / "empty")
    (step,) = (tmp_path / "empty").iterdir()
    assert step.name == "40000"
    manifest = json.loads((step / "manifest" / "manifest.json").read_text())
    assert manifest["config"]["dataset_meta"]["classes"] == ["sky", "road", "car"]


def test_a_step_that_goes_while_the_model_is_built(tmp_path, monkeypatch):
    run = tmp_path / "ours"
    convert_checkpoint(CONFIG, FILE, run)
    halved = {k: a // 2 for k, a in read_weights(FILE).state_dict.items()}
    write_weights(tmp_path / "half.pth", halved, {"iter": 50_000})
    convert_checkpoint(CONFIG, tmp_path / "half.pth", tmp_path / "later")
    (tmp_path / "later" / "50000").rename(run / "50000")
    read = SavedWeights.read

    def removed_first(self, names):
        if self.step == 50_000:
            shutil.rmtree(self.path)
        return read(self, names)

    monkeypatch.setattr(SavedWeights, "read", removed_first)
    variables = init_model(run).variables
    found = to_state_dict(variables)
    expected = read_weights(FILE).state_dict
    same_bits(found, {key: expected[key] for key in found})
