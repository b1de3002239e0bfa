"""`tenants.toml` as types (OPS-01): reference, JSON Schema, checks and defaults all come from here."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    PrivateAttr,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from portal.config import schema_parts as parts
from portal.config.formulas import FactsOf
from portal.config.messages import check_message, check_word
from portal.config.schema_base import (
    Each,
    Flag,
    Name,
    OneOf,
    Section,
    Whole,
    did_you_mean,
    unwrapped,
)
from portal.core.page_link import path_to

FEATURES = dict.fromkeys(("notices", "inquiries", "contacts", "billing_addresses"), True)
FEATURES |= dict.fromkeys(("delivery_addresses", "document_links", "chat", "knowledge"), False)
"""What a tenant can switch off (COM-03), and whether it is on when nothing is said."""
LIMITS = {
    "members": 50,
    "billing_addresses": 20,
    "delivery_addresses": 20,
    "contract_contacts": 2,
    "chats": 3,
    "contract_chats": 3,
}
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
    "payment": "PM",
}
"""The kinds of public numbers, and the prefix of each when nothing is said."""
NUMBERED_BY: dict[str, frozenset[str]] = {
    "reservation": frozenset({"facility"}),
    "application": frozenset({"rental"}),
    "order": frozenset({"shop", "molds"}),
    "quote": frozenset({"shop", "molds"}),
    "contract": frozenset({"support"}),
}
"""The modules that give out numbers of a kind; every tenant gives out the other kinds."""
_PREFIXES = ", ".join(f"{kind} {prefix}" for kind, prefix in NUMBERS.items())
TEXTS = ("privacy", "terms", "commerce", "withdrawal", "accessibility", "purposes")
"""The brand's own texts (COM-04): privacy policy, terms of use, 特定商取引法に基づく表記, cautions of
withdrawal, what contacts' data are used for (SUP-17).
"""
Word = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\p{Cc}]*\S[^\p{Cc}]*$")]
_HOST = r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$"


class Tenant(Section):
    """One brand. ``[tenants.KEY]``; a working one takes five lines."""

    _base_url: str = PrivateAttr("")
    known_modules: ClassVar[tuple[str, ...]] = ()
    limit_facts: ClassVar[Mapping[str, FactsOf]] = {}
    """What formulas may speak of, by the module that knows; see `formulas.impossible`."""

    key: str = Field(pattern=r"^[a-z][a-z0-9-]{1,30}$")
    """The KEY of [tenants.KEY]: 2 to 31 small letters, digits and hyphens.

    It never changes: all data hang on it.
    """
    name: Name = Field(description="The brand's name, as customers read it.")
    company: Name = Field(default_factory=lambda data: data["name"])
    """The company's legal name; when absent, the brand's name."""
    subdomain: str = Field(
        default_factory=lambda data: data["key"], pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"
    )
    """The brand lives at this name under the portal's base domain; when absent, the key."""
    domains: tuple[Annotated[str, Field(pattern=_HOST)], ...] = Field((), max_length=20)
    """Whole host names that lead here as well, e.g. my.atelier.example; mails link to the first."""
    status: Literal["open", "maintenance", "retired"] = "open"
    """open; maintenance: every page says so and nobody signs in; retired: the host is unknown, the
    data stay.
    """
    modules: Each[str] = Field((), description="The brand modules that are on.")
    features: dict[Annotated[str, OneOf(FEATURES)], Flag] = Field(
        FEATURES,
        description=f"Switches parts off (false): no link, no page. One of: {', '.join(FEATURES)}.",
    )
    languages: Each[Literal["ja", "en"]] = Field(("ja", "en"), min_length=1)
    """Which languages pages offer, the usual one first."""
    sign_in: parts.SignIn = Field(parts.SignIn(), description="How members come in.")
    theme: parts.Theme = Field(parts.Theme(), description="Colours, corners, mark.")
    contact: parts.Contact = Field(parts.Contact(), description="How customers reach the brand.")
    mail: parts.MailSender = Field(parts.MailSender(), description="Whom mails are from.")
    storage: parts.Storage = Field(
        parts.Storage(), description="How much customers may store, and for how long."
    )
    calendar: parts.Calendar = Field(parts.Calendar(), description="Closed days.")
    issuer: parts.Issuer = Field(parts.Issuer(), description="Who issues documents.")
    numbers: dict[Annotated[str, OneOf(NUMBERS)], parts.NumberFormat] = Field(
        {},
        description=f"How public numbers are written. The kinds, with their usual prefixes: {_PREFIXES}.",
    )
    inquiries: parts.Inquiries = Field(
        parts.Inquiries(), description="What customers ask about, and how."
    )
    chat: parts.Chat = Field(
        parts.Chat(), description="When operators answer chats, where features.chat is on."
    )
    tax: parts.Tax = Field(parts.Tax(), description="Consumption tax.")
    terms: parts.PaymentTerms = Field(parts.PaymentTerms(), description="Closing and due dates.")
    texts: dict[Annotated[str, OneOf(TEXTS)], str] = Field(
        {}, description="The brand's own texts in Markdown. One of: " + ", ".join(TEXTS) + "."
    )
    words: dict[Annotated[str, AfterValidator(check_message)], Word] = Field({}, max_length=500)
    """The brand's own words on pages in Japanese: a sentence or label as pages have it, and what
    stands there instead, e.g. { "会員情報の変更" = "お客様情報の変更" }. They win over the module's.
    """
    erase_after_days: Annotated[Whole, Field(ge=0, le=3650)] = 30
    """Days after a withdrawal (退会) when what is personal is erased (COM-16)."""
    limits: dict[Annotated[str, OneOf(LIMITS)], Annotated[Whole, Field(ge=1, le=100_000)]] = Field(
        LIMITS,
        description="How many an account may have, 1 to 100000. One of: " + ", ".join(LIMITS) + ".",
    )
    formulas: dict[Annotated[str, OneOf(LIMITS)], parts.Formulas] = Field({})
    """Limits that are more than a number, one [[…formulas.NAME]] for each kind of owner; the first
    that fits counts, and limits.NAME where none does.
    """

    @model_validator(mode="before")
    @classmethod
    def _modules_have_sections(cls, data: Any) -> Any:
        """A module that is on without a table of its own gets its defaults, where it has them for
        everything.
        """
        on = data.get("modules") if isinstance(data, dict) else None
        if not isinstance(on, list | tuple):
            return data
        return {name: {} for name in on if name in cls.known_modules} | data

    @field_validator("features", "limits", "numbers", "theme", "mail", "issuer", mode="before")
    @classmethod
    def _rest_as_usual(cls, given: Any, info: ValidationInfo) -> Any:
        usual: dict[str, Any] = {}
        tenant = info.data
        base = (info.context or {}).get("base_domain", "localhost")
        match info.field_name:
            case "features":
                usual = FEATURES
            case "limits":
                usual = LIMITS
            case "numbers":
                usual = {kind: {"prefix": prefix} for kind, prefix in NUMBERS.items()}
            case "theme":
                usual = {"mark": tenant.get("name", "")[:1]}
            case "mail" if {"name", "subdomain"} <= tenant.keys():
                host = next(iter(tenant.get("domains", ())), f"{tenant['subdomain']}.{base}")
                usual = {"name": tenant["name"], "address": f"no-reply@{host}"}
            case "issuer":
                contact = dict(tenant.get("contact") or parts.Contact())
                usual = {key: contact[key] for key in ("postal_code", "address", "telephone")}
                usual["name"] = tenant.get("company", "")
        return _filled(given, usual)

    @field_validator("words")
    @classmethod
    def _words_can_be_filled_in(cls, words: dict[str, str]) -> dict[str, str]:
        for message, word in words.items():
            check_word(message, word)
        return words

    @field_validator("inquiries")
    @classmethod
    def _categories_of_modules(
        cls, inquiries: parts.Inquiries, info: ValidationInfo
    ) -> parts.Inquiries:
        if "modules" not in info.data:  # they are a mistake of their own
            return inquiries
        modules: tuple[str, ...] = info.data["modules"]
        for category in inquiries.categories:
            if category.module is not None and category.module not in modules:
                hint = did_you_mean(category.module, modules)
                raise ValueError(f"{category.key}: the module {category.module!r} is off{hint}")
        rest = inquiries.categories[-1]
        if len(modules) > 1 and rest.module is not None:
            raise ValueError(f"{rest.key}: the last one is for everything else, and of no module")
        return inquiries

    @property
    def base_url(self) -> str:
        """How the brand's addresses begin, e.g. ``https://atelier.portal.example``: links in mails
        are made of it.

        It comes from the settings and the file, never from a Host header (security.md §4.8). Raises
        LookupError for a tenant that no registry has taken up.
        """
        if not self._base_url:
            raise LookupError(f"nobody has said where {self.key!r} lives")
        return self._base_url

    def url_to(self, endpoint: str, **values: object) -> str:
        """Return the whole address of a page by its view's endpoint, for mails and feeds."""
        return self.base_url + path_to(endpoint, **values)

    def live_at(self, base_domain: str, *, scheme: str, port: int | None) -> None:
        """Say where the portal lives, for `base_url`: the registry does when it takes the file up."""
        host = self.domains[0] if self.domains else f"{self.subdomain}.{base_domain}"
        self._base_url = f"{scheme}://{host}:{port}" if port else f"{scheme}://{host}"

    def section(self, module: str) -> Any:
        """The table of a brand module that is on, of the module's own type.

        Raises LookupError when it is off.
        """
        if module not in self.modules:
            raise LookupError(f"the module {module!r} is off at {self.key!r}")
        return getattr(self, module)

    def has(self, feature: str) -> bool:
        """Whether a feature is on (COM-03). Raises KeyError for a name that is none."""
        return self.features[feature]


