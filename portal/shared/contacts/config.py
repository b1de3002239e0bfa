"""What addresses add to a brand's section of `tenants.toml`."""

from portal.config import ModuleConfig
from portal.shared.contacts.operations import LIMITS

CONFIG = ModuleConfig(
    features={"billing_addresses": True, "delivery_addresses": False},
    limits={limit.name: limit.usual for limit in LIMITS},
)
