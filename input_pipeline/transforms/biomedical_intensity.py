"""mmseg's biomedical noise, blur and gamma, on slices: (H, W, C), a modality a channel.

mmseg's arrays are volumes (N, Z, Y, X); a slice is one of a single Z. The draws are
those of such a volume, and so are the values.
"""

import dataclasses
from typing import ClassVar

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.transform import Transform


@dataclasses.dataclass(frozen=True)
class _OfPlanes(Transform):
    """Base of what changes the values of float images and nothing else."""

    changes_size: ClassVar[bool] = False
    moves_pixels: ClassVar[bool] = False

    def _check_prob(self, name: str):
        value = getattr(self, name)
        if not 0 <= value <= 1:
            raise DataError(
                f"{type(self).__name__}.{name} is {value}; it must be in [0, 1]."
            )

    def changed(self, planes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The new (C, H, W) of an image's own copy."""
        raise NotImplementedError

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        img = results["img"]
        if img.dtype.kind != "f":
            raise DataError(
                f"{results.get('img_path')}: {type(self).__name__} got pixels of "
                f"{img.dtype}; it takes floats: LoadImageFromFile(to_float32=True)."
            )
        if not rng.random() < self.prob:
            return results
        # Channels first, as mmseg sums them: the order of a sum is part of its value.
        planes = self.changed(np.array(img.transpose(2, 0, 1), order="C"), rng)
        return results | {"img": np.ascontiguousarray(planes.transpose(1, 2, 0))}


@dataclasses.dataclass(frozen=True)
class BioMedicalGaussianNoise(_OfPlanes):
    """Adds Gaussian noise of a random deviation.

    Attributes:
        prob: probability of noise.
        mean: the noise's mean.
        std: its largest standard deviation; it is drawn from 0 to this.

    Raises:
        DataError: fields that do not fit, or an image of integers.
    """

    prob: float = 0.1
    mean: float = 0.0
    std: float = 0.1

    def __post_init__(self):
        self._check_prob("prob")
        if not self.std >= 0:
            raise DataError(
                f"BioMedicalGaussianNoise.std is {self.std}; it must be 0 or more."
            )

    def changed(self, planes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        noise = rng.normal(self.mean, rng.uniform(0, self.std), size=planes.shape)
        return planes + noise.astype(planes.dtype)


@dataclasses.dataclass(frozen=True)
class BioMedicalGaussianBlur(_OfPlanes):
    """Blurs channels by a Gaussian of random width, borders mirrored.

    Attributes:
        sigma_range: smallest and largest standard deviation, in pixels; of integers it
            is one, as in mmseg.
        prob: probability that a sample is blurred at all.
        prob_per_channel: probability of each channel then.
        different_sigma_per_channel: draw anew for each channel.
        different_sigma_per_axis: draw one for each axis.

    Raises:
        DataError: fields that do not fit, or an image of integers.
    """

    sigma_range: tuple[float, float] = (0.5, 1.0)
    prob: float = 0.2
    prob_per_channel: float = 0.5
    different_sigma_per_channel: bool = True
    different_sigma_per_axis: bool = True

    def __post_init__(self):
        self._check_prob("prob")
        self._check_prob("prob_per_channel")
        _check_range(self, "sigma_range")

    def changed(self, planes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        from scipy import ndimage  # a worker that blurs nothing does not load it

        sigma = None
        for plane in planes:
            if not rng.random() < self.prob_per_channel:
                continue
            if sigma is None or self.different_sigma_per_channel:
                if self.different_sigma_per_axis:
                    # That of the depth is drawn; one slice has nothing to blur there.
                    sigma = [self._draw_sigma(rng) for _ in "zyx"][1:]
                else:
                    sigma = self._draw_sigma(rng)
            plane[:] = ndimage.gaussian_filter(plane, sigma)
        return planes

    def _draw_sigma(self, rng):
        low, high = self.sigma_range
        return low if low == high else type(low)(rng.uniform(low, high))


@dataclasses.dataclass(frozen=True)
class BioMedicalRandomGamma(_OfPlanes):
    """Raises values, scaled to 0 to 1, to a random power, and scales them back.

    With `per_channel` mmseg 1.2.2 ends with a NameError; here `retain_stats` then holds
    for each channel.

    Attributes:
        prob: probability of a change.
        gamma_range: smallest and largest power; below and above 1 are drawn equally
            often.
        invert_image: work on the negative of the image.
        per_channel: draw a power, and scale, for each channel.
        retain_stats: give the result the mean and the deviation from before.

    Raises:
        DataError: fields that do not fit, or an image of integers.
    """

    prob: float = 0.5
    gamma_range: tuple[float, float] = (0.5, 2)
    invert_image: bool = False
    per_channel: bool = False
    retain_stats: bool = False

    def __post_init__(self):
        self._check_prob("prob")
        _check_range(self, "gamma_range")

    def changed(self, planes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if self.invert_image:
            planes = -planes
        if self.per_channel:
            planes = np.stack([self._adjusted(plane, rng) for plane in planes])
        else:
            planes = self._adjusted(planes, rng)
        return -planes if self.invert_image else planes

    def _adjusted(self, img, rng):
        low, high = self.gamma_range
        mean, std = img.mean(), img.std()
        if rng.random() < 0.5 and low < 1:
            gamma = rng.uniform(low, 1)
        else:
            gamma = rng.uniform(max(low, 1), high)
        smallest = img.min()
        extent = img.max() - smallest
        img = np.power((img - smallest) / float(extent + 1e-7), gamma)
        img = img * extent + smallest
        if self.retain_stats:
            img = img - img.mean()
            img = img / (img.std() + 1e-8) * std + mean
        return img


def _check_range(transform: Transform, name: str):
    low, high = getattr(transform, name)
    if not 0 < low <= high:
        raise DataError(
            f"{type(transform).__name__}.{name} is {(low, high)}; it must be two "
            "numbers above 0, the smaller one first."
        )
