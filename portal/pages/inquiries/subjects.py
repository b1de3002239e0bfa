"""What an inquiry is about: an order or a contract of the member's own account (FAC-05, FAC-06,
SUP-10).

Each brand knows its own numbers (`Brand.find_subject`) and what is worth knowing of one of them
before somebody writes about it (`Brand.subject_facts`), such as what a cancellation would cost
today.
"""

from contextlib import suppress

from flask import request

from portal.config import InquiryCategory
from portal.core import RuleBroken
from portal.web.brand import Brand, brands_of
from portal.web.forms import FormData
from portal.web.requests import member, tenant

_LONGEST = 40


def brands_for(category: InquiryCategory | None) -> list[Brand]:
    """The modules whose numbers a category is about: its own, or all where it names none."""
    found = brands_of(tenant())
    if category is None or category.module is None:
        return found
    return [brand for brand in found if brand.key == category.module]


def choices(category: InquiryCategory | None) -> list[tuple[str, str]]:
    """Number and words of everything that an inquiry of this category may be about, for the list to
    choose from.
    """
    return [one for brand in brands_for(category) for one in brand.subjects(member())]


def check(category: InquiryCategory, typed: str) -> str:
    """The number that was typed, as the brand writes it.

    Raises RuleBroken at the field ``about`` for a number that is not the account's, or that this
    category is not for. Where no brand can tell, the number stays as it was typed.
    """
    # One brand's "no" is no answer yet: the number may be another module's of the same tenant.
    refusal: RuleBroken | None = None
    for brand in brands_for(category):
        if brand.find_subject is None:
            if typed in dict(brand.subjects(member())):
                return typed
            continue
        try:
            return brand.find_subject(member(), category.key, typed)
        except RuleBroken as error:
            refusal = error
    if refusal is not None:
        raise RuleBroken(refusal.message, field="about", **refusal.params)
    return typed


def named(typed: FormData | None, category: InquiryCategory) -> str:
    """The number that form, draft or address names, as the brand writes it; as typed where it
    cannot be had.

    What was chosen in the form comes first: its address may still name another.
    """
    chosen = request.form.get("about")
    if chosen is None:  # not "": who emptied the field means none
        chosen = (typed or {}).get("about") or request.args.get("about", "")
    number = str(chosen)[:_LONGEST]
    if not number:
        return ""
    with suppress(RuleBroken):
        return check(category, number)
    return number


def linked(typed: FormData | None) -> str:
    """The account's own number that the way to the form named, whatever category is chosen then
    (FAC-06).

    "" where there is none, where it is not the account's, and where no brand knows its numbers.
    """
    named_by = (
        (typed or {}).get("subject"),
        request.form.get("subject"),
        request.args.get("about"),
    )
    number = str(next(filter(None, named_by), ""))[:_LONGEST]
    if not number or not are_known():
        return ""
    try:
        return check(tenant().inquiries.categories[-1], number)
    except RuleBroken:
        return ""


def facts(category: InquiryCategory, number: str) -> list[tuple[str, str]]:
    """Label and value of what the member should know before writing about `number`, or about none
    in particular.
    """
    try:
        known = check(category, number) if number else ""
    except RuleBroken:
        return []
    return [fact for brand in brands_for(category) for fact in _facts_of(brand, category, known)]


def _facts_of(brand: Brand, category: InquiryCategory, number: str) -> list[tuple[str, str]]:
    """What one module says; nothing of another module's number."""
    try:
        return list(brand.subject_facts(tenant(), member(), category.key, number))
    except RuleBroken:
        return []


def are_known() -> bool:
    """Whether a brand of this tenant has numbers of its own that one writes about."""
    return any(brand.find_subject is not None for brand in brands_of(tenant()))
