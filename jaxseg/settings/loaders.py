"""Loaders: `train_dataloader` and `val_dataloader`."""

import dataclasses

from input_pipeline.sources import SegDataset
from jaxseg.errors import FieldError


@dataclasses.dataclass(frozen=True)
class DataLoader:
    """`train_dataloader` and `val_dataloader`.

    Attributes:
        dataset: the data set with its pipeline.
        batch_size: images of a batch, over all devices and hosts. In validation,
            images of one size that a host's accelerators run at once.
        num_workers: processes that prepare batches; 0 uses threads of this one.
        num_threads: threads in each of them.
        max_bad_samples: in training, samples that cannot be read and are replaced by
            others before the run ends; 0 ends it at the first.
        drop_last: in training by epochs, whether the last samples of an epoch are left
            out where they fill no batch; otherwise the first ones fill it up.
        cache: folder of scripts/pack_dataset.py that is read in the data set's place.
        augment_on_device: whether the training step flips and distorts the images, as
            the pipeline has drawn it. For accelerators that wait for the host.
    """

    dataset: SegDataset
    batch_size: int = 1
    num_workers: int = 0
    num_threads: int = 4
    max_bad_samples: int = 0
    drop_last: bool = False
    cache: str | None = None
    augment_on_device: bool = False

    def __post_init__(self):
        counts = (self.num_workers, self.num_threads, self.max_bad_samples)
        if self.batch_size < 1 or min(counts) < 0:
            raise FieldError(
                f"batch_size={self.batch_size}, num_workers={self.num_workers}, "
                f"num_threads={self.num_threads}, max_bad_samples="
                f"{self.max_bad_samples}: the first must be 1 at least, the others 0"
            )
