"""Evaluation: a checkpoint scored on a data set."""
