import numpy as np
import pytest

from input_pipeline.transforms.resize import fitted_size
from jaxseg.settings import tta as augmentation


def shapes(image, **tta):
    return [x.shape for x in augmentation.TestTimeAug(**tta).scaled(image)]


def test_ratios_of_the_images_own_size():
    # What mmseg 1.2.2's Resize(scale_factor=ratio, keep_ratio=True) makes of 45x71;
    # 71 * 1.25 is 88.75, but 45 * 1.25 rounds to 56, whose ratio then counts.
    image = np.zeros((45, 71, 3), np.uint8)
    sizes = [(23, 36), (34, 53), (45, 71), (56, 88), (68, 107), (79, 124)]
    assert shapes(image) == [(*size, 3) for size in sizes]


def test_ratios_of_a_scale():
    # mmseg 0.x: (2048, 512) times 0.5, of a 375x500 image, fits 1024x256.
    image = np.zeros((375, 500, 3), np.uint8)
    assert shapes(image, img_scale=(2048, 512), img_ratios=(0.5, 1.0)) == [
        (256, 341, 3),
        (512, 683, 3),
    ]
    assert fitted_size((500, 375), (2048, 512)) == (683, 512)


def test_min_size_needs_a_scale():
    for tta in ({"min_size": 8}, {"min_size": 0, "img_scale": (20, 10)}):
        with pytest.raises(ValueError, match="min_size: is"):
            augmentation.TestTimeAug(**tta)


def test_pixels_keep_their_type_and_ratio_one_the_image():
    image = np.random.default_rng(0).integers(0, 60000, (9, 12, 4)).astype(np.uint16)
    half, same = augmentation.TestTimeAug(img_ratios=(0.5, 1.0)).scaled(image)
    assert half.dtype == np.uint16
    assert half.shape == (5, 6, 4)
    np.testing.assert_array_equal(same, image)


@pytest.mark.parametrize(
    ("tta", "directions"),
    [
        ({}, ("horizontal",)),
        (dict(flip=False), ()),
        (dict(flip_direction="vertical"), ("vertical",)),
        (
            dict(flip_direction=("horizontal", "vertical")),
            ("horizontal", "vertical"),
        ),
    ],
)
def test_directions(tta, directions):
    assert augmentation.TestTimeAug(**tta).directions == directions
