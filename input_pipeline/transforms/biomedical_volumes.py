"""mmseg's loaders of volumes: known, and refused with what to do instead."""

import dataclasses

from input_pipeline.errors import DataError
from input_pipeline.transforms.transform import Transform


class _OfVolumes(Transform):
    """Base: what it loads is (N, Z, Y, X), for networks of three dimensions."""

    instead: str

    def __post_init__(self):
        raise DataError(
            f"{type(self).__name__} loads volumes (N, Z, Y, X), for networks of three "
            "dimensions, which jaxseg does not have. Write the slices as files, (Y, X) "
            f"or (Y, X, N) in .npy or TIFF, and load them by {self.instead}."
        )


@dataclasses.dataclass(frozen=True)
class LoadBiomedicalImageFromFile(_OfVolumes):
    """Refused, with mmseg's fields.

    Raises:
        DataError: always.
    """

    decode_backend: str = "nifti"
    to_xyz: bool = False
    to_float32: bool = True
    backend_args: dict | None = None

    instead = "LoadImageFromFile(color_type='unchanged', to_float32=True)"


@dataclasses.dataclass(frozen=True)
class LoadBiomedicalAnnotation(_OfVolumes):
    """Refused, with mmseg's fields.

    Raises:
        DataError: always.
    """

    decode_backend: str = "nifti"
    to_xyz: bool = False
    to_float32: bool = True
    backend_args: dict | None = None

    instead = "LoadAnnotations"


@dataclasses.dataclass(frozen=True)
class LoadBiomedicalData(_OfVolumes):
    """Refused, with mmseg's fields.

    Raises:
        DataError: always.
    """

    with_seg: bool = False
    decode_backend: str = "numpy"
    to_xyz: bool = False
    backend_args: dict | None = None

    instead = (
        "LoadImageFromFile(color_type='unchanged', to_float32=True) and LoadAnnotations"
    )
