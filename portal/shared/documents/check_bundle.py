"""Checks a bundle of issued documents: ``python3 check.py [FOLDER or ZIP]``.

It stands alone: plain Python 3.9 or later, nothing of the portal, nothing to install. Without an
argument it checks the folder it lies in. Each fault is a line; the exit code is 1 if there is any.
README.txt says what a bundle holds.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

INDEX = "index.csv"
FACTS = "documents.jsonl"
TRAIL = "trail.jsonl"
ANCHOR = "anchor.txt"
ABOUT = "bundle.json"
PDF = "pdf/"
SUBJECT = "document:"
ISSUED = ("document.issue", "document.seal")
DRAWN = "document.draw"
COUNT = re.compile(r"\d+$")
CHUNK = 256 * 1024

Key = tuple[str, str]
"""The kind and the number of a document."""


class Folder:
    """A bundle that was unpacked."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def names(self) -> set[str]:
        """The names of all files, as they are in the ZIP."""
        files = (path for path in self.place.rglob("*") if path.is_file())
        return {path.relative_to(self.place).as_posix() for path in files}

    def open(self, name: str) -> IO[bytes]:
        """The file of this name. Raises KeyError."""
        path = self.place / name
        if not path.is_file():
            raise KeyError(name)
        return path.open("rb")


class Archive:
    """A bundle as it came, packed."""

    def __init__(self, place: Path) -> None:
        self.zip = zipfile.ZipFile(place)

    def names(self) -> set[str]:
        """The names of all files."""
        return {name for name in self.zip.namelist() if not name.endswith("/")}

    def open(self, name: str) -> IO[bytes]:
        """The file of this name. Raises KeyError."""
        return self.zip.open(name)


class Bundle:
    """What the lists of a bundle say."""

    def __init__(self, source: Folder | Archive) -> None:
        self.source = source
        with source.open(ABOUT) as file:
            self.about: dict[str, Any] = json.load(file)
        self.rows: dict[Key, dict[str, str]] = {}
        self.twice: list[Key] = []
        self.facts: dict[Key, dict[str, Any]] = {}
        self.digests: dict[int, str] = {}
        self.issued: dict[Key, set[str]] = defaultdict(set)
        self.drawn: dict[Key, set[str]] = defaultdict(set)
        self._read_index()
        self._read_facts()
        self._read_trail()

    def _read_index(self) -> None:
        kinds = {label: kind for kind, label in self.about["kinds"].items()}
        with self.source.open(INDEX) as file:
            text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
            for row in csv.DictReader(text):
                key = (kinds.get(row["種類"], row["種類"]), row["番号"])
                if key in self.rows:
                    self.twice.append(key)
                self.rows[key] = row

    def _read_facts(self) -> None:
        for line in lines_of(self.source, FACTS):
            facts = json.loads(line)
            # The content is not kept: an archive of many years would not fit into memory.
            corrects = facts.pop("content").get("corrects") or {}
            facts["corrects"] = corrects.get("number", "")
            facts["digest"] = hashlib.sha256(line).hexdigest()
            self.facts[facts["kind"], facts["number"]] = facts

    def _read_trail(self) -> None:
        for event in events_of(self.source):
            self.digests[event["sequence"]] = event["digest"]
            changes = event["changes"]
            # Events of earlier versions name no kind: they count for all that have the number.
            key = (changes.get("kind", ""), event["subject"][len(SUBJECT) :])
            if event["action"] in ISSUED:
                self.issued[key].update([changes["digest"]] if "digest" in changes else [])
            elif event["action"] == DRAWN:
                self.drawn[key].update([changes["digest_of_bytes"]])

    def known(self, digests: dict[Key, set[str]], key: Key) -> set[str] | None:
        """What the trail says of a document; None where it says nothing of it."""
        found = [digests[one] for one in (key, ("", key[1])) if one in digests]
        return set().union(*found) if found else None


def lines_of(source: Folder | Archive, name: str) -> Iterator[bytes]:
    """The lines of a file, without their ends."""
    with source.open(name) as file:
        for line in file:
            yield line.rstrip(b"\n")


def events_of(source: Folder | Archive) -> Iterator[dict[str, Any]]:
    """The events of the trail, one at a time."""
    for line in lines_of(source, TRAIL):
        yield json.loads(line)


def faults_of(bundle: Bundle) -> Iterator[str]:
    """All that is wrong with a bundle, a sentence each."""
    for kind, number in bundle.twice:
        yield f"{number}（{kind}）: index.csv に 2 回あります"
    for key, row in bundle.rows.items():
        for reason in (*content_faults(bundle, key, row), *file_faults(bundle, key, row)):
            yield f"{key[1]}: {reason}"
    yield from correction_faults(bundle)
    yield from strangers(bundle)
    yield from gaps(bundle)
    yield from trail_faults(bundle)


def content_faults(bundle: Bundle, key: Key, row: dict[str, str]) -> Iterator[str]:
    """What is wrong with what a document says, or with its row."""
    facts = bundle.facts.get(key)
    if facts is None:
        yield "documents.jsonl に内容がありません"
        return
    if facts["digest"] != row["内容のSHA-256"]:
        yield "内容の SHA-256 が index.csv と一致しません"
    known = bundle.known(bundle.issued, key)
    if known is None:
        yield "証跡に発行の記録がありません"
    elif known and facts["digest"] not in known:
        yield "内容の SHA-256 が証跡と一致しません"
    if row["取引日"] != facts["transaction_date"].replace("-", "/"):
        yield "index.csv の取引日が内容と一致しません"
    # A ' stands before what a spreadsheet would run as a formula.
    if row["取引先"] not in (facts["counterparty"], "'" + facts["counterparty"]):
        yield "index.csv の取引先が内容と一致しません"
    amounts = [str(facts["total"])] + ([""] if facts["total"] == 0 else [])
    if row["金額（税込）"] not in amounts:
        yield "index.csv の金額が内容と一致しません"


