"""What notices add to a brand's section of `tenants.toml`."""

from portal.config import ModuleConfig

CONFIG = ModuleConfig(features={"notices": True})
