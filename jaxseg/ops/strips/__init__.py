"""Strips of upsampled logits: losses and predictions that never hold the whole map."""
