"""Cascade decode head: the role of a head that refines what the head before it gave."""

from typing import Any

import jax

from jaxseg.heads.decode_head import BaseDecodeHead


class BaseCascadeDecodeHead(BaseDecodeHead, kw_only=True):
    """A decode head of a cascade, behind its first one."""

    def __call__(
        self, inputs: tuple[jax.Array, ...], prev_output: Any, train: bool
    ) -> Any:
        """Maps (N, h, w, c) and the outputs of the head before -> outputs."""
        raise NotImplementedError
