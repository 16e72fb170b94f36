"""Keeps what agents remember, and finds the memories that fit a question."""
