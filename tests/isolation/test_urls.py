"""COM-02, COM-14: every address of the portal, tried by those who must not get in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.routing import Rule

from portal.web.requests import _TENANTLESS
from portal.web.session_cookies import cookie_name
from tests.cast import CANARY, Cast
from tests.support.client import Visitor

Visit = Callable[..., Visitor]
KINDS = {
    "static": "tenantless",
    "health.livez": "tenantless",
    "health.readyz": "tenantless",
    "home.theme": "public",
    "home.script": "tenantless",
    "home.legal": "public",
    "home.language": "public",
    "auth.sign_in": "public",
    "auth.set_password": "public",
    "auth.forgotten_password": "public",
    "auth.forgotten_password_sent": "public",
    "auth.not_me": "public",
    "auth.second_step": "public",
    "auth.second_step_send": "public",
    "auth.change_email": "public",
    "auth.prove_email": "public",
    "auth.undo_email": "public",
    "registration.register": "public",
    "registration.code": "public",
    "registration.send_code_again": "public",
    "registration.activate": "public",
    "account.withdrawn": "public",
    "auth.passkey_options": "public",
    "auth.passkey": "public",
    "auth.second_step_passkey_options": "public",
    "auth.second_step_passkey": "public",
    "demo.mailbox": "public",
    "demo.mail": "public",
    "home.top": "member",
    "contacts.address_list": "member",
    "contacts.address_form": "member",
    "contacts.address_confirm": "member",
    "contacts.address_save": "member",
    "contacts.address_done": "member",
    "contacts.remove": "member",
    "contacts.make_usual": "member",
    "inquiries.inquiry_form": "member",
    "inquiries.inquiry_confirm": "member",
    "inquiries.inquiry_save": "member",
    "inquiries.inquiry_done": "member",
    "inquiries.index": "member",
    "inquiries.thread": "member",
    "inquiries.file": "member",
    "inquiries.guest": "public",
    "inquiries.guest_done": "public",
    "auth.sign_out": "member",
    "account.profile_form": "member",
    "account.profile_confirm": "member",
    "account.profile_save": "member",
    "account.profile_done": "member",
    "account.password": "member",
    "account.proof": "member",
    "account.email": "member",
    "account.email_request": "member",
    "account.email_sent": "member",
    "account.member_list": "member",
    "account.member_form": "member",
    "account.member_confirm": "member",
    "account.member_save": "member",
    "account.member_done": "member",
    "account.invite_member": "member",
    "account.remove_member": "member",
    "account.hand_over": "member",
    "account.account_history": "member",
    "account.account_history_csv": "member",
    "account.export_data": "member",
    "account.withdrawal_form": "member",
    "account.withdraw": "member",
    "account.security": "member",
    "account.end_session": "member",
    "account.end_other_sessions": "member",
    "account.forget_device": "member",
    "account.second_factor_page": "member",
    "account.second_factor_app": "member",
    "account.recovery_codes": "member",
    "account.passkeys": "member",
    "account.passkey_options": "member",
    "account.remove_passkey": "member",
    "notices.index": "member",
    "notices.index_csv": "member",
    "notices.notice": "member",
    "facility.reservations": "member",
    "facility.reservations_csv": "member",
    "facility.reservation": "member",
    "facility.paper": "member",
    "facility.facilities": "member",
    "facility.facility": "member",
    "facility.photo": "member",
    "facility.booking_form": "member",
    "facility.booking_confirm": "member",
    "facility.booking_save": "member",
    "facility.booking_done": "member",
    "calendars.my_calendar": "member",
    "calendars.remove_calendar": "member",
    "calendars.feed": "public",
    "calendars.first_feed": "public",
    "facility.moved": "public",
    "support.moved": "public",
    "documents.index": "member",
    "documents.document": "member",
    "documents.month": "member",
    "documents.index_csv": "member",
    "documents.links": "member",
    "documents.revoke_link": "member",
    "documents.shared": "public",
    "account.mail_settings": "member",
    "account.member_list_csv": "member",
    "contacts.address_list_csv": "member",
    "inquiries.index_csv": "member",
    "support.contracts": "member",
    "support.contracts_csv": "member",
    "support.contract": "member",
    "support.contact_form": "member",
    "support.contact_confirm": "member",
    "support.contact_save": "member",
    "support.contact_done": "member",
    "support.hand_over": "member",
    "support.remove_contact": "member",
    **dict.fromkeys(
        ("chats.start", "chats.chat", "chats.news", "chats.stream", "chats.typing", "chats.end"),
        "member",
    ),
    "knowledge.index": "member",
    "knowledge.article": "member",
    "knowledge.react": "member",
    "knowledge.following": "member",
    "knowledge.unfollow": "public",
}
"""What each endpoint is for. A new endpoint must be put here by somebody who thought about it."""
PARAMETERS = {
    "static": {"filename"},
    "home.legal": {"name"},
    "auth.set_password": {"token"},
    "auth.not_me": {"token"},
    "auth.change_email": {"token"},
    "auth.prove_email": {"token"},
    "auth.undo_email": {"token"},
    "registration.code": {"handle"},
    "registration.send_code_again": {"handle"},
    "registration.activate": {"token"},
    "account.member_form": {"number"},
    "account.member_confirm": {"number"},
    "account.member_save": {"number"},
    "account.member_done": {"number"},
    "account.invite_member": {"number"},
    "account.remove_member": {"number"},
    "account.hand_over": {"number"},
    "account.end_session": {"number"},
    "account.forget_device": {"number"},
    "account.remove_passkey": {"number"},
    "demo.mail": {"mail_id"},
    "notices.notice": {"number"},
    "facility.reservation": {"number"},
    "contacts.address_list": {"kind"},
    "contacts.address_form": {"kind", "number"},
    "contacts.address_confirm": {"kind", "number"},
    "contacts.address_save": {"kind", "number"},
    "contacts.address_done": {"kind", "number"},
    "contacts.remove": {"kind", "number"},
    "contacts.make_usual": {"kind", "number"},
    "inquiries.thread": {"number"},
    "inquiries.file": {"number", "sha256"},
    "facility.paper": {"number", "slug"},
    "facility.facility": {"code"},
    "facility.photo": {"code"},
    "facility.booking_form": {"code"},
    "facility.booking_confirm": {"code"},
    "facility.booking_save": {"code"},
    "facility.booking_done": {"code"},
    "calendars.feed": {"module", "token"},
    "calendars.first_feed": {"token"},
    "facility.moved": {"rest"},
    "support.moved": {"rest"},
    "documents.document": {"kind", "number"},
    "documents.links": {"kind", "number"},
    "documents.revoke_link": {"kind", "number", "link"},
    "documents.shared": {"token"},
    "contacts.address_list_csv": {"kind"},
    "support.contract": {"number"},
    "support.contact_form": {"number", "who"},
    "support.contact_confirm": {"number", "who"},
    "support.contact_save": {"number", "who"},
    "support.contact_done": {"number", "who"},
    "support.hand_over": {"number", "contact_id"},
    "support.remove_contact": {"number", "contact_id"},
    **{f"chats.{page}": {"number"} for page in ("chat", "news", "stream", "typing", "end")},
    "knowledge.article": {"number"},
    "knowledge.react": {"number"},
    "knowledge.unfollow": {"token"},
}
"""What each address takes."""


def _rules(app: Flask, kind: str) -> list[tuple[Rule, str]]:
    """The rules of a kind with an example of their path, with the twin's or a stranger's number to fill in."""
    return [(rule, rule.rule) for rule in app.url_map.iter_rules() if KINDS[rule.endpoint] == kind]


def _path(rule: str, number: str) -> str:
    path = rule.replace("<number>", number).replace(
        "<any('work-report', 'invoice', 'receipt'):slug>", "invoice"
    )
    path = path.replace("<any('billing', 'delivery'):kind>", "billing").replace(
        "<sha256>", "0" * 64
    )
    path = path.replace("<code>", "LC-01").replace("<kind>", "invoice").replace("<link>", "0" * 16)
    path = path.replace("<int:contact_id>", "1")
    path = path.replace("<who>", "new")
    assert "<" not in path, f"give {rule} an example"
    return path


def test_com_02_every_endpoint_is_classified(app: Flask) -> None:
    """COM-02: nobody adds an address without saying who may open it, and what it takes."""
    rules = list(app.url_map.iter_rules())
    assert {rule.endpoint for rule in rules} == set(KINDS)
    taken: dict[str, set[str]] = {}
    for rule in rules:
        taken.setdefault(rule.endpoint, set()).update(rule.arguments - set(rule.defaults or {}))
    assert {endpoint: names for endpoint, names in taken.items() if names} == PARAMETERS


def test_com_02_classes_are_what_the_code_says(app: Flask) -> None:
    """COM-02: the marks in the code agree with the table."""
    tenantless = {endpoint for endpoint, kind in KINDS.items() if kind == "tenantless"}
    open_to_all = {endpoint for endpoint, kind in KINDS.items() if kind == "public"}
    marked = {
        name for name, view in app.view_functions.items() if getattr(view, "is_public", False)
    }
    assert tenantless == _TENANTLESS
    assert marked - tenantless == open_to_all


def test_com_02_anonymous_is_sent_to_sign_in(app: Flask, visit: Visit) -> None:
    """COM-02: each member's address asks a stranger to sign in, and shows nothing."""
    at = dict.fromkeys(("support", "knowledge", "chats"), visit("desk"))
    for rule, template in _rules(app, "member"):
        visitor = at.get(rule.endpoint.partition(".")[0]) or at.setdefault("", visit("facility"))
        path = _path(template, Cast.billed)
        if getattr(app.view_functions[rule.endpoint], "is_asked_by_itself", False):
            for method in rule.methods or ():
                answer = visitor.client.open(path, method=method, base_url=visitor.base)
                assert (answer.status_code, answer.data) in ((204, b""), (200, b"")), path
            continue
        if "GET" in (rule.methods or ()):
            answer = visitor.get(path)
            assert (answer.status_code, answer.location.partition("?")[0]) == (303, "/sign-in"), (
                path
            )
        if "POST" in (rule.methods or ()):
            answer = visitor.post(path, page="/sign-in")
            assert (answer.status_code, answer.location.partition("?")[0]) == (303, "/sign-in"), (
                path
            )


