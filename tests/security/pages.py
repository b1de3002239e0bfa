"""Pages as a program reads them: which forms stand on them, what a person would fill in, where links lead to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import lxml.html
from werkzeug.datastructures import MultiDict

from tests.cast import PASSWORD

NEW_PASSWORD = "blue-Coffee-and-31-spoons"
BY_NAME = {
    "old_password": PASSWORD,
    "again": PASSWORD,
    "password": PASSWORD,
    "body": "本文です。",
    "code": "123456",
    "credential": "{}",
    "day": "2026-11-27",
    "email": "new@one.example",
    "ends": "13:00",
    "f_day": "2026-11-27",
    "family_kana": "ヤマダ",
    "given_kana": "ハナコ",
    "headcount": "2",
    "postal_code": "1000001",
    "present": "hanako@one.example",
    "purpose": "試作",
    "since": "2026-11-01",
    "starts": "10:00",
    "until": "2026-11-30",
}
"""What a person types into an empty field of this name; any other gets a word, or its first choice."""
BY_TYPE = {
    "date": "2026-11-27",
    "month": "2026-11",
    "time": "10:00",
    "email": "new@one.example",
    "number": "2",
}
TELEPHONE = "0312345678"
TYPED = "Ztypedz"
"""What is typed wherever nothing else is asked for; in a draft nobody but its owner may read it."""


@dataclass(frozen=True)
class PageForm:
    """One form: where it goes to, how, what stands in it (after a person filled it in), and its files' names."""

    method: str
    action: str
    fields: MultiDict[str, str] = field(compare=False)
    files: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The address without its query."""
        return urlsplit(self.action).path

    @property
    def names(self) -> list[str]:
        """The names of what can be sent, the token apart."""
        return [name for name in self.fields if name != "csrf_token"]


def forms_of(page: str, at: str) -> list[PageForm]:
    """The forms of a page at the address `at`, filled in."""
    if "<form" not in page:
        return []
    root = lxml.html.fromstring(page)
    return [_read(form, at) for form in root.iter("form")]


def links_of(page: str, at: str) -> set[str]:
    """Where the page's links lead to, on the same host."""
    if "<a" not in page:
        return set()
    root = lxml.html.fromstring(page)
    found = {urljoin(at, str(link.get("href"))) for link in root.iter("a") if link.get("href")}
    return {href for href in found if href.startswith("/") and not href.startswith("//")}


def query_names(address: str) -> set[str]:
    """The names in an address's query."""
    return {name for name, _value in parse_qsl(urlsplit(address).query)}


def _read(form: Any, at: str) -> PageForm:
    filled: MultiDict[str, str] = MultiDict()
    files = []
    for control in form.iter("input", "select", "textarea", "button"):
        name = control.get("name")
        kind = control.get("type", "text") if control.tag == "input" else control.tag
        if not name or kind in ("reset", "image") or control.get("formaction"):
            continue
        if kind == "file":
            files.append(name)
        elif kind == "radio":
            if name not in filled or control.get("checked") is not None:
                filled[name] = control.get("value", "on")
        elif kind == "checkbox":
            filled.add(name, control.get("value", "y"))
        elif kind in ("button", "submit"):
            filled.setdefault(f"button:{name}", control.get("value", ""))
        else:
            filled.add(name, _typed(control, name, kind))
    _agree(filled)
    return PageForm(
        method=(form.get("method") or "get").upper(),
        action=urljoin(at, form.get("action") or ""),
        fields=filled,
        files=tuple(files),
    )


def _agree(filled: MultiDict[str, str]) -> None:
    """What is typed twice is the same twice, and a new password is not the present one."""
    if "again" not in filled:
        return
    if "present" in filled or "password" not in filled:
        filled["again"] = filled["email"]
    else:
        filled["password"] = filled["again"] = NEW_PASSWORD


def _typed(control: Any, name: str, kind: str) -> str:
    """What stands in a field, or else what a person would type."""
    if kind == "select":
        options = [
            (o.get("value", o.text or ""), o.get("selected")) for o in control.iter("option")
        ]
        chosen = next((value for value, selected in options if selected is not None and value), "")
        wanted = BY_NAME.get(name, "")
        if not chosen and wanted and wanted in {value for value, _selected in options}:
            return wanted
        return chosen or next((value for value, _selected in options if value), "")
    value = (control.text or "").strip() if kind == "textarea" else control.get("value", "")
    if value or kind == "hidden" or name in ("website", "building"):
        return str(value)
    if "telephone" in name or name == "fax":
        return TELEPHONE
    if name.endswith("_kana"):
        return "カナ"
    return BY_NAME.get(name) or BY_TYPE.get(kind, TYPED)
