"""Files of published forms, of few pixels, for the tests of the converters."""

import io
import os
import tarfile
import zipfile

import cv2
import numpy as np
import scipy.io
from PIL import Image


def rgb(seed=0, size=(8, 10)):
    """(H, W, 3) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def ids(values, size=(8, 10)):
    """(H, W) uint8 in which every one of `values` occurs."""
    return np.resize(np.array(values, np.uint8), size)


def encoded(pixels, suffix):
    """Bytes of an image file, by Pillow, which keeps values and modes."""
    file = io.BytesIO()
    form = {".tif": "TIFF", ".jpg": "JPEG", ".ppm": "PPM"}.get(
        suffix, suffix[1:].upper()
    )
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(file, form)
    return file.getvalue()


def write_zip(path, files, compression=zipfile.ZIP_DEFLATED):
    """A zip of {name: bytes}."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return str(path)


def write_tar(path, files, mode="w"):
    """A tar of {name: bytes}."""
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return str(path)


def write_folder(path, files):
    """A folder of {name: bytes}."""
    for name, content in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return str(path)


def read_rgb(path):
    return cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)


def read_ids(path):
    return np.array(Image.open(path))


def die(*inputs_and_arguments):
    """A task's `make` that ends its process."""
    os._exit(9)


def png(values, **options):
    """A grey PNG in which every one of `values` occurs."""
    return encoded(ids(values, **options), ".png")


def coloured(colours, size=(8, 10)):
    """(H, W, 3) uint8 in which every one of `colours` occurs."""
    places = np.resize(np.arange(len(colours)), size)
    return np.array(colours, np.uint8)[places]


def jpg(seed=0, size=(8, 10)):
    return encoded(rgb(seed, size), ".jpg")


def mat(**variables):
    """A MATLAB file of version 5; a dict is a structure."""
    file = io.BytesIO()
    scipy.io.savemat(file, variables)
    return file.getvalue()


def write(folder, archives):
    """Writes {name: {member: bytes}} as archives, or folders where the name has no dot.

    Returns:
        Their paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, files in archives.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(files, bytes):
            path.write_bytes(files)
            paths.append(str(path))
        elif name.endswith(".zip"):
            paths.append(write_zip(path, files))
        elif ".tar" in name or name.endswith(".tgz"):
            mode = "w:gz" if name.endswith("gz") else "w"
            paths.append(write_tar(path, files, mode))
        else:
            paths.append(write_folder(path, files))
    return paths


def zipped(files):
    """The bytes of a zip of {name: bytes}."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()
