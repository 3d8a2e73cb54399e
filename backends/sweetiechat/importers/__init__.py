"""Dialogues and role cards of other people's corpora, as ours; and splits of them that leak nothing.

One small file a format, and the same road for all: :mod:`reading` finds the entries of a file, a format's ``read``
finds its fields, :mod:`building` merges, cleans and names, :mod:`labels` knows strategy labels and no others.
``import_dialogues`` is the one call; what it left out it says, with file, line and reason.

=============  ================================================================================================
jsonl          the workbench's own file, exact                  convokit   a ConvoKit corpus
esconv         raw, with survey and feedback                    sharegpt   {conversations: [{from, value}]}
failed-esconv  the same with speaker / listener                 chat       {messages: [{role, content}]}
esconv-tsv     the official windows joined by EOS               csv        one message a row, CSV or TSV
multiesc       merged turns, all strategies, VAD                esceval    role cards -> seeker cards
ppdpp          usr / sys                                        extes      User / AI Strategy / AI
predictions    gold and predicted replies                       escot      a reply and its chain of thought
smile          client / counselor                               emollm     system / input / output
=============  ================================================================================================
"""

from backends.sweetiechat.importers.formats import FORMATS
from backends.sweetiechat.importers.reader import Imported, import_dialogues
from backends.sweetiechat.importers.splitting import split

__all__ = ["FORMATS", "Imported", "import_dialogues", "split"]
