"""Diagnosis: a whole examination, from a config or two folders to the findings."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from jaxseg.config import ConfigError
from jaxseg.diagnose import checks
from jaxseg.diagnose.findings import Finding
from jaxseg.diagnose.read_through import read_through
from jaxseg.diagnose.sample import with_int_keys
from jaxseg.diagnose.splits import Split, open_folders, open_split
from jaxseg.diagnose.suggest import Suggestion, color_settings, label_settings
from jaxseg.diagnose.tally import Tally


@dataclasses.dataclass
class Diagnosis:
    """All that was found out.

    Attributes:
        splits: what was read, with the numbers of each.
        findings: what is wrong, errors first.
        suggestions: settings for the labels of each split, by its name.
        model: the segmentor of the config, or None.
        drawn: {split: (height, width) of samples that went through its pipeline}.
        dataset: the config of the data set of two folders.
    """

    splits: list[tuple[Split, Tally]]
    findings: list[Finding]
    suggestions: dict[str, list[Suggestion]]
    model: Any = None
    drawn: dict[str, list[tuple[int, int]]] = dataclasses.field(default_factory=dict)
    dataset: dict[str, Any] | None = None

    def proposed_dataset(self) -> dict[str, Any]:
        """The data set of two folders, with what is suggested for its labels."""
        dataset = dict(self.dataset)
        split, tally = self.splits[0]
        suggested = {}
        for suggestion in self.suggestions.get(split.name, ()):
            if suggestion.certain or not split.named:
                suggested |= suggestion.settings
        palette = suggested.pop("metainfo.palette", None)
        dataset |= suggested
        if not split.named:
            count = len(palette or ()) or _count_classes(tally, suggested)
            names = [f"class {number}" for number in range(count)]
            dataset["metainfo"] = {"classes": names}
            if palette:
                dataset["metainfo"]["palette"] = palette
        return dataset

    @property
    def errors(self) -> list[Finding]:
        """Those for which the exit code is 1."""
        return [finding for finding in self.findings if finding.level == "error"]


def _count_classes(tally, settings):
    """How many classes the ids have, with the settings that are suggested for them."""
    label_map = settings.get("label_map", {})
    reduced = settings.get("reduce_zero_label", False)
    plain = [one for one in tally.ids if one != settings.get("ignore_index", 255)]
    targets = [label_map.get(one, one - reduced) for one in [*plain, *label_map]]
    return max([1, *(target + 1 for target in targets)])


def diagnose_config(
    config: Mapping[str, Any], num_threads: int | None = None
) -> Diagnosis:
    """Reads the training and the validation data of a config.

    Args:
        config: in our vocabulary; of it the data sets are built, and the model, which
            gets no weights and is not run.
        num_threads: that read files; None takes one a core.

    Raises:
        ConfigError: if the config has no data set.
    """
    splits = []
    for name in ("train", "val"):
        dataset = (config.get(f"{name}_dataloader") or {}).get("dataset")
        if dataset:
            path = f"{name}_dataloader.dataset"
            splits.append(open_split(name, dataset, path))
    if not splits:
        raise ConfigError(
            "the config has neither train_dataloader.dataset nor val_dataloader.dataset"
        )
    read = [(split, _read(split, num_threads)) for split in splits]
    findings = []
    for split, tally in read:
        findings += checks.check_split(split, tally)
    there = {s.name: (s, t) for s, t in read if s.dataset is not None}
    if len(there) == 2:
        (train, train_tally), (val, val_tally) = there["train"], there["val"]
        pair = train.dataset, val.dataset
        findings += checks.check_splits_agree(*pair)
        findings += checks.check_leak(pair[0], train_tally, pair[1], val_tally)
    model, found = checks.read_model(config)
    findings += found
    size, drawn = model.data_preprocessor.size if model else None, {}
    for name, (split, tally) in there.items():
        if model is not None:
            findings += checks.check_model(
                model, split.dataset, split.path, name, tally
            )
        scaled = (config.get("tta") or {"enabled": False}).get("enabled", True)
        findings += checks.check_sizes(
            None if scaled else model, split.dataset, split.path, name
        )
        loader = config[f"{name}_dataloader"]
        samples = checks.draw_samples(split.dataset, tally)
        drawn[name] = [sample["img"].shape[:2] for sample in samples[0]]
        if name == "train" and model is not None:
            lacking = checks.check_model_targets(model, samples[0], split.path)
            findings += lacking or checks.check_training(
                model, samples[0], loader.get("batch_size", 1), size
            )
        batch_size = loader.get("batch_size", 1) if name == "train" else 0
        findings += checks.check_pipeline(
            name, split.dataset, samples, batch_size, size
        )
    return Diagnosis(read, _errors_first(findings), _suggest(read), model, drawn)


def diagnose_folders(
    images: str,
    labels: str,
    classes: tuple[str, ...] = (),
    img_suffix: str | None = None,
    seg_map_suffix: str | None = None,
    num_threads: int | None = None,
) -> Diagnosis:
    """Reads a folder of images and one of labels; see `open_folders`."""
    split, dataset = open_folders(images, labels, classes, img_suffix, seg_map_suffix)
    read = [(split, _read(split, num_threads))]
    findings = _errors_first(checks.check_split(*read[0]))
    return Diagnosis(read, findings, _suggest(read), dataset=dataset)


def _read(split: Split, num_threads: int | None) -> Tally:
    if split.dataset is None:
        return Tally()
    return read_through(split.dataset, split.named, num_threads, split.name)


def _errors_first(findings):
    return sorted(findings, key=lambda finding: finding.level != "error")


def _suggest(read):
    found = {}
    for split, tally in read:
        if split.dataset is None:
            continue
        dataset = split.dataset
        found[split.name] = label_settings(
            tally.ids,
            tally.outside,
            len(dataset.metainfo["classes"]) if split.named else None,
            dataset.ignore_index,
            dataset.reduce_zero_label,
            with_int_keys(dataset.label_map),
        ) + color_settings(tally.colors, split.named)
    return found
