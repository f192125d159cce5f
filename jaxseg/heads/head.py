"""Head: the role of what makes predictions and losses of feature maps."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax

from jaxseg.weights.part import Part


class Head(Part, kw_only=True):
    """The role of decode heads and auxiliary heads.

    Most heads are `BaseDecodeHead`s, whose outputs are their logits. A head may give
    any pytree, and then says in `logits` which maps of it are resized to the image, in
    `scores` what is made of them there, and in `loss` what is trained. All parameters
    exist after `init`, also those of branches that only training uses.

    Attributes:
        in_channels: channels of the input, or of each input.
        num_classes: number of classes.
        threshold: the probability of a binary head from which a pixel is class 1.
        ignore_index: the label that counts nowhere.
        align_corners: `align_corners` of every resize in the head and of its logits.
        takes_padding, takes_bands: as of a `Backbone`.
        target_keys: what `loss` reads of the targets; a training whose samples lack
            one of them is refused.
        has_own_classes: whether it makes other classes of the data set's labels, so that
            num_classes is no number of the data set's.
        class_modules: names of the modules whose outputs are the classes, besides
            `conv_seg`: of another number of classes they start fresh.
        phase_keys: fields that mmseg's configs give in the model's train_cfg and
            test_cfg.
    """

    in_channels: int | tuple[int, ...]
    num_classes: int
    threshold: float | None = None
    ignore_index: int = 255
    align_corners: bool = False

    takes_padding = False
    takes_bands = False
    has_own_classes = False
    target_keys: ClassVar[tuple[str, ...]] = ("gt_seg_map",)
    class_modules: ClassVar[tuple[str, ...]] = ()
    phase_keys: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def for_classes(cls, entry: Mapping[str, Any], count: int) -> dict[str, Any]:
        """The head's entry in a config for another number of classes.

        Args:
            entry: the entry of a head of this type.
            count: the number of classes.
        """
        # One channel stands for two classes alone.
        kept = {
            k: v for k, v in entry.items() if k not in ("out_channels", "threshold")
        }
        return {**kept, "num_classes": count}

    @property
    def score_channels(self) -> int:
        """Channels of what `scores` gives: the classes, or 1 of a binary head."""
        return self.num_classes

    def __call__(self, inputs: tuple[jax.Array, ...], train: bool) -> Any:
        """Maps (N, h, w, c) -> outputs, a pytree."""
        raise NotImplementedError

    def logits(self, outputs: Any) -> jax.Array:
        """The maps of `outputs`, (N, h, w, C), that are resized to the image's size."""
        return outputs

    def per_image(self, outputs: Any) -> Any:
        """What `scores` takes of `outputs` beside the maps: arrays (N, ...) or ()."""
        del outputs
        return ()

    def scores(self, maps: jax.Array, per_image: Any) -> jax.Array:
        """From resized maps to logits; it is applied to strips of the image's rows.

        Args:
            maps: `logits` at the image's size, (N, rows, W, C).
            per_image: what the method of that name gave.

        Returns:
            (N, rows, W, score_channels).
        """
        del per_image
        return maps

    def loss(
        self, outputs: Any, targets: Mapping[str, jax.Array]
    ) -> dict[str, jax.Array]:
        """The losses of a batch.

        Args:
            outputs: what `__call__` gave in training.
            targets: every `gt_*` of the batch, such as `gt_seg_map`, (N, H, W)
                integers.

        Returns:
            Scalars by name; the training loss is the sum of those with `loss` in it.
        """
        raise NotImplementedError
