"""Scores of a segmentation: counted on the device, divided on the host."""
