"""The information barrier (spec A.4): what each role may see, and the only place where a prompt is made.

=========  ================================================================  ===========================
role       sees                                                              never sees
=========  ================================================================  ===========================
seeker     own card, own scenario, own private state, public dialogue        strategies, counselor notes
counselor  public dialogue, strategy definitions, strategies used, turn      card, scenario, private state
supporter  public dialogue, the chosen strategy, its definition, rationale   card, scenario, private state
=========  ================================================================  ===========================

It is kept by construction: ``view_for`` first projects the dialogue onto one of three classes that have no
field for what the role must not see, and the writers of ``writers`` get that projection and nothing else.
"""

from __future__ import annotations

from backends.common.language import Prompt
from backends.sweetiechat import writers
from backends.sweetiechat.aims import Aim
from backends.sweetiechat.objects import Counsel, Dialogue, Role
from backends.sweetiechat.projections import counselor_view, seeker_view, supporter_view
from backends.sweetiechat.wording import Voice, Wording


def view_for(role: Role, dialogue: Dialogue, wording: Wording, voice: Voice, *, task: str = "speak",
             aim: Aim | None = None, counsel: Counsel | None = None, pick: int = 0, problem: str = "") -> Prompt:
    """The prompt of one role, made from that role's projection of the dialogue only.

    ``task``: seeker ``speak``, ``json``, ``state``; counselor ``decide``, ``score``, ``null``, ``repair``; supporter
    ``speak``. ``aim`` is the seeker's own plan, ``counsel`` the decision for the supporter, ``pick`` which of the
    first words a small model's reply begins with, ``problem`` what was wrong with the counselor's last answer.
    """
    key = f"{dialogue.root}/{role}"
    if role == "seeker":
        return writers.seeker(seeker_view(dialogue, aim or Aim("answer")), wording, voice, task, key, pick)
    if role == "counselor":
        return writers.counselor(counselor_view(dialogue), wording, voice, task, key, problem)
    return writers.supporter(supporter_view(dialogue, counsel), wording, voice, key, pick)
