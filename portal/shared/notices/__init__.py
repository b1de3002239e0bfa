"""Announcements of a brand to its members (COM-60)."""
