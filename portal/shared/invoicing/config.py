"""What billing adds to a brand's section of `tenants.toml`."""

from portal.config import ModuleConfig

CONFIG = ModuleConfig(numbers={"payment": "PM"})
