"""CutMix, ClassMix and CopyPaste on arrays whose result can be written down."""

import numpy as np
import pytest

from input_pipeline.datasets import MultiImageMixDataset
from input_pipeline.sources import SegDataset
from input_pipeline.transforms import ClassMix, CopyPaste, CutMix

CLASSES = ("road", "pole", "tree", "sky")


def record_of(rows, value, path):
    """A sample with the labels `rows`, whose image and depth are `value` everywhere."""
    labels = np.array(rows, np.uint8)
    return {
        "img": np.full((*labels.shape, 3), value, np.uint8),
        "gt_seg_map": labels,
        "gt_depth_map": np.full(labels.shape, value, np.float32),
        "img_path": path,
        "classes": CLASSES,
        "ignore_index": 255,
    }


def below():
    return record_of([[0, 0, 0, 0]] * 3, 10, "below.png")


def above(rows=((1, 1, 2, 3), (1, 255, 2, 3), (1, 255, 2, 3)), value=20):
    return record_of(rows, value, "above.png")


class Draws:
    """An rng with scripted numbers; a choice takes the named ones of what it gets."""

    def __init__(self, *numbers, chosen=()):
        self.numbers, self.chosen = list(numbers), chosen

    def random(self):
        return self.numbers.pop(0)

    def integers(self, low, high):
        assert low <= self.numbers[0] < high
        return self.numbers.pop(0)

    def beta(self, a, b):
        assert a == b
        return self.numbers.pop(0)

    def choice(self, values, count, replace):
        assert not replace and count == len(self.chosen)
        assert set(self.chosen) <= set(values.tolist())
        self.offered = values.tolist()
        return np.array(self.chosen)


def mixed(transform, rng, *others):
    record = below() | {"mix_results": list(others)}
    before = {key: record[key].copy() for key in ("img", "gt_seg_map", "gt_depth_map")}
    found = transform(record, rng)
    for key, array in before.items():
        np.testing.assert_array_equal(record[key], array)
    return found


def check(found, labels, from_above):
    """The labels; and of the image and the depth where they are the other's."""
    np.testing.assert_array_equal(found["gt_seg_map"], labels)
    value = np.where(np.array(from_above, bool), 20, 10)
    np.testing.assert_array_equal(found["img"], np.stack([value] * 3, -1))
    np.testing.assert_array_equal(found["gt_depth_map"], value)
    assert found["img"].dtype == found["gt_seg_map"].dtype == np.uint8
    assert found["gt_depth_map"].dtype == np.float32


def test_cutmix_pastes_a_rectangle():
    # L = 0.75 leaves half of either side: 1 row of 3, 2 columns of 4.
    found = mixed(CutMix(0.5), Draws(0.4, 0.75, 1, 2), above())
    check(
        found,
        [[0, 0, 0, 0], [0, 255, 2, 0], [0, 0, 0, 0]],
        [[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]],
    )


def test_a_rectangle_at_the_border_is_cut_off():
    found = mixed(CutMix(0.5), Draws(0.4, 0.75, 2, 0), above())
    check(
        found,
        [[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]],
        [[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]],
    )


def test_classmix_pastes_half_of_the_classes():
    rng = Draws(0.0, chosen=(1, 3))
    found = mixed(ClassMix(0.5), rng, above())
    assert rng.offered == [1, 2, 3]  # what is ignored is no class
    check(
        found,
        [[1, 1, 0, 3], [1, 0, 0, 3], [1, 0, 0, 3]],
        [[1, 1, 0, 1], [1, 0, 0, 1], [1, 0, 0, 1]],
    )


def test_classmix_of_a_sample_that_is_all_ignored_pastes_nothing():
    found = mixed(ClassMix(1.0), np.random.default_rng(0), above([[255] * 4] * 3))
    check(found, [[0] * 4] * 3, [[0] * 4] * 3)


