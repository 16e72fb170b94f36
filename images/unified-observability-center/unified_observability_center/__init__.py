"""Asks services how they are, and shows the answers in one place."""
