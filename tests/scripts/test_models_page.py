"""docs/models.md is what the tables of contents give."""

import pathlib

from jaxseg import backbones, heads, necks, text_encoders
from jaxseg.backbones.backbone import Backbone
from jaxseg.heads.head import Head
from jaxseg.necks.neck import Neck
from jaxseg.text_encoders.text_encoder import TextEncoder
from scripts.models_page import CONFIGS, DIFFERENCES, entries, page

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "models.md"
TABLES = (
    (backbones, Backbone),
    (necks, Neck),
    (heads, Head),
    (text_encoders, TextEncoder),
)


def test_the_page_is_up_to_date():
    """Otherwise: python scripts/models_page.py > docs/models.md."""
    assert PAGE.read_text() == page()


def test_what_is_said_of_an_entry_stands_there():
    names = {name for table, role in TABLES for name in entries(table, role)}
    assert set(CONFIGS) | set(DIFFERENCES) <= names
    text = page()
    for name in names:
        assert f"[{name}](../jaxseg/" in text
