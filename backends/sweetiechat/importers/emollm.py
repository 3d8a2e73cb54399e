"""EmoLLM: Chinese counselling written by a model, ``[{conversation: [{system, input, output}]}]``."""

from __future__ import annotations

from backends.sweetiechat.importers.draft import Draft, Format, Said, has_list, list_in, text_in, text_of
from workbench.contract import Json


def read(entry: Json) -> Draft:
    """One dialogue; ``input`` is the seeker's, ``output`` the supporter's. The system text is noted once."""
    said: list[Said] = []
    system = ""
    for number, pair in enumerate(list_in(entry, "conversation"), 1):
        said.append(Said("seeker", text_in(pair, "input", f"exchange {number}")))
        said.append(Said("supporter", text_in(pair, "output", f"exchange {number}")))
        system = system or text_of(pair, "system")
    return Draft(tuple(said), notes={"system": system} if system else {})


FORM = Format("emollm", "EmoLLM (system, input, output)",
              lambda entry: has_list(entry, "conversation", "input", "output"), read, strategies="esconv-8",
              language="zh", made_by="model")
