"""docs/prepare.md is what the table of converters gives."""

import pathlib

from scripts.prepare_page import page

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "prepare.md"


def test_the_page_is_up_to_date():
    """Otherwise: python scripts/prepare_page.py > docs/prepare.md."""
    assert PAGE.read_text() == page()
