"""How many of something may be there, why, and how that is held to (COM-40 … COM-44)."""
