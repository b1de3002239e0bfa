"""COM-23: what is too long is answered with how long it is; no browser cuts it off before."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from wtforms.fields.core import UnboundField

import portal
from portal.web.forms import Form
from tests.support.client import Visitor

Visit = Callable[..., Visitor]
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LONG_FIELDS = (
    ("/inquiries/new", "body", 10_000),
    ("/facility/facilities/LC-01/reservation", "purpose", 200),
    ("/facility/facilities/LC-01/reservation", "remarks", 1_000),
    ("/billing-addresses/new", "name", 100),
    ("/account/profile", "department", 80),
)


def fields_of(form: type[Form]) -> Iterator[tuple[str, Any]]:
    for subclass in form.__subclasses__():
        yield from fields_of(subclass)
        for name in dir(subclass):
            made = getattr(subclass, name, None)
            if isinstance(made, UnboundField):
                yield f"{subclass.__name__}.{name}", made


def test_no_field_of_any_form_cuts_off_what_is_pasted() -> None:
    """COM-23: WTForms' own Length would say maxlength to the browser."""
    for found in pkgutil.walk_packages(portal.__path__, "portal."):
        importlib.import_module(found.name)
    cutting = [
        name
        for name, made in fields_of(Form)
        for validator in (*made.kwargs.get("validators", ()), *made.args[1:2])
        if "maxlength" in getattr(validator, "field_flags", {})
    ]
    assert cutting == []


@ONE
@pytest.mark.parametrize(("path", "name", "longest"), LONG_FIELDS)
def test_too_long_a_text_is_answered_with_both_numbers_and_kept(
    visit: Visit, path: str, name: str, longest: int
) -> None:
    """COM-23: at the field, with everything that was typed."""
    visitor = visit("facility", "hanako")
    assert "maxlength" not in visitor.get(path).text
    typed = "①" * (longest + 1)
    answer = visitor.post(path, {name: typed})
    assert answer.status_code == 422
    message = f"{longest:,}文字以内で入力してください（現在{longest + 1:,}文字）。"
    assert message in answer.text
    assert typed in answer.text


@ONE
def test_a_long_text_is_counted_on_the_page(visit: Visit) -> None:
    """COM-23: the script reads the limit where the server has it."""
    page = visit("facility", "hanako").get("/inquiries/new").text
    assert 'data-counter="body" data-most="10000" data-words="{count} / {max}文字"' in page
