"""Losses give mmseg's values and gradients: see tests/reference/README.md."""

import pathlib

import numpy as np
import pytest

from jaxseg import losses
from jaxseg.testing.loss_reference import check_loss

FOLDER = pathlib.Path(__file__).parents[1] / "reference/losses"
CASES = sorted(FOLDER.glob("*.npz"))
# All losses share the code of these.
SHARED = ("_avg_factor", "_loss_weight", "_none", "_sum")


def parameter(path):
    marks = pytest.mark.long if path.stem.endswith(SHARED) else ()
    return pytest.param(path, id=path.stem, marks=marks)


@pytest.mark.parametrize("path", [parameter(path) for path in CASES])
def test_equals_mmseg_in_float64(path):
    rows = check_loss(path)
    with np.load(path) as case:
        assert len(rows) == ("value" in case) + ("grad" in case) > 0
    for row in rows:
        assert row.ok, row


def test_every_loss_has_a_case():
    found = {str(np.load(path)["loss"]) for path in CASES}
    # The Dice loss of 0.x is in none: its values are in test_dice_loss.py.
    # Those of masks are in the cases of the heads that classify them.
    of_masks = {"MaskCrossEntropyLoss", "MaskDiceLoss", "MaskFocalLoss"}
    elsewhere = of_masks | {"DiceLossV0", "QueryClassLoss"}
    assert found == set(losses.__all__) - elsewhere | {"Accuracy"}


def test_a_wrong_number_is_found(tmp_path):
    case = dict(np.load(FOLDER / "ce.npz"))
    for name in ("value", "grad"):
        worse = tmp_path / f"{name}.npz"
        np.savez(worse, **case | {name: case[name] * (1 + 3e-6)})
        rows = check_loss(worse)
        assert [row.ok for row in rows] == [name != "value", name != "grad"]
