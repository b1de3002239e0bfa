"""The rules of a new password, ticked off while it is typed (COM-11)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from portal.config.schema_password import PasswordRules
from portal.shared.auth.passwords import Context, rules_for
from tests.browser.conftest import Address, SignedIn
from tests.support.browser import PageFor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
SCRIPT = Path(__file__).resolve().parents[2] / "portal/static/js/password.js"
HANAKO = Context("hana01", "h.yamada@one.example")
TYPED = [
    *(
        "aaa012345",
        "ABCDE999",
        "Tr4m.Kle",
        "Tr4m.Kle-_=+x",
        "Tr4m!Kle",
        "x-HANA01-B",
        "Ｔr4m.Kle",
        "Yamada77",
    ),
    *("kr7!xq\\~`|]^[-", "a\nb\nc\n\n\n", "𠮷𠮷𠮷", "password-A1", "𠮷𠮶𠀋𡈽𡌛𡑮𡢽", "é1A"),
]
ALL = (
    PasswordRules(),
    PasswordRules(preset="legacy-8-12"),
    PasswordRules(preset="legacy-6-20"),
    PasswordRules(half_width=True, symbols=r"\]^-[", required=("letter", "symbol"), longest_run=1),
)


def test_each_line_says_whether_it_is_kept(signed_in: SignedIn, address: Address) -> None:
    """COM-11: as the person types; what the server alone can tell stays open."""
    page = signed_in()
    page.goto(address("facility") + "/account/password")
    rules = page.get_by_role("list", name="パスワードの条件")
    expect(rules.get_by_role("listitem")).to_have_count(5)
    page.get_by_label("新しいパスワード", exact=False).first.fill("my-hanako")
    expect(rules.locator("[data-rule=min]")).to_contain_text("満たしていません")
    expect(rules.locator("[data-rule=login_id]")).to_have_attribute("data-verdict", "broken")
    page.get_by_label("新しいパスワード", exact=False).first.fill("wet tram on monday")
    expect(rules.locator("[data-verdict=kept]")).to_have_count(4)
    expect(rules.locator("[data-rule=common]")).to_have_attribute("data-verdict", "")


def test_without_scripts_the_list_simply_stands_there(
    signed_in: SignedIn, address: Address
) -> None:
    """COM-11, COM-25"""
    page = signed_in(javascript=False)
    page.goto(address("facility") + "/account/password")
    expect(page.get_by_role("list", name="パスワードの条件")).to_contain_text("12文字以上")


def verdicts(page: Page, rules: PasswordRules, typed: str) -> dict[str, str]:
    """What the script says of each rule."""
    tests = [rule.as_data(HANAKO) for rule in rules_for(rules)]
    return dict(
        page.evaluate(
            """([tests, typed]) => {
              const list = document.querySelector("ul");
              list.dataset.passwordRules = tests;
              list.replaceChildren(...JSON.parse(tests).map(({ key }) => {
                const line = document.createElement("li");
                line.dataset.rule = key;
                line.append(document.createElement("i"), document.createElement("b"));
                line.lastChild.className = "vh";
                return line;
              }));
              document.querySelector("textarea").value = typed;
              document.querySelector("textarea").dispatchEvent(new Event("input", { bubbles: true }));
              return [...list.children].map((line) => [line.dataset.rule, line.dataset.verdict]);
            }""",
            [json.dumps(tests), typed],
        )
    )


@pytest.mark.parametrize("rules", ALL)
def test_page_and_server_say_the_same_of_each_rule(page_for: PageFor, rules: PasswordRules) -> None:
    """COM-11: the browser's own reading of the patterns, for every rule there is."""
    page = page_for()
    page.set_content('<ul data-password-rules="[]" data-for="p"></ul><textarea id="p"></textarea>')
    page.add_script_tag(content=SCRIPT.read_text(encoding="utf-8"))
    for typed in TYPED:
        for rule in rules_for(rules):
            said = verdicts(page, rules, typed)[rule.key]
            held = rule.holds(typed, HANAKO)
            assert said == ("broken" if not held else "kept") or (
                said == "" and rule.key == "common"
            ), typed
