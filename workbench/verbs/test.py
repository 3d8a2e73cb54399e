"""``test``: style, types and the whole suite."""

from workbench.testing import arguments, test
from workbench.verbs import Verb

VERBS = {"test": Verb("check style and types and run every test", arguments, test)}
