"""Inference: a model with weights, from images to label maps."""
