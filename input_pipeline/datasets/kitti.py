"""KITTI 2015, streets in Cityscapes' 19 classes (https://www.cvlibs.net/datasets)."""

import dataclasses

from input_pipeline.datasets.cityscapes import CityscapesDataset


@dataclasses.dataclass(eq=False)
class KITTIDataset(CityscapesDataset):
    """images/{train,val} and annotations/{train,val}; 255 is void."""

    img_suffix: str | tuple[str, ...] = ".png"
    seg_map_suffix: str = ".png"
