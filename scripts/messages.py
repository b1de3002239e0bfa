"""Bring the English catalogue up to date: `make messages`, or with a file of
``Japanese<TAB>English`` lines to add.

Names every sentence that has no English yet and exits with 1; sentences that the program no longer
says are removed.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
PLACE = ROOT / "portal/translations/en/LC_MESSAGES/messages.po"
KEYWORDS = dict.fromkeys(("_l", "gettext_noop")) | dict.fromkeys(
    ("RuleBroken", "Stale", "NotFound", "Missing", "NavItem", "Decision"), (1,)
)


def said() -> list[str]:
    """Every sentence that the program says."""
    with (ROOT / "babel.cfg").open() as config:
        methods, options = parse_mapping_cfg(config)  # type: ignore[no-untyped-call]
    keywords = DEFAULT_KEYWORDS | KEYWORDS | {"Sort": (2,)}
    found = extract_from_dir(str(ROOT / "portal"), methods, options, keywords)
    return sorted({str(message) for _file, _line, message, _comments, _context in found if message})


def main() -> int:
    """Write the catalogue; how many sentences lack English."""
    english = {
        str(entry.id): str(entry.string)
        for entry in read_po(PLACE.open("rb"), locale="en")
        if entry.id
    }
    for name in sys.argv[1:]:
        lines = (
            line for line in Path(name).read_text(encoding="utf-8").splitlines() if "\t" in line
        )
        english |= dict(line.split("\t", 1) for line in lines)
    header = "# English for the sentences of Portal; the message ids are the Japanese ones."
    catalog = Catalog(locale="en", project="Portal", header_comment=header, fuzzy=False)
    for sentence in said():
        catalog.add(
            sentence, english.get(sentence, ""), flags=["python-format"] if "%(" in sentence else []
        )
    catalog.creation_date = catalog.revision_date = datetime(2026, 11, 23, tzinfo=UTC)
    with PLACE.open("wb") as out:
        write_po(out, catalog, sort_output=True, no_location=True, width=100)
    with PLACE.with_suffix(".mo").open("wb") as out:
        write_mo(out, catalog)
    missing = [str(entry.id) for entry in catalog if entry.id and not entry.string]
    print("\n".join(f"no English yet: {sentence}" for sentence in missing) or "complete")
    return int(bool(missing))


if __name__ == "__main__":
    raise SystemExit(main())
