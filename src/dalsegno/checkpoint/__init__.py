"""When snapshots are taken and which are kept."""

from dalsegno.core.store.retention import Keep
from dalsegno.policies.improved import Improved
from dalsegno.policies.schedules import Every, Never
from dalsegno.policies.young_daly import YoungDaly

__all__ = ["Every", "Improved", "Keep", "Never", "YoungDaly"]
