"""Loaded model: config, weights, classes and test pipeline, ready to use."""

import copy
import dataclasses
import functools
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from input_pipeline import datasets, transforms
from input_pipeline.class_list import resolve_classes
from input_pipeline.palette import distinct_palette
from input_pipeline.transforms.transform import Transform, does
from jaxseg.checkpoint.errors import RemovedCheckpointError
from jaxseg.config import ConfigError
from jaxseg.inference.bands import BandPredictor, devices_of_image
from jaxseg.inference.predictor import Predictor, images_together
from jaxseg.load_config import INFERENCE, load_config
from jaxseg.registry import lookup
from jaxseg.resolve import resolve, resolve_model
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.settings.read import read_settings
from jaxseg.settings.tta import TestTimeAug, without_resizing
from jaxseg.weights.huggingface.repository import SCHEME
from jaxseg.weights.key_table import key_table_of
from jaxseg.weights.load import (
    Checkpoint,
    LoadError,
    as_variables,
    fill,
    read_checkpoint,
)
from jaxseg.weights.part import config_path, fields_path, join, parts
from jaxseg.weights.prefix import for_model

_log = logging.getLogger("jaxseg")


@dataclasses.dataclass
class SegModel:
    """What `load_model` makes.

    Attributes:
        config: the whole config.
        segmentor: the Flax module.
        variables: params and batch_stats, where the predictor runs.
        predictor: runs the segmentor on images as they are loaded, one by one: on one
            device, or each image on the `mesh.spatial` devices of the config.
        classes: names of the classes.
        palette: (r, g, b) of each class.
        pipeline: transforms of a test image, without its label; with `tta` they leave
            it at its own size.
        tta: the versions of an image that `predict` averages, or None.
    """

    config: dict[str, Any]
    segmentor: Any
    variables: Any
    predictor: Predictor | BandPredictor
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    pipeline: tuple[Any, ...]
    tta: TestTimeAug | None

    def encode_decode(self, images: Any) -> jax.Array:
        """Runs the network at one size.

        Args:
            images: normalised, (N, H, W, C) float32.

        Returns:
            Logits (N, H, W, out_channels) float32.

        Raises:
            ValueError: if the images have another shape or number of channels.
        """
        channels = self.segmentor.in_channels
        if np.ndim(images) != 4 or np.shape(images)[-1] != channels:
            raise ValueError(
                f"images have the shape {np.shape(images)}; encode_decode takes "
                f"(N, H, W, {channels})"
            )
        return self._encode_decode(self.variables, images)

    @functools.cached_property
    def _encode_decode(self):
        return jax.jit(functools.partial(self.segmentor.apply, method="encode_decode"))

    @property
    def images_together(self) -> int:
        """How many images, or windows, of one size run at once."""
        loader = self.config.get("val_dataloader") or {}
        if isinstance(self.predictor, BandPredictor):
            return 1
        return images_together(loader.get("batch_size", 1), self.predictor.devices)

    def load_image(self, image: str | Path | np.ndarray) -> dict[str, Any]:
        """Takes an image through the test pipeline.

        Args:
            image: a file, or pixels (H, W, 3) uint8 in RGB order (or as the model's
                pipeline reads them).

        Returns:
            `img` at the test scale and `ori_shape`, its (height, width) before.

        Raises:
            DataError: if it is no image, or not one that the pipeline takes.
            ConfigError: if the model takes another number of channels.
        """
        record = self._record(image)
        for transform in self.pipeline:
            record = transform(record, np.random.default_rng(0))
        check_channels(record, self.segmentor)
        return record

    def read_pixels(self, image: str | Path | np.ndarray) -> np.ndarray:
        """The image at its own size, (H, W, C), as the pipeline's first entry reads it."""
        return self.pipeline[0](self._record(image), np.random.default_rng(0))["img"]

    def _record(self, image):
        if isinstance(image, (str, Path)):
            return {"img_path": str(image)}
        return {"img": np.asarray(image), "img_path": "the given array"}

    def predict(self, image: str | Path | np.ndarray, return_logits: bool = False):
        """Predicts one image at its own size.

        Args:
            image: as in `load_image`.
            return_logits: also return the logits; with `tta` the mean probabilities
                of the versions, whose largest is the class.

        Returns:
            Label map (H, W) integers, or depths (H, W) float32 of a model of those; with return_logits also (H, W, out_channels)
            float32.

        Raises:
            DataError, ConfigError: as `load_image`, or if the model does not take an
                image of this size.
        """
        sample = self.load_image(image)
        run = self._predict if self.tta is None else self._predict_augmented
        try:
            label_maps, logits = run(sample, return_logits)
        except ConfigError as error:
            raise ConfigError(f"{sample['img_path']}: {error}") from error
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            height, width = sample["img"].shape[:2]
            raise ConfigError(
                f"{sample['img_path']}: {height}x{width} pixels do not fit into the "
                "device's memory; set model.test_cfg to dict(mode='slide', crop_size="
                "(512, 512), stride=(384, 384)), mesh.spatial to several devices, or "
                "a smaller scale in the test pipeline"
            ) from error
        label_map = np.asarray(label_maps)[0]
        return (label_map, np.asarray(logits)[0]) if return_logits else label_map

    def _predict(self, sample, return_logits):
        arguments = self.variables, sample["img"][None], sample["ori_shape"]
        if not return_logits:
            return self.predictor.label_maps(*arguments), None
        logits = self.predictor.logits(*arguments)
        return self.predictor.classes(logits), logits

    def _predict_augmented(self, sample, return_logits):
        size, own = sample["img"].shape[:2], tuple(sample["ori_shape"])
        if size != own:
            raise ConfigError(
                f"it is {own[0]}x{own[1]}, and {size[0]}x{size[1]} after the pipeline; "
                "`tta` scales the image as it is: take what changes its size out of "
                "val_dataloader.dataset.pipeline"
            )
        versions = [version[None] for version in self.tta.scaled(sample["img"])]
        arguments = self.variables, versions, own, self.tta.directions
        if not return_logits:
            return self.predictor.augmented_label_maps(*arguments), None
        mean = self.predictor.augmented_probabilities(*arguments)
        return self.predictor.classes(mean, probabilities=True), mean


