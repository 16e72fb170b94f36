"""Decides which models are in the memory of a GPU."""
