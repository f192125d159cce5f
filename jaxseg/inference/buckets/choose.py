"""Bucket choice: the bucket in which an image runs, and the networks of the buckets."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from jaxseg.errors import ModelSizeError
from jaxseg.inference.buckets.network import MaskedNetwork, make_masked
from jaxseg.inference.buckets.plan import Bucket, Item, Size, exact_bucket, plan_buckets
from jaxseg.ops.padded.valid_size import NoMaskedForm
from jaxseg.segmentors.opt_in import part_without

_log = logging.getLogger("jaxseg")

# So many distinct sizes run as they are. More of them share so many buckets, each of
# which is compiled twice: the network, and what follows it.
_FEW_SIZES = 4
_MOST_BUCKETS = 5


class BucketChoice:
    """The buckets of a data set; there are none before `plan`.

    Attributes:
        networks: by the size of their bucket, or, for windows, of the crop.
    """

    def __init__(self, model: Any, crop: Size | None):
        """Begins without buckets.

        Args:
            model: the segmentor.
            crop: (height, width) of the windows, None where images run whole.
        """
        self.networks: dict[Size, MaskedNetwork] = {}
        self._model = model
        self._crop = crop
        self._buckets: list[Bucket] = []

    def plan(
        self, items: Mapping[Item, int], make: Callable[[Size], MaskedNetwork]
    ) -> None:
        """Chooses the buckets of images of many sizes, and says in the log what it did.

        Args:
            items: how many images there are of each.
            make: traces the network at the size of a bucket.
        """
        self._buckets = []
        if 0 < len(items) <= _FEW_SIZES:
            return
        reason = self._why_exact(items)
        if reason is None:
            buckets = plan_buckets(items, _MOST_BUCKETS)
            try:
                for bucket in buckets:
                    self._trace(bucket, items, make)
            except NoMaskedForm as error:
                reason = f"the model has {error}"
            else:
                self._buckets = buckets
        if reason is None:
            _log.info(self._summary(items))
        else:
            _log.info("images run at their own sizes: %s", reason)

    def of(self, item: Item) -> Bucket:
        """The smallest bucket that takes an image; without one, its own size."""
        found = (b for b in self._buckets if self._takes(b, item))
        return next(found, exact_bucket(item))

    def _why_exact(self, items):
        """Why images run at their own sizes; None if they may share buckets."""
        if not self._model.test_cfg.buckets:
            return "model.test_cfg.buckets is False"
        if not items:
            return "which there will be is not known before they are loaded"
        part = part_without(self._model, "takes_padding")
        return part and f"{part} does not say that it takes padding"

    def _trace(self, bucket, items, make):
        """Traces the networks that a bucket needs, where there are none yet."""
        inside = [item for item in items if bucket.holds(item)]
        for scale in range(len(bucket.images)):
            size, images = self._inputs(bucket, inside, scale)
            if size in self.networks or not images:
                continue
            try:
                self.networks[size] = make_masked(make, size, images)
            except ModelSizeError:
                continue  # Not a size for this model: its images run alone.

    def _inputs(self, bucket, items, scale):
        """Where the network runs in a bucket, and what of items it sees there."""
        images = {item[scale] for item in items}
        if self._crop is None:
            return bucket.images[scale], images
        # Windows of the full size need no bucket.
        windows = {tuple(map(min, self._crop, image)) for image in images}
        return self._crop, windows - {self._crop}

    def _takes(self, bucket, item):
        if not bucket.holds(item):
            return False
        for scale in range(len(bucket.images)):
            size, images = self._inputs(bucket, [item], scale)
            network = self.networks.get(size)
            if images and not (network and all(map(network.sizes.takes, images))):
                return False
        return True

    def _summary(self, items):
        """What was planned, as a line for the log."""
        own = padded = alone = 0
        used = set()
        for item, count in items.items():
            bucket = self.of(item)
            own += count * exact_bucket(item).area
            padded += count * bucket.area
            if bucket.padded:
                used.add(bucket)
            else:
                alone += count
        share = 100 * (padded - own) / padded
        text = (
            f"images of {len(items)} sizes run in {len(used)} buckets, {share:.0f} % "
            "of which is padding"
        )
        if alone:
            text += f"; {alone} run alone, as the model does not take them padded"
        return text
