"""`tenants.toml` as types (OPS-01): reference, JSON Schema, checks and defaults come from here.

`Tenant` has what every brand has; `tenant_type` adds what modules declare.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
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
from portal.config.module_config import Declared, ModuleConfig, put_together
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

Word = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\p{Cc}]*\S[^\p{Cc}]*$")]
_HOST = r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$"


Limit = Annotated[Whole, Field(ge=1, le=100_000)]
JsonSchema = dict[str, Any]
"""A JSON Schema, or a part of one: it has no type of its own."""


def _usual_company(data: dict[str, Any]) -> str:
    return str(data["name"])


def _usual_subdomain(data: dict[str, Any]) -> str:
    return str(data["key"])


class Tenant(Section):
    """One brand. ``[tenants.KEY]``; a working one takes five lines."""

    _base_url: str = PrivateAttr("")
    declared: ClassVar[Declared] = Declared()
    """What the modules of this type declare."""
    known_modules: ClassVar[tuple[str, ...]] = ()
    limit_facts: ClassVar[Mapping[str, FactsOf]] = {}
    """What formulas may speak of, by the module that knows; see `formulas.impossible`."""

    key: str = Field(pattern=r"^[a-z][a-z0-9-]{1,30}$")
    """The KEY of [tenants.KEY]: 2 to 31 small letters, digits and hyphens.

    It never changes: all data hang on it.
    """
    name: Name = Field(description="The brand's name, as customers read it.")
    company: Name = Field(default_factory=_usual_company)
    """The company's legal name; when absent, the brand's name."""
    subdomain: str = Field(
        default_factory=_usual_subdomain, pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"
    )
    """The brand lives at this name under the portal's base domain; when absent, the key."""
    domains: tuple[Annotated[str, Field(pattern=_HOST)], ...] = Field((), max_length=20)
    """Whole host names that lead here as well, e.g. my.atelier.example; mails link to the first."""
    status: Literal["open", "maintenance", "retired"] = "open"
    """open; maintenance: every page says so and nobody signs in; retired: the host is unknown, the
    data stay.
    """
    modules: Each[str] = Field((), description="The brand modules that are on.")
    features: dict[str, Flag] = Field(
        {}, description="Switches parts off (false): no link, no page."
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
    numbers: dict[str, parts.NumberFormat] = Field(
        {}, description="How public numbers are written."
    )
    inquiries: parts.Inquiries = Field(
        parts.Inquiries(), description="What customers ask about, and how."
    )
    chat: parts.Chat = Field(
        parts.Chat(), description="When operators answer chats, where features.chat is on."
    )
    tax: parts.Tax = Field(parts.Tax(), description="Consumption tax.")
    terms: parts.PaymentTerms = Field(parts.PaymentTerms(), description="Closing and due dates.")
    texts: dict[str, str] = Field({}, description="The brand's own texts in Markdown.")
    words: dict[Annotated[str, AfterValidator(check_message)], Word] = Field({}, max_length=500)
    """The brand's own words on pages in Japanese: a sentence or label as pages have it, and what
    stands there instead, e.g. { "会員情報の変更" = "お客様情報の変更" }. They win over the
    module's.
    """
    erase_after_days: Annotated[Whole, Field(ge=0, le=3650)] = 30
    """Days after a withdrawal (退会) when what is personal is erased (COM-16)."""
    limits: dict[str, Limit] = Field({}, description="How many an account may have, 1 to 100000.")
    formulas: dict[str, parts.Formulas] = Field({})
    """Limits that are more than a number, one [[…formulas.NAME]] for each kind of owner; the first
    that fits counts, and limits.NAME where none does.
    """

    @model_validator(mode="before")
    @classmethod
    def _modules_have_sections(cls, data: object) -> object:
        """A module that is on without a table of its own gets its defaults, where it has them for
        everything.
        """
        # Before validation anything may come; what is no table is refused by the types.
        if not isinstance(data, dict):
            return data
        on = data.get("modules")
        if not isinstance(on, list | tuple):
            return data
        return {name: {} for name in on if name in cls.known_modules} | data

    @field_validator("features", "limits", "numbers", "theme", "mail", "issuer", mode="before")
    @classmethod
    def _rest_as_usual(cls, given: object, info: ValidationInfo) -> object:
        """What a table leaves out, taken from what modules declare or from keys above it."""
        usual: dict[str, object] = {}
        tenant = info.data
        # Without a registry, as in tests and for the reference, the portal is at localhost.
        base = (info.context or {}).get("base_domain", "localhost")
        match info.field_name:
            case "features":
                usual = dict(cls.declared.features)
            case "limits":
                usual = dict(cls.declared.limits)
            case "numbers":
                prefixes = cls.declared.numbers
                usual = {kind: {"prefix": prefix} for kind, prefix in prefixes.items()}
            case "theme":
                usual = {"mark": tenant.get("name", "")[:1]}
            # Fields that failed are not there: their own mistake is told, and nothing follows here.
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
        """How the brand's addresses begin, without a slash: ``https://atelier.portal.example``.

        Links in mails are made of it. It comes from the settings and the file, never from a Host
        header (security.md §4.8). Raises LookupError for a tenant that no registry has taken up.
        """
        if not self._base_url:
            raise LookupError(f"nobody has said where {self.key!r} lives")
        return self._base_url

    def url_to(self, endpoint: str, **values: object) -> str:
        """Return the whole address of a page by its view's endpoint, for mails and feeds."""
        return self.base_url + path_to(endpoint, **values)

    def live_at(self, base_domain: str, *, scheme: str, port: int | None) -> None:
        """Say where the portal lives, for `base_url`: the registry does as it takes the file up."""
        # A domain of the brand's own comes first: customers are to learn that one.
        host = next(iter(self.domains), f"{self.subdomain}.{base_domain}")
        if port is not None:
            host = f"{host}:{port}"
        self._base_url = f"{scheme}://{host}"

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


def tenant_type(modules: Iterable[ModuleConfig]) -> type[Tenant]:
    """A tenant with all that these modules declare: their features, limits, numbers, texts, tables.

    Raises ValueError for a module with the name of another key, or where two disagree.
    """
    declared = put_together(modules)
    taken = sorted(declared.sections.keys() & Tenant.model_fields.keys())
    if taken:
        raise ValueError(f"no module can be called {', '.join(taken)}")
    # Declared by modules, so that this floor need not import any (imports point down).
    fields = _declared_fields(declared)
    for name, section in declared.sections.items():
        description = f"The module {name}; only where it is on."
        fields[name] = (section | None, Field(default=None, description=description))
    # A type made anew: editors get completion for just the modules that are installed.
    made = create_model(
        "Tenant", __base__=Tenant, __module__=__name__, __doc__=Tenant.__doc__, **fields
    )
    # Class attributes and no fields: a tenants file has no say in what there is.
    made.declared = declared
    made.known_modules = tuple(declared.sections)
    made.limit_facts = {
        name: section.limit_facts
        for name, section in declared.sections.items()
        if hasattr(section, "limit_facts")
    }
    return made


def _declared_fields(declared: Declared) -> dict[str, Any]:
    """The keys of `Tenant` whose names, or values, are what modules declare."""
    prefixes = ", ".join(f"{kind} {prefix}" for kind, prefix in declared.numbers.items())
    return {
        "modules": (
            Each[Annotated[str, OneOf(declared.sections)]],
            Field(default=(), description=_described("modules", one_of=declared.sections)),
        ),
        "features": (
            dict[Annotated[str, OneOf(declared.features)], Flag],
            Field(
                default=dict(declared.features),
                description=_described("features", one_of=declared.features),
            ),
        ),
        "numbers": (
            dict[Annotated[str, OneOf(declared.numbers)], parts.NumberFormat],
            Field(
                default={},
                description=f"{_described('numbers')} The kinds, with their usual prefixes: "
                f"{prefixes}.",
            ),
        ),
        "texts": (
            dict[Annotated[str, OneOf(declared.texts)], str],
            Field(default={}, description=_described("texts", one_of=declared.texts)),
        ),
        "limits": (
            dict[Annotated[str, OneOf(declared.limits)], Limit],
            Field(
                default=dict(declared.limits),
                description=_described("limits", one_of=declared.limits),
            ),
        ),
        "formulas": (
            dict[Annotated[str, OneOf(declared.limits)], parts.Formulas],
            Field(default={}, description=_described("formulas")),
        ),
    }


def _described(key: str, *, one_of: Iterable[str] = ()) -> str:
    """The meaning of a key of `Tenant`, and the names that may stand there."""
    meaning = Tenant.model_fields[key].description or ""
    names = ", ".join(one_of)
    if not names:
        return meaning
    return f"{meaning} One of: {names}."


def _filled(given: object, usual: Mapping[str, object]) -> object:
    """A table with what it leaves out or empty taken from `usual`.

    Anything else is left for the types to refuse.
    """
    if not isinstance(given, dict | Section):
        return given
    # An empty text says as little as none where there is a usual one: ``name = ""``.
    own_values = {
        key: value
        for key, value in dict(given).items()
        if value != "" or not isinstance(usual.get(key), str)
    }
    filled: dict[str, object] = {**usual, **own_values}
    for key, part in usual.items():
        if isinstance(part, dict):
            filled[key] = _filled(own_values.get(key, {}), part)
    return filled


def json_schema(kind: type[Tenant]) -> JsonSchema:
    """The JSON Schema (2020-12) of a whole file, which editors use for completion.

    What people read is made by scripts/reference.py.
    """
    tables = Field(description="One table for each brand.", min_length=1)
    tenants = (dict[str, kind], tables)  # type: ignore[valid-type]
    file = create_model("File", __base__=Section, tenants=tenants)
    schema = file.model_json_schema()
    tenant = schema["$defs"]["Tenant"]
    # In the file the key is the table's name, and stands not among the keys of the table.
    schema["properties"]["tenants"]["propertyNames"] = {
        "pattern": tenant["properties"].pop("key")["pattern"]
    }
    tenant["required"].remove("key")
    for table in schema["$defs"].values():
        for meant in table.get("properties", {}).values():
            # A key without words of its own means what its table does.
            text = meant.get("description") or schema["$defs"][table_in(meant)]["description"]
            meant["description"] = unwrapped(text)
    return schema | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tenants.toml",
    }


def table_in(schema: JsonSchema) -> str:
    """The name of the table type that `schema` stands for, or nothing."""
    for option in (schema, *schema.get("anyOf", ()), *schema.get("allOf", ())):
        if "$ref" in option:
            return str(option["$ref"]).rpartition("/")[2]
    return ""


def theme_css(tenant: Tenant) -> str:
    """The custom properties that the common style sheet is set with.

    The content security policy allows no other style in a page (ui.md).
    """
    theme = tenant.theme
    return (
        f":root{{--brand:{theme.brand};--brand-strong:{theme.brand_strong};"
        f"--brand-weak:{theme.brand_weak};--on-brand:{theme.on_brand};--radius:{theme.radius}px}}"
    )
