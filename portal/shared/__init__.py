"""First floor: what two or more brands use."""
