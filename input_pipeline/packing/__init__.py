"""Packing: decoded data sets on disk: how they are written, read and checked."""
