"""The macros that draw every form and list: what a screen reader and a keyboard get from them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from jinja2 import Environment, FileSystemLoader, pass_context
from markupsafe import Markup
from wtforms import BooleanField, Form, HiddenField, RadioField, StringField, validators

TEMPLATES = Path(__file__).resolve().parents[2] / "portal/templates"


class Sample(Form):  # type: ignore[misc]
    """One field of each kind that is drawn in its own way."""

    token = HiddenField(default="t")
    name = StringField(
        "お名前", [validators.InputRequired("お名前を入力してください")], description="全角で"
    )
    note = StringField("備考")
    kind = RadioField(
        "種類", [validators.InputRequired("種類を選択してください")], choices=["甲", "乙"]
    )
    agree = BooleanField("同意する", [validators.InputRequired("同意が必要です")])


@pytest.fixture
def env() -> Environment:
    """Return the templates as the app sees them, untranslated."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, extensions=["jinja2.ext.i18n"]
    )
    environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    environment.globals["asset"] = "/static/{}".format
    environment.globals["page_token"] = str
    environment.globals["once"] = pass_context(
        lambda context, name: Markup(
            context.environment.get_template(name).render(context.get_all())
        )
    )
    return environment


@pytest.fixture
def wrong() -> Sample:
    """Return a form that was sent empty."""
    form = Sample(name="")
    form.validate()
    return form


def draw(env: Environment, file: str, call: str, **given: object) -> str:
    """Return what one macro call draws."""
    return env.from_string(f'{{% import "shared/{file}" as m %}}{{{{ m.{call} }}}}').render(**given)


def test_a_wrong_field_points_to_its_message_and_its_hint(env: Environment, wrong: Sample) -> None:
    """COM-23: the message stands at the field."""
    html = draw(env, "fields.html", "field(f)", f=wrong.name)
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="name-h name-e"' in html
    assert 'id="name-h"' in html
    assert 'id="name-e"' in html
    assert "お名前を入力してください" in html


def test_a_right_field_says_nothing_about_errors(env: Environment) -> None:
    html = draw(env, "fields.html", "field(f)", f=Sample().note)
    assert "aria-invalid" not in html
    assert "aria-describedby" not in html
    assert "任意" in html


def test_what_must_be_filled_in_is_marked(env: Environment) -> None:
    assert "必須" in draw(env, "fields.html", "field(f)", f=Sample().name)


def test_attributes_reach_the_input(env: Environment) -> None:
    html = draw(env, "fields.html", 'field(f, autocomplete="name")', f=Sample().name)
    assert 'autocomplete="name"' in html


def test_radio_buttons_stand_in_a_group_with_a_legend(env: Environment, wrong: Sample) -> None:
    html = draw(env, "fields.html", "field(f)", f=wrong.kind)
    assert "<fieldset" in html
    assert "<legend>種類" in html
    assert 'aria-describedby="kind-e"' in html


def test_the_summary_links_to_each_wrong_field(env: Environment, wrong: Sample) -> None:
    """COM-23: a summary at the top that links to the fields and can take the focus."""
    html = draw(env, "fields.html", "error_summary(form)", form=wrong)
    assert 'role="alert"' in html
    assert 'tabindex="-1"' in html
    assert [
        target for target in ("#name", "#kind-0", "#agree") if f'href="{target}"' not in html
    ] == []


def test_a_right_form_has_no_summary(env: Environment) -> None:
    assert draw(env, "fields.html", "error_summary(form)", form=Sample()).strip() == ""


def test_hidden_draws_only_what_is_hidden(env: Environment) -> None:
    html = draw(env, "fields.html", "hidden(form)", form=Sample())
    assert 'name="token"' in html
    assert 'name="note"' not in html


def test_the_present_step_is_marked(env: Environment) -> None:
    """COM-22: 入力 → 内容確認 → 完了."""
    html = draw(env, "fields.html", "steps(2)")
    assert html.count('aria-current="step"') == 1
    assert html.index('class="done"') < html.index('aria-current="step"')


def test_what_was_typed_is_escaped(env: Environment) -> None:
    html = draw(
        env,
        "fields.html",
        "review(rows)",
        rows=[("備考", "<script>1</script>"), ("印", Markup("<b>済</b>"))],
    )
    assert "&lt;script&gt;" in html
    assert "<b>済</b>" in html


@pytest.mark.parametrize(
    ("amount", "text"), [(174200, "¥174,200"), (-500, "-¥500"), (0, "¥0"), (None, "—")]
)
def test_yen(env: Environment, amount: int | None, text: str) -> None:
    assert draw(env, "ui.html", "yen(amount)", amount=amount).strip() == text


@pytest.mark.parametrize(
    ("used", "limit", "width"), [(0, 6, "0%"), (2, 6, "33%"), (9, 6, "100%"), (0, 0, "100%")]
)
def test_use_is_drawn_against_the_limit(
    env: Environment, used: int, limit: int, width: str
) -> None:
    """COM-41, COM-43: use may lie above a lowered limit, the bar never leaves its frame."""
    html = draw(env, "ui.html", "usage_bar(used, limit, '名')", used=used, limit=limit)
    assert f'class="fg" width="{width}"' in html
    assert f"<b>{used}</b> / {limit}名" in html
    assert ("上限超過" in html) is (used > limit)


def test_a_button_that_is_off_says_why(env: Environment) -> None:
    """FAC-04: the reason stands beside it, and a screen reader hears it."""
    html = draw(env, "ui.html", "disabled('請求書発行', '金額の確定後に発行できます', 'iv')")
    assert 'aria-disabled="true"' in html
    assert 'aria-describedby="iv-why"' in html
    assert 'id="iv-why">金額の確定後に発行できます' in html


def test_the_count_is_announced(env: Environment) -> None:
    """COM-21: the count."""
    html = draw(env, "ui.html", "count_line(14, 1, 14)")
    assert 'role="status"' in html
    assert "全14件中 1–14件を表示" in html


def test_a_list_of_one_page_has_no_pager(env: Environment) -> None:
    page = SimpleNamespace(previous_href=None, next_href=None)
    assert draw(env, "ui.html", "pager(page)", page=page).strip() == ""


def test_page_turns_are_links_that_htmx_quickens(env: Environment) -> None:
    """COM-25: a link works without JavaScript."""
    page = SimpleNamespace(previous_href=None, next_href="/list?after=9&q=a")
    html = draw(env, "ui.html", "pager(page, 'results')", page=page)
    assert 'href="/list?after=9&amp;q=a"' in html
    assert 'data-hx-target="#results"' in html
    assert 'rel="prev"' not in html
