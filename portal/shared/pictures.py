"""Pictures that operators bring along are decoded before they are taken, so that no half of one is
ever shown.
"""

from io import BytesIO
from struct import unpack

from portal.core import RuleBroken, gettext_noop

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SIZE = slice(16, 24)
"""Where a PNG file has its width and height."""
_MOST_BYTES = 2 * 1024 * 1024
_MOST_PIXELS = 24_000_000
"""As many as a camera's picture has; a small file can be made to unfold into any number."""
_NO_PNG = gettext_noop("2MBまでのPNG画像を指定してください。")
_TOO_LARGE = gettext_noop("画像の縦横が大きすぎます。縮小した画像を指定してください。")
_DAMAGED = gettext_noop("画像が途中で切れているか、壊れています。別のファイルを指定してください。")


def check_png(data: bytes) -> None:
    """Raise RuleBroken unless `data` is a whole PNG picture of at most 2 MB, which is decoded to
    its last row.
    """
    # Imported here: only operators' commands look at pictures, and the library is large.
    from PIL import Image

    if not data.startswith(_SIGNATURE) or len(data) > _MOST_BYTES:
        raise RuleBroken(_NO_PNG)
    if len(data) < _SIZE.stop:
        raise RuleBroken(_DAMAGED)
    width, height = unpack(">II", data[_SIZE])
    if width * height > _MOST_PIXELS:
        raise RuleBroken(_TOO_LARGE)
    try:
        # The sums of its parts, then its rows: a picture that was verified can be read no more.
        with Image.open(BytesIO(data), formats=["PNG"]) as picture:
            picture.verify()
        with Image.open(BytesIO(data), formats=["PNG"]) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError, EOFError):
        raise RuleBroken(_DAMAGED) from None
