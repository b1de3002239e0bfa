"""Text as people type it, made into text as it is stored (COM-23).

Each function is idempotent, and raises ValueError for what cannot be text of its kind.

Free text is theirs: `one_line` and `multiline` keep its characters. Names of persons and addresses
come in the usual width (`usual_width`), which leaves ① and ㈱ alone. What has a shape (numbers,
codes, telephones, kana) is `normalise`d.
"""

import re
import unicodedata
from typing import Literal

from portal.core.errors import gettext_noop

# NFKC would spoil these: it makes "~" of a full-width tilde and three full stops of an ellipsis,
# and it exchanges the variant characters of people's names (U+F900 on) for the common ones, which
# their owners take for a misspelling.
_AS_TYPED = re.compile("([…‥\uf900-\ufaff\U0002f800-\U0002fa1f]+)")
# Format characters, surrogates and unassigned code points are not seen, and make two names that
# look alike differ.
_DROPPED = ("Cf", "Cs", "Cn")
_OTHER_WIDTH = re.compile("[\u3000\uff01-\uff5d\uff5f-\uffdf\uffe0-\uffee]+")
"""Full-width Latin and half-width kana and signs, beside U+FF5E: see `normalise`."""
_BREAKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
# The long-vowel mark too: an input method makes it of the hyphen key (０３ー１２３４).
_HYPHENS = re.compile("[-‐‑‒–—―−ー─━ｰ－]")
# Eleven digits after 050, 060, 070, 080 and 090, ten after everything else.
_TELEPHONE = re.compile(r"0(?![5-9]0)[1-9][0-9]{8}|0[5-9]0[0-9]{8}")
_TEN_BY_FOUR = ("0120", "0170", "0180", "0570", "0990")
# 04 is an area code of two digits only before 29 and 71 (所沢, 柏).
_TWO_DIGIT_AREA = ("03", "06", "0429", "0471")
# Area codes of four digits: after these three digits, these fourth ones. All others have three.
_FOUR_DIGIT_AREA = dict(
    entry.split(":")
    for entry in (
        "012:3456 013:3456789 014:23456 015:2345678 016:234567 017:2345689 018:234567 019:1234578 "
        "022:0456789 023:34578 024:01234678 025:04689 026:01356789 027:046789 028:0234578 "
        "029:145679 042:28 043:689 046:03567 047:05689 048:0 049:345 053:1236789 054:4578 "
        "055:01345678 056:123456789 057:2345678 058:14567 059:456789 072:15 073:56789 "
        "074:023456789 076:135678 077:01234689 079:016789 082:0367 083:34568 084:5678 "
        "085:23456789 086:36789 087:579 088:034579 089:2345678 092:0 093:0 094:02346789 "
        "095:0245679 096:456789 097:234789 098:0234567 099:34567"
    ).split()
)
_POSTAL_CODE = re.compile(r"[0-9]{7}")
_KANA = re.compile(r"[ァ-ヺー・ヽヾ ]*")
_LOGIN_ID = re.compile(r"[A-Za-z0-9._-]{4,40}")
LOGIN_ID_FORMAT = gettext_noop(
    "ログインIDは、半角の英字・数字と . _ - を使って、4文字以上40文字以内で入力してください。"
)
# Dots stand anywhere before the @: telephone companies gave out addresses like "a..b.@" and people
# still have them.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(
    rf"(?=.{{1,254}}\Z)[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~.-]{{1,64}}@(?:{_LABEL}\.)+{_LABEL}"
)


def normalise(text: str) -> str:
    """One line of text: usual width (NFKC), no control characters, single spaces, none at the ends.

    Names keep the variant characters they are written with (U+FA19 is not made U+795E); a
    full-width tilde becomes 〜.
    """
    visible = "".join(_visible(character) for character in text.replace("～", "〜"))
    return _BREAKS.sub(" ", _composed("NFKC", visible)).strip()


def usual_width(text: str) -> str:
    """One line of text in the usual width, its other characters as typed; single spaces, none at
    the ends.

    Full-width digits and half-width kana are exchanged, ① and ㈱ are not.
    """
    usual = _OTHER_WIDTH.sub(_in_usual_width, one_line(text).replace("～", "〜"))
    return _BREAKS.sub(" ", _composed("NFC", usual)).strip()


