"""Errors of Hugging Face's models."""

from jaxseg.errors import JaxsegError


class HuggingFaceError(JaxsegError, ValueError):
    """A model of Hugging Face's that cannot be fetched, or that jaxseg does not have."""
