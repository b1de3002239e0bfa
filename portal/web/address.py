"""The fields of a Japanese postal address, with "住所を自動入力" (COM-24)."""

from dataclasses import dataclass

from flask import request
from wtforms import SelectField
from wtforms.validators import AnyOf, InputRequired

from portal.core import text
from portal.shared.contacts import postal
from portal.web.forms import Form, PostalCodeField, TelephoneField, choices, cleaned, name_line
from portal.web.i18n import Label
from portal.web.i18n import lazy as _l

PREFECTURES = (
    "北海道 青森県 岩手県 宮城県 秋田県 山形県 福島県 茨城県 栃木県 群馬県 "
    "埼玉県 千葉県 東京都 神奈川県 新潟県 富山県 石川県 福井県 山梨県 長野県 "
    "岐阜県 静岡県 愛知県 三重県 滋賀県 京都府 大阪府 兵庫県 奈良県 和歌山県 "
    "鳥取県 島根県 岡山県 広島県 山口県 徳島県 香川県 愛媛県 高知県 福岡県 "
    "佐賀県 長崎県 熊本県 大分県 宮崎県 鹿児島県 沖縄県 "
).split()


def telephone_field(label: Label, *, required: bool = False) -> TelephoneField:
    """A telephone or fax number."""
    wrong = _l("%(label)sは10桁または11桁の数字で入力してください。", label=label)
    field: TelephoneField = cleaned(
        label,
        text.telephone,
        wrong,
        required=required,
        kind=TelephoneField,
        render_kw={"inputmode": "tel"},
    )
    return field


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
    """郵便番号 to 建物名.

    `lookup` is what a pressed "住所を自動入力" came to, None when it was not pressed.
    """

    lookup: Lookup | None = None
    postal_code = cleaned(
        _l("郵便番号"),
        text.postal_code,
        _l("郵便番号は7桁の数字で入力してください。"),
        required=True,
        kind=PostalCodeField,
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
        """Whether "住所を自動入力" was pressed: empty fields are filled from the postal code, typed
        ones stay (COM-24).

        Where several places share the code, all of them are offered; the one that was picked fills
        in. What was typed is replaced by a button of its own alone.
        """
        pressed = request.form.get("places", request.form.get("replace"))
        if pressed is None or self.postal_code.flags.locked:
            return False
        places = postal.find(self.postal_code.data or "")
        index = _place_number(pressed, len(places))
        if index == 0:
            self.lookup = Lookup(places)
        else:
            self.lookup = self._fill_in(places, index, replaces="replace" in request.form)
        return True

    def _fill_in(self, places: tuple[postal.Place, ...], index: int, *, replaces: bool) -> Lookup:
        """Fill in the fields of one place, the `index`th from 1, and tell which."""
        place = places[index - 1]
        filled = []
        kept = []
        for field in (self.prefecture, self.city, self.street):
            found = getattr(place, field.name)
            # A street that begins with the town is that town's, with the house number added.
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