def test_copy_paste_pastes_the_named_classes():
    found = mixed(CopyPaste(1.0, ("pole", "tree")), Draws(0.9), above())
    check(
        found,
        [[1, 1, 2, 0], [1, 0, 2, 0], [1, 0, 2, 0]],
        [[1, 1, 1, 0], [1, 0, 1, 0], [1, 0, 1, 0]],
    )


def test_copy_paste_lays_several_others_one_upon_the_other():
    first, second = above(), above([[0, 1, 1, 0]] * 3, 30)
    found = mixed(CopyPaste(1.0, ("pole",), num_others=2), Draws(0.9), first, second)
    assert found["img"][0, :, 0].tolist() == [20, 30, 30, 10]
    assert found["gt_seg_map"][0].tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize("shape", [(2, 6), (5, 3)])
def test_samples_of_two_sizes_have_one_corner(shape):
    other = above(np.ones(shape, np.uint8))
    found = mixed(CopyPaste(1.0, ("pole",)), Draws(0.9), other)
    covered = np.zeros((3, 4), int)
    covered[: shape[0], : shape[1]] = 1
    check(found, covered, covered)


@pytest.mark.parametrize("transform", [CutMix(0.3), ClassMix(0.3)])
def test_the_coin_may_leave_a_sample_alone(transform):
    record = below() | {"mix_results": [above()]}
    assert transform(record, Draws(0.3)) is record


class Three(SegDataset):
    """Samples of one class each, its number that of the sample."""

    metainfo, ignore_index, reduce_zero_label = {"classes": CLASSES}, 255, False
    label_map, file_palette, pipeline = None, (), ()

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return record_of(np.full((8, 8), index), index, f"{index}.png")


def test_a_data_set_mixes_by_the_rng_of_the_sample():
    dataset = MultiImageMixDataset(Three(), (CutMix(1.0), ClassMix(0.5)))
    samples = [dataset.sample(1, np.random.default_rng(seed)) for seed in range(20)]
    again = [dataset.sample(1, np.random.default_rng(seed)) for seed in range(20)]
    for sample, same in zip(samples, again, strict=True):
        np.testing.assert_array_equal(sample["img"], same["img"])
        np.testing.assert_array_equal(sample["img"][..., 0], sample["gt_seg_map"])
        assert "mix_results" not in sample
    assert {len(np.unique(sample["img"])) for sample in samples} == {1, 2}


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: CutMix(1.5), r"CutMix.prob is 1.5; it must be in \[0, 1\]"),
        (lambda: CutMix(1, alpha=0), "CutMix.alpha is 0; it must be above 0"),
        (lambda: CopyPaste(1, "pole"), "CopyPaste.classes is 'pole'; .* a list"),
        (lambda: CopyPaste(1, ()), r"CopyPaste.classes is \(\)"),
        (lambda: CopyPaste(1, ("a",), 0), "CopyPaste.num_others is 0"),
    ],
)
def test_fields_that_do_not_fit(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "transform, change, message",
    [
        (
            CutMix(1),
            {"mix_results": []},
            r"below.png: CutMix needs other samples \(1\)",
        ),
        (
            CopyPaste(1, ("poles",)),
            {},
            "CopyPaste.classes has 'poles', .* the nearest is 'pole'. It has road, pole",
        ),
        (
            ClassMix(1),
            {"mix_results": [above() | {"gt_edge_map": np.zeros((3, 4), np.uint8)}]},
            (
                "above.png: ClassMix got img of uint8 x 3, gt_depth_map of float32, "
                "gt_edge_map of uint8, .* and of below.png img of uint8 x 3"
            ),
        ),
    ],
)
def test_samples_that_do_not_fit(transform, change, message):
    record = below() | {"mix_results": [above()]} | change
    with pytest.raises(ValueError, match=message):
        transform(record, np.random.default_rng(0))


def test_a_sample_without_labels_is_refused():
    record = {"img": below()["img"], "img_path": "a.png"}
    with pytest.raises(ValueError, match="a.png: ClassMix needs a gt_seg_map"):
        ClassMix(1)(record | {"mix_results": [record]}, np.random.default_rng(0))
