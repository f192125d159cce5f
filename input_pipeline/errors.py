"""The one error that bad data raises."""


class DataError(ValueError):
    """Bad data: the message names the file, what was found, and what is allowed."""