def check_channels(sample: Mapping[str, Any], segmentor: Any) -> None:
    """Refuses an image of another number of channels than the backbone takes.

    Raises:
        ConfigError: naming the image and both numbers.
    """
    channels, takes = sample["img"].shape[-1], segmentor.in_channels
    if channels != takes:
        raise ConfigError(
            f"{sample['img_path']} has {channels} channels, and "
            f"model.backbone.in_channels is {takes}; LoadImageFromFile.color_type "
            "('color', 'grayscale', 'unchanged') says which are read"
        )


def check_predicts_classes(segmentor: Any, what: str) -> None:
    """Refuses a model that predicts something else than classes.

    Args:
        segmentor: the model.
        what: what needs classes, a sentence without its full stop.

    Raises:
        ConfigError: naming both.
    """
    if segmentor.predicted_key != "gt_seg_map":
        raise ConfigError(
            f"{what}, which is for models of classes; {type(segmentor).__name__} "
            f"predicts {segmentor.predicted_key}"
        )


def load_model(
    config: str | Path | Mapping[str, Any] | None, checkpoint: str | Path | None = None
) -> SegModel:
    """Builds the model of a config, with the weights of a checkpoint.

    Args:
        config: a config file or dict; None takes the one saved in the checkpoint. A
            run of jaxseg alone (its work directory, one step of it, DIR:best) stands
            for both, and so does a model of Hugging Face's (`hf://OWNER/NAME`, its
            folder).
        checkpoint: as in `load.read_checkpoint`. None leaves the model as it starts
            training, by the config's seed, but for the weights of `pretrained`.

    Raises:
        ConfigError: if the config is wrong.
        LoadError: if the weights do not fit.
    """
    if checkpoint is None and _is_run(config):
        config, checkpoint = None, config
    saved = None if checkpoint is None else read_checkpoint(checkpoint)
    if config is None and saved is None:
        raise ValueError("load_model needs a config or a checkpoint")
    config, segmentor = build_segmentor(config, saved)
    settings = read_settings({k: config.get(k) for k in ("tta", "xla_flags")})
    tta = settings.tta
    predictor = _predictor(config, segmentor, settings)
    variables = fresh_variables(config, segmentor, abstract=saved is not None)
    if saved is not None:
        saved, variables = _filled(checkpoint, saved, variables, segmentor)
    classes, palette, where = _classes_of(config, saved, segmentor)
    own = segmentor.predicting_head.has_own_classes
    if len(classes) != segmentor.num_classes and not own:
        raise ConfigError(
            f"model.decode_head.num_classes is {segmentor.num_classes}, "
            f"but {where} has {len(classes)} classes: {', '.join(classes[:5])}"
        )
    return SegModel(
        config=config,
        segmentor=segmentor,
        variables=predictor.put_variables(variables),
        predictor=predictor,
        classes=classes,
        palette=palette,
        pipeline=_test_pipeline(config, tta),
        tta=tta,
    )


