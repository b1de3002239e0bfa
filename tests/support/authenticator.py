"""An authenticator in software: makes and uses one passkey as a phone would, or as somebody who cheats would."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import encode_cbor

HOST, ORIGIN = "facility.localhost", "http://facility.localhost"
PRESENT, VERIFIED, ATTESTED = 1, 4, 64


def text(of: bytes) -> str:
    """base64url, as WebAuthn writes bytes in JSON."""
    return base64.urlsafe_b64encode(of).decode().rstrip("=")


class Authenticator:
    """One passkey. `count` is its counter; one that stays at 0 has none."""

    def __init__(self, *, count: int = 1) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = os.urandom(32)
        self.count = count

    def make(self, options: Mapping[str, Any], **changes: Any) -> str:
        """What the browser sends for a new passkey."""
        numbers = self.key.public_key().public_numbers()
        cose = {
            1: 2,
            3: -7,
            -1: 1,
            -2: numbers.x.to_bytes(32, "big"),
            -3: numbers.y.to_bytes(32, "big"),
        }
        made = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + encode_cbor(cose)
        data = self._data(options["rp"]["id"], ATTESTED, changes) + made
        client = self._client("webauthn.create", options, changes)
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(
            {"clientDataJSON": text(client), "attestationObject": text(attestation)}
        )

    def sign(self, options: Mapping[str, Any], **changes: Any) -> str:
        """What the browser sends to come in; `changes`: origin, host, flags, count, challenge."""
        self.count += 1 if self.count else 0
        data = self._data(options["rpId"], 0, changes)
        client = self._client("webauthn.get", options, changes)
        signed = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {
                "clientDataJSON": text(client),
                "authenticatorData": text(data),
                "signature": text(changes.get("signature", signed)),
            }
        )

    def _data(self, host: str, kind: int, changes: dict[str, Any]) -> bytes:
        host = changes.get("host", host)
        flags = changes.get("flags", PRESENT | VERIFIED) | kind
        count = changes.get("count", self.count)
        return (
            hashlib.sha256(host.encode()).digest() + bytes([flags]) + int(count).to_bytes(4, "big")
        )

    def _client(self, kind: str, options: Mapping[str, Any], changes: dict[str, Any]) -> bytes:
        said = {
            "type": kind,
            "challenge": changes.get("challenge", options["challenge"]),
            "origin": changes.get("origin", ORIGIN),
        }
        return json.dumps(said).encode()

    def _answer(self, response: dict[str, str]) -> str:
        known = text(self.id)
        return json.dumps({"id": known, "rawId": known, "type": "public-key", "response": response})
