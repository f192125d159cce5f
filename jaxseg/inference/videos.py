"""Videos and cameras: their frames predicted in batches, and written as videos."""

import contextlib
import itertools
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.formats.files import open_file
from input_pipeline.formats.limits import MAX_PIXELS, check_size
from jaxseg.config import ConfigError
from jaxseg.inference.label_maps import predict_label_maps
from jaxseg.inference.loaded import SegModel
from jaxseg.inference.output_formats import FORMATS, write_format
from jaxseg.visualize import colorize, overlay

_log = logging.getLogger("jaxseg")

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv"),
)
DEFAULT_FORMATS = ("overlay",)

# What one file is written of; of the others, one a frame.
_AS_VIDEO = ("overlay", "color")

# Frames a second, where a camera does not say it.
_FPS = 25.0

# Seconds between two lines of progress.
_SILENCE = 15.0


def is_camera(path: Path) -> bool:
    """Whether a path is the number of a camera."""
    return str(path).isdecimal() and not path.exists()


def is_video(path: Path) -> bool:
    """Whether a path is a video, by its name, or a camera."""
    return path.suffix.lower() in VIDEO_SUFFIXES or is_camera(path)


class Frames:
    """The frames of a video, or of a camera until Ctrl-C.

    Attributes:
        path: the file, or the number of the camera.
        is_live: whether it is a camera.
        size: (height, width).
        fps: frames a second.
        count: how many frames there are, as the file says; 0 if it does not.
    """

    def __init__(self, path: Path):
        """Opens a video.

        Raises:
            DataError: if there is none, or it has no frames.
        """
        self.path, self.is_live = path, is_camera(path)
        if not self.is_live:
            open_file(path).close()  # a regular file, so that nothing is waited for
        self._capture = cv2.VideoCapture(int(str(path)) if self.is_live else str(path))
        if not self._capture.isOpened():
            what = (
                "there is no such camera, or another program has it"
                if self.is_live
                else "no video, a truncated or damaged one, or of an unknown kind"
            )
            raise DataError(f"{self.name} cannot be opened: {what}.")
        self.size = self._ask("HEIGHT", int), self._ask("WIDTH", int)
        check_size(self.name, self.size, "uint8", MAX_PIXELS)
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0 < fps <= 1000 else _FPS
        self.count = 0 if self.is_live else max(self._ask("COUNT", int), 0)

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"camera {self.path}" if self.is_live else str(self.path)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yields (H, W, 3) uint8, RGB."""
        number = 0
        with contextlib.closing(self):
            while (read := self._capture.read())[0]:
                number += 1
                yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)
        if not number:
            raise DataError(
                f"{self.name}: no frame can be read; it is empty, truncated or damaged, "
                "or of an unknown kind."
            )
        # What a file says of itself may be off by one or two.
        if number < self.count - max(2, self.count // 100):
            _log.warning(
                "%s: %d frames could be read, it says that it has %d: it is truncated "
                "or damaged",
                self.name,
                number,
                self.count,
            )

    def close(self) -> None:
        """Lets the file, or the camera, go."""
        self._capture.release()

    def _ask(self, what, kind):
        return kind(self._capture.get(getattr(cv2, f"CAP_PROP_FRAME_{what}")))


class _VideoFile:
    """A video that is written; it has another name until all of it is there."""

    def __init__(self, path: Path, fps: float, size: tuple[int, int]):
        self._path, self._part = path, path.with_suffix(f".part{path.suffix}")
        codec = cv2.VideoWriter.fourcc(*"mp4v")
        self._writer = cv2.VideoWriter(str(self._part), codec, fps, size[::-1])
        if not self._writer.isOpened():
            raise ConfigError(
                f"{path} cannot be written: this OpenCV has no encoder for MPEG-4, or "
                "the folder cannot be written"
            )

    def add(self, frame: np.ndarray):
        """Appends (H, W, 3) uint8 RGB."""
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self._writer.release()
        if kind is None:
            os.replace(self._part, self._path)
        else:
            self._part.unlink(missing_ok=True)


def predict_video(
    model: SegModel, path: Path, stem: Path, output: Path, formats: tuple[str, ...]
) -> Path:
    """Predicts the frames of a video, and writes them in some formats.

    Args:
        model: from `load_model`.
        path: the video, or the number of a camera.
        stem: name of its files, without a suffix.
        output: the folder above those of the formats. `overlay` and `color` become
            videos without sound; of others there is a file a frame in a folder.
        formats: some of `FORMATS`, not `probability`.

    Returns:
        The file of the first format; the folder, where it has one a frame.

    Raises:
        DataError: a video that cannot be read.
        ConfigError: if the model does not take its frames, or a format is not possible.
    """
    if "probability" in formats:
        allowed = ", ".join(name for name in FORMATS if name != "probability")
        raise ConfigError(
            f"{path}: of videos probabilities are not written; output_format may be "
            f"{allowed}"
        )
    places = {}
    for name in formats:
        folder, _ = FORMATS[name]
        places[name] = output / folder / stem
        if name in _AS_VIDEO:
            places[name] = places[name].with_name(f"{stem.name}.mp4")
    frames = Frames(path)
    with contextlib.ExitStack() as stack:
        written = {}
        for name, place in places.items():
            folder = place.parent if name in _AS_VIDEO else place
            folder.mkdir(parents=True, exist_ok=True)
            if name in _AS_VIDEO:
                video = _VideoFile(place, frames.fps, frames.size)
                written[name] = stack.enter_context(video)
        try:
            for number, (frame, label_map) in enumerate(_predicted(model, frames)):
                for name, place in places.items():
                    if name == "overlay":
                        written[name].add(overlay(frame, label_map, model.palette))
                    elif name == "color":
                        written[name].add(colorize(label_map, model.palette))
                    else:
                        file = place / f"{number:06d}{FORMATS[name][1]}"
                        write_format(name, file, model, label_map)
        except KeyboardInterrupt:  # what ends a camera
            if not frames.is_live:
                raise
    return places[formats[0]]


def _predicted(model, frames):
    """Yields each frame and its label map."""
    said, done = time.monotonic(), 0
    for batch in _batches(frames, model.images_together):
        try:
            samples = [model.load_image(frame) for frame in batch]
            images = [sample["img"] for sample in samples]
            images += images[-1:] * (model.images_together - len(images))
            label_maps = predict_label_maps(
                model.predictor,
                model.variables,
                np.stack(images),
                frames.size,
                model.tta,
            )
        except (DataError, ConfigError) as error:
            raise type(error)(f"{frames.name}: {error}") from error
        yield from zip(batch, np.asarray(label_maps), strict=False)
        done += len(batch)
        if time.monotonic() - said > _SILENCE:
            said = time.monotonic()
            of = f" of about {frames.count}" if frames.count else ""
            _log.info("%s: %d%s frames", frames.name, done, of)


def _batches(frames, count):
    frames = iter(frames)
    while batch := list(itertools.islice(frames, count)):
        yield batch
