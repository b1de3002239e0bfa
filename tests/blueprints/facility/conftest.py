"""Portals whose tenants file is a little different."""

from tests.blueprints.home.conftest import other

__all__ = ["other"]
