"""The extension objects, not yet bound to an application.

The database's own is `portal.core.db.db`.
"""

from flask import request
from flask_babel import Babel
from flask_login import LoginManager
from flask_mail import Mail
from flask_wtf import CSRFProtect


class SessionLogin(LoginManager):  # type: ignore[misc]
    """Flask-Login as what finds `current_user`, by the request loader alone.

    It would also read a cookie ``remember_token`` and an identity in Flask's own cookie, neither of
    which the portal ever writes: whoever sent the first was taken for signed out.
    """

    def _load_user(self) -> None:
        self._update_request_context_with_user(self._load_user_from_request(request))


babel = Babel()
csrf = CSRFProtect()
login_manager = SessionLogin()
mail = Mail()
