"""File formats: what a file says of itself, checked before anything decodes it."""
