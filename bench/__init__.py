"""Measurements: our pages beside controls, in one run."""
