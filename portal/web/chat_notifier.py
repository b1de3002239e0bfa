"""Rings for whoever reads a chat: one thread of a process looks for all of them, and wakes those
with news.

A reader waits without a transaction and without a connection. Readers of other processes are woken
by their own bell.
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


class ChatNotifier:
    """This process's readers by tenant and inquiry, at most `most`, and the thread that is there
    while they are.
    """

    def __init__(self, app: Flask, most: int) -> None:
        self._app = app
        self._most = most
        self._lock = threading.Lock()
        self._is_watching = False
        self._readers: dict[tuple[str, int], list[threading.Event]] = {}
        self._pulses: dict[tuple[str, int], int] = {}

    def has_room(self) -> bool:
        """Whether one reader more could wait now: each holds a thread of the server.

        A hint; `reader` decides.
        """
        with self._lock:
            return self._count() < self._most

    def _count(self) -> int:
        return sum(len(waiting) for waiting in self._readers.values())

    @contextmanager
    def reader(self, tenant_key: str, inquiry_id: int) -> Iterator[threading.Event | None]:
        """An event that is set at each news of the chat, while inside; None where there was no
        room.
        """
        rung = self._join((tenant_key, inquiry_id))
        if rung is None:
            yield None
            return
        try:
            yield rung
        finally:
            self._leave((tenant_key, inquiry_id), rung)

    def _join(self, chat: tuple[str, int]) -> threading.Event | None:
        # Counted and taken under one lock: whoever comes at the same moment must not find the same
        # place free.
        with self._lock:
            if self._count() >= self._most:
                return None
            rung = threading.Event()
            self._readers.setdefault(chat, []).append(rung)
            if not self._is_watching:
                self._is_watching = True
                threading.Thread(target=self._watch, name="chat bell", daemon=True).start()
            return rung

    def _leave(self, chat: tuple[str, int], rung: threading.Event) -> None:
        with self._lock:
            self._readers[chat].remove(rung)
            if not self._readers[chat]:
                self._pulses.pop(chat, None)
                del self._readers[chat]

    def _watch(self) -> None:
        """Look until nobody listens; a database that is away for a moment is asked again."""
        while True:
            with self._lock:
                watched = list(self._readers)
                self._is_watching = bool(watched)
            if not watched:
                return
            try:
                for key in {key for key, _id in watched}:
                    self._look(key, [inquiry_id for of, inquiry_id in watched if of == key])
            except (
                Exception
            ):  # whatever it was, readers are better served by the next look than by none
                self._app.logger.warning("chat bell: could not look", exc_info=True)
            time.sleep(LOOK_SECONDS)

    def _look(self, key: str, inquiry_ids: list[int]) -> None:
        with self._app.app_context(), tenant_scope(key), transaction_mode("read"):
            asked = select(Chat.inquiry_id, Chat.pulse).where(Chat.inquiry_id.in_(inquiry_ids))
            pulses = session().execute(asked).all()
        with self._lock:
            for inquiry_id, pulse in pulses:
                chat = key, inquiry_id
                if chat in self._readers and self._pulses.get(chat) != pulse:
                    self._pulses[chat] = pulse
                    for rung in self._readers[chat]:
                        rung.set()
