"""COM-50, COM-51, FAC-05, FAC-06, FAC-09: asking, reading, writing on."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from html import unescape

import pytest
from sqlalchemy import select

from portal import create_app
from portal.core import clock
from portal.core.db import db, session
from portal.shared.inquiries.models import Inquiry, InquiryFile, InquiryMessage
from tests.cast import NOW, PASSWORD
from tests.support.client import Visitor

NEW = "/inquiries/new"
ASK = {
    "about": "FR000001",
    "f_day": "2026-12-01",
    "f_what": "午後へ",
    "body": "お願いします。",
    "agreed": "y",
}
PDF = b"%PDF-1.7 drawing"
TIGHT = "storage = { account_megabytes = 1 }"
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def sent(visit, inside):
    """Ask in three steps; gives the number."""

    def do(login_id: str = "hanako", category: str = "change", **changes) -> str:
        visitor = visit("facility", login_id)
        kept = visitor.post(f"{NEW}?category={category}", ASK | changes)
        assert kept.status_code == 303, kept.text
        token = kept.location.rpartition("=")[2]
        visitor.post(f"{NEW}/confirm", {"draft": token}, page=NEW)
        with inside("facility"):
            return (
                session().scalars(select(Inquiry.number).order_by(Inquiry.id.desc()).limit(1)).one()
            )

    return do


def test_a_change_is_asked_for_in_three_steps_and_once(visit, inside):
    """COM-22, FAC-09: what was typed is shown, 戻る keeps it, sending twice is once."""
    visitor = visit("facility", "hanako")
    page = visitor.get(f"{NEW}?category=change&about=FR000001").text
    assert 'value="FR000001"' in page
    kept = visitor.post(f"{NEW}?category=change", ASK | {"files": (io.BytesIO(PDF), "図面.pdf")})
    shown = visitor.get(kept.location).text
    for text in ("予約内容の変更を希望", "FR000001", "午後へ", "お願いします。", "図面.pdf"):
        assert text in shown
    back = visitor.get(kept.location.replace("/confirm", "")).text
    assert "午後へ" in back
    assert "図面.pdf" in back
    token = kept.location.rpartition("=")[2]
    for _press in range(3):
        assert visitor.post(f"{NEW}/confirm", {"draft": token}, page=NEW).location == f"{NEW}/done"
    done = visitor.get(f"{NEW}/done").text
    with inside("facility"):
        (made,) = session().query(Inquiry).all()
        (file,) = session().query(InquiryFile).all()
        assert made.number in done
        assert (file.name, file.size) == ("図面.pdf", len(PDF))


@ONE
@pytest.mark.parametrize(
    ("category", "missing", "label"),
    [
        ("change", "about", "予約番号"),
        ("change", "f_what", "変更内容"),
        ("cancel", "about", "予約番号"),
        ("other", "body", "お問い合わせ内容"),
        ("other", "agreed", "同意が必要です"),
    ],
)
def test_each_category_asks_for_its_own_and_says_what_is_missing(visit, category, missing, label):
    """COM-23, FAC-09: everything else that was typed stays."""
    typed = {name: value for name, value in ASK.items() if name != missing}
    answer = visit("facility", "hanako").post(f"{NEW}?category={category}", typed)
    assert answer.status_code == 422
    assert label in answer.text
    if missing != "body":
        assert "お願いします。" in answer.text


@ONE
def test_files_survive_going_back(visit):
    """COM-22, COM-50: 戻る and on again with nothing chosen anew keeps the files that were attached before."""
    visitor = visit("facility", "hanako")
    kept = visitor.post(f"{NEW}?category=change", ASK | {"files": (io.BytesIO(PDF), "図面.pdf")})
    back = visitor.get(kept.location.replace("/confirm", "")).text
    (action,) = re.findall(r'<form method="post" action="([^"]*/new[^"]*)"', back)
    kept_files = re.findall(r'name="keep" value="([0-9a-f]{64})" checked', back)
    changed = ASK | {"category": "change", "body": "書き直しました。", "keep": kept_files}
    again = visitor.post(unescape(action), changed)
    shown = visitor.get(again.location).text
    assert "書き直しました。" in shown
    assert "図面.pdf" in shown


@ONE
def test_an_unknown_category_is_the_one_for_everything_else(visit):
    """COM-50: an old link still leads somewhere."""
    page = visit("facility", "hanako").get(f"{NEW}?category=nothing").text
    assert re.search(r'<input checked[^>]* name="category"[^>]* value="other"', page)


@ONE
def test_a_wrong_file_is_said_at_its_field(visit, inside):
    """COM-50, security.md §4.22"""
    wrong = ASK | {"files": (io.BytesIO(b"MZ"), "x.exe")}
    answer = visit("facility", "hanako").post(f"{NEW}?category=change", wrong)
    assert answer.status_code == 422
    assert "この形式のファイルは送信できません: x.exe" in answer.text
    with inside("facility"):
        assert session().query(Inquiry).count() == 0


@ONE
def test_more_bytes_are_taken_here_than_elsewhere_and_no_more(visit):
    """security.md §4.21: 2 and 22 MB are answered by the form where files are expected, more is not read."""
    visitor = visit("facility", "hanako")
    token = visitor.token(NEW)
    for path, size, code in (
        (f"{NEW}?category=change", 2, 422),
        (f"{NEW}?category=change", 22, 422),
        (f"{NEW}?category=change", 102, 413),
        ("/account/profile", 2, 413),
    ):
        edge = b"--x\r\nContent-Disposition: form-data; name="
        parts = (
            b'"csrf_token"\r\n\r\n' + token.encode() + b"\r\n",
            b'"files"; filename="a.txt"\r\n\r\n',
        )
        body = edge + parts[0] + edge + parts[1] + b"x" * size * 1024 * 1024 + b"\r\n--x--\r\n"
        kind = "multipart/form-data; boundary=x"
        with visitor.client.post(
            path, base_url=visitor.base, data=body, content_type=kind
        ) as answer:
            assert answer.status_code == code, (path, size)


def test_a_thread_goes_on_with_files_and_by_an_operators_answer(visit, sent, run, tmp_path):
    """COM-51, COM-52, OPS-10: written on, answered by command with a file, downloaded as an attachment."""
    number, path = sent(), tmp_path / "見積.pdf"
    path.write_bytes(PDF + b"2")
    args = ["--tenant", "facility", "--operator", "大森"]
    assert number in run.invoke(args=["inquiries", "list", *args]).output
    told = run.invoke(
        args=["inquiries", "answer", number, "--text", "承りました。", "--attach", str(path), *args]
    )
    assert (told.exit_code, told.output) == (0, f"{number}: 回答済\n")
    visitor = visit("facility", "hanako")
    assert ">未読</span>" in visitor.get("/inquiries").text
    page = visitor.get(f"/inquiries/{number}").text
    assert "承りました。" in page
    assert ">未読</span>" not in visitor.get("/inquiries").text
    file = visitor.get(re.findall(rf"/inquiries/{number}/files/[0-9a-f]{{64}}", page)[-1])
    assert file.data == PDF + b"2"
    assert file.headers["Content-Disposition"].startswith("attachment;")
    assert file.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert visitor.post(f"/inquiries/{number}", {"body": "ありがとう"}).status_code == 303
    assert run.invoke(args=["inquiries", "take", number, *args]).output == f"{number}: 対応中\n"
    assert "大森" in run.invoke(args=["inquiries", "assign", number, "大森", *args]).output
    assert run.invoke(args=["inquiries", "close", number, *args]).output == f"{number}: 完了\n"
    empty = run.invoke(args=["inquiries", "answer", number, *args], input=" \n")
    assert (empty.exit_code, "is empty" in empty.output) == (2, True)
    shown = run.invoke(args=["inquiries", "show", number, "--json", *args]).output
    assert "ありがとう" in shown


@ONE
def test_a_message_that_is_sent_again_is_there_once_and_another_text_is_another(
    visit, sent, inside
):
    """COM-22, COM-51: a page that was gone back to still has the key of before."""
    number, visitor = sent(), visit("facility", "hanako")
    path = f"/inquiries/{number}"
    key = re.search(r'name="key"[^>]*value="([0-9a-f]{32})"', visitor.get(path).text)
    assert key
    for body in ("一通目", "一通目", "二通目"):
        assert visitor.post(path, {"body": body, "key": key[1]}).status_code == 303
    with inside("facility"):
        found = session().scalars(select(InquiryMessage.body).order_by(InquiryMessage.id)).all()
        assert found[-2:] == ["一通目", "二通目"]
        assert found.count("一通目") == 1
    refused = visitor.post(path, {"body": "", "key": key[1]})
    assert f'value="{key[1]}"' in refused.text


def test_a_refused_answer_is_not_lost_with_the_editor(sent, run, tmp_path, monkeypatch):
    """COM-23, OPS-10: the operator reads where the text is kept."""
    number = sent()
    monkeypatch.setattr("portal.cli.desk.is_terminal", lambda: True)
    monkeypatch.setattr("click.edit", lambda _text: "長い回答です。")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    attached = []
    for place in range(30):
        path = tmp_path / f"{place}.pdf"
        path.write_bytes(PDF)
        attached += ["--attach", str(path)]
    told = run.invoke(args=["inquiries", "answer", number, *attached, "--tenant", "facility"])
    assert told.exit_code == 2
    (kept,) = tmp_path.glob(f"answer-{number}-*.txt")
    assert kept.read_text(encoding="utf-8") == "長い回答です。"
    assert str(kept) in told.stderr


@ONE
def test_a_neighbours_thread_and_file_do_not_exist(visit, sent):
    """COM-02, COM-73: nor another brand's."""
    number = sent(files=(io.BytesIO(PDF), "a.pdf"))
    page = visit("facility", "hanako").get(f"/inquiries/{number}").text
    file = re.findall(rf"/inquiries/{number}/files/[0-9a-f]{{64}}", page)[-1]
    for visitor in (visit("facility", "yumi"), visit("studio", "hanako")):
        for path in (f"/inquiries/{number}", file):
            assert visitor.get(path).status_code == 404, path
        assert number not in visitor.get("/inquiries").text


