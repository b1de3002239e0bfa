"""`tenants.toml` as types (OPS-01): what a tenant is, its keys, what they mean and which values they take.

Reference, JSON Schema, checks and defaults all come from here. A brand module adds one table of its own type;
`tenant_type` joins them.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, create_model, field_validator, model_validator

from portal.core.tenancy.schema_base import Each, Flag, Name, Section, Whole, one_of
from portal.core.tenancy.schema_inquiries import Chat, Inquiries
from portal.core.tenancy.schema_limits import Formulas, in_order
from portal.core.tenancy.schema_parts import (
    Calendar,
    ClosedPeriod,
    Contact,
    Issuer,
    MailSender,
    NumberFormat,
    PaymentTerms,
    SignIn,
    Tax,
    TaxRate,
    Theme,
)
from portal.core.tenancy.schema_password import PasswordRules

__all__ = [
    "FEATURES",
    "LIMITS",
    "NUMBERS",
    "TEXTS",
    "Calendar",
    "ClosedPeriod",
    "Contact",
    "Issuer",
    "MailSender",
    "NumberFormat",
    "PasswordRules",
    "PaymentTerms",
    "Section",
    "SignIn",
    "Tax",
    "TaxRate",
    "Tenant",
    "Theme",
    "tenant_type",
]

FEATURES = {
    "notices": True,
    "inquiries": True,
    "contacts": True,
    "billing_addresses": True,
    "delivery_addresses": False,
    "document_links": False,
    "chat": False,
    "knowledge": False,
}
"""What a tenant can switch off (COM-03), and whether it is on when nothing is said."""
LIMITS = {"members": 50, "billing_addresses": 20, "delivery_addresses": 20, "contract_contacts": 2, "chats": 3}
"""How many of each an account may have (COM-40) when nothing is said."""
NUMBERS = {
    "reservation": "R",
    "application": "A",
    "order": "EC",
    "quote": "Q",
    "inquiry": "IQ",
    "contract": "CT",
    "invoice": "INV",
    "delivery_note": "DN",
    "receipt": "RC",
    "work_report": "WR",
    "credit_note": "CN",
}
"""The kinds of public numbers, and the prefix of each when nothing is said."""
TEXTS = ("privacy", "terms", "commerce", "withdrawal", "accessibility")
"""The brand's own texts (COM-04): privacy policy, terms of use, 特定商取引法に基づく表記, cautions of withdrawal."""
_USUAL: dict[str, dict[str, Any]] = {"features": FEATURES, "limits": LIMITS}
_HOST = r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$"


