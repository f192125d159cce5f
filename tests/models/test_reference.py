"""Models with mmseg's weights give mmseg's numbers: see tests/reference/README.md."""

import json
import pathlib

import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.testing.reference import KINDS, check
from jaxseg.weights.load import LoadError

FOLDER = pathlib.Path(__file__).parents[1] / "reference"

# Quick cases of two kinds, half a minute of one core each.
QUICK = {
    # ResNetV1c with dilated stages, PSPHead
    "pspnet__pspnet_r18-d8_4xb2-80k_cityscapes-512x1024",
    # UNet with InterpConv, FCNHead as decode head, DiceLoss beside CrossEntropyLoss
    "unet__unet-s5-d16_fcn_4xb4-ce-1.0-dice-3.0-40k_chase-db1-128x128",
}


# The one that takes least.
QUICKEST = "unet__unet-s5-d16_fcn_4xb4-ce-1.0-dice-3.0-40k_chase-db1-128x128"


def one_of_each_family():
    """The stems of the smallest file of each of mmseg's folders of configs."""
    stems = {}
    for path in sorted(FOLDER.glob("*.npz"), key=lambda path: path.stat().st_size):
        stems.setdefault(path.stem.split("__")[0], path.stem)
    return set(stems.values())


OF_FAMILY = one_of_each_family()


def cases(quick):
    """All cases; those that are neither quick nor their family's are for the night."""

    def marks(stem):
        if stem in quick:
            return ()
        night = () if stem in OF_FAMILY else (pytest.mark.nightly,)
        return (pytest.mark.long, *night)

    return [
        pytest.param(path, id=path.stem, marks=marks(path.stem))
        for path in sorted(FOLDER.glob("*.npz"))
    ]


def test_the_quick_cases_are_there():
    assert QUICK <= {path.stem for path in FOLDER.glob("*.npz")}


def test_the_readme_says_how_many_there_are():
    count = len(list(FOLDER.glob("*.npz")))
    text = (FOLDER.parents[1] / "README.md").read_text()
    assert f"of {count} of its configs are reproduced" in text
    assert f"| {count} configs, to 1e-6 in float64: " in text


def wrong(rows):
    return [
        f"{r.kind} {r.name}: {r.error:.1e} > {r.bound:.1e}" for r in rows if not r.ok
    ]


@pytest.mark.parametrize("path", cases(QUICK))
def test_equals_mmseg(path):
    rows = check(path)
    # A model without batch norm has no statistics.
    has_statistics = json.loads(str(np.load(path)["stat_names"])) != []
    kinds = set(KINDS) if has_statistics else set(KINDS) - {"statistic"}
    assert {row.kind for row in rows} == kinds
    assert len(rows) > 100
    assert {row.bound for row in rows} == {1e-6}
    assert not wrong(rows), "\n".join(wrong(rows))


@pytest.mark.long
@pytest.mark.parametrize(
    "path",
    [p for p in sorted(FOLDER.glob("*.npz")) if p.stem not in OF_FAMILY | QUICK],
    ids=lambda path: path.stem,
)
def test_logits_equal_mmseg(path):
    """Of the cases whose numbers of training are left to the night."""
    rows = check(path, trains=False)
    assert [row.kind for row in rows] == ["logits"]
    assert not wrong(rows), "\n".join(wrong(rows))


@pytest.mark.parametrize("path", cases({QUICKEST}))
def test_equals_mmseg_in_float32(path):
    """To the case's own bounds; gradients and accuracies where those can be met.

    A bound is four times what one run of PyTorch lost in float32. Where its loss is
    above the least bound, 1e-3, rounding is multiplied by batch norms on the way, and
    another order of summation, PyTorch's own on one thread, misses single entries. An
    accuracy counts pixels: there, one whose two largest logits are as close as that
    rounding falls to either side, and a single one is up to 1e-3 of the count. A loss
    may lose what PyTorch lost in another one behind the same norms: with images that
    are changed by half a digit, ResNeSt's auxiliary loss is off by 4e-5 to 1.4e-4, where
    PyTorch lost 8e-6 of it and 5e-4 of the other.
    test_equals_mmseg holds all of them to 1e-6.
    """
    rows, case = check(path, "float32"), np.load(path)
    steady = 4 * case["grad_noise"].max() < 1e-3
    accuracies = [n.endswith("acc_seg") for n in json.loads(str(case["loss_names"]))]
    noisiest = 4 * np.where(accuracies, 0, case["loss_noise"]).max()
    by_chance = [
        r
        for r in rows
        if r.kind == "gradient"
        or r.name.endswith("acc_seg")
        or (r.kind == "loss" and r.error <= noisiest)
    ]
    kept = [r for r in rows if steady or r not in by_chance]
    assert len(kept) > 20  # logits, losses and statistics at the least
    assert not wrong(kept), "\n".join(wrong(kept))


@pytest.mark.long
@pytest.mark.parametrize(
    "stem", [QUICKEST, "vit__vit_deit-s16_upernet_8xb2-160k_ade20k-512x512"]
)
def test_is_near_mmseg_in_bfloat16(stem):
    """To what its roundings lose: where these are, tests/narrow_types.py says."""
    rows = check(FOLDER / f"{stem}.npz", "bfloat16")
    assert {row.kind for row in rows} == set(KINDS)
    assert not wrong(rows), "\n".join(wrong(rows))
    # It did compute in bfloat16.
    assert max(row.error for row in rows if row.kind == "logits") > 1e-3


