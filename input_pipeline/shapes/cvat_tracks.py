"""Tracks of CVAT for video 1.1: which shapes each frame of a video has.

https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/ CVAT writes a track's
shape into every frame in which it is, those between the key frames too.
"""

import itertools
from collections.abc import Mapping

from input_pipeline.errors import DataError
from input_pipeline.shapes.shape import ImageShapes, Shape


class Tracks:
    """Collects the tracks of a file, and what its head says of the frames."""

    def __init__(self, source: str):
        self._source = source
        self._head: dict[str, list[str]] = {}
        self._shapes: dict[int, list[tuple[int, Shape]]] = {}
        self._seen: list[tuple[str, list[tuple[int, bool]]]] = []

    def note(self, tag: str, text: str) -> None:
        """Takes a value of the head: `start_frame`, `stop_frame`, `width`, ..."""
        self._head.setdefault(tag, []).append(text.strip())

    def begin(self, attributes: Mapping[str, str]) -> None:
        """Begins a track."""
        self._seen.append((f"track {attributes.get('id', len(self._seen))}", []))

    def add(self, attributes: Mapping[str, str], shape: Shape) -> None:
        """Adds a shape of the track that was begun last."""
        frame, outside = int(attributes["frame"]), attributes.get("outside") == "1"
        self._seen[-1][1].append((frame, outside))
        drawn = self._shapes.setdefault(frame, [])
        if not outside:
            drawn.append((int(attributes.get("z_order", 0)), shape))

    def images(self) -> list[ImageShapes]:
        """Every frame, called as CVAT calls its picture; none without tracks."""
        if not self._seen:
            return []
        frames = sorted({*self._frames(), *self._shapes})
        self._check_gaps(frames)
        sides = self._one("height"), self._one("width")
        size = tuple(map(int, sides)) if all(sides) else None
        found = []
        for frame in frames:
            ordered = sorted(self._shapes.get(frame, []), key=lambda pair: pair[0])
            shapes = tuple(shape for _, shape in ordered)
            found.append(ImageShapes(f"frame_{frame:06d}.PNG", shapes, size))
        return found

    def _frames(self):
        """The numbers of the task's frames, as far as the head says."""
        stop = self._one("stop_frame")
        if not stop:
            return ()
        every = self._one("frame_filter").removeprefix("step=").strip() or 1
        return range(int(self._one("start_frame") or 0), int(stop) + 1, int(every))

    def _one(self, tag):
        values = self._head.get(tag, [""])
        if len(values) > 1 and tag == "stop_frame":
            raise DataError(
                f"{self._source}: tracks of {len(values)} videos; export each task by "
                "itself."
            )
        return values[0]

    def _check_gaps(self, frames):
        for name, seen in self._seen:
            for (frame, outside), (later, _) in itertools.pairwise(sorted(seen)):
                missing = [f for f in frames if frame < f < later]
                if missing and not outside:
                    raise DataError(
                        f"{self._source}: {name} has no shape from frame {missing[0]} "
                        f"to {missing[-1]}, and is not outside; export it as 'CVAT for "
                        "video 1.1', which writes every frame."
                    )
