"""Nighttime Driving, 50 streets at night (http://data.vision.ee.ethz.ch/daid/NighttimeDriving)."""

import dataclasses

from input_pipeline.datasets.cityscapes import CityscapesDataset


@dataclasses.dataclass(eq=False)
class NightDrivingDataset(CityscapesDataset):
    """leftImg8bit/test/night and gtCoarse_daytime_trainvaltest/test/night."""

    img_suffix: str | tuple[str, ...] = "_leftImg8bit.png"
    seg_map_suffix: str = "_gtCoarse_labelTrainIds.png"
