"""Albu: the transforms of Albumentations, which users install (the extra `albu`)."""

import dataclasses
import json
import os
import random
import threading
from typing import Any

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.targets import targets_of
from input_pipeline.transforms.transform import Transform

# One composition a thread: it keeps its random state.
_of_thread = threading.local()

_KEYMAP = {"img": "image", "gt_seg_map": "mask"}


@dataclasses.dataclass(frozen=True)
class Albu(Transform):
    """Transforms of Albumentations (https://albumentations.ai), on uint8 RGB images.

    Every target is taken along as a mask, and a second image (`img2`, of change
    detection) gets the same draws; mmseg leaves both as they were, but for
    `gt_seg_map`. What is drawn follows from the sample's own random numbers.

    Attributes:
        transforms: dict(type=..., ...) each; the type is a class of Albumentations, the
            other keys are its arguments. OneOf and the like have `transforms` inside.
        keymap: None, or what it is by default.
        update_pad_shape: accepted as in mmseg; nothing here reads `pad_shape`.
    """

    transforms: tuple[dict, ...]
    keymap: dict | None = None
    update_pad_shape: bool = False

    def __post_init__(self):
        if self.keymap not in (None, _KEYMAP):
            raise DataError(
                f"Albu.keymap is {self.keymap}, allowed: {_KEYMAP}, or None"
            )

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        images = {key: results[key] for key in ("img", "img2") if key in results}
        for key, image in images.items():
            if image.dtype != np.uint8 or image.shape[2] not in (1, 3):
                raise DataError(
                    f"{results.get('img_path')}: Albu takes uint8 images of 1 or 3 "
                    f"channels, and {key} is {image.dtype} of {image.shape[2]}"
                )
        targets = targets_of(results)
        compose = self._composition(images, targets)
        # One state for all of them: set_random_seed gives each the same seed, and a
        # horizontal and a vertical flip would always be drawn together.
        seed = int(rng.integers(2**32))
        compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
        changed = compose(
            **{
                _KEYMAP.get(key, key): np.ascontiguousarray(array)
                for key, array in {**images, **targets}.items()
            }
        )
        changed = {key: changed[_KEYMAP.get(key, key)] for key in {**images, **targets}}
        return results | changed | {"img_shape": changed["img"].shape[:2]}

    def _composition(self, images, targets):
        """The transforms for these keys; each thread has its own."""
        more = {key: "image" for key in images} | {key: "mask" for key in targets}
        more = {key: kind for key, kind in more.items() if key not in _KEYMAP}
        key = json.dumps([self.transforms, more], default=str)
        made = vars(_of_thread).setdefault("made", {})
        if key not in made:
            library = _albumentations()
            steps = [_build(library, entry) for entry in self.transforms]
            made[key] = library.Compose(steps, additional_targets=more)
        return made[key]


def _albumentations() -> Any:
    # It asks a server for a newer version of itself otherwise.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    try:
        import albumentations
    except ImportError as error:
        raise DataError(
            "Albu needs Albumentations 2 or newer, which is not installed: "
            "pip install 'jaxseg[albu]'"
        ) from error
    return albumentations


def _build(library: Any, entry: dict) -> Any:
    """A transform of the library from dict(type=..., ...)."""
    arguments = dict(entry)
    name = arguments.pop("type", None)
    cls = getattr(library, name, None) if isinstance(name, str) else None
    if cls is None:
        raise DataError(
            f"Albu.transforms: type={name!r} is no class of Albumentations "
            f"{library.__version__}"
        )
    if "transforms" in arguments:
        inner = arguments["transforms"]
        arguments["transforms"] = [_build(library, child) for child in inner]
    try:
        return cls(**arguments)
    except (TypeError, ValueError) as error:
        raise DataError(f"Albu.transforms: {name}: {error}") from error
