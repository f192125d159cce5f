"""Errors of data, and of a worker process that dies."""


class DataError(ValueError):
    """Bad data: the message names the file, what was found, and what is allowed."""


class WorkerError(RuntimeError):
    """A process that prepares samples ended; the message says which, and how."""
