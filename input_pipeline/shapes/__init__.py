"""Shapes: polygons, runs and masks of annotation files, in one form, and their painter."""
