"""Where an error in a pipeline came from, and lists in messages."""

import numpy as np
import pytest

from input_pipeline.sources import SegDataset, some_of


def test_a_long_list_is_cut_and_counted():
    assert some_of(["a", "b"]) == "  a\n  b"
    lines = some_of([str(i) for i in range(25)]).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "  ... and 15 more, 25 in all"


def test_an_error_in_a_transform_says_which_sample_it_was():
    class OneImage(SegDataset):
        def __init__(self):
            self.pipeline = (lambda results, rng: results["absent"],)

        def __getitem__(self, index):
            return {"img_path": "a.png"}

    with pytest.raises(KeyError, match="absent") as caught:
        OneImage().sample(7, np.random.default_rng(0))
    assert caught.value.__notes__ == ["in sample 7 of OneImage: a.png"]
