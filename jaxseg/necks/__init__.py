"""Necks, the table of contents: `neck=dict(type=...)` names one of these."""

from jaxseg.necks.featurepyramid import Feature2Pyramid
from jaxseg.necks.fpn import FPN
from jaxseg.necks.ic_neck import ICNeck
from jaxseg.necks.jpu import JPU
from jaxseg.necks.mla_neck import MLANeck
from jaxseg.necks.multilevel_neck import MultiLevelNeck

__all__ = ["FPN", "JPU", "Feature2Pyramid", "ICNeck", "MLANeck", "MultiLevelNeck"]
