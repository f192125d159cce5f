"""Weights: names, files and conversion of parameters."""
