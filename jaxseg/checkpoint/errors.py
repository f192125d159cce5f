"""Errors of checkpoints."""

from jaxseg.errors import JaxsegError


class CheckpointError(JaxsegError):
    """A checkpoint cannot be written, found or used."""


class DamagedCheckpointError(CheckpointError):
    """The files of a checkpoint are incomplete, or not those that were written."""


class NoCheckpointError(CheckpointError, FileNotFoundError):
    """There is no finished checkpoint where one was looked for."""


class RemovedCheckpointError(DamagedCheckpointError):
    """A checkpoint was removed while it was read, by the run that goes on there."""


class StructureMismatchError(CheckpointError):
    """The checkpoint is sound, but it belongs to another model or optimiser."""


class HostsDriftedError(CheckpointError):
    """Arrays that every host holds a copy of are not the same on all of them."""
