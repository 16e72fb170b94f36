"""Keeps what agents remember, and fuses what says the same."""
