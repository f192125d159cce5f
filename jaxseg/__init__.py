"""Semantic segmentation in JAX with MMSegmentation's configs and numbers."""
