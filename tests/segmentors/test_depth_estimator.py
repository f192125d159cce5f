"""Models of depth: what they predict, and in which ways."""

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.evaluation.checks import check_classes, check_ignored
from jaxseg.inference.loaded import check_predicts_classes
from jaxseg.resolve import resolve
from tests.models.cases import weights
from tests.models.segmentors import model_config

WINDOWS = dict(mode="slide_flip", crop_size=(64, 64), stride=(32, 32))


def depth(**changes):
    return resolve(model_config("depth") | changes, "model")


@pytest.mark.long
def test_a_window_is_the_mean_of_itself_and_of_what_is_turned_round():
    model = depth(test_cfg=WINDOWS)
    images = jax.random.normal(jax.random.key(0), (1, 64, 64, 3))
    variables = weights(model, images)

    def maps(model, images):
        return np.asarray(model.apply(variables, images, method="maps")[0])

    plain = depth()
    turned = maps(plain, images[:, :, ::-1])[:, :, ::-1]
    mean = (maps(plain, images) + turned) / 2
    np.testing.assert_allclose(maps(model, images), mean, rtol=1e-6)
    assert np.abs(mean - turned).max() > 1e-4


def test_depths_are_predicted_as_they_are():
    values = jnp.full((1, 2, 3, 1), 2.5, jnp.bfloat16)
    found = depth().predicted(values)
    assert (found.shape, found.dtype) == ((1, 2, 3), jnp.float32)
    assert (found == 2.5).all()


def test_only_depths_are_turned_round():
    with pytest.raises(ConfigError, match="test_cfg.mode is 'slide_flip', allowed: "):
        resolve(model_config("uper") | {"test_cfg": WINDOWS}, "model")
    head = model_config("uper")["decode_head"]
    with pytest.raises(ConfigError, match="decode_head: UPerHead predicts no depths"):
        depth(decode_head=head)


def test_classes_of_the_data_set_are_not_the_models():
    class NYU:
        metainfo: ClassVar = {"classes": ("kitchen", "bathroom")}
        ignore_index = 255

    check_classes(depth(), NYU, "val_dataloader.dataset")
    check_ignored(depth(), NYU, "train_dataloader.dataset")
    with pytest.raises(ConfigError, match="tta averages .* predicts gt_depth_map"):
        check_predicts_classes(depth(), "tta averages probabilities")
