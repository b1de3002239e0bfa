"""ログイン履歴と端末: where the member is signed in, and how to end it (COM-15, COM-90)."""

from flask import flash, redirect
from werkzeug.wrappers import Response

from portal.blueprints.account import bp
from portal.shared.auth import security as watch
from portal.web.i18n import translate as _
from portal.web.render import render
from portal.web.requests import actor, clear_session_cookie, member, tenant

PAGE = "/account/security"


@bp.get("/security")
def security() -> str:
    """ログイン履歴と端末."""
    who = member()
    return render(
        "account/security.html",
        places=watch.places(tenant(), who),
        devices=watch.known_devices(who),
        visits=watch.sign_ins(who),
        newest=watch.NEWEST,
    )


@bp.post("/security/sessions/<number>/removal")
def end_session(number: str) -> Response:
    """ログアウト of one of the member's own sessions."""
    if watch.end_session(member(), number, by=actor()):
        response = redirect("/sign-in", 303)
        clear_session_cookie(response)
        flash(_("ログアウトしました。"), "ok")
        return response
    flash(_("選択した端末をログアウトしました。"), "ok")
    return redirect(PAGE, 303)


@bp.post("/security/other-sessions/removal")
def end_other_sessions() -> Response:
    """ほかの端末をすべてログアウト."""
    watch.end_other_sessions(member(), by=actor())
    flash(_("ほかの端末をすべてログアウトしました。"), "ok")
    return redirect(PAGE, 303)


@bp.post("/security/devices/<number>/removal")
def forget_device(number: str) -> Response:
    """解除 of one of the member's known browsers."""
    watch.forget_device(member(), number, by=actor())
    flash(_("端末の登録を解除しました。"), "ok")
    return redirect(PAGE, 303)
