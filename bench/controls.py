"""The controls: one order list of 20 rows out of a million, made the ways that a Flask program
usually makes it.

c: signed session, Core user look-up, Core keyset list. d: the same with the ORM. e: d with
Flask-Login, CSRF, gettext and url_for in the template. Which one is served is said by
BENCH_CONTROL; BENCH_FILE names the SQLite file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from flask import Flask, abort, render_template, request, session
from flask_babel import Babel
from flask_login import LoginManager, current_user, login_required, login_user
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect

_PATHS = "/my /usage /invoices /shop /cart /inquiries /profile /logout"
PLACES = {path.strip("/"): path for path in _PATHS.split()} | {
    "inquiry_new": "/inquiries/new",
    "order_detail": "/orders/<number>",
    "order_invoice": "/orders/<number>/invoice.pdf",
    "order_again": "/orders/<number>/again",
}


def _app(name: str) -> Flask:
    app = Flask(name, template_folder=str(Path(__file__).parent / "templates"))
    app.config.update(
        SECRET_KEY="bench",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{os.environ['BENCH_FILE']}",
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.jinja_env.filters["ymd"] = lambda ts: time.strftime("%Y-%m-%d", time.gmtime(ts))
    return app


def _pragmas(engine: sa.Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def _connect(raw: Any, _record: Any) -> None:
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "mmap_size=268435456",
            "cache_size=-16000",
        ):
            raw.execute(f"PRAGMA {pragma}")


def _cursor() -> tuple[int, int] | None:
    after = request.args.get("after")
    return tuple(map(int, after.split("."))) if after else None  # type: ignore[return-value]


def _cut(rows: Sequence[Any]) -> tuple[Sequence[Any], str | None]:
    more = len(rows) > 20
    return rows[:20], f"{rows[19].placed_at}.{rows[19].id}" if more else None


def core() -> Flask:
    """Control c."""
    app, meta = _app("c"), sa.MetaData()
    engine = sa.create_engine(app.config["SQLALCHEMY_DATABASE_URI"])
    _pragmas(engine)
    orders = sa.Table("orders", meta, autoload_with=engine)
    users = sa.Table("customers", meta, autoload_with=engine)

    @app.get("/login/<int:i>")
    def login(i: int) -> str:
        session["uid"] = i
        return "ok"

    @app.get("/orders")
    def show() -> str:
        uid = session.get("uid") or abort(401)
        with engine.connect() as connection:
            user = connection.execute(sa.select(users).where(users.c.id == uid)).one()
            query = sa.select(orders).where(orders.c.tenant_id == 1, orders.c.customer_id == uid)
            if after := _cursor():
                query = query.where(sa.tuple_(orders.c.placed_at, orders.c.id) < after)
            order = (orders.c.placed_at.desc(), orders.c.id.desc())
            rows, following = _cut(connection.execute(query.order_by(*order).limit(21)).all())
        return render_template("list.html", rows=rows, nxt=following, user=user)

    return app


def _models(app: Flask) -> SimpleNamespace:
    db = SQLAlchemy(app)

    class User(db.Model):  # type: ignore[name-defined,misc]
        __tablename__ = "customers"
        id = db.Column(db.Integer, primary_key=True)
        tenant_id = db.Column(db.Integer)
        name = db.Column(db.String)
        email = db.Column(db.String)
        is_authenticated = is_active = True
        is_anonymous = False

        def get_id(self) -> str:
            return str(self.id)

    class Order(db.Model):  # type: ignore[name-defined,misc]
        __tablename__ = "orders"
        id = db.Column(db.Integer, primary_key=True)
        tenant_id = db.Column(db.Integer)
        customer_id = db.Column(db.Integer)
        number = db.Column(db.String)
        placed_at = db.Column(db.Integer)
        status = db.Column(db.String)
        total = db.Column(db.Integer)
        currency = db.Column(db.String)
        item = db.Column(db.String)
        note = db.Column(db.String)

    with app.app_context():
        _pragmas(db.engine)
    return SimpleNamespace(db=db, User=User, Order=Order)


def _orm_rows(models: SimpleNamespace, uid: int) -> tuple[Sequence[Any], str | None]:
    order = models.Order
    query = sa.select(order).where(order.tenant_id == 1, order.customer_id == uid)
    if after := _cursor():
        query = query.where(sa.tuple_(order.placed_at, order.id) < after)
    return _cut(
        models.db.session.scalars(
            query.order_by(order.placed_at.desc(), order.id.desc()).limit(21)
        ).all()
    )


def orm() -> Flask:
    """Control d."""
    app = _app("d")
    models = _models(app)

    @app.get("/login/<int:i>")
    def login(i: int) -> str:
        session["uid"] = i
        return "ok"

    @app.get("/orders")
    def show() -> str:
        uid = session.get("uid") or abort(401)
        user = models.db.session.get(models.User, uid)
        rows, following = _orm_rows(models, uid)
        return render_template("list.html", rows=rows, nxt=following, user=user)

    return app


def usual() -> Flask:
    """Control e."""
    app = _app("e")
    models, manager = _models(app), LoginManager(app)
    CSRFProtect(app)
    Babel(app, locale_selector=lambda: "ja")
    app.jinja_env.add_extension("jinja2.ext.i18n")
    manager.user_loader(lambda i: models.db.session.get(models.User, int(i)))

    @app.get("/login/<int:i>")
    def login(i: int) -> str:
        login_user(models.db.session.get(models.User, i))
        return "ok"

    for endpoint, path in PLACES.items():
        app.add_url_rule(path, endpoint, lambda **_: "x")

    @app.get("/orders", endpoint="orders_full")
    @login_required
    def show() -> str:
        rows, following = _orm_rows(models, current_user.id)
        return render_template("list_full.html", rows=rows, nxt=following)

    return app


def __getattr__(name: str) -> Flask:
    if name == "app":
        return {"c": core, "d": orm, "e": usual}[os.environ["BENCH_CONTROL"]]()
    raise AttributeError(name)
