"""COM-02: what is somebody else's: every address with their ids, their cookies, lists, drafts, files and documents."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.config.schema_parts import NumberFormat
from portal.core import audit, clock, numbering, outbox
from portal.core.audit_chain import find_faults
from portal.core.db import each_tenant, session, tenant_scope
from portal.core.files import LocalFiles
from portal.shared import drafts
from portal.shared.accounts.models import Member
from portal.shared.auth import sessions
from portal.shared.documents import operations as documents
from portal.shared.documents import verification
from portal.shared.documents.models import Document, DocumentKind
from portal.shared.members import operations as members
from portal.shared.notices.models import Notice
from portal.tenancy.scope import TenantError
from portal.web.session_cookies import cookie_name
from tests.cast import CANARY, Cast
from tests.isolation.test_urls import KINDS
from tests.support.client import Visitor

Visit = Callable[..., Visitor]
OWN, TWIN = "facility", "studio"
ABSENT = {"number": "ZZ999999", "mail_id": "999999", "token": "0" * 43, "name": "nothing"}
REST: dict[str, Any] = {
    "kind": "billing",
    "link": "0" * 16,
    "sha256": "0" * 64,
    "contact_id": 1,
    "who": "new",
}
"""What else may stand in an address."""
_UNSAFE = {"GET", "POST", "PUT", "PATCH", "DELETE"}


def _requests(app: Flask, values: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Every endpoint that takes an id, with each of its methods and its address for these ids."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if not (rule.arguments & set(values)):
            continue
        given: dict[str, Any] = {name: values[name] for name in rule.arguments if name in values}
        if "mail_id" in given:
            given["mail_id"] = int(given["mail_id"])
        for slug in ("invoice", "work-report") if "slug" in rule.arguments else ("",):
            rest = {name: text for name, text in REST.items() if name in rule.arguments}
            path = adapter.build(rule.endpoint, given | rest | ({"slug": slug} if slug else {}))
            for method in sorted((rule.methods or set()) & _UNSAFE):
                yield rule.endpoint, method, path


def _send(
    visitor: Visitor, method: str, path: str, *, token_from: str = "/account/password"
) -> Any:
    if method == "GET":
        return visitor.get(path)
    data = {"csrf_token": visitor.token(token_from)}
    return visitor.client.open(path, method=method, base_url=visitor.base, data=data)


def _neutral(text: str, values: dict[str, str]) -> str:
    """A page without what changes anyway: the address, tokens, nonces and request ids."""
    for value in values.values():
        text = text.replace(value, "…")
    return re.sub(r'[\w.-]{20,}|[0-9a-f]{12}|(nonce|value|content)="[^"]*"|[0-9a-f-]{36}', "", text)


@pytest.mark.parametrize(
    "number",
    [Cast.strangers, Cast.twins, "SR000002", "SR000003", "SR000004", "N0002"],
    ids=[
        "other-account",
        "twin-requested",
        "twin-billed",
        "twin-cancelled",
        "twin-other-account",
        "twin-notice",
    ],
)
def test_com_02_every_address_with_a_foreign_id_is_as_if_it_did_not_exist(
    app: Flask, visit: Visit, number: str
) -> None:
    """COM-02: each endpoint that takes an id, by each method: 404, the page of an absent id, no foreign word."""
    with app.app_context(), tenant_scope(TWIN):
        more = Notice(
            number="N0002",
            title=CANARY[TWIN],
            body=CANARY[TWIN],
            publish_at=clock.now() - timedelta(1),
        )
        session().add(more)
        session().commit()
    visitor, values = visit(OWN, "hanako"), {"number": number}
    pairs = zip(_requests(app, values), _requests(app, {"number": ABSENT["number"]}), strict=True)
    seen = set()
    for (endpoint, method, path), (_, _, absent_path) in pairs:
        answer, absent = _send(visitor, method, path), _send(visitor, method, absent_path)
        assert answer.status_code == absent.status_code == 404, (method, path)
        assert CANARY[TWIN] not in answer.text + str(answer.headers)
        assert _neutral(answer.text, values) == _neutral(
            absent.text, {"number": ABSENT["number"]}
        ), path
        seen.add(endpoint)
    assert {"facility.reservation", "facility.paper", "notices.notice"} <= seen


def test_com_02_ids_of_the_twin_are_there_at_the_twin(app: Flask, visit: Visit) -> None:
    """COM-02: the same addresses answer at home, so that the 404s above say something."""
    visitor = visit(TWIN, "hanako")
    for number in (Cast.twins, "SR000002", "SR000003"):
        answer = visitor.get(f"/facility/reservations/{number}")
        assert answer.status_code == 200
        assert CANARY[TWIN] in answer.text


@pytest.mark.parametrize("login_id", ["hanako", "kenichi", "yumi"])
def test_com_02_cookies_of_one_brand_open_no_endpoint_of_another(
    app: Flask, visit: Visit, login_id: str
) -> None:
    """COM-02, §4.7: replayed at the twin a cookie is nobody's, for each endpoint and method."""
    own, elsewhere = visit(OWN, login_id), visit(TWIN)
    cookie = own.client.get_cookie(
        cookie_name(app.extensions["settings"]), domain=f"{OWN}.localhost"
    )
    assert cookie is not None
    elsewhere.client.set_cookie(cookie.key, cookie.value, domain=f"{TWIN}.localhost")
    token = elsewhere.token("/sign-in")
    adapter = app.url_map.bind("localhost")
    tried = 0
    for rule in app.url_map.iter_rules():
        if KINDS[rule.endpoint] != "member":
            continue
        values = REST | {"number": "SR000002", "slug": "invoice", "code": "LC-01"}
        path = adapter.build(rule.endpoint, {name: values[name] for name in rule.arguments})
        for method in sorted((rule.methods or set()) & _UNSAFE):
            answer = elsewhere.client.open(
                path,
                method=method,
                base_url=elsewhere.base,
                data={"csrf_token": token} if method != "GET" else None,
            )
            is_off = rule.endpoint.startswith(("support.", "chats.", "knowledge."))
            gone = (404, "") if is_off else (303, "/sign-in")
            assert (answer.status_code, (answer.location or "").partition("?")[0]) == gone, (
                method,
                path,
            )
            assert CANARY[TWIN] not in answer.text
            tried += 1
    assert tried >= 15
    assert own.get("/").status_code == 200, "at home it still opens"


