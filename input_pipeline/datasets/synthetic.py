"""GTA5 and SYNTHIA, synthetic streets in Cityscapes' 19 classes.

GTA5: Richter et al., ECCV 2016, arXiv:1608.02192. SYNTHIA: Ros et al., CVPR 2016.
"""

import dataclasses

from input_pipeline.datasets.cityscapes import CityscapesDataset


@dataclasses.dataclass(eq=False)
class GTA5Dataset(CityscapesDataset):
    """images/{train,val} and annotations/{train,val}; 255 is void."""

    img_suffix: str | tuple[str, ...] = ".png"
    seg_map_suffix: str = ".png"


@dataclasses.dataclass(eq=False)
class SYNTHIADataset(CityscapesDataset):
    """images/{train,val} and annotations/{train,val}; 255 is void."""

    img_suffix: str | tuple[str, ...] = ".png"
    seg_map_suffix: str = ".png"