def test_com_02_anonymous_sees_nothing_where_two_modules_are_on(app: Flask, visit: Visit) -> None:
    """COM-02: every address of a member asks a stranger to sign in there too, of both modules."""
    visitor = visit("works")
    asked = set()
    for rule, template in _rules(app, "member"):
        if "GET" not in (rule.methods or ()):
            continue
        answer = visitor.get(_path(template, Cast.billed))
        if answer.status_code == 303:
            assert answer.location.partition("?")[0] == "/sign-in", template
            asked.add(rule.endpoint.partition(".")[0])
        else:  # a feature that is off, or what a page asks by itself
            assert answer.status_code in (204, 404) or answer.data == b"", template
    assert {"facility", "support", "inquiries", "chats", "calendars"} <= asked


@pytest.mark.parametrize(
    "number", [Cast.strangers, Cast.twins], ids=["other-account", "other-brand"]
)
def test_com_02_foreign_numbers_are_not_found(app: Flask, visit: Visit, number: str) -> None:
    """COM-02: somebody else's number answers exactly as one that does not exist."""
    visitor = visit("facility", "hanako")
    for _rule, template in _rules(app, "member"):
        if "<number>" in template and template.startswith("/facility/reservations"):
            answer = visitor.get(_path(template, number))
            absent = visitor.get(_path(template, "FR999999"))
            assert (answer.status_code, absent.status_code) == (404, 404), template
            assert number not in answer.text.replace(f"/facility/reservations/{number}", ""), (
                "only the address itself"
            )


