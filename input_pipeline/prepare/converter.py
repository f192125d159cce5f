"""Converter: what one data set says of itself, and the plan that it makes of sources."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from input_pipeline.prepare.archive import Member
from input_pipeline.prepare.files import Files

# What a task writes: (path below the output folder, content).
Outputs = Iterable[tuple[str, bytes]]


@dataclasses.dataclass(frozen=True)
class Option:
    """A flag of one converter: `--name`, of the type of its default.

    Attributes:
        name: of the flag.
        default: its value where it is not given.
        help: one sentence.
        choices: the values that are allowed; () allows all of the type.
    """

    name: str
    default: Any
    help: str
    choices: tuple = ()

    def shown(self) -> str:
        """The default, for people."""
        return "none" if self.default == "" else str(self.default)


@dataclasses.dataclass(frozen=True)
class Task:
    """One step, done whole or not at all, in any process and in any order.

    Attributes:
        make: a function of a module: `make(*inputs, *arguments)` gives the outputs.
            It must be importable by its name, as other processes call it.
        inputs: members of the sources; `make` gets them as they are, and reads them.
        arguments: further ones, which can be pickled.
    """

    make: Callable[..., Outputs]
    inputs: tuple[Member, ...] = ()
    arguments: tuple = ()


@dataclasses.dataclass(frozen=True)
class Count:
    """How many of something there are.

    Attributes:
        what: for instance 'images of training'.
        found: in the sources.
        expected: in the published data set.
    """

    what: str
    found: int
    expected: int


@dataclasses.dataclass
class Plan:
    """What is to be done.

    Attributes:
        tasks: the steps.
        counts: compared before anything is done.
        train: arguments of the data set's class but for data_root, by which it finds
            the result; several where a training takes several parts.
        val: likewise, of the one part that is evaluated.
        notes: sentences for the user on what was met in the sources.
    """

    tasks: list[Task]
    counts: list[Count]
    train: Sequence[Mapping[str, Any]]
    val: Mapping[str, Any]
    notes: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Converter:
    """A data set that `python -m jaxseg.prepare NAME` knows.

    Attributes:
        name: NAME.
        title: what it is, in a line.
        sources: the files to give, or what lies in them.
        url: where they are.
        licence: as its authors word it, shortly.
        size: images and bytes of the download.
        layout: of the sources, as far as it is looked at.
        plan: makes the plan of the sources' files and the options by name.
        dataset: name of its class in `input_pipeline.datasets`.
        home: the folder in which MMSegmentation's configs, and ours, look for it.
        inner_archives: pattern of the archives within archives that are opened.
        options: flags beside those that every converter has.
        checks: what of the sources is not certain, and what is done about it.
        train_with: a config of its own that trains on it, with `home`; '' where there
            is none.
        has_config: whether experiments/prepared.py trains on it: images of three
            channels, labels of classes.
        scale: (width, height) that a training scales images to, times 0.5 to 2.
        crop_size: (height, width) that it takes of one.
    """

    name: str
    title: str
    sources: tuple[str, ...]
    url: str
    licence: str
    size: str
    layout: str
    dataset: str
    home: str
    plan: Callable[[Files, Mapping[str, Any]], Plan]
    inner_archives: str = ""
    options: tuple[Option, ...] = ()
    checks: str = ""
    train_with: str = ""
    has_config: bool = True
    scale: tuple[int, int] = (2048, 512)
    crop_size: tuple[int, int] = (512, 512)
