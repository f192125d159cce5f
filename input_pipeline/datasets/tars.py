"""WebDataset: tars whose members `KEY.jpg` and `KEY.png` are a sample, read in place.

https://github.com/webdataset/webdataset
"""

import collections
import dataclasses
import glob
import os
import tarfile

from input_pipeline.datasets.encoded import EncodedDataset
from input_pipeline.errors import DataError
from input_pipeline.formats.files import open_file
from input_pipeline.formats.limits import BYTES_PER_PIXEL, MAX_PIXELS
from input_pipeline.sources import some_of


@dataclasses.dataclass(eq=False)
class WebDataset(EncodedDataset):
    """Uncompressed tars of images and labels, in any order.

    The members of a sample share their path up to the first dot of the last part, and
    the rest says what they are.

    Attributes:
        path: a tar, a list of them, or a pattern (`shards/train-*.tar`).
        image_key: what stands behind the first dot of an image, or several.
        label_key: of a label.
        The others are EncodedDataset's.

    Raises:
        DataError: no tar, a damaged or compressed one, an image without its label.
    """

    path: str | tuple[str, ...] = ""
    image_key: str | tuple[str, ...] = ("jpg", "jpeg")
    label_key: str = "png"

    def _open(self):
        patterns = (self.path,) if isinstance(self.path, str) else self.path
        images = self.image_key
        images = (images,) if isinstance(images, str) else images
        self._samples = []
        for pattern in patterns:
            tars = sorted(glob.glob(pattern)) or [pattern]
            for tar in tars:
                self._samples += _samples(tar, images, self.label_key)

    def __len__(self) -> int:
        return len(self._samples)

    def _encoded(self, index: int) -> tuple[str, bytes, bytes]:
        tar, name, *places = self._samples[index]
        with open_file(tar) as file:
            image, label = (_read(file, tar, *place) for place in places)
        return f"{tar}/{name}", image, label


def _samples(tar, image_keys, label_key):
    """[(tar, name of the image, (offset, size) of it, and of the label)]"""
    found = collections.defaultdict(dict)
    for name, place in _members(tar):
        folder, last = os.path.split(name)
        stem, _, kind = last.partition(".")
        parts = found[os.path.join(folder, stem)]
        if kind in parts:
            raise DataError(f"{tar}: the member {name} comes twice.")
        parts[kind] = name, place
    samples, bare = [], []
    for key, parts in found.items():
        kinds = [kind for kind in image_keys if kind in parts]
        if len(kinds) == 1 and label_key in parts:
            (name, image), (_, label) = parts[kinds[0]], parts[label_key]
            samples.append((tar, name, image, label))
        else:
            bare.append(f"{key} has {', '.join(sorted(parts))}")
    if bare:
        raise DataError(
            f"{tar}: {len(bare)} of {len(found)} samples have not one image "
            f"(image_key={image_keys!r}) and a label (label_key={label_key!r}):\n"
            f"{some_of(bare)}"
        )
    return samples


def _members(tar):
    """(name, (offset, size)) of the regular files in a tar."""
    try:
        with open_file(tar) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                if member.isreg() and not member.issparse():
                    yield member.name, (member.offset_data, member.size)
    except tarfile.TarError as error:
        raise DataError(
            f"{tar}: no tar that can be read, or a compressed one ({error}). Samples are "
            "read where they are: decompress it."
        ) from error


def _read(file, tar, offset, size):
    if size > MAX_PIXELS * BYTES_PER_PIXEL:
        raise DataError(f"{tar}: a member of {size} bytes, more than an image has.")
    file.seek(offset)
    data = file.read(size)
    if len(data) < size:
        raise DataError(f"{tar}: the tar is truncated: a member ends behind it.")
    return data
