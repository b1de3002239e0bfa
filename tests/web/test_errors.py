"""Every failure ends in a page with its status, and says nothing of the inside (COM-01, security.md §4.28)."""

from __future__ import annotations

import errno
import fcntl
import io
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, abort
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError, OperationalError

from portal import create_app
from portal.core import clock, engine
from portal.core.db import db, session
from portal.core.errors import NotFound, RuleBroken, Stale
from portal.settings import Settings
from portal.shared.auth.throttling import TooMany
from portal.shared.drafts import Draft
from portal.web.requests import public
from tests.cast import NOW, PASSWORD
from tests.support.client import Visitor

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}
LEAKS = re.compile(
    r"Traceback|\.py[:,\s]|sqlalchemy|sqlite|psycopg|werkzeug|SELECT|INSERT|秘密", re.IGNORECASE
)
TITLES = {
    400: ("送信内容を確認できませんでした", "could not"),
    403: ("この操作はできません", "not possible"),
    404: ("ページが見つかりません", "not found"),
    405: ("この操作はできません", "not possible"),
    409: ("操作を完了できませんでした", "could not"),
    413: ("送信する内容が大きすぎます", "too large"),
    422: ("入力内容をご確認ください", "check"),
    429: ("しばらくお待ちください", "wait"),
    500: ("エラーが発生しました", "went wrong"),
}
PROFILE = {
    "account_name": "一番",
    "postal_code": "1000001",
    "prefecture": "東京都",
    "city": "千代田区",
    "street": "1",
    "account_telephone": "0312345678",
    "family_name": "山田",
    "given_name": "花子",
}


def raising(what: Callable[[], Any]) -> Callable[[], str]:
    """A view open to everybody that fails as `what` does."""

    @public
    def view() -> str:
        raise what()

    return view


@pytest.fixture
def live(
    make_settings: Callable[..., Settings], database_url: str, cheap_passwords: None
) -> Iterator[Flask]:
    """A portal as it runs in earnest: an unexpected exception is answered, not passed on to the test."""
    app = create_app(make_settings(database_url, testing=False, demo=True))
    with clock.freeze(NOW):
        yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def broken(live: Flask) -> Callable[[Callable[[], Any]], Visitor]:
    """A visitor of a portal whose page /fails raises what is given."""

    def make(what: Callable[[], Any]) -> Visitor:
        live.add_url_rule("/fails", "fails", raising(what), methods=["GET", "POST"])
        return Visitor(live, "facility")

    return make


