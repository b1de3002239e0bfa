"""What somebody who is to set a first password learns: for which company, from whom, by which name
(RENT-10).

The mail says it, and so does the page behind its link; what the page cannot read any more stands in
the link's payload.
"""

from portal.config import Tenant
from portal.core import Actor, gettext_noop, session
from portal.shared.accounts.models import Account, Member
from portal.shared.auth.models import OneTimeLink

_LOGIN_ID = gettext_noop("ログインID")
_EMAIL = gettext_noop("メールアドレス")


def payload(member: Member, by: Actor) -> dict[str, str]:
    """What the link keeps: the customer's name, and the colleague's who invites.

    The latter is "" for an operator.
    """
    account = session().get_one(Account, member.account_id)
    # Which operator it was is the brand's business: customers know the brand, not its staff.
    inviter = by.name if by.kind == "member" else ""
    return {"company": account.name, "inviter": inviter}


def sign_in_names(tenant: Tenant, member: Member) -> list[tuple[str, str]]:
    """What the member types to sign in besides the password: label (a message id) and value."""
    asked = {"login_id": (_LOGIN_ID, member.login_id), "email": (_EMAIL, member.email)}
    return [pair for item, pair in asked.items() if item in tenant.sign_in.items]


def described(tenant: Tenant, link: OneTimeLink) -> dict[str, object]:
    """What the page behind `link` says of the invitation.

    Nothing where the link only resets a password. Where the page asks for the e-mail address as a
    proof (SHOP-02), it does not give the answer away.
    """
    if "company" not in link.payload:
        return {}
    member = session().get_one(Member, link.member_id)
    names = sign_in_names(tenant, member)
    if tenant.sign_in.forgot == "mail_phone":
        names = [pair for pair in names if pair[0] != _EMAIL]
    return {**link.payload, "names": names}
