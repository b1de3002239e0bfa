"""What the knowledge base adds to a brand's section of `tenants.toml`."""

from portal.config import ModuleConfig

CONFIG = ModuleConfig(features={"knowledge": False})
