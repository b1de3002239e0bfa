"""COM-72: processes and threads that issue documents at the same moment leave no gap and no double."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from portal.core.audit_chain import find_faults
from portal.core.db import session
from portal.core.jobs import Job
from portal.settings import ROOT, Settings
from portal.shared.documents.models import Document, DocumentKind
from tests.races.processes import environment

_PROCESSES, _THREADS, _TAKES = 4, 7, 8


@pytest.mark.slow
@pytest.mark.races
def test_com_72_four_processes_issue_documents_without_gap_or_double(
    settings: Settings, inside: Callable[[str], Any]
) -> None:
    """COM-72, COM-90: 224 kept and 56 rolled back at once; each kept one is audited, in one unbroken chain."""
    command = [sys.executable, "-m", "tests.races.processes", str(_THREADS), str(_TAKES)]
    takers = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(_PROCESSES)
    ]
    try:
        for taker in takers:
            assert taker.stdout is not None
            assert taker.stdout.readline() == "ready\n"
        for taker in takers:
            assert taker.stdin is not None
            taker.stdin.write("go\n")
            taker.stdin.flush()
        told = [taker.communicate(timeout=60)[0].split() for taker in takers]
    finally:
        for taker in takers:
            taker.kill()
            taker.wait()
    count = _PROCESSES * _THREADS * _TAKES
    expected = [f"FI{value:06}" for value in range(1, count + 1)]
    assert [len(numbers) for numbers in told] == [count // _PROCESSES] * _PROCESSES
    assert sorted(number for numbers in told for number in numbers) == expected
    with inside("facility"):
        kept = (
            select(Document.number)
            .where(Document.kind == DocumentKind.INVOICE)
            .order_by(Document.number)
        )
        assert list(session().scalars(kept)) == expected
        assert session().scalar(select(func.count(Job.id))) == count
        assert list(find_faults()) == []