@pytest.mark.long
@pytest.mark.parametrize(
    "stem",
    [
        "fastscnn__fast_scnn_8xb4-160k_cityscapes-512x1024",
        "erfnet__erfnet_fcn_4xb4-160k_cityscapes-512x1024",
    ],
)
def test_gradients_in_bfloat16_lose_what_cancels(stem):
    """Logits, losses and statistics to the bounds, gradients by what float32 loses.

    The gradient of a bias before a batch norm is the rest of terms that cancel, and
    of a kernel behind which a norm trains on a few values it nearly is. How much, the
    case says: what PyTorch lost of each gradient in float32. A rounding to bfloat16
    loses 2^16 times as much of a value; of such sums 2^13 times as much at the most
    (Fast-SCNN's cells pooled to one: 6400 times).

    An accuracy counts pixels, here of random weights: those whose two largest logits
    are closer than what the logits lose fall to either side.
    """
    path = FOLDER / f"{stem}.npz"
    rows, case = check(path, "bfloat16"), np.load(path)
    names = json.loads(str(case["grad_names"]))
    noise = dict(zip(names, case["grad_noise"], strict=True))
    gradients = [row for row in rows if row.kind == "gradient"]
    rest = [
        row
        for row in rows
        if row.kind != "gradient" and not row.name.endswith("acc_seg")
    ]
    assert not wrong(rest), "\n".join(wrong(rest))
    assert np.median([row.error for row in gradients]) < 0.1
    bad = [r for r in gradients if r.error > max(r.bound, 2**13 * noise[r.name])]
    assert not bad, "\n".join(wrong(bad))
    assert max(r.error for r in rows if r.name.endswith("acc_seg")) < 0.05


@pytest.fixture
def case():
    """The entries of the case that takes least."""
    name = "unet__unet-s5-d16_fcn_4xb4-40k_chase-db1-128x128.npz"
    return dict(np.load(FOLDER / name))


def check_changed(case, tmp_path, dtype="float64", **changes):
    np.savez(tmp_path / "case.npz", **(case | changes))
    return check(tmp_path / "case.npz", dtype)


def without(case, prefixes):
    return {key: value for key, value in case.items() if not key.startswith(prefixes)}


def test_a_case_that_mmseg_could_not_train_or_run_in_float64(case, tmp_path):
    case = without(case, ("loss", "grad", "stat")) | dict(train_error=np.array("why"))
    (row,) = check_changed(case, tmp_path)
    assert row.kind == "logits" and row.bound == 1e-6 and row.ok
    # Numbers of float32 are no better than that, whatever they are compared with.
    (row,) = check_changed(case, tmp_path, exact=False, noise=0.0)
    assert row.bound == 1e-4 and row.ok
    (row,) = check_changed(case, tmp_path, value=case["value"] + 2e-6 * case["absmax"])
    assert not row.ok and row.error == pytest.approx(2e-6, rel=1e-3)


def test_index_tables_are_left_to_the_model(case, tmp_path):
    keys, shapes = (json.loads(str(case[name])) for name in ("keys", "shapes"))
    keys.append("backbone.attn.relative_position_index")
    shapes.append([49, 49])
    more = {"keys": json.dumps(keys), "shapes": json.dumps(shapes)}
    case = without(case, ("loss", "grad", "stat"))
    assert not wrong(check_changed(case, tmp_path, **more))


def test_what_cannot_be_compared(case, tmp_path):
    model = json.loads(str(case["model"]))
    model["backbone"] = dict(type="NoNet", depth=3)
    model["decode_head"]["loss_decode"] = dict(type="NoLoss")
    message = (
        r"case.npz cannot be used:\n  model.backbone: NoNet is not in jaxseg yet\n"
        r"  model.decode_head.loss_decode: NoLoss is not in jaxseg yet$"
    )
    with pytest.raises(ConfigError, match=message):
        check_changed(case, tmp_path, model=json.dumps(model))
    keys = json.loads(str(case["keys"]))
    keys[0] = "backbone.other.weight"
    with pytest.raises(LoadError, match=r"case.npz .*2 keys:(.|\n)*backbone.other"):
        check_changed(case, tmp_path, keys=json.dumps(keys))
    model = json.loads(str(case["model"]))
    model["decode_head"]["in_channels"] = 5
    with pytest.raises(ConfigError, match=r"case.npz.*5"):
        check_changed(case, tmp_path, model=json.dumps(model))
    (tmp_path / "a.txt").write_text("no zip")
    with pytest.raises(ConfigError, match="a.txt: no reference case, which is"):
        check(tmp_path / "a.txt")
    with pytest.raises(ConfigError, match="b.npz: there is no such file"):
        check(tmp_path / "b.npz")
    np.savez(tmp_path / "other.npz", model="{}")
    with pytest.raises(ConfigError, match="no reference case: it lacks absmax, config"):
        check(tmp_path / "other.npz")
