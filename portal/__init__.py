"""Portal: a customer "my page" for each brand of a company, on the brand's own subdomain.

`create_app` is the table of contents. Reading on: `portal/web/requests.py` (how a request finds its
tenant and its member), `portal/web/brand.py` (what a brand is), then one brand,
`portal/blueprints/facility`.
"""

from flask import Flask
from sqlalchemy.exc import OperationalError

from portal import cli, extensions
from portal.blueprints import BRANDS
from portal.config.config_errors import TenantsInvalid
from portal.config.registry import Registry
from portal.config.schema import tenant_type
from portal.core.audit_keys import set_audit_keys
from portal.core.db import db, init_db
from portal.core.engine import UnfitRole
from portal.core.files import LocalFiles
from portal.core.jobs import JobKinds
from portal.core.page_link import set_page_addresses
from portal.core.services import provide
from portal.core.signer import Signer
from portal.job_kinds import kinds_of
from portal.pages import PAGES
from portal.settings import CannotStart, Settings
from portal.web import brand, dangling, errors, formatting, headers, i18n, proof, requests
from portal.web.chat_notifier import ChatNotifier


def create_app(settings: Settings | None = None) -> Flask:
    """Build the application from `settings` (the environment when None).

    Raises when they are unsafe or broken.
    """
    settings = settings or Settings.from_environment()
    app = Flask(__name__, static_folder="static")
    app.config.from_mapping(settings.flask_config)
    app.extensions["settings"] = settings
    _make_home(settings)
    provide(app, LocalFiles(settings.home / "files"))
    secrets = (settings.secret_key, *settings.secret_key_fallbacks)
    provide(app, Signer.of_secrets(secrets))
    set_audit_keys(secrets)

    init_db(app)
    extensions.csrf.init_app(app)
    extensions.mail.init_app(app)
    i18n.init_app(app, extensions.babel)
    formatting.init_app(app)
    requests.init_app(app, settings, extensions.login_manager)
    proof.init_app(app)
    headers.init_app(app, settings)
    errors.init_app(app)
    brand.init_app(app, BRANDS)
    provide(app, JobKinds(kinds_of(BRANDS)))
    app.extensions["tenants"] = _registry(app, settings)
    app.extensions["chat_notifier"] = ChatNotifier(app, settings.chat_streams)
    for blueprint in PAGES:
        app.register_blueprint(blueprint)
    set_page_addresses(app.url_map.bind("").build)
    cli.init_app(app, BRANDS)
    return app


def _make_home(settings: Settings) -> None:
    """Make the folder of the data, for its owner only.

    Raises CannotStart where there can be none.
    """
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(f"PORTAL_HOME: {settings.home}: {error.strerror}") from error


def _registry(app: Flask, settings: Settings) -> Registry:
    """The brands of `tenants.toml`, or of the last good one while it is broken (OPS-03).

    Where there never was a good one it refuses to start, with every mistake and its line.
    """
    try:
        return Registry(
            settings.tenants_file,
            settings.base_domain,
            tenant_type(brand.module_configs(BRANDS)),
            last_good=settings.home / dangling.LAST_GOOD,
            keeps=False,
            scheme=settings.scheme,
            port=settings.port,
            refusals=dangling.refusals(app, settings.home, BRANDS),
        )
    except TenantsInvalid as invalid:
        raise CannotStart("\n".join(map(str, invalid.mistakes))) from invalid
    finally:
        # A new file may have asked the database: a process that forks must hand on no connection.
        with app.app_context():
            db.engine.dispose()


def require_fit_database(app: Flask) -> None:
    """Refuse to serve as a role that row-level security does not hold. Raises CannotStart.

    A database that is away for the moment may come later: each connection to it is looked at.
    """
    with app.app_context():
        try:
            db.engine.connect().close()
        except UnfitRole as unfit:
            raise CannotStart(str(unfit)) from unfit
        except OperationalError:
            pass
        finally:
            db.engine.dispose()


def begin_serving(app: Flask) -> None:
    """What only a process that serves does: it keeps the tenants file that was good (OPS-03).

    Raises CannotStart.
    """
    require_fit_database(app)
    tenants: Registry = app.extensions["tenants"]
    tenants.keep_last_good()
