"""The checklist beside a field for a new password (COM-11)."""

from typing import Any

from flask_login import current_user

from portal.shared.auth.password_rules import Context, brand_words, rules_for
from portal.web.i18n import translate as _
from portal.web.requests import member, tenant


def password_checklist() -> list[dict[str, Any]]:
    """The tenant's rules: what js/password.js checks, and what the line says in the reader's language."""
    context = _context()
    return [
        {"test": rule.as_data(context), "label": _(rule.label, **rule.params)}
        for rule in rules_for(tenant().sign_in.password)
        if rule.key != "login_id" or "login_id" in tenant().sign_in.items
    ]


def _context() -> Context:
    """What the page may know: behind a mailed link nothing of the member, whom only the server looks up."""
    brand = brand_words(tenant())
    if not current_user.is_authenticated:
        return Context(brand=brand)
    who = member()
    return Context(who.login_id, who.email, (who.name, who.account_name), brand)
