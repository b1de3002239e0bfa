"""The search form of reservations (FAC-02)."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import DateField, SelectField
from wtforms.validators import Optional, ValidationError

from portal.blueprints.facility.models import Status
from portal.blueprints.facility.queries import Search
from portal.core.text import normalise
from portal.web.forms import choices, line, normaliser
from portal.web.i18n import lazy as _l

_DATE_FORMATS = ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d"]


class DayField(DateField):  # type: ignore[misc]
    """A date that may also be typed with slashes or full-width digits."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Normalise before parsing."""
        super().process_formdata([normaliser(normalise)(value) for value in valuelist])


class SearchForm(FlaskForm):  # type: ignore[misc]
    """What a member types to search; read from the query string, so it needs no token."""

    class Meta:
        """A GET form."""

        csrf = False

    number = line(_l("予約番号"), longest=20)
    status = SelectField(
        _l("ステータス"),
        choices=choices(((s.value, _l(s.label)) for s in Status), _l("すべて")),
        default="",
        validators=[Optional()],
    )
    facility = line(_l("設備予約情報"))
    since = DayField(_l("ご利用日（開始）"), format=_DATE_FORMATS, validators=[Optional()])
    until = DayField(_l("ご利用日（終了）"), format=_DATE_FORMATS, validators=[Optional()])

    def validate_until(self, field: DayField) -> None:
        """The end is not before the start."""
        if field.data and self.since.data and field.data < self.since.data:
            raise ValidationError(_l("終了日は開始日以降の日付を入力してください。"))

    def search(self) -> Search:
        """The search as the queries understand it."""
        return Search(
            number=self.number.data or "",
            status=Status(self.status.data) if self.status.data else None,
            facility=self.facility.data or "",
            since=self.since.data,
            until=self.until.data,
        )
