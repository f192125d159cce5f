"""Data sets of a config of either line, in our vocabulary."""

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from input_pipeline import datasets
from input_pipeline.lists import read_names
from jaxseg.config import ConfigError
from jaxseg.mmseg_config.dataset_source import read_dataset_class
from jaxseg.mmseg_config.ignore_index import ignored, with_ignore_index
from jaxseg.mmseg_config.label_order import label_map_of_v0
from jaxseg.mmseg_config.line import is_v0
from jaxseg.mmseg_config.loaders import loader_settings, read_loader
from jaxseg.mmseg_config.pipeline import translate_pipeline, without_backend
from jaxseg.mmseg_config.report import Report
from jaxseg.mmseg_config.type_names import find_class, with_base_type

# How mmseg keeps its lists of files, or whether labels are loaded, which here the
# data set and its pipeline say.
_NO_EFFECT = (
    "filter_cfg",  # read by no data set of mmseg's
    "lazy_init",
    "max_refetch",
    "serialize_data",
    "test_mode",
)
_SEVERAL = ("img_dir", "ann_dir", "split")  # 0.x takes lists of them, too


def translate_data(
    raw: Mapping[str, Any], report: Report, source: str = ""
) -> dict[str, Any]:
    """Makes the three loaders of a config of either line.

    `val_dataloader` is what mmseg evaluates during a training, and only without it what
    `tools/test.py` takes, which is `test_dataloader`.

    Args:
        raw: the whole config.
        report: is told of what jaxseg does not have or does not honour.
        source: the config's file, beside which its modules are looked for.

    Returns:
        Those of the three loaders that the config has; `batch_size` is per GPU.

    Raises:
        ConfigError: as `translate_dataset`.
    """
    v0, translated, modules = is_v0(raw), {}, _modules(raw)
    sources = {"train": ("train",), "val": ("val", "test"), "test": ("test",)}
    for name, candidates in sources.items():
        loaders = [read_loader(raw, candidate) for candidate in candidates]
        loader = next((loader for loader in loaders if loader), None)
        if loader is None:
            continue
        path, training = f"{name}_dataloader", name == "train"
        own = Report()
        settings = loader_settings(loader, training, path, own)
        part = Part(v0, training, own, source, modules)
        dataset = translate_dataset(loader["dataset"], f"{path}.dataset", part)
        dataset = with_ignore_index(dataset, ignored(raw, training), path, own)
        translated[path] = {**settings, "dataset": dataset}
        # Most configs test on the data of their validation: all is said once.
        report.add(own, known_as=(path, "val_dataloader"))
    if "val_dataloader" in translated:
        _note_test_pipeline(raw, report)
    return translated