def tenant_type(sections: Mapping[str, type[BaseModel]]) -> type[Tenant]:
    """A tenant with the table of each brand module in `sections`.

    Raises ValueError for the name of another key.
    """
    taken = sorted(sections.keys() & Tenant.model_fields.keys())
    if taken:
        raise ValueError(f"no module can be called {', '.join(taken)}")
    if not sections:
        return Tenant
    fields: dict[str, Any] = {
        name: (
            section | None,
            Field(default=None, description=f"The module {name}; only where it is on."),
        )
        for name, section in sections.items()
    }
    usual = Tenant.model_fields["modules"]
    fields["modules"] = (
        Each[Annotated[str, OneOf(sections)]],
        Field(default=(), description=f"{usual.description} One of: {', '.join(sections)}."),
    )
    made = create_model(
        "Tenant", __base__=Tenant, __module__=__name__, __doc__=Tenant.__doc__, **fields
    )
    made.known_modules = tuple(sections)
    made.limit_facts = {
        name: section.limit_facts
        for name, section in sections.items()
        if hasattr(section, "limit_facts")
    }
    return made


def _filled(given: Any, usual: dict[str, Any]) -> Any:
    """A table with what it leaves out or empty taken from `usual`; anything else is left for the
    types to refuse.
    """
    if not isinstance(given, dict | Section):
        return given
    own = {
        key: value
        for key, value in dict(given).items()
        if value != "" or not isinstance(usual.get(key), str)
    }
    return (
        usual
        | own
        | {
            key: _filled(own.get(key, {}), part)
            for key, part in usual.items()
            if isinstance(part, dict)
        }
    )


