"""The data: orders for the controls and reservations for the portal, a million of each; one
customer owns 1,000.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from portal import create_app
from portal.core import clock, migrate
from portal.core.actor import SYSTEM
from portal.core.db import db, session, tenant_scope
from portal.settings import ROOT, Settings
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.operations import Person
from portal.shared.auth import passwords

OWN = 1_000
PASSWORD = "bench-Password-4711"
SECRET = "a-secret-key-for-measuring-only-0123456789"


def controls(path: Path, rows: int) -> None:
    """The controls' file."""
    if path.exists():
        return
    connection = sqlite3.connect(path)
    connection.executescript(
        f"""
        PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
        CREATE TABLE customers(id INTEGER PRIMARY KEY, tenant_id INT, email TEXT, name TEXT);
        CREATE TABLE orders(id INTEGER PRIMARY KEY, tenant_id INT NOT NULL,
          customer_id INT NOT NULL, number TEXT NOT NULL, placed_at INT NOT NULL,
          status TEXT NOT NULL, total INT NOT NULL, currency TEXT NOT NULL,
          item TEXT NOT NULL, note TEXT);
        INSERT INTO customers VALUES (1, 1, 'user1@example.com', 'User 1');
        WITH RECURSIVE k(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k WHERE i < {rows - 1})
        INSERT INTO orders SELECT i + 1, 1,
          CASE WHEN i % {rows // OWN} = 0 THEN 1 ELSE 2 + i * 7919 % 50000 END,
          'ORD-' || printf('%010d', i * 31 + 7), 1600000000 + i * 15,
          CASE i % 4 WHEN 0 THEN 'paid' WHEN 1 THEN 'shipped' WHEN 2 THEN 'delivered'
            ELSE 'pending' END,
          100 + i * 271 % 100000, 'JPY',
          'Wireless Kettle ' || (i % 900 + 100) || ' + Lamp', 'note ' || i FROM k;
        CREATE INDEX orders_mine ON orders(tenant_id, customer_id, placed_at DESC, id DESC);
        ANALYZE; PRAGMA journal_mode=WAL;
        """
    )
    connection.close()


def portal(home: Path, rows: int) -> None:
    """The portal's database under `home`: the facility brand, one account of ours, many
    reservations of others.
    """
    file = home / "portal.sqlite3"
    if file.exists():
        return
    home.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{file}"
    migrate.upgrade(ROOT / "migrations", url)
    app = create_app(Settings(secret_key=SECRET, home=home, scheme="http", demo=True))
    tenant = app.extensions["tenants"].current().by_key["facility"]
    with app.app_context(), tenant_scope("facility"):
        for number in (1, 2):
            account = accounts.add_account(
                tenant, by=SYSTEM, name=f"株式会社計測{number}", telephone="0300001001"
            )
            person = Person(
                "計測",
                "花子",
                f"bench{number}@example.jp",
                login_id=f"bench{number}",
                is_representative=True,
            )
            hashed = passwords.hash_password(PASSWORD)
            accounts.add_member(tenant, account, person, by=SYSTEM, password_hash=hashed)
        session().commit()
        db.session.remove()
        db.engine.dispose()
    _reservations(file, rows)


def _reservations(file: Path, rows: int) -> None:
    connection = sqlite3.connect(file)
    now = f"{clock.now():%Y-%m-%d %H:%M:%S}.000000"
    connection.executescript(
        f"""
        PRAGMA synchronous=OFF;
        INSERT INTO facility(tenant_id, id, code, name, description, hourly_price, daily_price,
          is_active)
          VALUES ('facility', 1, 'LC-01', 'レーザー加工機 A', '', 4500, 28000, 1);
        WITH RECURSIVE k(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k WHERE i < {rows - 1})
        INSERT INTO reservation(tenant_id, number, account_id, facility_id, facility_name,
          starts_at, ends_at, options, headcount, purpose, remarks, contact, billing, status,
          booked_at, payment_method, total)
        SELECT 'facility', 'BR' || printf('%09d', i),
          CASE WHEN i % {rows // OWN} = 0 THEN 1 ELSE 2 END,
          1, 'レーザー加工機 A',
          strftime('%Y-%m-%d %H:%M:00.000000', '{now}', printf('%+d seconds', -(i * 60))),
          strftime('%Y-%m-%d %H:%M:00.000000', '{now}', printf('%+d seconds', -(i * 60 - 7200))),
          '[]', 2, '試作', '',
          '{{"name":"計測 花子","email":"bench@example.jp","department":"","telephone":""}}',
          '{{"name":"株式会社計測","department":"","person":"","postal_code":"","address":""}}',
          CASE i % 4 WHEN 0 THEN 'paid' WHEN 1 THEN 'billed' WHEN 2 THEN 'used'
            ELSE 'confirmed' END,
          strftime('%Y-%m-%d %H:%M:00.000000', '{now}', printf('%+d seconds', -(i * 60 + 500000))),
          '銀行振込', 14850 FROM k;
        ANALYZE;
        """
    )
    connection.close()


def environment(home: Path) -> dict[str, str]:
    """What the portal under measurement is told."""
    return {
        **os.environ,
        "PORTAL_SECRET_KEY": SECRET,
        "PORTAL_HOME": str(home),
        "PORTAL_SCHEME": "http",
        "PORTAL_DEMO": "1",
        "DATABASE_URL": "",
    }
