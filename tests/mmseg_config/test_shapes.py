"""Wrong types anywhere in a config of mmseg end in a sentence that names the path."""

import pytest

from jaxseg.errors import JaxsegError
from jaxseg.mmseg_config.reader.inherit import read_text
from jaxseg.mmseg_config.shapes import check_shapes
from jaxseg.mmseg_config.translate import translate
from jaxseg.testing.config_keys import paths, put
from tests.mmseg_config.whole_configs import V0, V1

WRONG = (5, -1, 1.5, "x", None, True, [], {}, [5], [None], {"a": 1}, [{"type": 5}])


@pytest.mark.parametrize("text", [V0, V1], ids=["0.x", "1.x"])
def test_every_wrong_value_is_translated_or_refused(text):
    raw = read_text(text, "a.py")
    refused = 0
    for number, path in enumerate(paths(raw)):
        # Each place gets some of the values, and each value comes by at every kind.
        for value in WRONG[number % 3 :: 3]:
            try:
                translate(put(raw, path, value), "a.py")
            except JaxsegError as error:
                assert len(str(error)) < 500
                refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (dict(default_scope="mmseg", train_cfg=5), "train_cfg: expected a dict, found"),
        (
            dict(default_hooks=dict(checkpoint=dict(interval="x"))),
            "default_hooks.checkpoint.interval: expected a whole number, found 'x'",
        ),
        (
            dict(param_scheduler=[dict(type="PolyLR"), 5]),
            "param_scheduler: expected a dict, or a list of dicts, found",
        ),
        (
            dict(data=dict(train_dataloader=[])),
            "data.train_dataloader: expected a dict, found",
        ),
        (
            dict(data={}, runner=dict(max_iters=0)),
            "runner.max_iters: expected a whole number of 1 at least, found 0",
        ),
    ],
)
def test_a_message_names_path_value_and_what_is_allowed(raw, message):
    with pytest.raises(JaxsegError, match=message):
        check_shapes(raw)