def test_com_02_tokens_of_sessions_are_nobodys_in_another_scope(app: Flask, visit: Visit) -> None:
    """COM-02: the look-up itself holds to the tenant, whatever the web does."""
    own = visit(OWN, "hanako")
    cookie = own.client.get_cookie(
        cookie_name(app.extensions["settings"]), domain=f"{OWN}.localhost"
    )
    assert cookie is not None
    for tenant, found in ((OWN, True), (TWIN, False)):
        with app.app_context(), tenant_scope(tenant):
            assert bool(sessions.look_up(cookie.value, idle_minutes=30)) is found


def test_com_02_lists_and_csv_hold_the_own_account_only(app: Flask, visit: Visit) -> None:
    """COM-02, COM-21: list, search, sort and CSV never hold another account's or brand's numbers."""
    visitor = visit(OWN, "hanako")
    for query in (
        "",
        "?number=0",
        f"?number={Cast.strangers}",
        "?number=SR",
        "?sort=oldest",
        "?number=%25",
    ):
        page = visitor.get(f"/facility/reservations{query}")
        table = visitor.get(f"/facility/reservations.csv{query}")
        assert (page.status_code, table.status_code) == (200, 200), query
        assert f"/facility/reservations/{Cast.strangers}" not in page.text, query
        assert "/facility/reservations/SR" not in page.text, query
        rows = list(csv.reader(io.StringIO(table.data.decode("utf-8-sig"))))
        assert {row[0] for row in rows[1:] if row} <= {
            Cast.requested,
            Cast.billed,
            Cast.cancelled,
        }, query
        assert CANARY[TWIN] not in table.data.decode("utf-8-sig")
    everything = visitor.get("/facility/reservations.csv").data.decode("utf-8-sig")
    assert all(number in everything for number in (Cast.requested, Cast.billed, Cast.cancelled))


def _member_of(login_id: str) -> Member:
    return session().scalars(select(Member).where(Member.login_key == login_id)).one()


def _member(login_id: str) -> int:
    return _member_of(login_id).id


def _profile_of(login_id: str) -> drafts.DraftKey:
    """The drafts of a member's own profile."""
    member_id = _member(login_id)
    number = members.number_by_id(member_id)
    return drafts.DraftKey(kind="profile", subject=number, member_id=member_id)


@pytest.mark.parametrize(
    ("tenant", "login_id"),
    [(OWN, "kenichi"), (OWN, "yumi"), (TWIN, "hanako")],
    ids=["colleague", "stranger", "twin"],
)
def test_com_22_drafts_are_their_members_own(app: Flask, tenant: str, login_id: str) -> None:
    """COM-02, COM-22: nobody else can recall or use up what a member typed, and it is still there afterwards."""
    with app.app_context():
        with tenant_scope(OWN):
            token = drafts.keep(_profile_of("hanako"), {"typed": CANARY[OWN]})
            session().commit()
        with tenant_scope(tenant):
            for subject in ("hanako", login_id):
                other = replace(_profile_of(subject), member_id=_member(login_id))
                assert drafts.recall(other, token) is None
                assert drafts.consume(other, token) is None
            session().commit()
        with tenant_scope(OWN):
            other_form = replace(_profile_of("hanako"), kind="other-form")
            assert drafts.consume(other_form, token) is None
            assert drafts.consume(_profile_of("hanako"), token) == {"typed": CANARY[OWN]}


