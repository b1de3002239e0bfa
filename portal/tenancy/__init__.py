"""Whose rows they are: the tenant in scope, and the guards that no query gets past."""
