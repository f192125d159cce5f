"""Tally: numbers of a whole split, added up sample by sample."""

import collections
import dataclasses

import numpy as np

from jaxseg.diagnose.sample import ImageFacts, LabelFacts, SampleFacts

# Names of files that are kept for each kind of fault; all of them are counted.
KEPT = 100
_KEPT_COLORS = 1000


@dataclasses.dataclass
class Moments:
    """Mean and variance of pixels that come in pieces.

    By Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing
    sample variances" (1979): sums of squares of uint16 pixels would lose digits.

    Attributes:
        count: pixels so far.
        mean: (channels,) float64.
        squares: (channels,) sums of squared differences from the mean.
    """

    count: int
    mean: np.ndarray
    squares: np.ndarray

    def add(self, count: int, mean: np.ndarray, variance: np.ndarray) -> None:
        """Adds `count` pixels of a mean and a variance."""
        total = self.count + count
        apart = mean - self.mean
        self.mean = self.mean + apart * (count / total)
        between = apart**2 * (self.count * count / total)
        self.squares = self.squares + variance * count + between
        self.count = total

    @property
    def std(self) -> np.ndarray:
        """(channels,)"""
        return np.sqrt(self.squares / self.count)


@dataclasses.dataclass
class ClassTally:
    """How often a class, or an id, occurs.

    Attributes:
        pixels: its number of pixels.
        images: in which it occurs.
        area: labelled pixels of these images, which median frequency balancing
            divides by.
        richest: (pixels, sample) of the image with most of it.
        first: the first sample with it.
    """

    pixels: int = 0
    images: int = 0
    area: int = 0
    richest: tuple[int, int] = (0, -1)
    first: int = -1

    def add(self, index: int, pixels: int, area: int) -> None:
        """Counts `pixels` of it in sample `index`, of `area` labelled pixels."""
        self.first = index if not self.images else self.first
        self.pixels += pixels
        self.images += 1
        self.area += area
        self.richest = max(self.richest, (pixels, index), key=lambda pair: pair[0])


class Tally:
    """What the samples of a split have in sum; of each one only a digest is kept.

    Attributes:
        samples, images, labels: how many were counted, and of how many the image
            and the label could be read.
        sizes: {(height, width): [images, the first sample of this size]}.
        types: {(channels, dtype): images}.
        stored_images, stored_labels: {kind of file: how many}.
        moments: {channels: Moments} over all pixels.
        classes, ids: {class or id in the file: ClassTally}; ids of grey and palette
            labels.
        outside: {id in the file: ClassTally} of what is neither a class nor ignored.
        colors: {(r, g, b): pixels} of colour-coded labels, the first 1000 colours.
        colored: labels that are colour-coded.
        pixels, ignored: the number of labels; in all, and of the ignore index.
        nothing: samples without any pixel of a class.
        faults: {kind: [how many, the first sentences]}.
        faulty: samples with faults, without a label, or with pixels of no class.
        digests: {digest of an image: the first sample that has it}.
        copies: (sample, the earlier one that it equals).
    """

    def __init__(self):
        self.samples = self.images = self.labels = self.colored = 0
        self.pixels = self.ignored = 0
        self.sizes: dict[tuple[int, int], list[int]] = {}
        self.types = collections.Counter()
        self.stored_images = collections.Counter()
        self.stored_labels = collections.Counter()
        self.moments: dict[int, Moments] = {}
        self.classes = collections.defaultdict(ClassTally)
        self.ids = collections.defaultdict(ClassTally)
        self.outside = collections.defaultdict(ClassTally)
        self.colors = collections.Counter()
        self.nothing: list[int] = []
        self.faults: dict[str, list] = {}
        self.faulty: set[int] = set()
        self.digests: dict[bytes, int] = {}
        self.copies: list[tuple[int, int]] = []

    def add(self, facts: SampleFacts) -> None:
        """Counts one sample."""
        self.samples += 1
        for kind, text in facts.faults:
            entry = self.faults.setdefault(kind, [0, []])
            entry[0] += 1
            if len(entry[1]) < KEPT:
                entry[1].append(text)
        if facts.faults or facts.label is None or facts.label.outside:
            self.faulty.add(facts.index)
        if facts.image is not None:
            self._add_image(facts.index, facts.image)
        if facts.label is not None:
            self._add_label(facts.index, facts.label)

    def _add_image(self, index: int, image: ImageFacts) -> None:
        self.images += 1
        self.sizes.setdefault(image.size, [0, index])[0] += 1
        self.types[image.channels, image.dtype] += 1
        self.stored_images[image.stored] += 1
        if np.isfinite(image.mean).all():
            zeros = np.zeros(image.channels)
            moments = self.moments.setdefault(
                image.channels, Moments(0, zeros, zeros.copy())
            )
            moments.add(image.size[0] * image.size[1], image.mean, image.variance)
        if image.digest is None:
            return
        earlier = self.digests.setdefault(image.digest, index)
        if earlier != index:
            self.copies.append((index, earlier))

    def _add_label(self, index: int, label: LabelFacts) -> None:
        self.labels += 1
        self.stored_labels[label.stored] += 1
        area = sum(label.classes.values())
        for one, pixels in label.classes.items():
            self.classes[one].add(index, pixels, area)
        for one, pixels in label.outside.items():
            self.outside[one].add(index, pixels, area)
        if label.colors:
            self.colored += 1
            for color, pixels in label.colors.items():
                if color in self.colors or len(self.colors) < _KEPT_COLORS:
                    self.colors[color] += pixels
        elif not label.painted:
            for one, pixels in label.ids.items():
                self.ids[one].add(index, pixels, area)
        self.pixels += sum(label.ids.values())
        self.ignored += label.num_ignored
        if label.ids and not area:
            self.nothing.append(index)
