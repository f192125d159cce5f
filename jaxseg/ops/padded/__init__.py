"""Padded maps: operations on feature maps that are larger than their image."""