class Tenant(Section):
    """One brand. ``[tenants.KEY]``; a working one takes five lines."""

    known_modules: ClassVar[tuple[str, ...]] = ()

    key: str = Field(
        pattern=r"^[a-z][a-z0-9-]{1,30}$",
        description="The KEY of [tenants.KEY]: 2 to 31 small letters, digits and hyphens. "
        "It never changes: all data hang on it.",
    )
    name: Name = Field(description="The brand's name, as customers read it.")
    company: Name = Field(
        default_factory=lambda data: data["name"],
        description="The company's legal name; when absent, the brand's name.",
    )
    subdomain: str = Field(
        default_factory=lambda data: data["key"],
        pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$",
        description="The brand lives at this name under the portal's base domain; when absent, the key.",
    )
    domains: tuple[Annotated[str, Field(pattern=_HOST)], ...] = Field(
        default=(),
        max_length=20,
        description="Whole host names that lead here as well, e.g. my.atelier.example; mails link to the first.",
    )
    status: Literal["open", "maintenance", "retired"] = Field(
        default="open",
        description="open; maintenance: every page says so and nobody signs in; "
        "retired: the host is unknown, the data stay.",
    )
    modules: Each[str] = Field(default=(), description="The brand modules that are on.")
    features: dict[Annotated[str, one_of(FEATURES)], Flag] = Field(
        default=FEATURES,
        description="Switches parts off (false): no link, no page. One of: " + ", ".join(FEATURES) + ".",
    )
    languages: Each[Literal["ja", "en"]] = Field(
        default=("ja", "en"), min_length=1, description="Which languages pages offer, the usual one first."
    )
    sign_in: SignIn = Field(default=SignIn(), description="How members come in.")
    theme: Theme = Field(default=Theme(), description="Colours, corners, mark.")
    contact: Contact = Field(default=Contact(), description="How customers reach the brand.")
    mail: MailSender = Field(default=MailSender(), description="Whom mails are from.")
    calendar: Calendar = Field(default=Calendar(), description="Closed days.")
    issuer: Issuer = Field(default=Issuer(), description="Who issues documents.")
    numbers: dict[Annotated[str, one_of(NUMBERS)], NumberFormat] = Field(
        default={},
        description="How public numbers are written. The kinds, with their usual prefixes: "
        + ", ".join(f"{kind} {prefix}" for kind, prefix in NUMBERS.items())
        + ".",
    )
    inquiries: Inquiries = Field(default=Inquiries(), description="What customers ask about, and how.")
    chat: Chat = Field(default=Chat(), description="When operators answer chats, where features.chat is on.")
    tax: Tax = Field(default=Tax(), description="Consumption tax.")
    terms: PaymentTerms = Field(default=PaymentTerms(), description="Closing and due dates.")
    texts: dict[Annotated[str, one_of(TEXTS)], str] = Field(
        default={}, description="The brand's own texts in Markdown. One of: " + ", ".join(TEXTS) + "."
    )
    erase_after_days: Annotated[Whole, Field(ge=0, le=3650)] = Field(
        default=30, description="Days after a withdrawal (退会) when what is personal is erased (COM-16)."
    )
    limits: dict[Annotated[str, one_of(LIMITS)], Annotated[Whole, Field(ge=1, le=100_000)]] = Field(
        default=LIMITS, description="How many an account may have, 1 to 100000. One of: " + ", ".join(LIMITS) + "."
    )
    formulas: dict[Annotated[str, one_of(LIMITS)], Annotated[Formulas, AfterValidator(in_order)]] = Field(
        default={},
        description="Limits that are more than a number, one [[…formulas.NAME]] for each kind of owner; "
        "the first that fits counts, and limits.NAME where none does.",
    )

    @model_validator(mode="before")
    @classmethod
    def _modules_have_sections(cls, data: Any) -> Any:
        """A module that is on without a table of its own gets its defaults, where it has them for everything."""
        on = data.get("modules") if isinstance(data, dict) else None
        if not isinstance(on, list | tuple):
            return data
        return {name: {} for name in on if name in cls.known_modules} | data

    @field_validator("features", "limits", mode="before")
    @classmethod
    def _rest_as_usual(cls, given: Any, info: ValidationInfo) -> Any:
        return _USUAL[info.field_name or ""] | given if isinstance(given, dict) else given

    @field_validator("numbers", mode="before")
    @classmethod
    def _usual_prefixes(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        usual = {kind: NumberFormat(prefix=prefix) for kind, prefix in NUMBERS.items()}
        return usual | {
            kind: _filled(style, prefix=NUMBERS[kind]) if kind in NUMBERS else style for kind, style in given.items()
        }

    @field_validator("theme", mode="before")
    @classmethod
    def _mark_from_name(cls, given: Any, info: ValidationInfo) -> Any:
        return _filled(given, mark=info.data.get("name", "")[:1])

    @field_validator("mail", mode="before")
    @classmethod
    def _sender_from_name(cls, given: Any, info: ValidationInfo) -> Any:
        if not {"name", "subdomain"} <= info.data.keys():
            return given
        base = (info.context or {}).get("base_domain", "localhost")
        host = next(iter(info.data.get("domains", ())), f"{info.data['subdomain']}.{base}")
        return _filled(given, name=info.data["name"], address=f"no-reply@{host}")

    @field_validator("issuer", mode="before")
    @classmethod
    def _issuer_from_contact(cls, given: Any, info: ValidationInfo) -> Any:
        contact = info.data.get("contact") or Contact()
        return _filled(
            given,
            name=info.data.get("company", ""),
            postal_code=contact.postal_code,
            address=contact.address,
            telephone=contact.telephone,
        )

    def section(self, module: str) -> Any:
        """The table of a brand module that is on, of the module's own type. Raises LookupError when it is off."""
        if module not in self.modules:
            raise LookupError(f"the module {module!r} is off at {self.key!r}")
        return getattr(self, module)

    def has(self, feature: str) -> bool:
        """Whether a feature is on (COM-03). Raises KeyError for a name that is none."""
        return self.features[feature]


def tenant_type(sections: Mapping[str, type[BaseModel]]) -> type[Tenant]:
    """The type of a tenant where each of `sections` is a brand module with a table of its own type.

    Raises ValueError when a module's name is one of the tenant's other keys.
    """
    taken = sorted(sections.keys() & Tenant.model_fields.keys())
    if taken:
        raise ValueError(f"no module can be called {', '.join(taken)}")
    if not sections:
        return Tenant
    fields: dict[str, Any] = {
        name: (section | None, Field(default=None, description=f"The module {name}; only where it is on."))
        for name, section in sections.items()
    }
    usual = Tenant.model_fields["modules"]
    fields["modules"] = (
        Each[Annotated[str, one_of(sections)]],
        Field(default=(), description=f"{usual.description} One of: {', '.join(sections)}."),
    )
    made = create_model("Tenant", __base__=Tenant, __module__=__name__, __doc__=Tenant.__doc__, **fields)
    made.known_modules = tuple(sections)
    return made


def _filled(given: Any, **usual: Any) -> Any:
    """A table with what it leaves out or empty taken from `usual`; anything else is left for the types to refuse."""
    if not isinstance(given, dict | Section):
        return given
    return usual | {key: value for key, value in dict(given).items() if value != "" or key not in usual}
