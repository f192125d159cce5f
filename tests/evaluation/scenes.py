"""Scenes: a data set whose predictions are known, and a segmentor that gives them."""

import dataclasses

import jax
import numpy as np

from input_pipeline.sources import SegDataset
from input_pipeline.transforms import LoadAnnotations, LoadImageFromFile
from jaxseg.metrics.iou_metric import IoUMetric
from jaxseg.segmentors import SegDataPreProcessor
from jaxseg.segmentors.phases import TestCfg
from jaxseg.segmentors.segmentor import Segmentor
from jaxseg.settings.loaders import DataLoader
from jaxseg.settings.read import read_settings

# Seven images of three sizes, in an order that leaves groups of every size unfinished.
SIZES = [(16, 24), (24, 16), (16, 24), (9, 13), (16, 24), (24, 16), (16, 24)]
CLASSES = ("a", "b", "c", "d", "e", "f")
LOADING = (LoadImageFromFile(), LoadAnnotations())


def scenes(sizes):
    """(prediction, label): e is only predicted, f neither; a tenth is ignored."""
    rng = np.random.default_rng(3)
    for size in sizes:
        label = rng.integers(0, 4, size)
        pred = np.where(rng.random(size) < 0.7, label, rng.integers(0, 5, size))
        label[rng.random(size) < 0.1] = 255
        yield pred.astype(np.uint8), label.astype(np.uint8)


class Scenes(SegDataset):
    """Images whose first channel is what `Painter` predicts."""

    ignore_index, reduce_zero_label, label_map = 255, False, None

    def __init__(self, sizes=SIZES, pipeline=LOADING):
        self.pipeline = pipeline
        self.file_palette = ((0, 0, 0),) * len(CLASSES)
        self.metainfo = dict(classes=CLASSES, palette=self.file_palette)
        self._scenes = list(scenes(sizes))

    def __len__(self):
        return len(self._scenes)

    def __getitem__(self, index):
        pred, label = self._scenes[index]
        image = np.repeat(pred[..., None], 3, axis=2)
        name = f"scene {index}"
        return dict(img=image, gt_seg_map=label, img_path=name) | self.facts()


class Painter:
    """A segmentor that predicts the image's first channel."""

    test_cfg = TestCfg()
    in_channels = 3
    threshold = None
    predicted_key = Segmentor.predicted_key
    predicted = Segmentor.predicted
    align_corners = False
    data_preprocessor = SegDataPreProcessor()

    def check_size(self, size):
        pass

    def apply(self, variables, images, method):
        assert method == "maps"
        return jax.nn.one_hot(images[..., 0].astype(np.uint8), len(CLASSES)), ()

    def scores(self, maps, per_image):
        assert per_image == ()
        return maps


def settings_of(dataset, batch_size=1, metrics=("mIoU",), tta=None):
    return dataclasses.replace(
        read_settings({}),
        val_dataloader=DataLoader(dataset, batch_size, num_threads=1),
        val_evaluator=(IoUMetric(metrics),),
        tta=tta,
    )
