"""What chats add to a brand's section of `tenants.toml`."""

from portal.config import ModuleConfig
from portal.shared.chats.operations import LIMIT

CONFIG = ModuleConfig(features={"chat": False}, limits={LIMIT.name: LIMIT.usual})
