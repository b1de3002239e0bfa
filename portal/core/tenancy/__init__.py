"""Which brand a request, a row or a job belongs to, and the walls between them."""
