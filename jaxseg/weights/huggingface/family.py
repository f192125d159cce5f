"""Families of Hugging Face's models: what a config and a key of theirs is called here."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from jaxseg.weights.huggingface.fields import Fields
from jaxseg.weights.key_table import KeyTable


@dataclasses.dataclass(frozen=True)
class BackboneFamily:
    """A backbone, by its `model_type`.

    Attributes:
        prefix: what its keys begin with in a model that is more than the backbone.
        defaults: transformers' defaults of the fields that are used, by name.
        config: takes the fields and the file's name, for errors; gives our entry.
        channels: takes the fields; gives the channels of the maps that come out.
        key_table: our keys below the backbone. Its `convert` takes our entry in the
            place of a part.
        only: fields of which one value alone is computed, and this value.
    """

    prefix: str
    defaults: Mapping[str, Any]
    config: Callable[[Fields, str], dict[str, Any]]
    channels: Callable[[Fields], tuple[int, ...]]
    key_table: KeyTable
    only: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class SegmentorFamily:
    """A whole model, by the name of its class in `architectures`.

    Attributes:
        backbone_prefix: what stands before the keys of its backbone; or, where nothing
            does, what each of them begins with.
        defaults: as of `BackboneFamily`.
        model: takes the fields, our entry of the backbone, the channels of its maps,
            and the number of classes; gives the `model` of a config. Of its
            `data_preprocessor` it has what the file of the images' preparation lacks.
        key_table: the keys of the model, but for its backbone's, in ours. Its
            `convert` takes the `model` in the place of a part.
        backbone: the `model_type` of the backbone, where the config has no
            `backbone_config` for it.
        only: as of `BackboneFamily`.
    """

    backbone_prefix: str | tuple[str, ...]
    defaults: Mapping[str, Any]
    model: Callable[[Fields, dict[str, Any], tuple[int, ...], int], dict[str, Any]]
    key_table: KeyTable
    backbone: str | None = None
    only: Mapping[str, Any] = dataclasses.field(default_factory=dict)
