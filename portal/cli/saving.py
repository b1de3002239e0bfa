"""Files that commands make: new ones only, and for nobody else to read."""

import os
import shutil
from pathlib import Path
from typing import IO

from portal.cli.command_line import CommandError

_PRIVATE = 0o600


def check_absent(path: Path) -> None:
    """Refuse a path where something is already. Raises CommandError."""
    if path.exists() or path.is_symlink():
        raise CommandError(f"{path} is there already")


def save_new(content: IO[bytes], path: Path) -> None:
    """Copy what is left of `content` into a new file, which its owner alone may read.

    Raises CommandError where there is one already, or it cannot be written; then no part of it
    stays.
    """
    try:
        # EXCL: never over a file that is there, also not one that came this very moment.
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE)
    except FileExistsError:
        raise CommandError(f"{path} is there already") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(fd, "wb") as out:
            shutil.copyfileobj(content, out)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise
