"""Optimisation: optimisers, learning rate schedules and parameter groups."""