def heading(text: str) -> str:
    """The page's h1, without tags."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", text, re.DOTALL)
    assert found
    return re.sub("<[^>]+>", "", found[1]).strip()


@pytest.mark.own_app
@SQLITE
@pytest.mark.parametrize("code", TITLES)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_each_status_has_its_page_in_the_brands_look_and_in_two_languages(
    app: Flask, code: int, language: str
) -> None:
    """COM-01, COM-04."""

    @public
    def view() -> str:
        abort(code, "秘密の事情 in secret.py")

    app.add_url_rule("/fails", "fails", view)
    visitor = Visitor(app, "facility")
    visitor.post("/language", {"language": language}, page="/sign-in")
    answer = visitor.get("/fails")
    assert answer.status_code == code
    ja, en = TITLES[code]
    said = heading(answer.text)
    assert said == ja if language == "ja" else en in said.lower()
    assert f'<html lang="{language}"' in answer.text
    assert "/theme.css?v=" in answer.text
    assert "試験設備" in answer.text
    assert f"<code>{answer.headers['X-Request-Id']}</code>" in answer.text
    assert not LEAKS.search(answer.text)
    assert ("Retry-After" in answer.headers) is (code == 429)


@pytest.mark.own_app
@SQLITE
@pytest.mark.parametrize("code", TITLES)
def test_htmx_gets_the_whole_page_into_the_main_part(app: Flask, code: int) -> None:
    """COM-25: for a boosted link and for plain HTTP nothing is redirected."""

    @public
    def view() -> str:
        abort(code)

    app.add_url_rule("/fails", "fails", view)
    visitor = Visitor(app, "facility")
    answer = visitor.get("/fails", headers=PART)
    assert answer.status_code == code
    assert [answer.headers[f"HX-{name}"] for name in ("Retarget", "Reselect", "Reswap")] == [
        "#main",
        "#main",
        "outerHTML",
    ]
    assert 'id="main"' in answer.text
    for plain in ({}, PART | {"HX-Boosted": "true"}):
        assert "HX-Retarget" not in visitor.get("/fails", headers=plain).headers


@SQLITE
@pytest.mark.parametrize(
    ("what", "code", "said"),
    [
        (lambda: RuleBroken("予約が見つかりません: %(number)s", number="<b>"), 422, "&lt;b&gt;"),
        (lambda: Stale("画面を読み込み直してください。"), 409, "画面を読み込み直してください。"),
        (lambda: NotFound("秘密"), 404, "アドレスが変わったか"),
        (lambda: OSError(errno.EACCES, "秘密.py"), 500, "エラーが発生しました"),
        (lambda: ZeroDivisionError("秘密"), 500, "エラーが発生しました"),
        (lambda: IntegrityError("INSERT 秘密", {}, Exception("秘密")), 500, "エラーが発生しました"),
        (lambda: OperationalError("SELECT 秘密", {}, Exception("秘密")), 503, "一時的に停止"),
        (lambda: OSError(errno.ENOSPC, "秘密"), 503, "一時的に停止"),
        (lambda: OSError(errno.EDQUOT, "秘密"), 503, "一時的に停止"),
        (lambda: OSError(errno.EROFS, "秘密"), 503, "一時的に停止"),
        (lambda: engine.DatabaseBusy("秘密"), 503, "一時的に停止"),
    ],
)
def test_a_failure_inside_becomes_its_page(
    broken, what: Callable[[], Any], code: int, said: str
) -> None:
    """security.md §4.28."""
    answer = broken(what).get("/fails")
    assert answer.status_code == code
    assert said in answer.text
    assert not LEAKS.search(answer.text)
    assert ("Retry-After" in answer.headers) is (code == 503)
    assert answer.headers["Content-Security-Policy"]


@SQLITE
def test_who_tries_too_often_is_told_how_long_to_wait(broken) -> None:
    """COM-13."""
    answer = broken(lambda: TooMany(77)).get("/fails")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "77")


@SQLITE
def test_a_crash_is_logged_with_the_number_that_the_page_shows(broken, caplog) -> None:
    """OPS-22: who calls with the number is found in the log."""
    with caplog.at_level(logging.ERROR):
        answer = broken(lambda: ZeroDivisionError("inside")).get("/fails")
    record = next(r for r in caplog.records if r.name == "portal.web.errors")
    assert answer.headers["X-Request-Id"] in record.getMessage()
    assert record.exc_info
    assert record.exc_info[0] is ZeroDivisionError


@SQLITE
def test_a_crash_in_the_page_itself_still_ends_in_a_page(broken, monkeypatch) -> None:
    visitor = broken(lambda: ZeroDivisionError("inside"))
    monkeypatch.setattr("portal.web.errors.page", lambda _code: 1 / 0)
    answer = visitor.get("/fails")
    assert (answer.status_code, "一時的に停止" in answer.text) == (503, True)


@SQLITE
@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("POST", "/facility/reservations", 405),
        ("DELETE", "/sign-in", 405),
        ("PUT", "/", 405),
        ("BREW", "/sign-in", 405),
    ],
)
def test_a_method_that_a_page_does_not_know_is_refused(
    live: Flask, method: str, path: str, code: int
) -> None:
    visitor = Visitor(live, "facility")
    visitor.sign_in("hanako", PASSWORD)
    headers = {"X-CSRFToken": visitor.token("/account/profile")}
    answer = visitor.client.open(path, base_url=visitor.base, method=method, headers=headers)
    assert answer.status_code == code
    assert "この方法ではご利用いただけません" in answer.text
    assert "GET" in answer.headers["Allow"]


@SQLITE
@pytest.mark.parametrize(
    ("path", "code"), [("/sign-in", 200), ("/nowhere", 404), ("/facility/reservations", 303)]
)
def test_head_is_get_without_the_body(visit, path: str, code: int) -> None:
    visitor = visit()
    answer = visitor.client.head(path, base_url=visitor.base)
    assert (answer.status_code, answer.data) == (code, b"")
    assert answer.headers["Content-Type"] == visitor.get(path).headers["Content-Type"]


def parts(content: bytes, disposition: str) -> dict[str, Any]:
    """A multipart body with one part, as arguments of the test client."""
    head = f'--b\r\nContent-Disposition: form-data; name="login_id"{disposition}\r\n\r\n'
    body = head.encode() + content + b"\r\n--b--\r\n"
    kind = "multipart/form-data; boundary=b"
    return {"input_stream": io.BytesIO(body), "content_length": len(body), "content_type": kind}


@SQLITE
@pytest.mark.parametrize(
    "sent",
    [
        lambda: {"data": {"login_id": "x" * 5_000_000}},
        lambda: {"data": {"login_id": "x" * (1024 * 1024)}},
        lambda: parts(b"x" * 5_000_000, '; filename="x"'),
        lambda: parts(b"x" * 600_000, ""),
    ],
    ids=["form", "just over 1 MB", "file", "one field of many"],
)
def test_what_is_too_large_is_refused_with_a_page(
    visit, sent: Callable[[], dict[str, Any]]
) -> None:
    """COM-23, security.md §4.21: said by its length or found while reading."""
    visitor = visit()
    answer = visitor.client.post("/sign-in", base_url=visitor.base, **sent())
    assert answer.status_code == 413
    assert heading(answer.text) == TITLES[413][0]
    assert "試験設備" in answer.text


@SQLITE
@pytest.mark.parametrize(
    ("path", "referer", "back"),
    [
        ("/account/profile", "", "/account/profile"),
        ("/inquiries/new", "", "/inquiries/new"),
        ("/account/members/0000000000000000/invitation", "/account/members", "/account/members"),
        ("/account/members/0000000000000000/invitation", "http://evil.example/x", ""),
    ],
)
def test_what_is_too_large_leads_back_to_its_form_and_says_how_much_is_taken(
    visit, path: str, referer: str, back: str
) -> None:
    """COM-23, COM-25: without scripts too; files are named where they are taken."""
    visitor = visit("facility", "hanako")
    sender = f"{visitor.base}{referer}" if referer.startswith("/") else referer
    answer = visitor.client.post(
        path,
        base_url=visitor.base,
        data={"body": "x" * 2_000_000},
        content_type="multipart/form-data" if path == "/inquiries/new" else None,
        headers={"Referer": sender} if sender else {},
    )
    answer.request.environ["wsgi.input"].close()
    assert answer.status_code == 413
    about = "170,000" if path == "/inquiries/new" else "110,000"
    assert f"約{about}文字まで" in answer.text
    assert ("合計20MBまで" in answer.text) is (path == "/inquiries/new")
    assert (f'href="{back}">入力画面へ戻る' in answer.text) is bool(back)
    assert "evil" not in answer.text


@SQLITE
@pytest.mark.parametrize("token", [None, "", "x", "foreign", "other brand"])
def test_a_form_without_its_own_token_is_refused(visit, token: str | None) -> None:
    """security.md §4.5: missing, made up, another visitor's, another brand's."""
    visitor = visit()
    visitor.get("/sign-in")
    if token in ("foreign", "other brand"):
        token = visit("studio" if token == "other brand" else "facility").token("/sign-in")
    data = {"login_id": "hanako", "password": PASSWORD} | (
        {} if token is None else {"csrf_token": token}
    )
    answer = visitor.client.post("/sign-in", base_url=visitor.base, data=data)
    assert answer.status_code == 400
    assert heading(answer.text) == TITLES[400][0]
    assert visitor.get("/").status_code == 303


@SQLITE
def test_a_form_whose_cookie_has_gone_is_refused_in_the_brands_look(visit) -> None:
    """COM-23: the page was left open over night."""
    visitor = visit("facility", "hanako")
    token = visitor.token("/account/profile")
    visitor.client.delete_cookie("form", domain="facility.localhost")
    data = PROFILE | {"csrf_token": token}
    answer = visitor.client.post("/account/profile", base_url=visitor.base, data=data)
    assert (answer.status_code, "試験設備" in answer.text) == (400, True)


@SQLITE
def test_a_database_locked_by_another_is_a_clear_503(
    live: Flask, database_url: str, monkeypatch
) -> None:
    """OPS-21: within the time limit; the next try, once it is free, succeeds; reading goes on meanwhile."""
    monkeypatch.setattr(engine, "LOCK_SECONDS", 0.05)
    visitor = Visitor(live, "facility")
    visitor.sign_in("hanako", PASSWORD)
    fd = os.open(f"{database_url.removeprefix('sqlite:///')}.lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        answer = visitor.post("/account/profile", PROFILE)
        assert visitor.get("/facility/reservations").status_code == 200
    finally:
        os.close(fd)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert visitor.post("/account/profile", PROFILE).status_code == 303


@SQLITE
def test_a_full_disk_is_a_clear_503_and_nothing_is_half_done(live: Flask, inside) -> None:
    """OPS-21: SQLite itself says that the database is full; what was answered with success is there, no more."""
    visitor = Visitor(live, "facility")
    visitor.sign_in("hanako", PASSWORD)
    with live.app_context():

        @event.listens_for(db.engine, "checkout")
        def _full(raw: Any, *_rest: Any) -> None:
            raw.execute("PRAGMA max_page_count=1")  # SQLite takes the present size for it

    kept = 0
    for _try in range(200):
        answer = visitor.post("/account/profile", PROFILE | {"street": "町" * 100})
        if answer.status_code != 303:
            break
        kept += 1
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert not LEAKS.search(answer.text)
    assert visitor.get("/account/profile").status_code == 200
    with inside("facility"):
        assert session().scalar(select(func.count(Draft.id))) == kept


@SQLITE
def test_a_database_that_is_gone_is_a_503_and_comes_back(live: Flask, database_url: str) -> None:
    """OPS-21, OPS-22: the process stays alive, says that it is not ready, and needs no restart."""
    path = Path(database_url.removeprefix("sqlite:///"))
    visitor = Visitor(live, "facility")
    visitor.sign_in("hanako", PASSWORD)
    with live.app_context():
        db.engine.dispose()
    shutil.move(path, path.with_suffix(".away"))
    assert visitor.get("/facility/reservations").status_code == 503
    assert visitor.get("/readyz").status_code == 503
    assert visitor.get("/livez").status_code == 200
    with live.app_context():
        db.engine.dispose()
    shutil.move(path.with_suffix(".away"), path)
    assert visitor.get("/facility/reservations").status_code == 200


def test_a_database_server_that_does_not_answer_is_a_503(make_settings) -> None:
    """OPS-21: nobody listens on the discard port."""
    app = create_app(
        make_settings("postgresql://nobody@127.0.0.1:9/none", testing=False, demo=True)
    )
    visitor = Visitor(app, "facility")
    visitor.client.set_cookie("portal", "a-token", domain="facility.localhost")
    answer = visitor.get("/facility/reservations")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert "127.0.0.1" not in answer.text
    assert visitor.get("/readyz").status_code == 503
    assert visitor.get("/livez").text == "ok\n"


@SQLITE
@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("facility.localhost", 200),
        ("facility.localhost:8080", 200),
        ("FACILITY.LocalHost", 200),
        ("facility.localhost.", 200),
        ("localhost", 404),
        ("nobody.localhost", 404),
        ("x.facility.localhost", 404),
        ("facility.localhost.evil.example", 404),
        ("facility.localhost, studio.localhost", 404),
        ("facility.localhost@evil.example", 404),
        ("127.0.0.1", 404),
        ("[::1]", 404),
        ("", 404),
    ],
)
def test_a_brand_answers_to_its_own_host_only(app: Flask, host: str, code: int) -> None:
    """COM-01: whatever case, port or final dot; everything else is a plain 404 (or 400) that names no brand."""
    headers = {"X-Forwarded-Host": "studio.localhost", "Forwarded": "host=studio.localhost"}
    answer = app.test_client().get("/sign-in", headers={"Host": host, **headers})
    assert answer.status_code in ((200,) if code == 200 else (400, 404))
    assert ("試験設備" in answer.text) is (code == 200)
    assert "試験スタジオ" not in answer.text
