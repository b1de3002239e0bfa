"""Wakes whoever reads a chat: one thread of a process looks for all of them, and notifies those
with news.

A reader waits without a transaction and without a connection. Each process notifies its own
readers.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from sqlalchemy import select

from portal.core.db import session, tenant_scope, transaction_mode
from portal.shared.chats.models import Chat

LOOK_SECONDS = 0.3
ChatKey = tuple[str, int]
"""The tenant's key and the inquiry's id."""


class ChatNotifier:
    """This process's readers by tenant and inquiry, at most `max_readers`, and the thread that is
    there while they are.
    """

    def __init__(self, app: Flask, max_readers: int) -> None:
        self._app = app
        self._max_readers = max_readers
        self._lock = threading.Lock()
        self._is_watching = False
        self._readers: dict[ChatKey, list[threading.Event]] = {}
        self._versions: dict[ChatKey, int] = {}
        """The newest version of each chat that its readers know of."""

    def has_room(self) -> bool:
        """Whether one reader more could wait now: each holds a thread of the server.

        A hint; `reader` decides.
        """
        with self._lock:
            return self._count() < self._max_readers

    def _count(self) -> int:
        return sum(len(waiting) for waiting in self._readers.values())

    @contextmanager
    def reader(self, tenant_key: str, inquiry_id: int) -> Iterator[threading.Event | None]:
        """An event that is set at each news of the chat, while inside; None where there was no
        room.
        """
        news = self._join((tenant_key, inquiry_id))
        if news is None:
            yield None
            return
        try:
            yield news
        finally:
            self._leave((tenant_key, inquiry_id), news)

    def _join(self, chat: ChatKey) -> threading.Event | None:
        # Counted and taken under one lock: whoever comes at the same moment must not find the same
        # place free.
        with self._lock:
            if self._count() >= self._max_readers:
                return None
            news = threading.Event()
            self._readers.setdefault(chat, []).append(news)
            if not self._is_watching:
                self._is_watching = True
                threading.Thread(target=self._watch, name="chat notifier", daemon=True).start()
            return news

    def _leave(self, chat: ChatKey, news: threading.Event) -> None:
        with self._lock:
            self._readers[chat].remove(news)
            if not self._readers[chat]:
                self._versions.pop(chat, None)
                del self._readers[chat]

    def _watch(self) -> None:
        """Look until nobody listens; a database that is away for a moment is asked again."""
        while True:
            # Decided under the lock: a reader who joins at this moment starts another thread, or is
            # among those that are looked for.
            with self._lock:
                watched = list(self._readers)
                self._is_watching = bool(watched)
            if not watched:
                return
            by_tenant: dict[str, list[int]] = {}
            for tenant_key, inquiry_id in watched:
                by_tenant.setdefault(tenant_key, []).append(inquiry_id)
            try:
                for tenant_key, inquiry_ids in by_tenant.items():
                    self._look(tenant_key, inquiry_ids)
            except Exception:
                # Whatever it was, readers are better served by the next look than by none.
                self._app.logger.warning("chat notifier: could not look", exc_info=True)
            time.sleep(LOOK_SECONDS)

    def _look(self, tenant_key: str, inquiry_ids: list[int]) -> None:
        with self._app.app_context(), tenant_scope(tenant_key), transaction_mode("read"):
            statement = select(Chat.inquiry_id, Chat.pulse).where(Chat.inquiry_id.in_(inquiry_ids))
            versions = session().execute(statement).all()
        with self._lock:
            for inquiry_id, version in versions:
                chat = (tenant_key, inquiry_id)
                if chat in self._readers and self._versions.get(chat) != version:
                    self._versions[chat] = version
                    for news in self._readers[chat]:
                        news.set()
