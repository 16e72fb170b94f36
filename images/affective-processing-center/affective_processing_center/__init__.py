"""Reads the mood of what people say, and how it moves over time."""
