"""The index over all run directories, and the only place with SQL.

Files are the truth; ``$home/index.sqlite`` may be deleted at any time and is built again from them.
"""

from workbench.store.index import Index
from workbench.store.slots import Slots, Turn

__all__ = ["Index", "Slots", "Turn"]
