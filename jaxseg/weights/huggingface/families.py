"""Families: the table of Hugging Face's models that jaxseg has."""

from jaxseg.weights.huggingface.family import BackboneFamily, SegmentorFamily
from jaxseg.weights.huggingface.segformer import MIT, SEGFORMER

# By model_type.
BACKBONES: dict[str, BackboneFamily] = {
    "segformer": MIT,
}

# By the class in `architectures`.
SEGMENTORS: dict[str, SegmentorFamily] = {
    "SegformerForSemanticSegmentation": SEGFORMER,
}
