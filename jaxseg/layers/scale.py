"""Scale: one learned factor of a whole branch."""

import flax.linen as nn

from jaxseg.ops.narrow import spread


class Scale(nn.Module):
    """mmcv's Scale, which starts with 0 and so leaves its branch out."""

    @nn.compact
    def __call__(self, x):
        # torch's name is `scale`, which is a norm's weight here (weights/names.py).
        factor = self.param("factor", nn.initializers.zeros, ())
        return x * spread(factor, x)
