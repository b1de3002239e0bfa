"""What coming in leaves behind: an audit row for each act, and no secret in any row, log or mail (COM-90, §4.27)."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import inspect, select
from sqlalchemy.exc import IntegrityError

from portal.core.audit import AuditEvent
from portal.core.audit_chain import find_faults
from portal.core.db import db, session
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Account, Member
from portal.shared.auth.models import MemberSession
from tests.cast import NOW, PASSWORD

NEW = "brand-New-Leaf-58"
WRONG = "Typed-but-wrong-58"
ADDRESS = {"REMOTE_ADDR": "192.0.2.7"}


def whole_life(visit, mailed_link):
    """Sign in wrongly and rightly, change the password, go; then the operator's link. Returns all secrets."""
    visitor = visit()
    visitor.sign_in("hanako", WRONG)
    data = {"login_id": "hanako", "password": PASSWORD}
    visitor.post("/sign-in", data, environ_base=ADDRESS)
    token = visitor.client.get_cookie("portal", domain="facility.localhost").value
    form = {"old_password": PASSWORD, "password": NEW, "again": NEW}
    visitor.post("/account/password", form, environ_base=ADDRESS)
    visitor.post("/sign-out", page="/account/password", environ_base=ADDRESS)
    path = mailed_link()
    later = {"password": NEW + "-later", "again": NEW + "-later"}
    visit().post(path, later, environ_base=ADDRESS)
    return [PASSWORD, NEW, WRONG, token, path.rpartition("/")[2]]


def test_each_act_is_a_row_with_who_what_and_from_where(visit, mailed_link, acts, inside):
    """COM-90: and the chain of rows holds."""
    before = len(acts())
    whole_life(visit, mailed_link)
    seen = [(e.action, e.actor_kind, e.actor_name, e.address) for e in acts()[before:]]
    member = ("member", "カナリア甲 花子", "192.0.2.7")
    assert seen == [
        ("member.sign_in", *member),
        ("member.set_password", *member),
        ("member.sign_out", *member),
        ("member.send_link", "operator", "監督", ""),
        ("member.set_password", *member),
    ]
    assert {e.subject for e in acts()[before:]} == {"member:hanako"}
    assert len({e.account_id for e in acts()[before:]} - {None}) == 1
    with inside("facility"):
        assert list(find_faults()) == []


def test_ending_sessions_and_adding_people_are_rows_too(run, rows, acts):
    """COM-90, OPS-13"""
    where = ["--tenant", "facility", "--operator", "監督"]
    for words in (
        ["accounts", "add", "新会社"],
        ["members", "add", "C000003", "森", "進", "susumu@one.example", "--login-id", "susumu"],
        ["members", "end-sessions", "susumu"],
    ):
        assert run.invoke(args=[*words, *where]).exit_code == 0
    last = [(e.action, e.subject, e.actor_name) for e in rows(AuditEvent)[-4:]]
    assert last == [
        ("account.add", "account:C000003", "監督"),
        ("member.add", "member:susumu", "監督"),
        ("member.send_link", "member:susumu", "監督"),
        ("member.end_sessions", "member:susumu", "監督"),
    ]


def test_a_refused_try_changes_nothing_of_the_member(visit, rows, acts):
    """COM-10: no session, no row, no new hash, no last sign-in."""
    before = (len(acts()), [(m.password_hash, m.last_signed_in_at) for m in rows(Member)])
    visit().sign_in("hanako", WRONG)
    visit().sign_in("nobody", WRONG)
    assert (len(acts()), [(m.password_hash, m.last_signed_in_at) for m in rows(Member)]) == before
    assert rows(MemberSession) == []


def test_no_secret_stands_in_any_table_and_only_the_link_in_its_mail(
    visit, mailed_link, inside, rows
):
    """security.md §4.6, §4.12, §4.27: every column of every row of the database is looked at."""
    *secrets, link = whole_life(visit, mailed_link)
    with inside("facility"):
        names = [name for name in inspect(db.engine).get_table_names() if name != "alembic_version"]
        connection = db.engine.raw_connection()
        try:
            cursor = connection.cursor()
            if db.engine.dialect.name == "postgresql":
                cursor.execute("SELECT set_config('app.tenant', 'facility', false)")
            kept = {}
            for name in names:
                cursor.execute(f'SELECT * FROM "{name}"')
                kept[name] = str(cursor.fetchall())
        finally:
            connection.close()
    assert "hanako" in kept["member"]
    assert "member.sign_in" in kept["audit_event"]
    assert [name for name in names if any(secret in kept[name] for secret in secrets)] == []
    assert [name for name in names if link in kept[name]] == ["outbox_mail"]
    assert [m.event for m in rows(OutboxMail) if link in m.body + m.html] == ["set_password"]


def test_the_log_has_neither_passwords_nor_tokens(visit, mailed_link, caplog, capfd):
    """security.md §4.27: whatever level is on, on every stream."""
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("portal").debug("the log is heard")
        secrets = whole_life(visit, mailed_link)
    out = capfd.readouterr()
    said = caplog.text + out.out + out.err
    assert "the log is heard" in said
    assert not [secret for secret in secrets if secret in said]


@pytest.mark.parametrize("mark", ["2b1c-the-hash", "hanako@private.example"])
def test_a_failing_statement_does_not_tell_the_log_its_values(inside, mark):
    """security.md §4.27: the database's complaint is logged whole, so it must not carry personal data."""
    with inside("facility"):
        account_id = session().scalar(select(Account.id))
        session().add(
            Member(
                account_id=account_id,
                login_key="hanako",
                email="hanako@private.example",
                password_hash="2b1c-the-hash",
                family_name="花",
                created_at=NOW,
            )
        )
        with pytest.raises(IntegrityError) as caught:
            session().flush()
    assert "member" in str(caught.value)
    assert mark not in str(caught.value)
