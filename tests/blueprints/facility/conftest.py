"""Portals whose tenants file is a little different."""

from tests.pages.home.conftest import other

__all__ = ["other"]
