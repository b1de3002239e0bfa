"""Ground floor: knows no customer and no page."""
