"""What the work report of a reservation says (FAC-04, FAC-12)."""

from portal.blueprints.facility.models import Reservation
from portal.config import Tenant
from portal.core import clock
from portal.shared.documents.content import Labour, Material, WorkReportContent
from portal.shared.documents.parties import heads


def work_report_content(tenant: Tenant, reservation: Reservation) -> WorkReportContent:
    """The work report of a finished reservation."""
    report = reservation.work_report or {}
    # Typed on one line of a command: 、 is how people list things.
    materials = [name.strip() for name in report.get("materials", "").split("、")]
    labour: tuple[Labour, ...] = ()
    # Without a worker: an imported reservation, which has no report.
    if report.get("worker"):
        day = clock.to_local(reservation.ended_at).date()
        labour = (Labour(report["worker"], day, report["minutes"]),)
    return WorkReportContent(
        **heads(tenant, reservation.billing, reservation.contact),
        reservation_number=reservation.number,
        facility=reservation.facility_name,
        used_from=reservation.began_at,
        used_until=reservation.ended_at,
        work=report.get("done", ""),
        labour=labour,
        materials=tuple(Material(name, "1", "式") for name in materials if name),
        subject=reservation.purpose,
    )
