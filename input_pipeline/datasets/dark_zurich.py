"""Dark Zurich, streets at night (https://www.trace.ethz.ch/publications/2019/GCMA_UIoU)."""

import dataclasses

from input_pipeline.datasets.cityscapes import CityscapesDataset


@dataclasses.dataclass(eq=False)
class DarkZurichDataset(CityscapesDataset):
    """rgb_anon/val/night/GOPR0356 and gt/val/night/GOPR0356, Cityscapes' classes."""

    img_suffix: str | tuple[str, ...] = "_rgb_anon.png"
    seg_map_suffix: str = "_gt_labelTrainIds.png"
