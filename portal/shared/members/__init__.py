"""Joining, managing and leaving: what happens to the members of an account."""
