"""What documents add to a brand's section of `tenants.toml`."""

from portal.config import ModuleConfig

CONFIG = ModuleConfig(
    features={"document_links": False},
    numbers={
        "invoice": "INV",
        "delivery_note": "DN",
        "receipt": "RC",
        "work_report": "WR",
        "credit_note": "CN",
    },
)
