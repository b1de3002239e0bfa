"""Looking at mailed links."""

from portal.shared.auth import links
from portal.shared.auth.links import DeadLink, Purpose


def is_alive(token: str, *purposes: Purpose) -> bool:
    """Whether `token` would do its thing now."""
    try:
        links.peek(token, *purposes)
    except DeadLink:
        return False
    return True