@pytest.mark.parametrize(
    ("tenant", "login_id"),
    [(OWN, "kenichi"), (OWN, "yumi"), (TWIN, "hanako")],
    ids=["colleague", "stranger", "twin"],
)
def test_com_22_drafts_of_others_show_nothing_on_pages(
    app: Flask, visit: Visit, tenant: str, login_id: str
) -> None:
    """COM-02, COM-22: 入力, 内容確認 and 保存 with somebody else's draft neither show nor save it."""
    secret = "盗み見の文字列"
    with app.app_context(), tenant_scope(OWN):
        typed = {"family_name": secret, "given_name": secret}
        token = drafts.keep(_profile_of("hanako"), typed)
        session().commit()
    visitor = visit(tenant, login_id)
    for path in ("/account/profile", "/account/profile/confirm"):
        assert secret not in visitor.get(f"{path}?draft={token}", follow_redirects=True).text
    visitor.post("/account/profile/confirm", {"draft": token}, page="/account/password")
    assert secret not in visitor.get("/account/profile").text
    with app.app_context(), tenant_scope(OWN):
        kept = session().scalars(select(drafts.Draft).where(drafts.Draft.token == token)).one()
        assert kept.used_at is None


def test_com_02_files_are_looked_up_in_the_own_folder_only(app: Flask, tmp_path: Any) -> None:
    """COM-02: knowing the digest of the twin's file is not having it; nor is a key that climbs out."""
    files = LocalFiles(tmp_path)
    with app.app_context():
        with tenant_scope(TWIN):
            key = files.put(CANARY[TWIN].encode())
        with tenant_scope(OWN):
            for wanted in (key, f"../{TWIN}/{key[:2]}/{key}", f"{key}\n", key.upper(), ""):
                with pytest.raises(FileNotFoundError):
                    files.get(wanted)
        with tenant_scope(TWIN):
            assert files.get(key) == CANARY[TWIN].encode()
    with pytest.raises(TenantError):
        files.get(key)


def test_com_72_documents_are_found_by_their_own_tenant_and_account_only(app: Flask) -> None:
    """COM-02, COM-72: newest, all about a thing, search and verification stay within the tenant, the first two within
    the account."""
    with app.app_context():
        with tenant_scope(TWIN):
            account_id, about, number = _member_of("hanako").account_id, "SR000002", "SI000099"
            session().add(
                Document(
                    account_id=account_id,
                    kind=DocumentKind.INVOICE,
                    number=number,
                    about=about,
                    counterparty=CANARY[TWIN],
                    transaction_date=date(2026, 11, 1),
                    total=1,
                    content={},
                    issued_at=clock.now(),
                )
            )
            session().commit()
            assert number in {document.number for document in documents.search()}
            assert documents.about(account_id, about)
            assert documents.about(account_id + 1, about) == {}
            assert documents.about(account_id + 1, about) == {}
        with tenant_scope(OWN):
            assert documents.about(account_id, about) == {}
            assert documents.about(account_id, about) == {}
            assert number not in {document.number for document in documents.search()}
            assert number not in {fault.number for fault in verification.find_faults()}


def test_com_02_numbers_mails_and_trail_of_the_tenants_are_apart(app: Flask) -> None:
    """COM-02: number sequences, mails and the audit trail of one brand neither show nor move the other's."""
    style = NumberFormat(prefix="X", digits=4)
    with app.app_context():
        drawn = {tenant: [] for tenant in (OWN, TWIN)}  # type: dict[str, list[str]]
        for tenant in (OWN, TWIN, TWIN, OWN):
            with tenant_scope(tenant):
                drawn[tenant].append(numbering.next_number("trial", style))
                session().commit()
        assert drawn == {OWN: ["X0001", "X0002"], TWIN: ["X0001", "X0002"]}
        for tenant, other in ((OWN, TWIN), (TWIN, OWN)):
            with tenant_scope(tenant):
                assert {mail.tenant_id for mail in outbox.newest(1000)} <= {tenant}
                assert CANARY[other] not in "".join(mail.body for mail in outbox.newest(1000))
                trail = session().scalars(select(audit.AuditEvent)).all()
                assert {event.tenant_id for event in trail} == {tenant}
                assert list(find_faults()) == []


def test_com_02_work_over_all_tenants_goes_one_scope_after_another(app: Flask) -> None:
    """COM-02: the one way over the brands is logged, sees each alone, and leaves no scope behind."""
    with app.app_context():
        seen = {}
        for key in each_tenant([OWN, TWIN], by="worker", reason="test"):
            seen[key] = {row.tenant_id for row in session().scalars(select(Member))}
        assert seen == {OWN: {OWN}, TWIN: {TWIN}}
        with pytest.raises(TenantError):
            session().scalars(select(Member)).all()