def _filled(checkpoint, saved, variables, segmentor):
    """The variables with a checkpoint's values, and the checkpoint that was read."""
    source = str(checkpoint)
    while True:
        weights = for_model(saved, variables, segmentor).weights
        try:
            tree = fill(weights, variables, source, segmentor)
        except RemovedCheckpointError as error:
            # Its run went on while the model was built. There are others by now, or
            # this says that there are none.
            _log.info("%s; choosing again", error)
            saved = read_checkpoint(checkpoint)
            continue
        return saved, as_variables(tree, variables, source)


def _is_run(config):
    """Whether a config is a run of jaxseg, or a model of Hugging Face's."""
    if not isinstance(config, (str, Path)):
        return False
    if str(config).startswith(SCHEME):
        return True
    return Path(str(config).removesuffix(":best")).expanduser().is_dir()


def _predictor(config, segmentor, settings):
    devices = devices_of_image(config.get("mesh"), jax.local_devices())
    flags = settings.xla_flags
    if len(devices) == 1:
        return Predictor(segmentor, devices, flags)
    if settings.tta is not None:
        raise ConfigError(
            "tta averages versions of an image that one device holds: set mesh.spatial "
            "to 1, or tta.enabled to False"
        )
    return BandPredictor(segmentor, devices, flags)


def build_segmentor(
    config: str | Path | Mapping[str, Any] | None, checkpoint: Checkpoint | None
) -> tuple[dict[str, Any], Any]:
    """Builds the segmentor of a config, for inference with a checkpoint.

    A field of a part that the config leaves out, and that the checkpoint's keys show
    to be on (`KeyTable.fields`), is put into the config, and that is logged: the
    weights of a ViT trained by mmseg 0.x have a bias that 1.x's configs do not ask for.

    Args:
        config: a config file or dict; None takes the one saved in the checkpoint, and
            so does one without `model` for the model.
        checkpoint: what will be filled in, or None.

    Returns:
        The config and the segmentor.

    Raises:
        ConfigError: if the config is wrong.
        LoadError: if there is none.
    """
    name = None
    if config is None:
        config, name = checkpoint.config, f"the config in {checkpoint.path}"
    if config is None:
        no_config = f"{checkpoint.path} holds weights and no config of jaxseg's"
        raise LoadError(f"{checkpoint.no_config or no_config}: give a config")
    config = load_config(config, INFERENCE, name=name)
    if "model" not in config and checkpoint is not None and checkpoint.config:
        _log.info("model: the one of %s", checkpoint.path)
        config = {**config, "model": checkpoint.config["model"]}
    if "model" not in config:
        raise ConfigError("the config has no `model`")
    segmentor = resolve_model(config["model"])
    on = (
        {} if checkpoint is None else _fields_of(checkpoint, segmentor, config["model"])
    )
    if not on:
        return config, segmentor
    config = {**config, "model": copy.deepcopy(config["model"])}
    for key, fields in on.items():
        for field in fields:
            path = config_path(key, segmentor)
            _log.info("%s.%s=True: so it is in %s", path, field, checkpoint.path)
        _entry(config["model"], key, segmentor).update(dict.fromkeys(fields, True))
    return config, resolve_model(config["model"])


