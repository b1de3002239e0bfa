"""SUP-11: a member in Chromium and an operator in a terminal; the line between them is cut, the server killed."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from portal.core.actor import SYSTEM
from portal.core.db import session, tenant_scope
from portal.settings import ROOT
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.operations import Person
from portal.shared.auth import passwords
from scripts import run as script
from tests.cast import PASSWORD
from tests.races.processes import begin, environment, kill, wait_until_ready
from tests.support.browser import DESKTOP, PHONE, PageFor
from tests.support.contracts import contract_of
from tests.support.ports import free_port

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
ALWAYS = """
chat = { opening = "00:00", closing = "23:59" }
calendar = { weekly_closed = [], holidays = false }
"""


class Terminal:
    """`flask chat` as an operator has it before them."""

    def __init__(self, env: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        command = [str(ROOT / ".venv/bin/flask"), "chat", "--tenant", "desk", "--operator", "木村"]
        told = env | {"TERM": "xterm", "LANG": "C.UTF-8"}
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=told,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.shown = ""

    def type(self, words: str) -> None:
        """Press these keys."""
        os.write(self._master, words.encode())

    def sees(self, pattern: str, seconds: float = 20.0) -> re.Match[str]:
        """Wait until what is shown has this. Raises AssertionError."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.shown)):
            assert time.monotonic() < deadline, f"{pattern!r} is not in:\n{self.shown}"
            if select.select([self._master], [], [], 0.1)[0]:
                self.shown += os.read(self._master, 65536).decode(errors="replace")
        return found

    def close(self) -> None:
        """Leave."""
        self.process.kill()
        self.process.wait(5)
        os.close(self._master)


@contextmanager
def serving(port: int, env: dict[str, str]) -> Iterator[None]:
    """The real server, killed at the end without a word."""
    process = begin(script.commands(port)["server"], env)
    try:
        wait_until_ready(port)
        yield
    finally:
        kill(process)


@pytest.fixture
def env(app: Flask, settings, tmp_path: Path) -> dict[str, str]:
    """What server and terminal are told: a desk that is always open, with one member."""
    tenants = (
        (ROOT / "tests/tenants.toml")
        .read_text()
        .replace("[tenants.desk]\n", f"[tenants.desk]{ALWAYS}")
    )
    file = tmp_path / "tenants.toml"
    file.write_text(tenants)
    with app.app_context(), tenant_scope("desk"):
        tenant = app.extensions["tenants"].current().by_key["desk"]
        account = accounts.add_account(tenant, by=SYSTEM, name="一番")
        person = Person("山田", "太郎", "yamada@one.example", is_representative=True)
        hashed = passwords.hash_password(PASSWORD)
        member = accounts.add_member(tenant, account, person, by=SYSTEM, password_hash=hashed)
        contract_of(tenant, account, member)
        session().commit()
    return environment(settings, PORTAL_TENANTS=str(file))


def begin_chat(page: Page, port: int) -> str:
    page.goto(f"http://desk.localhost:{port}/chat")
    page.fill("[name=email]", "yamada@one.example")
    page.fill("[name=password]", PASSWORD)
    page.click("main form button")
    page.select_option("[name=category]", label="その他のお問い合わせ")
    page.fill("[name=body]", "動きません。")
    page.check("[name=agreed]")
    page.get_by_role("button", name="チャットを始める").click()
    page.wait_for_url("**/chat/*")
    return page.url.rpartition("/")[2]


def said(page: Page) -> list[str]:
    return page.locator("article.line p:last-child").all_inner_texts()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_two_talk_and_neither_a_cut_line_nor_a_new_server_loses_a_word(
    env: dict[str, str], page_for: PageFor
) -> None:
    """SUP-11: at once at both sides, typing shown, resumed without loss or double."""
    port, page = free_port(), page_for(DESKTOP)
    terminal = Terminal(env)
    try:
        with serving(port, env):
            number = begin_chat(page, port)
            terminal.sees(rf"\+ {number} その他のお問い合わせ\r?\n{number} 山田 太郎: 動きません。")
            terminal.type(f"/{number}\r")
            terminal.sees(rf"{number}> ")
            terminal.type("承り")
            expect(page.locator("#tail")).to_contain_text("担当者が入力中です", timeout=5000)
            terminal.type("ました。\r")
            expect(page.locator("article.line")).to_have_count(2, timeout=5000)
            page.locator("[name=body]").press_sequentially("型番は")
            terminal.sees(rf"{number} 山田 太郎 …")
            page.fill("[name=body]", "型番は K-12 です。\n急ぎます。")
            page.get_by_role("button", name="送信する").click()
            terminal.sees(
                rf"{number} 山田 太郎: 型番は K-12 です。\r?\n{number} 山田 太郎: 急ぎます。"
            )
            expect(page.locator("article.line")).to_have_count(3, timeout=5000)
            expect(page.locator("[name=body]")).to_have_value("")
            page.context.set_offline(True)
            terminal.type("回線が切れている間の返事。\r")
            time.sleep(1.5)
            page.context.set_offline(False)
            expect(page.locator("article.line")).to_have_count(4, timeout=20_000)
        terminal.type("サーバーが止まっている間の返事。\r")
        time.sleep(1.5)
        with serving(port, env):
            expect(page.locator("article.line")).to_have_count(5, timeout=30_000)
            page.fill("[name=body]", "届きました。")
            page.get_by_role("button", name="送信する").click()
            terminal.sees(rf"{number} 山田 太郎: 届きました。")
            expect(page.locator("article.line")).to_have_count(6, timeout=10_000)
            terminal.type("/end\r")
            expect(page.locator("#tail")).to_contain_text(
                "このチャットは終了しました", timeout=10_000
            )
            assert said(page) == [
                "動きません。",
                "承りました。",
                "型番は K-12 です。\n急ぎます。",
                "回線が切れている間の返事。",
                "サーバーが止まっている間の返事。",
                "届きました。",
            ]
            terminal.type("/quit\r")
            assert terminal.process.wait(10) == 0
    finally:
        terminal.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_several_chats_in_one_terminal_and_a_phone_without_scripts(
    env: dict[str, str], page_for: PageFor
) -> None:
    """SUP-11, COM-23"""
    port = free_port()
    terminal = Terminal(env)
    try:
        with serving(port, env):
            pages = [page_for(PHONE, javascript=False), page_for(DESKTOP)]
            numbers = [begin_chat(page, port) for page in pages]
            for number, page in zip(numbers, pages, strict=True):
                terminal.sees(rf"{number} 山田 太郎: 動きません。")
                terminal.type(f"/{number}\rこちらは{number}です。\r")
                terminal.sees(rf"{number}> ")
                deadline = time.monotonic() + 10
                while (
                    f"こちらは{number}です。" not in page.content() and time.monotonic() < deadline
                ):
                    time.sleep(0.3)
                    if page is pages[0]:
                        page.get_by_role("link", name="最新の状態に更新").click()
            assert [said(page)[-1] for page in pages] == [
                f"こちらは{number}です。" for number in numbers
            ]
            pages[0].fill("[name=body]", "携帯からです。")
            pages[0].get_by_role("button", name="送信する").click()
            terminal.sees(rf"{numbers[0]} 山田 太郎: 携帯からです。")
            terminal.type("/list\r")
            terminal.sees(rf"{numbers[0]} 対応中 山田 太郎 その他のお問い合わせ")
            terminal.type("/nowhere\r")
            terminal.sees("! お問い合わせが見つかりません")
    finally:
        terminal.close()
