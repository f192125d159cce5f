"""BDD100K streets, Cityscapes' 19 classes (https://www.vis.xyz/bdd100k)."""

import dataclasses

from input_pipeline.datasets.cityscapes import CityscapesDataset


@dataclasses.dataclass(eq=False)
class BDD100KDataset(CityscapesDataset):
    """images/10k/{train,val} and labels/sem_seg/masks/{train,val}; 255 is void."""

    img_suffix: str | tuple[str, ...] = ".jpg"
    seg_map_suffix: str = ".png"
