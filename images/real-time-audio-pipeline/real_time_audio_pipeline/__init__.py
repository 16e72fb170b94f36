"""Cuts a stream of sound into the stretches in which somebody speaks."""
