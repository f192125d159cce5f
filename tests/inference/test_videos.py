"""Videos: every frame is predicted once, in its place; damaged ones get a sentence."""

import types
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from input_pipeline.errors import DataError
from input_pipeline.transforms import LoadImageFromFile
from jaxseg.config import ConfigError
from jaxseg.errors import JaxsegError
from jaxseg.inference import videos
from jaxseg.inference.pictures import find_images, predict_files
from jaxseg.inference.videos import Frames

PALETTE = ((0, 0, 0), (250, 120, 10), (10, 20, 240))
SIZE = (48, 64)
COUNT = 10


class Shade:
    """A model whose class is the third of the brightness of a frame."""

    palette, classes, tta = PALETTE, ("a", "b", "c"), None
    pipeline = (LoadImageFromFile(),)
    segmentor = types.SimpleNamespace(predicted_key="gt_seg_map")
    variables = None
    images_together = 4

    def __init__(self):
        self.predictor = self
        self.batches = []

    def load_image(self, image):
        return {"img": image}

    def label_maps(self, variables, images, size):
        self.batches.append(images.shape)
        assert images.shape[1:3] == size
        return (images.mean(-1) * 3 / 256).astype(np.uint8)


def write_video(path, count=COUNT, codec="mp4v"):
    """Frames of one red each, darker at the beginning."""
    codec = cv2.VideoWriter.fourcc(*codec)
    writer = cv2.VideoWriter(str(path), codec, 12.0, SIZE[::-1])
    assert writer.isOpened()
    for number in range(count):
        grey = 20 + number * 220 // COUNT
        writer.write(np.full((*SIZE, 3), grey, np.uint8))
    writer.release()


def brightness(path):
    return [frame.mean() for frame in Frames(path)]


def test_frames_are_predicted_in_batches_and_in_order(tmp_path):
    path, output, model = tmp_path / "clip.mp4", tmp_path / "out", Shade()
    write_video(path)
    formats = ("color", "overlay", "mask", "rle")
    (done,) = predict_files(model, [path], output, formats)
    assert done.error is None and done.file == output / "colors/clip.mp4"
    assert model.batches == [(4, *SIZE, 3)] * 3  # the last is filled up
    shown = Frames(done.file)
    assert (shown.size, shown.fps, shown.count) == (SIZE, 12.0, COUNT)
    masks = [np.asarray(Image.open(p)) for p in sorted(output.glob("labels/clip/*"))]
    grey = brightness(path)
    assert len(masks) == len(grey) == COUNT and grey == sorted(grey)
    assert [mask[0, 0] for mask in masks] == [int(g * 3 / 256) for g in grey]
    for frame, mask in zip(Frames(done.file), masks, strict=True):
        due = np.array(PALETTE)[mask[0, 0]]
        assert np.abs(frame.mean((0, 1)) - due).max() < 6  # of the encoder
    both = zip(Frames(output / "overlays/clip.mp4"), grey, masks, strict=True)
    for frame, light, mask in both:
        due = light / 2 + np.array(PALETTE)[mask[0, 0]] / 2
        assert np.abs(frame.mean((0, 1)) - due).max() < 6
    assert len(list(output.glob("rle/clip/*.json"))) == COUNT
    assert not list(output.rglob("*.part*"))


def test_by_default_it_is_an_overlay(tmp_path):
    write_video(tmp_path / "clip.mp4", 2)
    (done,) = predict_files(Shade(), [tmp_path / "clip.mp4"], tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["overlays"]
    assert done.file.name == "clip.mp4"


def test_damaged_videos_get_a_sentence(tmp_path, caplog):
    whole = tmp_path / "a.avi"
    write_video(whole, codec="MJPG")
    for name, content in {
        "empty.mp4": b"",
        "text.mp4": b"no video",
        "start.avi": whole.read_bytes()[:200],
    }.items():
        path = tmp_path / name
        path.write_bytes(content)
        (done,) = predict_files(Shade(), [path], tmp_path / "out")
        assert isinstance(done.error, DataError)
        assert f"{path} cannot be opened: no video, a truncated" in str(done.error)
    write_video(tmp_path / "none.avi", 0, "MJPG")
    (done,) = predict_files(Shade(), [tmp_path / "none.avi"], tmp_path / "out")
    assert isinstance(done.error, DataError) and "none.avi" in str(done.error)
    content = whole.read_bytes()
    whole.write_bytes(content[: content.index(b"movi") + 1500])
    (done,) = predict_files(Shade(), [whole], tmp_path / "out")
    assert done.error is None
    assert "it says that it has 10: it is truncated or damaged" in caplog.text
    left = [p.name for p in (tmp_path / "out").rglob("*.*")]
    assert left == ["a.mp4"]


def test_a_model_that_does_not_take_the_frames(tmp_path):
    write_video(tmp_path / "clip.mp4", 2)

    class Other(Shade):
        def load_image(self, image):
            raise ConfigError("the given array has 3 channels")

    (done,) = predict_files(Other(), [tmp_path / "clip.mp4"], tmp_path / "out")
    assert "clip.mp4: the given array has 3 channels" in str(done.error)
    assert not list((tmp_path / "out").rglob("*.mp4"))
    formats = ("probability",)
    (done,) = predict_files(Shade(), [tmp_path / "clip.mp4"], tmp_path, formats)
    assert isinstance(done.error, JaxsegError)
    assert "of videos probabilities are not written" in str(done.error)


class Camera:
    """Five frames, then Ctrl-C."""

    def __init__(self, source):
        assert source == 0
        self.left = 5

    def isOpened(self):
        return True

    def get(self, what):
        sides = {
            cv2.CAP_PROP_FRAME_HEIGHT: SIZE[0],
            cv2.CAP_PROP_FRAME_WIDTH: SIZE[1],
        }
        return sides.get(what, 0.0)

    def read(self):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return True, np.full((*SIZE, 3), 40 * self.left, np.uint8)

    def release(self):
        pass


def test_a_camera_is_recorded_until_it_is_stopped(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_images("0") == [Path("0")]
    monkeypatch.setattr(videos.cv2, "VideoCapture", Camera)
    (done,) = predict_files(Shade(), [Path("0")], tmp_path / "out")
    monkeypatch.undo()
    assert done.error is None
    shown = Frames(done.file)
    # The last frame waited for a batch.
    assert (shown.count, shown.fps) == (4, 25.0)


def test_a_camera_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (done,) = predict_files(Shade(), [Path("97")], tmp_path / "out")
    assert "camera 97 cannot be opened: there is no such camera" in str(done.error)
    (tmp_path / "97").write_bytes(b"")  # then it is a file
    assert not videos.is_camera(Path("97"))