def _in_usual_width(found: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", found[0])


def one_line(text: str) -> str:
    """One line of free text: the characters as typed, no control characters, no blank ends."""
    return _composed("NFC", "".join(map(_visible, text))).strip()


def multiline(text: str) -> str:
    """Free text: the characters as typed, line ends as LF, no control characters, no blank ends."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    visible = ("".join(map(_visible, line)).rstrip() for line in lines)
    return _composed("NFC", "\n".join(visible)).strip()


def _composed(form: Literal["NFC", "NFKC"], text: str) -> str:
    """`text` in a Unicode normal form, but for the characters that it would spoil."""
    parts = _AS_TYPED.split(text)
    parts[::2] = [unicodedata.normalize(form, part) for part in parts[::2]]
    return "".join(parts)


def number_spellings(text: str) -> list[str]:
    """The public numbers that somebody may mean who typed `text`: FR000123 for ``ｆｒ-000123``.

    Numbers are capitals and digits; those of an older system may have hyphens, so both are tried.
    """
    plain = normalise(text).replace("\0", "").upper()
    hyphened = _HYPHENS.sub("-", plain).replace(" ", "")
    return list(dict.fromkeys((hyphened, hyphened.replace("-", ""))))


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category in _DROPPED:
        return ""
    return " " if category in ("Cc", "Zl", "Zp") else character


def digits(text: str) -> str:
    """The digits in `text`, as ASCII, and nothing else."""
    return "".join(character for character in normalise(text) if character in "0123456789")


def whole_number(text: str, *, longest: int = 9) -> int | None:
    """The number that at most `longest` ASCII digits are; None for anything else.

    `int` alone takes digits of all scripts and as many as a person cares to send, and raises over
    some of them; a column of a database takes nine digits, or eighteen where it is a BIGINT.
    """
    return int(text) if re.fullmatch(rf"[0-9]{{1,{longest}}}", text) else None


def _without_hyphens(text: str) -> str:
    return _HYPHENS.sub("", normalise(text)).replace(" ", "")


def telephone(text: str) -> str:
    """A Japanese number as 10 or 11 digits; hyphens of any make, brackets and +81 are understood.

    Raises ValueError.
    """
    # The 0 that falls away behind +81 is often written all the same, in brackets or not.
    number = re.sub(r"[().]", "", re.sub(r"^\+81(?:\(0\)|0)?", "0", _without_hyphens(text)))
    return _matching(_TELEPHONE, number, "電話番号を正しく入力してください。")


def _matching(pattern: re.Pattern[str], text: str, otherwise: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(otherwise)
    return text


def format_telephone(number: str) -> str:
    """ "0312345678" → "03-1234-5678", by its area code as far as four digits tell it; anything else
    stays as it is.
    """
    if not _TELEPHONE.fullmatch(number):
        return number
    first, second = _groups(number)
    return f"{number[:first]}-{number[first : first + second]}-{number[first + second :]}"


def _groups(number: str) -> tuple[int, int]:
    """How many digits stand before the first hyphen, and how many before the second."""
    # 0800 is toll-free and grouped by four digits, unlike the mobile numbers of 080.
    if len(number) == len("09012345678"):
        return (4, 3) if number.startswith("0800") else (3, 4)
    if number.startswith(_TEN_BY_FOUR):
        return 4, 3
    if number.startswith(_TWO_DIGIT_AREA):
        return 2, 4
    return (4, 2) if number[3] in _FOUR_DIGIT_AREA.get(number[:3], "") else (3, 3)


def postal_code(text: str) -> str:
    """A postal code as seven digits; 〒, hyphens and spaces are understood. Raises ValueError."""
    return _matching(
        _POSTAL_CODE,
        _without_hyphens(text).removeprefix("〒"),
        "郵便番号は7桁の数字で入力してください。",
    )


def format_postal_code(code: str) -> str:
    """ "1234567" → "123-4567". Anything else comes back as it is."""
    return f"{code[:3]}-{code[3:]}" if _POSTAL_CODE.fullmatch(code) else code


_HIRAGANA = range(ord("ぁ"), ord("ゖ") + 1)
_KATAKANA = {code: code + 0x60 for code in (*_HIRAGANA, ord("ゝ"), ord("ゞ"))}


def katakana(text: str) -> str:
    """A reading in full-width katakana; half-width kana and hiragana are converted.

    Raises ValueError for the rest.
    """
    return _matching(_KANA, normalise(text).translate(_KATAKANA), "カタカナで入力してください。")


def email(text: str) -> str:
    """An e-mail address of usual width, its domain in lower case.

    Raises ValueError when it cannot be one.
    """
    address = _matching(_EMAIL, normalise(text), "メールアドレスを正しく入力してください。")
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"


def login_id(text: str) -> str:
    """A login ID as new ones are written, of usual width.

    Raises ValueError with what is allowed (LOGIN_ID_FORMAT).
    """
    return _matching(_LOGIN_ID, normalise(text), LOGIN_ID_FORMAT)


# The common form of a kanji, then those that stand for it in names of people and places. Who looks
# for 髙橋 types 高橋: an input method offers the variants last, or not at all.
_VARIANTS = (
    "高髙 崎﨑嵜碕 辺邊邉 斎齋齊斉 浜濱濵 徳德 吉𠮷 沢澤 広廣 桜櫻 島嶋嶌 "
    "富冨 国國 真眞 栄榮 関關 黒黑 緑綠 瀬瀨 条條 滝瀧 竜龍 恵惠 亀龜 "
    "会會 学學 万萬 与與 槙槇 曽曾 弥彌 静靜 鉄鐵 薮藪 館舘 柳栁 芦蘆 "
    "寿壽 実實 巌巖 亜亞 将將 豊豐 来來 峰峯 秋穐 梅楳 渕淵 桧檜 桑桒 "
    "萌萠 祷禱 鴎鷗 頼賴 隆隆 郎郞 都都 清淸 青靑 歩步 寛寬 増增 壮壯 "
    "従從 児兒 圧壓 読讀 芸藝 蔵藏 兎兔 尭堯 槍鎗 鶴靏 塩鹽 檀檀 勲勳 "
    "総總 応應 円圓 岳嶽 県縣 駅驛 沼沼"
).split()
_DASHES = "‐‑‒–—―−"
ALIKE: dict[str, str] = (
    {chr(code): chr(code + 0x60) for code in (*_HIRAGANA, ord("ゝ"), ord("ゞ"))}
    | dict.fromkeys(_DASHES, "-")
    | {"〜": "~"}
    | {variant: group[0] for group in _VARIANTS for variant in group[1:] if variant != group[0]}
)
"""Characters that a search takes for another one, and for which."""
ALIKE_WORDS = {"(株)": "株式会社", "(有)": "有限会社"}
"""Abbreviations that a search takes for the whole word, so that 株式 alone finds them too.

They stand as NFKC and `ALIKE` leave them: ㈱ and （株） are (株) by then.
"""
_ALIKE = str.maketrans(ALIKE)


def search_key(text: str) -> str:
    """What two texts have in common when a person would call them the same: width, case, kana,
    tildes and dashes, variants of a kanji, 株式会社 and (株).
    """
    plain = unicodedata.normalize("NFKC", normalise(text).replace("〜", "~"))
    folded = unicodedata.normalize(
        "NFKC", unicodedata.normalize("NFKC", plain.casefold()).casefold()
    )
    return normalise(_alike(folded))


def _alike(text: str) -> str:
    common = text.translate(_ALIKE)
    for short, whole in ALIKE_WORDS.items():
        common = common.replace(short, whole)
    return common


def folded(text: str) -> str:
    """`text` as a search in the database compares it: see `portal.core.folding`."""
    return _alike(unicodedata.normalize("NFKC", text).lower())


_SMALL = str.maketrans("ァィゥェォッャュョヮヵヶ", "アイウエオツヤユヨワカケ", "ー・ ")
_VOICING = re.compile("[\u3099\u309a]")


def reading_order(reading: str) -> tuple[bool, str, str]:
    """What a katakana reading is sorted by (五十音順).

    Voicing, small kana and long vowels tell apart only what is the same without them. Who has no
    reading comes last.
    """
    plain = _VOICING.sub("", unicodedata.normalize("NFD", reading)).translate(_SMALL)
    return not reading, plain, reading


def without_last_long_vowel(word: str) -> str:
    """A folded word to look for: レーザー finds レーザ too, as technical texts write it."""
    return re.sub("(?<=..)ー+$", "", word)


def number_key(text: str) -> str:
    """A part of a public number to look for: usual capitals, without hyphens and blanks."""
    return _without_hyphens(text).upper()


def like_escape(text: str) -> str:
    r"""`text` for use inside a LIKE pattern with ``ESCAPE '\'``."""
    return re.sub(r"([\\%_])", r"\\\1", text)
