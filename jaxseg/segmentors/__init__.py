"""Segmentors, the table of contents: `model` and `data_preprocessor` name these."""

from jaxseg.segmentors.cascade_encoder_decoder import CascadeEncoderDecoder
from jaxseg.segmentors.depth_estimator import DepthEstimator
from jaxseg.segmentors.encoder_decoder import EncoderDecoder
from jaxseg.segmentors.eomt import EoMT
from jaxseg.segmentors.multimodal_encoder_decoder import MultimodalEncoderDecoder
from jaxseg.segmentors.preprocess import SegDataPreProcessor

__all__ = [
    "CascadeEncoderDecoder",
    "DepthEstimator",
    "EncoderDecoder",
    "EoMT",
    "MultimodalEncoderDecoder",
    "SegDataPreProcessor",
]
