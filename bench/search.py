"""`python -m bench.search [sqlite|postgresql]`: how long a search of the knowledge base takes
(SUP-14).

10,000 articles of about 600 characters, made of a support desk's words; each search is what a page
asks for: the first twenty with their snippets. PostgreSQL is a cluster of its own on loopback, as
the tests start it.
"""

from __future__ import annotations

import random
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal import create_app
from portal.core import clock, migrate
from portal.core.actor import SYSTEM
from portal.core.db import db, session, tenant_scope, transaction_mode
from portal.settings import ROOT, Settings
from portal.shared.knowledge import operations, search
from portal.shared.knowledge.operations import Written
from tests.support import postgres

ARTICLES, TIMES = 10_000, 30
NOUNS = (
    "勤怠 打刻 残業 休暇 申請 承認 経費 精算 領収書 仕訳 伝票 債権 債務 入金 出金 現金 "
    "出納帳 固定資産 減価償却 月次 "
    "年次 締め処理 決算 帳票 請求書 見積書 マスタ サーバー データ連携 ファイル "
    "取込 出力 エラー メッセージ ログイン "
    "パスワード 権限 グループウェア ワークフロー プリンター 印刷 バックアップ 復元 "
    "インストール 更新プログラム "
    "ブラウザー 画面 一覧 検索"
).split()
VERBS = "登録 変更 削除 確認 設定 実行 選択 入力 表示 集計 転送 解除 再開 取消 反映".split()
ENDS = (
    "してください。 します。 できます。 できない場合があります。 されると、次の画面が開きます。"
).split()
PRODUCTS = ((), ("manage",), ("other",))
RARE = [f"{a}{b}{c}" for a in "甲乙丙丁戊" for b in "東西南北" for c in "松竹梅桜楓"]
SEARCHES = {
    "a common word": "設定",
    "three common words": "勤怠 承認 エラー",
    "a phrase": "締め処理を取消",
    "an ending that all have": "してください",
    "a long vowel": "サーバー",
    "half width": "ﾃﾞｰﾀ連携",
    "a rare word": "甲東松",
    "rare and common": "甲東松 承認",
    "nothing": "存在しない言葉",
    "pairs there, phrase not": "承認の勤怠の",
    "one character": "締",
}


def articles(of: random.Random) -> Iterator[Written]:
    """As many as there shall be, each of its own."""
    for number in range(ARTICLES):
        title = f"{of.choice(NOUNS)}の{of.choice(NOUNS)}を{of.choice(VERBS)}するには"
        body = ""
        while len(body) < 600:
            body += f"{of.choice(NOUNS)}の{of.choice(NOUNS)}を{of.choice(VERBS)}{of.choice(ENDS)}"
            body += "\n\n" if of.random() < 0.2 else ""
        if of.random() < 0.02:
            body += of.choice(RARE)
        yield Written(f"a{number}", "製品", of.choice(NOUNS[:20]), title, of.choice(PRODUCTS), body)


@contextmanager
def databases(folder: Path) -> Iterator[dict[str, tuple[str, str]]]:
    """The owner's and the application's address of an empty database of each kind that is asked
    for.
    """
    asked = sys.argv[1:] or ["sqlite", "postgresql"]
    found = {"sqlite": (f"sqlite:///{folder / 'bench.sqlite3'}",) * 2} if "sqlite" in asked else {}
    if "postgresql" not in asked:
        yield found
        return
    folder.chmod(0o755)
    cluster = postgres.Cluster.start(folder / "postgres")
    try:
        cluster.create_database("bench")
        yield {**found, "postgresql": (cluster.url("bench", postgres.OWNER), cluster.url("bench"))}
    finally:
        cluster.stop()


def fill() -> float:
    """Publish them in the tenant in scope; the milliseconds that one takes."""
    began = time.perf_counter()
    for number, written in enumerate(articles(random.Random(1)), 1):
        with clock.freeze(
            clock.local(2026, 1, 1)
            + number * (clock.local(2026, 1, 2) - clock.local(2026, 1, 1)) / 40
        ):
            operations.put(written, by=SYSTEM, quiet=True)
        if number % 100 == 0:
            session().commit()
    session().commit()
    return (time.perf_counter() - began) / ARTICLES * 1000


def measure(asked: str) -> tuple[list[float], int]:
    """Milliseconds of each time, and how many it shows."""
    found = []
    for _ in range(TIMES):
        with transaction_mode("read"):
            began = time.perf_counter()
            hits, _more = search.find(asked, ("manage",))
            found.append((time.perf_counter() - began) * 1000)
    return found, len(hits)


def line(what: str, times: list[float], shown: str = "") -> None:
    """Print the figures."""
    slow = sorted(times)[int(len(times) * 0.95)]
    print(f"  {what:26} {shown:>9}  median {statistics.median(times):6.1f}  p95 {slow:6.1f} ms")


def main() -> None:
    """Fill, measure, print."""
    with tempfile.TemporaryDirectory() as name, databases(Path(name)) as found:
        for kind, (owner, url) in found.items():
            migrate.upgrade(ROOT / "migrations", owner)
            home = Path(name) / kind
            settings = Settings(
                secret_key=secrets.token_hex(),
                home=home,
                database_url=url,
                demo=True,
                scheme="http",
            )
            app = create_app(settings)
            with app.app_context(), tenant_scope("support"):
                print(f"{kind}: {ARTICLES:,} articles, {fill():.1f} ms to publish one")
                total: list[float] = []
                for what, asked in SEARCHES.items():
                    times, hits = measure(asked)
                    line(what, times, f"{hits} shown")
                    total += times
                line("all", total)
            with app.app_context():
                db.engine.dispose()


if __name__ == "__main__":
    main()
