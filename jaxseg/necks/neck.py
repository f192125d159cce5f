"""Neck: the role of what stands between a backbone and a head."""

from typing import Any

from jaxseg.config import ConfigError
from jaxseg.weights.part import Part


class Neck(Part):
    """From a backbone's feature maps to those that the heads take.

    Attributes:
        takes_padding, takes_bands: as of a `Backbone`.
    """

    takes_padding = False
    takes_bands = False

    def __call__(self, inputs: tuple[Any, ...], train: bool) -> tuple[Any, ...]:
        """Maps (N, h, w, c) -> maps (N, h, w, c)."""
        raise NotImplementedError

    def _check_channels(self, inputs):
        """Raises ConfigError where the maps have other channels than `in_channels`."""
        found = tuple(x.shape[-1] for x in inputs)
        if found != self.in_channels:
            raise ConfigError(
                f"{self.config_path}.in_channels is {self.in_channels}, and the "
                f"feature maps have {found} channels"
            )
