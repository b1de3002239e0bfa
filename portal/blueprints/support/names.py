"""What may stand as a contact's name: one person's, not a company's, a department's or several people's (SUP-06)."""

import re
import unicodedata

from portal.core import RuleBroken, gettext_noop

_COMPANY = re.compile(
    r"(?:株式|有限|合同|合資|合名|相互)会社|[（(][株有合社財学医][)）]|[㈱㈲㈳㈶㈻]"
    r"|(?:社団|財団|学校|医療|宗教)法人"
)
_DEPARTMENT_ENDS = re.compile(
    r"(?:部|課|係|室|窓口|センター|グループ|チーム|担当|事務局|本社|支店|支社|営業所|御中)$"
)
_DEPARTMENT_WORDS = re.compile(
    r"(?:総務|人事|労務|経理|財務|会計|法務|広報|企画|営業|販売|購買|調達|資材|物流|製造|生産|工場"
    r"|技術|開発|設計|研究|品質|保証|管理|情報|システム|サポート|ヘルプデスク|受付|秘書|業務|事務"
    r"|運用|保守|監査|経営|本部|代表|各位|様)+"
)
_SEVERAL = re.compile(r"[/、,;&+＆]")
_NO_PERSON = gettext_noop("会社名・部署名ではなく、ご担当者の個人名を入力してください。")
_ONE_EACH = gettext_noop(
    "おひとりずつ登録してください。1つの欄に複数の方のお名前は入力できません。"
)


def check_person(name: str) -> None:
    """Refuse what is no single person's name. Raises RuleBroken at ``family_name``.

    A department is told by how the whole name ends (阿部 太郎 is a person), or by being made of such words alone:
    総務 is one, 総務 太郎 is not.
    """
    plain = unicodedata.normalize("NFKC", name).strip()
    if _SEVERAL.search(plain):
        raise RuleBroken(_ONE_EACH, field="family_name")
    is_department = _DEPARTMENT_ENDS.search(plain) or _DEPARTMENT_WORDS.fullmatch(
        re.sub(r"\s", "", plain)
    )
    if _COMPANY.search(name) or _COMPANY.search(plain) or is_department:
        raise RuleBroken(_NO_PERSON, field="family_name")
