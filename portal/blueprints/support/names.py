"""What may stand as a contact's name: one person's, not a company's, a department's or several
people's (SUP-06).
"""

import re
import unicodedata

from portal.core import RuleBroken, gettext_noop

_COMPANY = re.compile(
    r"(?:株式|有限|合同|合資|合名|相互)会社|[（(][株有合社財学医][)）]|[㈱㈲㈳㈶㈻]"
    r"|(?:社団|財団|学校|医療|宗教)法人"
)
_DEPARTMENT_WORDS = (
    r"(?:総務|人事|労務|経理|財務|会計|法務|広報|宣伝|企画|営業|販売|購買|調達|資材|物流|製造|生産|工場"
    r"|技術|開発|設計|研究|品質|保証|管理|情報|通信|電算|システム|サポート|ヘルプデスク|受付|秘書|業務"
    r"|事務|運用|保守|監査|経営|社長|役員|編集|外商|国際|海外|国内|法人|推進|事業|相談|庶務|契約|審査"
    r"|環境|安全|施設|設備|教育|研修|支援|統括|総合|戦略|本部|代表|各位|様)"
)
_ONLY_DEPARTMENT_WORDS = re.compile(rf"{_DEPARTMENT_WORDS}+")
_OFFICE_ENDS = re.compile(
    r"(?:課|係|窓口|センター|グループ|チーム|担当|事務局|本社|支店|支社|営業所|御中)$"
)
_DEPARTMENT_ENDS = re.compile(
    rf"(?:{_DEPARTMENT_WORDS}|第[0-9一二三四五六七八九十]+|[0-9]|[A-Za-zァ-ヶー]|^.{{4,}})(?:部|室)$"
)
"""部 and 室 tell a department only behind a word, or a length, that no name has: 阿部, 長宗我部 and
氷室 are people.
"""
# Not the middle dot, which stands in names written in katakana.
_SEVERAL = re.compile(r"[/、,;&+＆]")
_NO_PERSON = gettext_noop("会社名・部署名ではなく、ご担当者の個人名を入力してください。")
_NO_PERSON_YET = gettext_noop(
    "会社名・部署名ではなく、ご担当者の個人名を入力してください。"
    "個人名の場合は、「名」も入力すると登録できます。"
)
_ONE_EACH = gettext_noop(
    "おひとりずつ登録してください。1つの欄に複数の方のお名前は入力できません。"
)


def check_person(family_name: str, given_name: str) -> None:
    """Refuse what is no single person's name (SUP-06). Raises RuleBroken at the part that is to
    blame.

    A department is told by how the whole name ends (係 一郎 is a person), or by being made of
    department words alone: 総務 is one, 総務 太郎 is not.
    """
    # For the comparison alone: ㈱ and （株） are one word, and names are kept as they were typed.
    family = unicodedata.normalize("NFKC", family_name).strip()
    given = unicodedata.normalize("NFKC", given_name).strip()
    for part, typed, field in (
        (family, family_name, "family_name"),
        (given, given_name, "given_name"),
    ):
        if _SEVERAL.search(part):
            raise RuleBroken(_ONE_EACH, field=field)
        if _COMPANY.search(part) or _COMPANY.search(typed):
            raise RuleBroken(_NO_PERSON, field=field)
    if given and _is_department(given):
        raise RuleBroken(_NO_PERSON, field="given_name")
    # With a given name beside it the same word is a family name: 係 一郎.
    if not given and _is_department(family):
        raise RuleBroken(_NO_PERSON_YET, field="family_name")


def _is_department(part: str) -> bool:
    """Whether a part of a name ends as a department's does, or is made of such words alone."""
    words = _ONLY_DEPARTMENT_WORDS.fullmatch(re.sub(r"\s", "", part))
    return bool(words or _OFFICE_ENDS.search(part) or _DEPARTMENT_ENDS.search(part))
