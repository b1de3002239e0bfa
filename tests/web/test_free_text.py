"""COM-23, COM-21: what people write is kept as they wrote it, and found however it is looked for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import literal, select

from portal.blueprints.facility.models import Reservation
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.core.folding import Folded
from portal.shared.accounts.models import Account
from portal.shared.notices import operations as notices
from tests.cast import NOW
from tests.support.client import Visitor

Visit = Callable[..., Visitor]
TYPED = "テスト①　㈱ｱｲ ＡＢＣ"


def test_what_is_asked_for_in_free_text_is_kept_as_typed(visit: Visit, inside: Any) -> None:
    """COM-23, FAC-11: from the form over 内容確認 into the row."""
    visitor = visit("facility", "hanako")
    form = "/facility/facilities/LC-01/reservation"
    wanted = {"day": "2026-12-01", "starts": "10:00", "ends": "12:00", "headcount": "２"}
    kept = visitor.post(form, wanted | {"purpose": f" {TYPED} ", "remarks": f"{TYPED}\r\n\r\n終"})
    assert kept.status_code == 303, kept.text
    assert TYPED in visitor.get(kept.location).text
    token = kept.location.rpartition("=")[2]
    assert visitor.post(f"{form}/confirm", {"draft": token}, page=kept.location).status_code == 303
    with inside("facility"):
        made = session().scalars(select(Reservation).order_by(Reservation.id.desc())).first()
        assert made is not None
        assert (made.purpose, made.remarks) == (TYPED, f"{TYPED}\n\n終")
        assert made.headcount == 2


def test_a_column_is_folded_in_the_database_as_in_python(inside: Any) -> None:
    """COM-21: on both databases."""
    with inside("facility"):
        assert session().scalar(select(Folded(literal("①㈱ｶﾞＡbC")))) == "1株式会社ガabc"
        assert session().scalar(select(Folded(literal(None)))) is None


@pytest.mark.parametrize("asked", ["①㈱", "1(株)", "１（株）", "ＡＢＣ", "abc"])
def test_a_notice_is_found_in_whatever_width_it_is_looked_for(
    visit: Visit, inside: Any, asked: str
) -> None:
    """COM-21, COM-60."""
    with inside("facility"), clock.freeze(NOW):
        notices.publish("改定①㈱見本 Abc", "本文", by=SYSTEM)
        session().commit()
    page = visit("facility", "hanako").get("/notices", query_string={"text": asked})
    assert re.findall("改定①㈱見本 Abc", page.text), asked


def test_operators_find_a_customer_in_whatever_width_the_name_is(run: Any, inside: Any) -> None:
    """COM-21, OPS-13: the name is kept as it is written."""
    added = run.invoke(args=["accounts", "add", "㈱①見本", "--tenant", "facility"])
    assert added.exit_code == 0, added.output
    for words in ("㈱①", "(株)1"):
        found = run.invoke(args=["accounts", "find", words, "--json", "--tenant", "facility"])
        assert [row["name"] for row in json.loads(found.stdout)] == ["㈱①見本"], words
    with inside("facility"):
        assert session().scalar(select(Account.id).where(Account.name == "㈱①見本"))
