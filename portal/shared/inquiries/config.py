"""What inquiries add to a brand's section of `tenants.toml`."""

from portal.config import ModuleConfig

CONFIG = ModuleConfig(features={"inquiries": True}, numbers={"inquiry": "IQ"})