def json_schema(kind: type[Tenant]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a whole file, which editors use for completion.

    For people: scripts/reference.py.
    """
    tables = Field(description="One table for each brand.", min_length=1)
    file = create_model("File", __base__=Section, tenants=(dict[str, kind], tables))  # type: ignore[valid-type]
    schema = file.model_json_schema()
    tenant = schema["$defs"]["Tenant"]
    schema["properties"]["tenants"]["propertyNames"] = {
        "pattern": tenant["properties"].pop("key")["pattern"]
    }
    tenant["required"].remove("key")
    for table in schema["$defs"].values():
        for meant in table.get("properties", {}).values():
            said = meant.get("description") or schema["$defs"][table_in(meant)]["description"]
            meant["description"] = unwrapped(said)
    return schema | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tenants.toml",
    }


def table_in(schema: dict[str, Any]) -> str:
    """The name of the table type that `schema` stands for, or nothing."""
    for option in (schema, *schema.get("anyOf", ()), *schema.get("allOf", ())):
        if "$ref" in option:
            return str(option["$ref"]).rpartition("/")[2]
    return ""


def theme_css(tenant: Tenant) -> str:
    """The custom properties that the common style sheet is set with; nothing else may stand here
    (CSP, ui.md).
    """
    theme = tenant.theme
    return (
        f":root{{--brand:{theme.brand};--brand-strong:{theme.brand_strong};--brand-weak:{theme.brand_weak};"
        f"--on-brand:{theme.on_brand};--radius:{theme.radius}px}}"
    )