def test_com_02_no_page_carries_the_twins_canary(app: Flask, visit: Visit) -> None:
    """COM-02: no body or header of any page, CSV included, holds a word of the other brand."""
    for brand, twin in (("facility", "studio"), ("studio", "facility")):
        visitor = visit(brand, "hanako")
        number = Cast.billed if brand == "facility" else "SR000002"
        seen = ""
        for rule, template in _rules(app, "member"):
            if "GET" not in (rule.methods or ()):
                continue
            answer = visitor.get(_path(template, number))
            seen += answer.text + str(answer.headers)
        assert CANARY[brand] in seen
        assert CANARY[twin] not in seen
        assert f"{twin}.localhost" not in seen


def test_com_02_cookie_of_one_brand_opens_nothing_at_another(app: Flask, visit: Visit) -> None:
    """COM-02: the session's row belongs to a tenant; replayed elsewhere its token is nobody's."""
    own, elsewhere = visit("facility", "hanako"), visit("studio")
    name = cookie_name(app.extensions["settings"])
    cookie = own.client.get_cookie(name, domain="facility.localhost")
    assert cookie is not None
    assert own.get("/").status_code == 200
    elsewhere.client.set_cookie(name, cookie.value, domain="studio.localhost")
    answer = elsewhere.get("/")
    assert (answer.status_code, answer.location) == (303, "/sign-in")


@pytest.mark.parametrize(
    "host", ["nobody.localhost", "localhost", "facility.localhost.evil.example", "evil.example"]
)
def test_com_01_unknown_hosts_are_nobody(app: Flask, host: str) -> None:
    """COM-01: only configured hosts have a portal."""
    client = app.test_client()
    for path in ("/", "/sign-in", "/facility/reservations", "/theme.css"):
        assert client.get(path, base_url=f"http://{host}").status_code == 404