def evaluated(raw: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The data set that is evaluated, as mmseg has it; the first one of several.

    Returns:
        It, or {} if there is none; and where it stands in our config.
    """
    loader = read_loader(raw, "val") or read_loader(raw, "test") or {"dataset": {}}
    dataset, path = loader["dataset"], "val_dataloader.dataset"
    while True:
        if isinstance(dataset, (list, tuple)):
            dataset, path = dataset[0], f"{path}.datasets.0"
        elif "datasets" in dataset:
            dataset = dataset["datasets"]
        elif "dataset" in dataset:
            dataset, path = dataset["dataset"], f"{path}.dataset"
        else:
            return dataset, path


def _modules(raw):
    """The modules that a config imports."""
    names = (raw.get("custom_imports") or {}).get("imports") or ()
    names = [names] if isinstance(names, str) else names
    names = names if _is_list(names) else ()
    return tuple(name for name in names if isinstance(name, str))


def _note_test_pipeline(raw, report):
    """Notes where mmseg takes single images through another pipeline."""
    single = raw.get("test_pipeline")
    dataset, where = evaluated(raw)
    if not is_v0(raw) and single not in (None, dataset.get("pipeline")):
        report.note(
            f"test_pipeline: not used; mmseg takes single images through it, jaxseg "
            f"through {where}.pipeline, which is another one"
        )


@dataclasses.dataclass(frozen=True)
class Part:
    """What of a config is being translated.

    Attributes:
        v0: whether the config is one of mmseg 0.x.
        training: the data set of the training, or that of the evaluation.
        report: is told of what jaxseg does not have.
        source: the config's file.
        modules: that it imports classes from.
    """

    v0: bool
    training: bool
    report: Report
    source: str = ""
    modules: tuple[str, ...] = ()


def translate_dataset(config: Any, path: str, part: Part) -> dict[str, Any]:
    """Translates a data set, with the data sets inside and their pipelines.

    Args:
        config: mmseg's; in 0.x also a list, which is a ConcatDataset.
        path: where it stands in our config.
        part: what it belongs to.

    Raises:
        ConfigError: if it is no data set, lists of folders do not fit each other, or
            a file of class names is not there.
    """
    if isinstance(config, (list, tuple)):
        return _concat(config, path, part)
    config = _with_known_class(with_base_type(config, path), path, part)
    if part.v0:
        if any(_is_list(config.get(key)) for key in _SEVERAL):
            separate = config.get("separate_eval", True)
            return _concat(list(_one_folder_each(config, path)), path, part, separate)
        config = _keys_of_v1(config, path, part)
    if find_class(config["type"], datasets) is None:
        part.report.lacks(path, config["type"])
    if "dataset" in config or "datasets" in config:
        config = _wrapper(config, path, part)
    else:
        config = _files(config, path, part)
    if config.get("pipeline") is not None:
        config["pipeline"] = translate_pipeline(
            config["pipeline"], part.v0, part.report, f"{path}.pipeline"
        )
        if part.v0 and not part.training:
            config["pipeline"] = _with_labels(config["pipeline"])
    return config


def _with_known_class(config, path, part):
    """Puts what a user's own class says in its place, as far as that is data."""
    name = config["type"]
    plain = "CustomDataset" if part.v0 else "BaseSegDataset"
    if find_class(name, datasets) is not None or name == plain or not part.modules:
        return config
    said = read_dataset_class(name, part.modules, part.source)
    if said is None:
        part.report.note(
            f"{path}: {name} is no class whose names and suffixes can be read as data; "
            f"--config.{path}.type=BaseSegDataset, --config.{path}.metainfo="
            "'{\"classes\": [...]}' and "
            f"--config.{path}.img_suffix=.jpg (and seg_map_suffix) say them"
        )
        return config
    part.report.note(
        f"{path}: {name} is read as data, not imported: a {plain} with its "
        f"{', '.join(said)}"
    )
    metainfo = said.pop("metainfo")
    if part.v0:
        said |= metainfo
    else:
        own = config.get("metainfo") or {}
        config["metainfo"] = {**metainfo, **own} if isinstance(own, Mapping) else own
    return {**said, **config, "type": plain}


def _concat(configs, path, part, separate=True):
    if not configs:
        raise ConfigError(f"{path}: a list of data sets that is empty")
    parts = [
        translate_dataset(config, f"{path}.datasets.{i}", part)
        for i, config in enumerate(configs)
    ]
    concat = {"type": "ConcatDataset", "datasets": parts}
    if part.v0 and not part.training and len(configs) > 1:
        concat["separate_eval"] = separate
    return concat


def _wrapper(config, path, part):
    """A data set made of data sets."""
    dropped = [k for k in config if k in (*_NO_EFFECT, "verify_meta")]
    part.report.drop(path, dropped)
    config = {key: value for key, value in config.items() if key not in _NO_EFFECT}
    config.pop("verify_meta", None)  # always
    if config.get("skip_type_keys", ()) is None:
        del config["skip_type_keys"]
    if config.pop("ignore_keys", None):
        part.report.note(f"{path}.ignore_keys: not used; the classes must be equal")
    if "datasets" in config:
        separate = config.pop("separate_eval", True)
        return config | _concat(config["datasets"], path, part, separate)
    inner = translate_dataset(config["dataset"], f"{path}.dataset", part)
    return config | {"dataset": inner}


def _files(config, path, part):
    """A data set of files, in the keys of 1.x."""
    part.report.drop(path, [key for key in config if key in _NO_EFFECT])
    config = without_backend(config, part.report, path)
    config = {
        key: value
        for key, value in config.items()
        if key not in _NO_EFFECT and value is not None
    }
    if config.pop("indices", None) is not None:
        part.report.note(f"{path}.indices: not used; all samples are")
    metainfo = config.pop("metainfo", {})
    if not isinstance(metainfo, Mapping):
        raise ConfigError(f"{path}.metainfo: expected a dict, found {metainfo!r:.80}")
    metainfo = dict(metainfo)
    known = {k: metainfo.pop(k) for k in ("classes", "palette") if metainfo.get(k)}
    for key in metainfo:
        part.report.note(f"{path}.metainfo.{key}: not used")
    if "classes" in known:
        known["classes"] = _class_names(known["classes"], path)
    if known:
        config["metainfo"] = known
    return config


def _class_names(classes, path):
    """A list of names, or the file that holds one a line."""
    if _is_list(classes):
        return list(classes)
    if not isinstance(classes, str):
        raise ConfigError(
            f"{path}.metainfo.classes: expected a list of names, or the file of them, "
            f"found {classes!r:.80}"
        )
    if not os.path.isfile(classes):
        raise ConfigError(
            f"{path}.metainfo.classes: {classes!r} must be a file of class names, one "
            "a line, and is not there; a list of names is allowed, too"
        )
    return read_names(classes)


# MARK: 0.x


def _is_list(value):
    return isinstance(value, (list, tuple))


def _one_folder_each(
    config: Mapping[str, Any], path: str
) -> Iterator[Mapping[str, Any]]:
    """One data set for each of several folders or lists of files."""
    several = {key: config[key] for key in _SEVERAL if _is_list(config.get(key))}
    count = max(map(len, several.values()))
    if any(len(values) not in (1, count) for values in several.values()):
        found = ", ".join(f"{len(v)} of {key}" for key, v in several.items())
        raise ConfigError(
            f"{path} has {found}; lists must have the same length, or one entry"
        )
    shared = {key: v for key, v in config.items() if key != "separate_eval"}
    for i in range(count):
        each = {key: v[i if len(v) > 1 else 0] for key, v in several.items()}
        yield shared | each


def _keys_of_v1(config, path, part):
    """The keys of 1.x for those of a data set of 0.x."""
    config = dict(config)
    if config["type"] == "CustomDataset":
        config["type"] = "BaseSegDataset"
    if "dataset" in config or "datasets" in config:
        return config
    prefix = {"img_path": config.pop("img_dir", None)}
    prefix["seg_map_path"] = config.pop("ann_dir", None)
    config["data_prefix"] = {key: v for key, v in prefix.items() if v is not None}
    config["ann_file"] = config.pop("split", None)
    metainfo = {key: config.pop(key, None) for key in ("classes", "palette")}
    if metainfo["classes"]:
        metainfo["classes"] = _class_names(metainfo["classes"], path)
        config["metainfo"] = {key: v for key, v in metainfo.items() if v}
    return config | _label_keys_of_v0(config, path, part)


def _label_keys_of_v0(config, path, part):
    """`reduce_zero_label` and `label_map` by which ours gives the labels of 0.x.

    There LoadAnnotations decides in the training, and the data set in the evaluation;
    here it is the data set alone.
    """
    cls = find_class(config["type"], datasets)
    loader = config.pop("gt_seg_map_loader_cfg", None) or {}
    where = f"{path}.gt_seg_map_loader_cfg"
    if not isinstance(loader, Mapping):
        raise ConfigError(f"{where}: expected a dict, found {loader!r:.80}")
    part.report.drop_others(where, loader, ("reduce_zero_label",))
    default = getattr(cls, "reduce_zero_label", False)
    reduces = config.get("reduce_zero_label", default)
    wanted = reduces
    if part.training:
        entries = config.get("pipeline") or ()
        where = f"{path}.pipeline"
        entries = [with_base_type(e, where) for e in entries]
        loads = [e for e in entries if e["type"] == "LoadAnnotations"]
        if loads:
            wanted = loads[0].get("reduce_zero_label", False)
        if wanted != reduces:
            part.report.note(
                f"{path}: reduce_zero_label={wanted}, as LoadAnnotations has it, by "
                f"which mmseg 0.x trains; its data set has {reduces}"
            )
    elif loader.get("reduce_zero_label"):
        wanted = True
        if reduces:
            part.report.lacks(path, "reduce_zero_label in gt_seg_map_loader_cfg, too")
    classes = (config.get("metainfo") or {}).get("classes")
    known = [name for name, _ in getattr(cls, "CLASSES", ())]
    if wanted and classes and known and list(classes) != known:
        part.report.note(
            f"{path}: mmseg 0.x chooses classes before reduce_zero_label, which "
            "moves them by one; label_map does as it does"
        )
        label_map = label_map_of_v0(known, classes)
        return {"reduce_zero_label": False, "label_map": label_map}
    return {} if wanted == reduces else {"reduce_zero_label": wanted}


def _with_labels(pipeline: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Loads the label at its own size, at the end, where 0.x reads it elsewhere."""
    ends = ("LoadAnnotations", "PackSegInputs")
    body = [entry for entry in pipeline if entry["type"] not in ends]
    return [*body, *({"type": name} for name in ends)]
