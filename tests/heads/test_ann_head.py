"""The projection that ANN's keys and queries share, which mmseg's files have twice."""

import jax
import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.weights.layout import to_mmseg, to_model
from jaxseg.weights.state_dict import to_state_dict
from tests.models.cases import build, maps, weights


def test_a_shared_projection_is_written_twice_and_the_second_copy_is_read():
    head = build("ANNHead")
    ours = to_state_dict(jax.tree.map(np.asarray, weights(head, *maps("ANNHead"))))
    theirs = to_mmseg(ours, head, {}, 3)
    twice = {key for key in theirs if "num_batches" not in key} - ours.keys()
    # Two stages, each with a convolution and the four arrays of a norm.
    assert len(twice) == 10
    for key in twice:
        assert key.startswith("context.stages.")
        np.testing.assert_array_equal(
            theirs[key], theirs[key.replace("query_project", "key_project")]
        )
        theirs[key] = theirs[key] + 1  # torch loads this one last
    back = to_model(theirs, head)
    assert {key for key in back if "num_batches" not in key} == ours.keys()
    read = {key.replace("query_project", "key_project") for key in twice}
    for key, array in ours.items():
        np.testing.assert_array_equal(back[key], array + (key in read))


def test_what_is_refused():
    with pytest.raises(ConfigError, match=r"ANNHead.query_scales: is \(2,\), allowed"):
        build("ANNHead", query_scales=[2])
    with pytest.raises(ConfigError, match=r"in_channels is \(4, 6, 8\), allowed: two"):
        build("ANNHead", in_channels=[4, 6, 8], in_index=[0, 1, 2])
