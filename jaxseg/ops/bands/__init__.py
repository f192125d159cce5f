"""Bands: operations on maps that are split by rows over several devices."""
