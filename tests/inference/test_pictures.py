"""Pictures of predictions: what is found, what is written, what reads it again."""

import types

import numpy as np
import pytest
from PIL import Image

from input_pipeline.errors import DataError
from input_pipeline.transforms import LoadImageFromFile
from jaxseg.config import ConfigError
from jaxseg.inference.label_files import save_palette_png
from jaxseg.inference.pictures import (
    find_images,
    predict_files,
    save_validation_grids,
)
from jaxseg.settings import tta as augmentation
from jaxseg.visualize import overlay

PALETTE = ((0, 0, 0), (255, 128, 0), (10, 20, 30))


class Thirds:
    """A model that predicts thirds of the image's width, as `SegModel` would."""

    segmentor = types.SimpleNamespace(predicted_key="gt_seg_map")
    palette = PALETTE
    pipeline = (LoadImageFromFile(),)

    def read_pixels(self, path):
        return np.asarray(Image.open(path).convert("RGB"))

    def predict(self, path):
        height, width = self.read_pixels(path).shape[:2]
        return np.tile((np.arange(width) * 3 // width).astype(np.uint8), (height, 1))


@pytest.fixture
def photos(tmp_path):
    """Nested, with one stem under two suffixes, dots in a name, and a text file."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for name in ("a.png", "a.jpg", "v1.2.png", "deep/er/b.PNG"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(path)
    (folder / "notes.txt").write_text("no image")
    return folder


def names(paths, folder):
    return [str(path.relative_to(folder)) for path in paths]


def test_find_images(photos, monkeypatch):
    everything = ["a.jpg", "a.png", "deep/er/b.PNG", "v1.2.png"]
    assert names(find_images(str(photos)), photos) == everything
    assert names(find_images(f"{photos}/*.png"), photos) == ["a.png", "v1.2.png"]
    assert names(find_images(f"{photos}/**/*.PNG"), photos) == ["deep/er/b.PNG"]
    assert names(find_images(f"{photos}/a.jpg"), photos) == ["a.jpg"]
    monkeypatch.chdir(photos)
    assert names(find_images("."), "") == everything
    with pytest.raises(
        ConfigError, match=r"is a URL; fetch it first: curl -LO 'https:"
    ):
        find_images("https://example.org/a.jpg?size=2")
    for nothing in ("missing.png", f"{photos}/*.gif", f"{photos}/deep/*"):
        with pytest.raises(ConfigError, match="no image there; .* a file, a glob, a f"):
            find_images(nothing)


def test_every_image_gets_its_own_files(photos, tmp_path):
    output = tmp_path / "output"
    done = list(predict_files(Thirds(), find_images(str(photos)), output))
    assert [one.image for one in done] == find_images(str(photos))
    stems = ["a_jpg", "a_png", "deep/er/b", "v1.2"]
    assert [str(one.file.relative_to(output)) for one in done] == [
        f"labels/{stem}.png" for stem in stems
    ]
    written = {str(p.relative_to(output)) for p in output.rglob("*.*")}
    assert written == {
        name for s in stems for name in (f"labels/{s}.png", f"overlays/{s}.jpg")
    }


def test_no_two_images_share_a_name(tmp_path):
    images = [
        tmp_path / name for name in ("a.png", "a.jpg", "a_png.bmp", "b/a_png.png")
    ]
    for path in images:
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (6, 4)).save(path)
    output = tmp_path / "output"
    done = list(predict_files(Thirds(), images, output))
    assert len({one.file for one in done}) == 4
    assert names([one.file for one in done], output) == [
        "labels/a.png.png",
        "labels/a_jpg.png",
        "labels/a_png.bmp.png",
        "labels/b/a_png.png",
    ]


def test_pictures_of_an_earlier_run_are_not_predicted(photos):
    output = photos / "output"
    before = find_images(str(photos), output)
    list(predict_files(Thirds(), before, output))
    assert len(list(output.rglob("*.png"))) == 4
    assert find_images(str(photos), output) == before
    pngs = find_images(f"{photos}/**/*.png", output)
    assert names(pngs, photos) == ["a.png", "v1.2.png"]
    # A file that is named is meant.
    made = next(output.rglob("*.png"))
    assert find_images(str(made), output) == [made]


def test_what_a_folder_has_besides_is_said(photos, caplog):
    (photos / "clip.mp4").write_text("")
    with caplog.at_level("INFO", "jaxseg"):
        find_images(str(photos))
    assert "left out are files with other suffixes: " in caplog.text
    assert "1 of .txt" in caplog.text and "1 of .mp4" in caplog.text


class Picky(Thirds):
    """Takes no image whose name begins with v, and cannot read b."""

    def predict(self, path):
        if path.name.startswith("v"):
            raise ConfigError(f"{path}: 20x30 is no size for this model")
        if path.name.startswith("b"):
            raise DataError(f"{path}: not an image")
        return super().predict(path)


def test_a_bad_image_leaves_out_itself_alone(photos, tmp_path):
    output = tmp_path / "output"
    done = list(predict_files(Picky(), find_images(str(photos)), output))
    assert [one.image.name for one in done] == ["a.jpg", "a.png", "b.PNG", "v1.2.png"]
    assert [one.error is None for one in done] == [True, True, False, False]
    assert "b.PNG: not an image" in str(done[2].error)
    assert len(list(output.rglob("labels/*.png"))) == 2


def test_a_mistake_in_the_models_code_is_no_bad_image(photos, tmp_path):
    class Broken(Thirds):
        def predict(self, path):
            raise IndexError(path)

    with pytest.raises(IndexError):
        list(predict_files(Broken(), find_images(str(photos)), tmp_path))


def test_one_file_and_relative_paths(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(photos)
    output = tmp_path / "output"
    [done] = predict_files(Thirds(), find_images("deep/er/b.PNG"), output)
    assert done.file == output / "labels" / "b.png"
    several = find_images("a.jpg") + find_images(f"{photos}/deep")
    paths = [done.file for done in predict_files(Thirds(), several, output)]
    assert names(paths, output) == ["labels/a.png", "labels/deep/er/b.png"]


def test_labels_and_overlay_are_right_when_read_again(photos, tmp_path):
    image, model = photos / "a.png", Thirds()
    [done] = predict_files(model, [image], tmp_path)
    read = Image.open(done.file)
    assert read.mode == "P"
    expected = model.predict(image)
    np.testing.assert_array_equal(np.asarray(read), expected)
    np.testing.assert_array_equal(
        np.asarray(read.convert("RGB")), np.asarray(PALETTE, np.uint8)[expected]
    )
    # JPEG keeps the colours of noise only about.
    shown = np.asarray(Image.open(tmp_path / "overlays" / "a.jpg")).astype(int)
    painted = overlay(model.read_pixels(image), expected, PALETTE)
    for left in (0, 10, 20):
        np.testing.assert_allclose(
            shown[:, left : left + 10].mean((0, 1)),
            painted[:, left : left + 10].mean((0, 1)),
            atol=4,
        )


def test_label_files_of_many_classes(tmp_path):
    full = np.arange(256, dtype=np.uint8).reshape(16, 16)
    palette = np.random.default_rng(0).integers(0, 256, (256, 3))
    save_palette_png(tmp_path / "256.png", full, palette)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "256.png")), full)
    wide = np.array([[0, 300], [65535, 256]], np.uint16)
    save_palette_png(tmp_path / "more.png", wide, palette)
    read = Image.open(tmp_path / "more.png")
    assert read.mode == "I;16"
    np.testing.assert_array_equal(np.asarray(read), wide)


class Data:
    """Images at half the size of their labels."""

    def __init__(self):
        self.metainfo = dict(classes=("x", "y", "z"), palette=PALETTE)

    def __len__(self):
        return 9

    def sample(self, index, rng):
        image = np.full((10, 15, 3), 20 * index, np.uint8)
        return dict(img=image, gt_seg_map=np.ones((20, 30), np.uint8))


class TwoDevices:
    """A predictor that wants two images, and notes what it gets."""

    devices = (0, 1)
    model = types.SimpleNamespace(predicted_key="gt_seg_map")

    def __init__(self):
        self.seen = []

    def put_variables(self, variables):
        return variables

    def label_maps(self, variables, images, size):
        self.seen.append(images[:, 0, 0, 0].tolist())
        return np.zeros((len(images), *size), np.uint8)

    def augmented_label_maps(self, variables, versions, size, directions):
        self.seen.append(([images.shape for images in versions], directions))
        return np.zeros((len(versions[0]), *size), np.uint8)


def test_validation_grids_are_spread_over_the_data_set(tmp_path):
    predictor = TwoDevices()
    save_validation_grids(predictor, {}, Data(), tmp_path / "grids", count=3)
    assert predictor.seen == [[0, 0], [80, 80], [160, 160]]
    assert sorted(p.name for p in (tmp_path / "grids").iterdir()) == [
        "00.png",
        "01.png",
        "02.png",
    ]
    save_validation_grids(predictor, {}, Data(), tmp_path / "all", count=20)
    assert len(list((tmp_path / "all").iterdir())) == 9


def test_validation_grids_show_what_tta_predicts(tmp_path):
    predictor, tta = TwoDevices(), augmentation.TestTimeAug(img_ratios=(1.0, 2.0))
    save_validation_grids(predictor, {}, Data(), tmp_path, tta, count=1)
    shapes = [(2, 10, 15, 3), (2, 20, 30, 3)]
    assert predictor.seen == [(shapes, ("horizontal",))]
