"""A data set in groups of one bucket: each image once, predicted with labels or none."""

import types

import jax
import numpy as np
import pytest

from input_pipeline.transforms import Resize
from jaxseg.config import ConfigError
from jaxseg.evaluation.evaluate import Evaluator
from jaxseg.evaluation.runner import Runner, by_bucket
from jaxseg.inference.predictor import Predictor, images_together
from jaxseg.settings import tta as augmentation
from jaxseg.settings.read import read_settings
from tests.evaluation.scenes import (
    CLASSES,
    LOADING,
    SIZES,
    Painter,
    Scenes,
    scenes,
    settings_of,
)


def test_an_accelerator_takes_the_batch_at_once():
    gpus = [types.SimpleNamespace(platform="gpu")] * 4
    assert images_together(1, gpus) == 4
    assert images_together(8, gpus) == 8
    assert images_together(9, gpus) == 12
    assert images_together(9, jax.devices()[:4]) == 4


def test_groups_hold_each_sample_once_and_few_wait():
    pulled = []

    def samples():
        for i in range(500):
            pulled.append(i)
            size = (i % 100 + 1, 1)
            yield dict(number=i, img=np.zeros((*size, 3)), gt_seg_map=np.zeros(size))

    seen = []

    def size_of(sample):
        return sample["img"].shape

    for size, group in by_bucket(samples(), 4, size_of):
        assert {size_of(sample) for sample in group} == {size}
        assert 1 <= len(group) <= 4
        seen += [sample["number"] for sample in group]
        assert len(pulled) - len(seen) <= 64
    assert sorted(seen) == list(range(500))


def test_a_data_set_without_labels_is_predicted():
    dataset = Scenes(SIZES[:4], pipeline=LOADING[:1])
    runner = Runner(
        Predictor(Painter(), jax.devices()[:2]), settings_of(dataset), "val"
    )
    for probabilities in (False, True):
        found, done = {}, []

        def sink(sample, pred, mean, found=found):
            found[sample["number"]] = pred, mean

        runner.predict({}, [sink], done.append, probabilities)
        assert done[-1] == 4
        for number, (pred, _) in enumerate(scenes(SIZES[:4])):
            np.testing.assert_array_equal(found[number][0], pred)
            if not probabilities:
                assert found[number][1] is None
                continue
            mean = found[number][1]
            assert mean.shape == (*pred.shape, len(CLASSES))
            np.testing.assert_allclose(mean.sum(-1), 1, atol=1e-6)
            np.testing.assert_array_equal(mean.argmax(-1), pred)


def test_tta_wants_the_image_at_its_own_size():
    dataset = Scenes(pipeline=(LOADING[0], Resize(scale=(8, 8)), LOADING[1]))
    settings = settings_of(dataset, tta=augmentation.TestTimeAug())
    with pytest.raises(
        ConfigError,
        match=r"scene 0 is 16x24, and 8x8 after the pipeline; .* changes its size",
    ):
        Evaluator(Predictor(Painter()), settings)({})


def test_a_sample_of_other_channels():
    class Narrow(Painter):
        in_channels = 4

    with pytest.raises(ConfigError, match="scene 0 has 3 channels, .*in_channels is 4"):
        Evaluator(Predictor(Narrow()), settings_of(Scenes()))({})


def test_no_val_dataloader():
    with pytest.raises(ConfigError, match="val_dataloader is missing"):
        Evaluator(Predictor(Painter()), read_settings({}))


def test_what_fills_up_a_batch_is_not_scaled_again(monkeypatch):
    scaled, scale = [], augmentation.TestTimeAug.scaled

    def note(tta, image):
        scaled.append(image)
        return scale(tta, image)

    monkeypatch.setattr(augmentation.TestTimeAug, "scaled", note)
    tta = augmentation.TestTimeAug(img_ratios=(0.5, 1.0))
    settings = settings_of(Scenes([(16, 24)] * 3), tta=tta)
    runner = Runner(Predictor(Painter(), jax.devices()[:4]), settings, "val")
    with runner.samples() as samples:
        versions = runner.versions(list(samples))
    assert len(scaled) == 3
    assert [[image.shape[:2] for image in images] for images in versions] == [
        [(8, 12)] * 4,
        [(16, 24)] * 4,
    ]
    for images in versions:
        assert images[3] is images[2]
