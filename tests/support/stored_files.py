"""The stored files as the sweep sees them: their age is the file system's, which no frozen clock moves."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from flask import Flask


def stored_files(app: Flask, tenant: str = "*") -> list[Path]:
    """Every file that is stored, of one brand or of all."""
    folder = app.extensions["settings"].home / "files"
    return sorted(path for path in folder.glob(f"{tenant}/*/*") if path.is_file())


def let_files_age(app: Flask, put_at: datetime) -> None:
    """Have all stored files look as if they were put at `put_at`."""
    for path in stored_files(app):
        os.utime(path, (put_at.timestamp(), put_at.timestamp()))
