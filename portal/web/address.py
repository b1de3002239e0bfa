"""The fields of a Japanese postal address, with "住所を自動入力" (COM-24), for every form that has one."""

from typing import Any

from flask import request
from wtforms import SelectField
from wtforms.validators import AnyOf, InputRequired

from portal.core import text
from portal.shared.contacts import postal
from portal.web.forms import PREFECTURES, Form, choices, cleaned, line
from portal.web.i18n import lazy as _l

TELEPHONE = _l("電話番号は10桁または11桁の数字で入力してください。")


def telephone_field(label: Any, **kwargs: Any) -> Any:
    """A telephone or fax number."""
    return cleaned(label, text.telephone, TELEPHONE, render_kw={"inputmode": "tel"}, **kwargs)


class AddressFields(Form):
    """郵便番号 to 建物名. `places` are what a pressed "住所を自動入力" found, None when it was not pressed."""

    places: tuple[postal.Place, ...] | None = None
    postal_code = cleaned(
        _l("郵便番号"),
        text.postal_code,
        _l("郵便番号は7桁の数字で入力してください。"),
        required=True,
        render_kw={"autocomplete": "postal-code", "inputmode": "numeric"},
    )
    prefecture = SelectField(
        _l("都道府県"),
        choices=choices(zip(PREFECTURES, PREFECTURES, strict=True), _l("選択してください")),
        validators=[
            InputRequired(_l("選択してください。")),
            AnyOf(PREFECTURES, _l("選択してください。")),
        ],
        render_kw={"autocomplete": "address-level1"},
    )
    city = line(_l("市区町村"), required=True, longest=60)
    street = line(_l("町名・番地"), required=True)
    building = line(_l("建物名・部屋番号"))

    def filled_in(self) -> bool:
        """Whether "住所を自動入力" was pressed: empty fields are filled from the postal code, typed ones never changed.

        Where several places share the code, all of them are offered; the one that was picked fills in.
        """
        pressed = request.form.get("places")
        if pressed is None:
            return False
        self.places = postal.find(self.postal_code.data or "")
        picked = text.whole_number(pressed) or 0
        if len(self.places) == 1 or 0 < picked <= len(self.places):
            place = self.places[max(picked, 1) - 1]
            for field in (self.prefecture, self.city, self.street):
                field.data = field.data or getattr(place, field.name)
        return True
