"""The form of an address."""

from wtforms import HiddenField

from portal.web.address import AddressFields, telephone_field
from portal.web.forms import line, version_number
from portal.web.i18n import lazy as _l


class AddressForm(AddressFields):
    """送付先."""

    first = ("name", "department", "person")
    version = HiddenField(filters=[version_number])
    name = line(_l("会社名・お名前"), required=True)
    department = line(_l("部署名"), longest=80)
    person = line(_l("ご担当者"), longest=80)
    telephone = telephone_field(_l("電話番号"))
    fax = telephone_field(_l("FAX番号"))
