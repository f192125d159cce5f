"""Batch order: which places of the endless shuffled order of samples make a batch.

The order is one pass over the data set after the other. Batches run on across the end of
a pass; or, in epochs, the first batch of each begins with the first sample of a pass.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class BatchOrder:
    """The places of every global batch.

    Attributes:
        samples: samples of a pass.
        batch_size: samples of a global batch.
        by_epoch: whether an epoch ends with the pass. Its last batch is then filled up
            with the first samples of the pass, as mmengine's DefaultSampler
            (`round_up`) fills the last samples of its processes: every batch has one
            size, and so every step one compiled program.
        drop_last: whether the last batch of an epoch is left out if it is not whole.
    """

    samples: int
    batch_size: int
    by_epoch: bool = False
    drop_last: bool = False

    @property
    def epoch_length(self) -> int:
        """Batches of a pass; one that is not whole counts unless it is left out."""
        whole, rest = divmod(self.samples, self.batch_size)
        # Fewer samples than a batch are refused where they are read.
        return max(whole + (rest > 0 and not self.drop_last), 1)

    def place(self, step: int, number: int) -> int:
        """The place in the endless order of sample `number` of batch `step`."""
        if not self.by_epoch:
            return step * self.batch_size + number
        epoch, batch = divmod(step, self.epoch_length)
        return epoch * self.samples + (batch * self.batch_size + number) % self.samples
