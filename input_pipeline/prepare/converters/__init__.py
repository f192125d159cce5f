"""Converters, the table of contents: `python -m jaxseg.prepare NAME` finds one of these."""

from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.converters.drive import DRIVE

CONVERTERS: dict[str, Converter] = {converter.name: converter for converter in (DRIVE,)}