@ONE
def test_a_reservation_shows_what_was_written_about_it_and_what_cancelling_costs(visit, sent):
    """FAC-05, FAC-06: forms with category and number filled in, off with the reason once it is used."""
    number = sent()
    page = visit("facility", "hanako").get("/facility/reservations/FR000001").text
    assert f"（{number}）" in page
    assert "/inquiries/new?category=cancel&amp;about=FR000001" in page
    assert "ご利用料金の100%" in page, "the use lies in the past: the last step of the table"
    used = visit("facility", "hanako").get("/facility/reservations/FR000002").text
    assert "ご利用前のご予約に限り" in used
    assert number not in used


@ONE
def test_a_file_that_the_account_has_no_room_for_is_said_at_its_field(settings, cheap_passwords):
    """COM-23, COM-50: everything typed stays, in the form and in a thread."""
    changed = settings.home / "tight.toml"
    text = settings.tenants_file.read_text("utf-8")
    changed.write_text(text.replace("[tenants.facility]\n", f"[tenants.facility]\n{TIGHT}\n", 1))
    app = create_app(replace(settings, tenants_file=changed))
    with clock.freeze(NOW):
        visitor = Visitor(app, "facility")
        visitor.sign_in("hanako", PASSWORD)
        large = io.BytesIO(b"%PDF-1.7 " + bytes(1024 * 1024))
        answer = visitor.post(f"{NEW}?category=change", ASK | {"files": (large, "図面.pdf")})
    assert answer.status_code == 422
    assert "お預かりできるファイルの合計（1MB）を超えるため" in answer.text
    for typed in ("FR000001", "午後へ", "お願いします。"):
        assert typed in answer.text
    with app.app_context():
        db.engine.dispose()
