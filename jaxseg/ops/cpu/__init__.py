"""CPU forms: operations as XLA's CPU backend computes them fast."""
