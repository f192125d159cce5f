"""Text encoder: the role of what makes vectors of the names of classes."""

import jax

from jaxseg.weights.part import Part


class TextEncoder(Part, kw_only=True):
    """From the names of classes to their vectors.

    Attributes:
        takes_padding, takes_bands: as of a `Backbone`.
    """

    takes_padding = False
    takes_bands = False

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names, in the order of the classes."""
        raise NotImplementedError

    def __call__(self) -> jax.Array:
        """A vector of each class, and perhaps of none of them: (classes, C)."""
        raise NotImplementedError
