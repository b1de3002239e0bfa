"""COM-74: an archive that is larger than memory is handed over like a small one."""

from __future__ import annotations

import tracemalloc
import zipfile
from datetime import date

from flask import Flask

from portal.core import clock, file_store, session, transaction_mode
from portal.core.db import hold_snapshot
from portal.shared.documents.bundle import Selection, make_bundle
from portal.shared.documents.models import Document, DocumentKind

MEGABYTE = 1024 * 1024
DAY = date(2026, 10, 14)


def test_a_bundle_needs_far_less_memory_than_its_files(app: Flask, inside) -> None:
    """COM-74: PDFs are read and written in pieces, one after another."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    with inside("facility"):
        key = file_store().put(b"%PDF" * MEGABYTE)
        for place in range(1, 13):
            session().add(
                Document(
                    kind=DocumentKind.INVOICE,
                    number=f"FI{place:06d}",
                    account_id=1,
                    about="FR000001",
                    counterparty="株式会社一番",
                    transaction_date=DAY,
                    total=100,
                    content={},
                    issued_at=clock.now(),
                    sha256=key,
                )
            )
        session().commit()
        with transaction_mode("read"):
            hold_snapshot()
            tracemalloc.start()
            try:
                made = make_bundle(tenant, Selection(DAY, DAY))
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
        with made.file, zipfile.ZipFile(made.file) as archive:
            pdfs = [info for info in archive.infolist() if info.filename.endswith(".pdf")]
            assert (made.count, len(pdfs)) == (12, 12)
            assert sum(info.file_size for info in pdfs) == 12 * 4 * MEGABYTE
        assert peak < 4 * MEGABYTE
