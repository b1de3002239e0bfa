"""The checklist beside a field for a new password (COM-11)."""

from flask_login import current_user

from portal.shared.auth.passwords import Context, brand_words, rules_for
from portal.web.i18n import translate as _
from portal.web.requests import member, tenant


def password_checklist() -> list[dict[str, object]]:
    """The tenant's rules: what js/password.js checks, and what the line says in the reader's
    language.
    """
    rules = tenant().sign_in
    # Behind a mailed link the page knows nothing of the member, whom only the server looks up.
    context = Context(brand=brand_words(tenant()))
    if current_user.is_authenticated:
        who = member()
        context = Context(who.login_id, who.email, (who.name, who.account_name), context.brand)
    shown = [
        rule
        for rule in rules_for(rules.password)
        if rule.key != "login_id" or "login_id" in rules.items
    ]
    return [
        {"test": rule.as_data(context), "label": _(rule.label, **rule.params)} for rule in shown
    ]
