"""Cascade: decode heads, each of which refines what the one before it gave."""

import jax

from jaxseg.errors import FieldError
from jaxseg.heads.cascade_decode_head import BaseCascadeDecodeHead
from jaxseg.heads.head import Head
from jaxseg.segmentors.encoder_decoder import EncoderDecoder


class CascadeEncoderDecoder(EncoderDecoder, kw_only=True):
    """mmseg's CascadeEncoderDecoder; the last head predicts.

    Attributes:
        num_stages: number of decode heads.
        decode_head: the heads; all but the first one take the outputs of the one
            before them. Each has its losses.
    """

    num_stages: int
    decode_head: tuple[Head, ...]

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        heads = self.decode_head
        if len(heads) != self.num_stages or not heads:
            raise FieldError(
                f"decode_head: has {len(heads)} heads, and num_stages is "
                f"{self.num_stages}"
            )
        for i, head in enumerate(heads):
            if isinstance(head, BaseCascadeDecodeHead) != (i > 0):
                takes = "takes" if i == 0 else "does not take"
                raise FieldError(
                    f"decode_head: {type(head).__name__} {takes} the outputs of a head "
                    f"before it, and stands at place {i}"
                )
        super().__post_init__()

    @property
    def predicting_head(self) -> Head:
        return self.decode_head[-1]

    @property
    def decode_heads(self) -> dict[str, Head]:
        return {f"decode_head.{i}": head for i, head in enumerate(self.decode_head)}

    def decode(
        self, features: tuple[jax.Array, ...], train: bool
    ) -> dict[str, jax.Array]:
        first, *others = self.decode_heads.items()
        outputs = {first[0]: first[1](features, train)}
        previous = first
        passed = ()
        for name, head in others:
            # As in mmseg's training, where a head runs once for its losses and again
            # for the next head: its running statistics take in the batch twice, and
            # the dropout before the next head is drawn anew.
            given = outputs[previous[0]]
            if train:
                given = previous[1](features, *passed, train)
            passed = (given,)
            outputs[name] = head(features, given, train)
            previous = (name, head)
        return outputs
