"""What the members of accounts add to a brand's section of `tenants.toml`."""

from portal.config import ModuleConfig
from portal.shared.members.operations import LIMIT

CONFIG = ModuleConfig(features={"contacts": True}, limits={LIMIT.name: LIMIT.usual})
