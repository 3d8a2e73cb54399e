"""``doctor``: what is well on this machine and what is not."""

from workbench.doctor import arguments, doctor
from workbench.verbs import Verb

VERBS = {"doctor": Verb("check this machine and this copy of the project", arguments, doctor)}
