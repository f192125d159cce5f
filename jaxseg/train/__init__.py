"""Training: state, step, loop, evaluation, and what they write."""
