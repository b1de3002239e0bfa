"""Reading `tenants.toml`: a typed tenant, put together from what the modules declare (OPS-01).

These are the words that the floors above use; `registry` reads the file, `schema` is the type.
"""

from portal.config.module_config import ModuleConfig
from portal.config.registry import Registry
from portal.config.schema import Tenant
from portal.config.schema_base import Each, Name, Section
from portal.config.schema_parts import InquiryCategory, NumberFormat

__all__ = [
    "Each",
    "InquiryCategory",
    "ModuleConfig",
    "Name",
    "NumberFormat",
    "Registry",
    "Section",
    "Tenant",
]
