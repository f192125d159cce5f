"""Hugging Face's models: config, weights and preprocessing of a repository as ours."""
