"""Memories that strategies carry while they read."""
