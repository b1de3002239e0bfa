"""A real mail server on the loopback that keeps what it is given."""

from __future__ import annotations

import ssl
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller

from tests.support.ports import free_port

_ACCEPTED = "250 OK"


class SmtpServer:
    """Use as a context manager. `messages` are the mails taken; `answer` is what the next ones are answered with.

    Set `answer` to e.g. "451 later" to make the server refuse, and `stop()` to make it unreachable.
    """

    def __init__(self, port: int | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self.host, self.port = "127.0.0.1", port or free_port()
        self.tls = tls
        self.messages: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.answer = _ACCEPTED
        self._arrived = threading.Condition()
        self._controller: Controller | None = None

    @property
    def url(self) -> str:
        """The address as PORTAL_SMTP_URL takes it."""
        scheme = "smtp+starttls" if self.tls else "smtp"
        return f"{scheme}://{self.host}:{self.port}"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Keep a mail, or refuse it with `answer`."""
        answer = self.answer
        if answer.startswith("250"):
            with self._arrived:
                self.messages.append(
                    message_from_bytes(envelope.content, EmailMessage, policy=policy.default)
                )
                self.recipients.append(list(envelope.rcpt_tos))
                self._arrived.notify_all()
        return answer

    def wait_for(self, count: int, seconds: float = 10.0) -> list[EmailMessage]:
        """All mails, as soon as there are `count` of them. Raises TimeoutError."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.messages) >= count, seconds):
                raise TimeoutError(f"{len(self.messages)} of {count} mails came")
        return list(self.messages)

    def start(self) -> Self:
        """Listen."""
        self._controller = Controller(
            self, hostname=self.host, port=self.port, tls_context=self.tls
        )
        self._controller.start()
        return self

    def stop(self) -> None:
        """Listen no longer."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