def file_faults(bundle: Bundle, key: Key, row: dict[str, str]) -> Iterator[str]:
    """What is wrong with the file of a document."""
    name = row["ファイル名"]
    if not name:
        yield "PDF がまだ作成されていません"
        return
    if not (name.startswith(f"{PDF}{key[0]}/") and name.endswith(f"_{key[1]}.pdf")):
        yield f"index.csv のファイル名が番号と一致しません: {name}"
    try:
        with bundle.source.open(name) as file:
            digest = digest_of(file)
    except (KeyError, OSError, zipfile.BadZipFile):
        yield f"ファイルがないか、読めません: {name}"
        return
    if digest != row["SHA-256"]:
        yield "PDF の SHA-256 が index.csv と一致しません"
    if digest not in (bundle.known(bundle.drawn, key) or set()):
        yield "PDF の SHA-256 が証跡と一致しません"


def digest_of(file: IO[bytes]) -> str:
    """The SHA-256 of a file, read a piece at a time."""
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def correction_faults(bundle: Bundle) -> Iterator[str]:
    """Rows that name another correction than the documents do, as far as both are here."""
    named = {key: row["訂正後の番号"] for key, row in bundle.rows.items()}
    for (kind, number), later in named.items():
        facts = bundle.facts.get((kind, later))
        if later and facts is not None and facts["corrects"] != number:
            yield f"{number}: index.csv の訂正後の番号が、{later} の内容と一致しません"
    for (kind, number), facts in bundle.facts.items():
        earlier = (kind, facts["corrects"])
        if named.get(earlier, number) != number:
            yield f"{facts['corrects']}: index.csv の訂正後の番号が、{number} の内容と一致しません"


def strangers(bundle: Bundle) -> Iterator[str]:
    """What is in the bundle and not in its index."""
    named = {row["ファイル名"] for row in bundle.rows.values()}
    for name in sorted(bundle.source.names() - named):
        if name.startswith(PDF):
            yield f"{name}: index.csv にないファイルです"
    for kind, number in sorted(bundle.facts.keys() - bundle.rows.keys()):
        yield f"{number}（{kind}）: 内容がありますが、index.csv にありません"
    numbers = {number for _kind, number in bundle.rows}
    for number in sorted({number for _kind, number in bundle.issued} - numbers):
        yield f"{number}: 証跡に発行の記録がありますが、index.csv にありません"
    if len(bundle.rows) != bundle.about["count"]:
        yield f"index.csv は {len(bundle.rows)} 件ですが、作成時は {bundle.about['count']} 件でした"


def gaps(bundle: Bundle) -> Iterator[str]:
    """Numbers between those of a kind that are neither here nor, as far as is known, elsewhere."""
    places: dict[str, set[int]] = defaultdict(set)
    for kind, number in bundle.rows:
        found = COUNT.search(number)
        if found:
            places[kind].add(int(found[0]))
    for kind, here in sorted(places.items()):
        missing = set(range(min(here), max(here))) - here
        for first, last in bundle.about["elsewhere"].get(kind, []):
            missing -= set(range(first, last + 1))
        for place in sorted(missing):
            yield f"{bundle.about['kinds'].get(kind, kind)} {place}: 欠番です"


def trail_faults(bundle: Bundle) -> Iterator[str]:
    """Events that are not what their digest says, or do not follow one another."""
    digests = bundle.digests
    with bundle.source.open(ANCHOR) as file:
        tenant, sequence, digest = file.read().decode().split()[:3]
    for event in events_of(bundle.source):
        place = event["sequence"]
        if digest_of_event(event) != event["digest"]:
            yield f"証跡 {place}: 記録が書き換えられています"
        if event["previous"] != digests.get(place - 1, event["previous"]):
            yield f"証跡 {place}: 前の記録とつながりません"
        if place > int(sequence) or event["tenant_id"] != tenant:
            yield f"証跡 {place}: anchor.txt と合いません"
    if digests.get(int(sequence), digest) != digest:
        yield f"証跡 {sequence}: anchor.txt と合いません"


def digest_of_event(event: dict[str, Any]) -> str:
    """The digest that an event must have, as the portal makes it."""
    names = (
        "tenant_id sequence at actor_kind actor_name address account_id action subject changes"
    ).split()
    if event["recorded_at"] is not None:
        names += ["actor_login", "recorded_at"]
    body = [event[name] for name in names]
    text = json.dumps([event["previous"], body], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def notes_on(bundle: Bundle) -> Iterator[str]:
    """What cannot be checked, through nobody's fault."""
    for key in bundle.rows:
        if bundle.known(bundle.issued, key) == set():
            yield f"注意: {key[1]}: 証跡に内容の SHA-256 がありません（それ以前の発行です）"


def say(line: str) -> None:
    """Print a line, also where the terminal knows no Japanese."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(line.encode(encoding, "replace").decode(encoding) + "\n")


def main(arguments: list[str]) -> int:
    """Check the bundle at the place given, or here; returns the exit code."""
    place = Path(arguments[0]) if arguments else Path(__file__).resolve().parent
    try:
        bundle = Bundle(Archive(place) if place.is_file() else Folder(place))
        faults = list(faults_of(bundle))
        notes = list(notes_on(bundle))
    except (KeyError, OSError, TypeError, ValueError, csv.Error, zipfile.BadZipFile) as error:
        say(f"確認できません。足りないか、壊れています: {error}")
        return 1
    for line in (*notes, *faults):
        say(line)
    if not faults:
        say(f"問題はありません（{len(bundle.rows)} 件）")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
