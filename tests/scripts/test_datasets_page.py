"""docs/datasets.md is what the classes of published data sets give."""

import collections
import pathlib

from scripts.datasets_page import FAMILIES, HOMES, TRAIN, page, published

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "datasets.md"


def test_the_page_is_up_to_date():
    """Otherwise: python scripts/datasets_page.py > docs/datasets.md."""
    assert PAGE.read_text() == page()


def test_every_class_is_in_one_family():
    named = collections.Counter(name for names in FAMILIES.values() for name in names)
    assert sorted(named) == sorted(published())
    assert set(named.values()) == {1}
    assert set(TRAIN) | set(HOMES) <= set(named)