def _fields_of(checkpoint, segmentor, model):
    """The fields that the checkpoint's keys show to be on, by the part's key."""
    found = {}
    for key, part in parts(segmentor).items():
        given = _entry(model, key, segmentor)
        for field, name in key_table_of(part).fields.items():
            # Perhaps with a prefix, which comes off once the model is known.
            ends = f".{join(key, name)}"
            there = any(f".{k}".endswith(ends) for k in checkpoint.weights)
            if there and given is not None and field not in given:
                found.setdefault(key, []).append(field)
    return found


def _entry(model, key, segmentor):
    """A part's dict in the config; None of one that the config does not spell out."""
    for name in fields_path(key, segmentor):
        if isinstance(model, Mapping):
            model = model.get(name)
        elif isinstance(model, (list, tuple)):
            model = model[int(name)]
    return model


def fresh_variables(config: Mapping[str, Any], segmentor: Any, abstract: bool) -> Any:
    """Parameters and statistics as training starts, or only their shapes."""
    preprocessor = segmentor.data_preprocessor
    channels = segmentor.in_channels
    seed = (config.get("randomness") or {}).get("seed", 0)
    size = preprocessor.size or (128, 128)
    make = functools.partial(init_variables, segmentor, seed, channels, size)
    return jax.eval_shape(make) if abstract else make()


def _val_dataset(config):
    """The config of val_dataloader's data set, or of the first one inside it."""
    dataset = (config.get("val_dataloader") or {}).get("dataset") or {}
    while "dataset" in dataset or "datasets" in dataset:
        dataset = dataset.get("dataset") or dataset["datasets"][0]
    return dataset


def _test_pipeline(config, tta):
    """The pipeline of val_dataloader for images alone; without one, as they are."""
    path = "val_dataloader.dataset.pipeline"
    entries = _val_dataset(config).get("pipeline") or []
    if tta is not None:
        entries = without_resizing(entries, path)
    pipeline = resolve(entries, path, (transforms,))
    # What turns labels into arrays has no place in it.
    pipeline = tuple(t for t in pipeline if not does(t, "makes_targets"))
    for step in pipeline:
        if isinstance(step, Transform) and step.moves_pixels:
            raise ConfigError(
                f"{path}: {type(step).__name__} crops, pads, flips or rotates an image "
                "(or does not say moves_pixels = False), and its label map would not "
                "lie on it any more: take it out for predictions"
            )
    if pipeline and does(pipeline[0], "loads_image"):
        return pipeline
    return (transforms.LoadImageFromFile(), *pipeline)


def _classes_of(config, saved, segmentor):
    """Names and colours: as trained, as the config's data set has them, or made up.

    And where they stand, for errors.
    """
    trained = {"dataset_meta": config.get("dataset_meta")}
    if saved is not None:
        trained[str(saved.path)] = saved.meta
    for where, meta in trained.items():
        if meta and meta.get("classes"):
            classes = tuple(meta["classes"])
            palette = meta.get("palette") or distinct_palette(len(classes))
            return classes, tuple(map(tuple, palette)), where
    dataset = _val_dataset(config)
    known, metainfo, path = (), dataset.get("metainfo") or {}, "val_dataloader.dataset"
    if "type" in dataset:
        known = getattr(lookup(dataset["type"], path, (datasets,)), "CLASSES", ())
    count = segmentor.num_classes
    if not known and not metainfo:
        return tuple(f"class {i}" for i in range(count)), distinct_palette(count), path
    meta, _, _ = resolve_classes(
        path,
        known,
        metainfo,
        dataset.get("ignore_index", 255),
        dataset.get("label_map"),
        data_root=dataset.get("data_root", ""),
    )
    return meta["classes"], meta["palette"], path
