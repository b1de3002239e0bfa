"""COM-24, COM-31: the pages of billing addresses."""

from __future__ import annotations

import re

import pytest

from portal.core.db import session
from portal.shared.contacts.models import Address

BOOK = "/billing-addresses"
TYPED = {
    "name": "経理センター",
    "postal_code": "１４４－００３５",
    "prefecture": "東京都",
    "city": "大田区",
    "street": "南蒲田1-2-3",
    "telephone": "03-0000-1001",
}
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def add(visit):
    """Add an address in three steps; gives the path of its page."""

    def do(login_id: str = "hanako", **changes) -> str:
        visitor = visit("facility", login_id)
        kept = visitor.post(f"{BOOK}/new", TYPED | changes)
        assert kept.status_code == 303, kept.text
        shown = visitor.get(kept.location).text
        assert "〒" in shown or "144-0035" in shown
        token = kept.location.rpartition("=")[2]
        for _press in range(2):
            done = visitor.post(f"{BOOK}/new/confirm", {"draft": token}, page=f"{BOOK}/new")
            assert done.location == f"{BOOK}/new/done"
        return re.findall(rf"{BOOK}/[0-9a-f]{{16}}", visitor.get(BOOK).text)[-1]

    return do


def test_an_address_is_added_changed_and_removed(visit, add, inside):
    """COM-22, COM-31: the first is （代表）; pressed twice is once."""
    path, visitor = add(), visit("facility", "hanako")
    assert "（代表）" in visitor.get(BOOK).text
    version = re.search(r'name="version"[^>]*value="(\d+)"', visitor.get(path).text)
    assert version
    kept = visitor.post(path, TYPED | {"name": "本社経理", "version": version[1]})
    visitor.post(f"{path}/confirm", {"draft": kept.location.rpartition("=")[2]}, page=path)
    assert "本社経理" in visitor.get(BOOK).text
    assert "削除" in visitor.get(f"{path}/removal").text
    assert visitor.post(f"{path}/removal").location == BOOK
    assert "登録はまだありません。" in visitor.get(BOOK).text
    with inside("facility"):
        (kept_row,) = session().query(Address).all()
        assert (kept_row.postal_code, kept_row.telephone) == ("1440035", "0300001001")


def test_the_second_of_two_tabs_reads_both_values(visit, add):
    """COM-26: 409, what was typed kept."""
    path, visitor = add(), visit("facility", "hanako")
    drafts = [
        visitor.post(path, TYPED | {"name": name, "version": "1"}).location.rpartition("=")[2]
        for name in ("一番目", "二番目")
    ]
    visitor.post(f"{path}/confirm", {"draft": drafts[0]}, page=path)
    late = visitor.post(f"{path}/confirm", {"draft": drafts[1]}, page=path)
    assert late.status_code == 409
    assert "一番目" in late.text
    assert 'value="二番目"' in late.text


@ONE
def test_a_postal_code_fills_in_what_is_empty_and_nothing_else(visit):
    """COM-24: without scripts; several places are offered; what was typed is never overwritten."""
    visitor = visit("facility", "hanako")
    filled = visitor.post(
        f"{BOOK}/new", {"postal_code": "144-0035", "city": "自分の市", "places": "0"}
    )
    assert filled.status_code == 200
    assert 'value="自分の市"' in filled.text
    assert 'value="南蒲田"' in filled.text
    assert re.search(r'<option selected value="東京都">', filled.text)
    several = visitor.post(f"{BOOK}/new", {"postal_code": "4980000", "places": "0"})
    assert "愛知県弥富市" in several.text
    assert "三重県桑名郡木曽岬町" in several.text
    assert not re.search(r'<option selected value="愛知県">', several.text)
    picked = visitor.post(f"{BOOK}/new", {"postal_code": "4980000", "places": "2"})
    assert 'value="桑名郡木曽岬町"' in picked.text
    unknown = visitor.post(f"{BOOK}/new", {"postal_code": "9999999", "places": "0"})
    assert "見つかりませんでした" in unknown.text


@ONE
def test_a_neighbours_address_does_not_exist(visit, add):
    """COM-02"""
    path = add()
    for visitor in (visit("facility", "yumi"), visit("studio", "hanako")):
        assert visitor.get(path).status_code == 404
        assert visitor.post(f"{path}/usual", page=BOOK + "/new").status_code == 404


@ONE
def test_a_kind_that_is_off_has_no_pages(visit):
    """COM-03: delivery addresses are off unless the brand has them."""
    visitor = visit("facility", "hanako")
    for path in ("/delivery-addresses", "/delivery-addresses/new", "/postbox-addresses"):
        assert visitor.get(path).status_code == 404


def test_what_was_typed_for_an_address_that_is_gone_is_shown(visit, add, inside):
    """COM-23: said that nothing was saved, whether removed before the form is sent or before the last press."""
    path, visitor = add(), visit("facility", "hanako")
    kept = visitor.post(path, TYPED | {"name": "本社経理", "version": "1"})
    token = kept.location.rpartition("=")[2]
    visitor.post(f"{path}/removal")
    for answer in (
        visitor.post(path, TYPED | {"name": "本社経理", "version": "1"}),
        visitor.post(f"{path}/confirm", {"draft": token}),
    ):
        assert answer.status_code == 404
        assert "保存できませんでした" in answer.text
        assert "本社経理" in answer.text
        assert "144-0035" in answer.text
    assert "保存できませんでした" not in visitor.get(path).text
    with inside("facility"):
        assert session().query(Address).filter_by(name="本社経理").all() == []
