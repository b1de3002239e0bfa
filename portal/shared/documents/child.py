"""What runs in the process that documents are made in: ``python -m portal.shared.documents.child``."""

import json
import os
import resource
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from portal.shared.documents.errors import UndrawableText
from portal.shared.documents.pdf import prepare, render_document

MEMORY = 1024**3


def answer(task: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """What became of `task`: the line to answer with, and the PDF's bytes."""
    assets = Path(task["assets"]) if task["assets"] else None
    try:
        made = render_document(task["kind"], task["context"], datetime.fromisoformat(task["created"]), assets)
    except UndrawableText as refused:
        return {"undrawable": refused.params["char"]}, b""
    except Exception as error:  # whatever it is, the parent must hear of it and the child go on
        return {"failed": f"{type(error).__name__}: {error}"}, b""
    return {"size": len(made)}, made


def main() -> None:
    """Serve tasks from standard input until it closes."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # what a library prints must not be taken for an answer
        prepare()
        for line in sys.stdin:
            head, made = answer(json.loads(line))
            out.write(json.dumps(head).encode() + b"\n" + made)
            out.flush()


if __name__ == "__main__":
    main()
