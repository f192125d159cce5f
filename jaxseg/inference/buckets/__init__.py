"""Padding buckets: images of many sizes in few compiled programs."""
