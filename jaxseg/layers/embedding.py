"""Embedding: learned vectors."""

import flax.linen as nn


class Embedding(nn.Module):
    """torch's nn.Embedding, all of its rows: (number, width), as a parameter is kept."""

    number: int
    width: int

    @nn.compact
    def __call__(self):
        start = nn.initializers.normal(1.0)
        return self.param("embedding", start, (self.number, self.width))
