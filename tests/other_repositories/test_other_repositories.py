"""Whole models of other repositories, with their own keys, give their numbers."""

import pathlib

import pytest

from jaxseg.testing.reference import KINDS, check
from tests.other_repositories.models import CSAIL, DEEPLAB

FOLDER = pathlib.Path(__file__).parent
QUICK = {"csail_resnet18dilated-ppm_deepsup"}
CASES = [
    pytest.param(
        path, id=path.stem, marks=() if path.stem in QUICK else pytest.mark.long
    )
    for path in sorted(FOLDER.glob("*.npz"))
]


def test_every_model_has_a_case():
    cases = [f"deeplab_{name}" for name in DEEPLAB] + [
        f"csail_{name}" for name in CSAIL
    ]
    assert sorted(cases) == [path.stem for path in sorted(FOLDER.glob("*.npz"))]


@pytest.mark.parametrize("path", CASES)
def test_equals_the_original(path):
    rows = check(path)
    assert {row.kind for row in rows} == set(KINDS) and len(rows) > 100
    assert {row.bound for row in rows} == {1e-6}
    wrong = [f"{r.kind} {r.name}: {r.error:.1e}" for r in rows if not r.ok]
    assert not wrong, "\n".join(wrong)
