"""The fields of a Japanese postal address, with "住所を自動入力" (COM-24), for every form that has one."""

from dataclasses import dataclass
from typing import Any

from flask import request
from wtforms import SelectField
from wtforms.validators import AnyOf, InputRequired

from portal.core import text
from portal.shared.contacts import postal
from portal.web.forms import PREFECTURES, DigitsField, Form, choices, cleaned, name_line
from portal.web.i18n import lazy as _l


def telephone_field(label: Any, **kwargs: Any) -> Any:
    """A telephone or fax number."""
    wrong = _l("%(label)sは10桁または11桁の数字で入力してください。", label=label)
    return cleaned(
        label,
        text.telephone,
        wrong,
        kind=DigitsField,
        write=text.format_telephone,
        render_kw={"inputmode": "tel"},
        **kwargs,
    )


@dataclass(frozen=True)
class Lookup:
    """What a pressed "住所を自動入力" found and did.

    `places` are those with the postal code. `filled` are the labels of the fields that it filled
    in, `kept` of those that hold something else and were left as they are. `picked` is the place it
    went by, None where one of several is to be picked first; `index` is its number among them, from
    1.
    """

    places: tuple[postal.Place, ...]
    picked: postal.Place | None = None
    index: int = 0
    filled: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


class AddressFields(Form):
    """郵便番号 to 建物名. `lookup` is what a pressed "住所を自動入力" came to, None when it was not pressed."""

    lookup: Lookup | None = None
    postal_code = cleaned(
        _l("郵便番号"),
        text.postal_code,
        _l("郵便番号は7桁の数字で入力してください。"),
        required=True,
        kind=DigitsField,
        write=text.format_postal_code,
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
    city = name_line(_l("市区町村"), required=True, longest=60, printed=True)
    street = name_line(_l("町名・番地"), required=True, printed=True)
    building = name_line(_l("建物名・部屋番号"), printed=True)

    def filled_in(self) -> bool:
        """Whether "住所を自動入力" was pressed: empty fields are filled from the postal code, typed ones
        stay (COM-24).

        Where several places share the code, all of them are offered; the one that was picked fills
        in. What was typed is replaced by a button of its own alone.
        """
        pressed = request.form.get("places", request.form.get("replace"))
        if pressed is None or self.postal_code.flags.locked:
            return False
        places = postal.find(self.postal_code.data or "")
        index = _place_number(pressed, len(places))
        place = places[index - 1] if index else None
        self.lookup = self._fill_in(places, place, index, replaces="replace" in request.form)
        return True

    def _fill_in(
        self,
        places: tuple[postal.Place, ...],
        place: postal.Place | None,
        index: int,
        *,
        replaces: bool,
    ) -> Lookup:
        """Fill the fields of one place in, and tell which."""
        if place is None:
            return Lookup(places)
        filled = []
        kept = []
        for field in (self.prefecture, self.city, self.street):
            found = getattr(place, field.name)
            if not found or (field.data or "").startswith(found):
                continue
            if field.data and not replaces:
                kept.append(str(field.label.text))
                continue
            field.data = found
            filled.append(str(field.label.text))
        return Lookup(places, place, index, tuple(filled), tuple(kept))


def _place_number(pressed: str, how_many: int) -> int:
    """Which of so many places is meant, from 1; 0 where none is, or one of several is still to be
    picked.
    """
    if how_many == 1:
        return 1
    number = text.whole_number(pressed) or 0
    return number if number <= how_many else 0
