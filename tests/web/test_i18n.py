"""Which language a page speaks: what was chosen, else Japanese."""

from __future__ import annotations

import pytest

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@SQLITE
@pytest.mark.parametrize(
    ("asked", "spoken"), [("en", "en"), ("ja", "ja"), ("de", "ja"), ("", "ja"), ("EN", "ja")]
)
def test_the_language_is_the_chosen_one_if_it_is_ours(visit, asked: str, spoken: str) -> None:
    visitor = visit()
    answer = visitor.post("/language", {"language": asked, "next": "/sign-in"}, page="/sign-in")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    page = visitor.get("/sign-in", headers={"Accept-Language": "fr"}).text
    assert f'<html lang="{spoken}"' in page


@SQLITE
def test_a_choice_at_one_brand_changes_nothing_at_another_nor_for_another_visitor(visit) -> None:
    """COM-02."""
    visitor, other = visit(), visit()
    visitor.post("/language", {"language": "en"}, page="/sign-in")
    assert '<html lang="en"' in visitor.get("/sign-in").text
    assert '<html lang="ja"' in other.get("/sign-in").text
    visitor.base = "http://studio.localhost"
    assert '<html lang="ja"' in visitor.get("/sign-in").text


@SQLITE
def test_the_chosen_language_can_be_taken_back(visit) -> None:
    visitor = visit()
    for language in ("en", "ja"):
        visitor.post("/language", {"language": language}, page="/sign-in")
        assert f'<html lang="{language}"' in visitor.get("/sign-in").text
