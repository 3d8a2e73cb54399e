"""Text to ids and back: a joined byte-pair vocabulary, the words of a synthetic language, or Marian's pieces.

A vocabulary also says where words begin among tokens, which word-level latency and the staircase need. Our own is
Hugging Face ``tokenizers``: NFC, spaces as ``▁`` in front of a word, byte-pair merges within words, learned from both
sides of the training data. Chinese has no spaces, so its merges are over runs of characters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from workbench.contract import MissingResource, UserError

SPACE = "\u2581"
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
FILE, WORDS = "tokenizer.json", "words.txt"
CJK = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2FFFF))


class Vocabulary(Protocol):
    """What a model needs of its tokeniser. ``encode`` ends in the end token; ``decode`` leaves special ids out."""

    size: int

    def encode(self, text: str, target: bool = False) -> list[int]: ...

    def decode(self, ids: Sequence[int]) -> str: ...

    def pieces(self, ids: Sequence[int]) -> list[str]: ...

    def begun(self, ids: Sequence[int]) -> list[int]: ...

    def save(self, folder: Path) -> None: ...


def begun_of(pieces: Sequence[str]) -> list[int]:
    """Words begun with each piece: a piece after a space begins one, each CJK character is one, and so is what
    follows a CJK character without a space. ``</s>`` and the like begin none."""
    found, count, inside = [], 0, False
    for piece in pieces:
        if piece in SPECIAL[:3]:
            found.append(count)
            continue
        if piece.startswith(SPACE):
            inside = False
        for character in piece.lstrip(SPACE):
            if character == SPACE:
                inside = False
            elif _is_cjk(character):
                count, inside = count + 1, False
            elif not inside:
                count, inside = count + 1, True
        found.append(count)
    return found


def words(text: str) -> list[str]:
    """Words of a text as :func:`begun_of` counts them: split at spaces, every CJK character a word of its own."""
    found: list[str] = []
    inside = False
    for character in text:
        if character.isspace() or _is_cjk(character):
            inside = False
            found += [] if character.isspace() else [character]
        elif inside:
            found[-1] += character
        else:
            found.append(character)
            inside = True
    return found


def _is_cjk(character: str) -> bool:
    return any(low <= ord(character) <= high for low, high in CJK)


class Pieces:
    """A byte-pair vocabulary of ``tokenizers``."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.tokenizer.encode_special_tokens = True  # "</s>" in a text is four characters, not the end
        self.size = int(tokenizer.get_vocab_size())
        self.end = int(tokenizer.token_to_id(SPECIAL[2]))

    def encode(self, text: str, target: bool = False) -> list[int]:
        """Ids of a text and the end token."""
        return [*self.tokenizer.encode(text, add_special_tokens=False).ids, self.end]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids."""
        return str(self.tokenizer.decode([i for i in ids if i >= len(SPECIAL) - 1], skip_special_tokens=True)).strip()

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Each id as it is shown."""
        return [str(self.tokenizer.id_to_token(i)) for i in ids]

    def begun(self, ids: Sequence[int]) -> list[int]:
        """See :func:`begun_of`."""
        return begun_of(self.pieces(ids))

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json``."""
        self.tokenizer.save(str(folder / FILE))


def learn(lines: Iterable[str], size: int) -> Pieces:
    """Learn a vocabulary of at most ``size`` pieces. Raises ``UserError`` where the text has more characters."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    text = list(lines)
    characters = len(set("".join(text)))
    if characters + len(SPECIAL) + 1 > size:
        raise UserError(f"vocabulary is {size} and the text has {characters} different characters; it must be larger.",
                        advice=f"Take at least {characters + 1000}.")
    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL[3]))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(SPACE)
    tokenizer.decoder = decoders.Metaspace(SPACE)
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(SPECIAL), show_progress=False)
    tokenizer.train_from_iterator(text, trainer)
    return Pieces(tokenizer)


class Words:
    """A closed list of words, one id each, joined by spaces: for the synthetic language."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self.size, self.ids = len(self.words), {word: i for i, word in enumerate(self.words) if i > 2}
        self.end = 2

    def encode(self, text: str, target: bool = False) -> list[int]:
        """Ids and the end token. Raises ``UserError`` for a word that the language does not have."""
        unknown = [word for word in text.split() if word not in self.ids]
        if unknown:
            raise UserError(f"The language of this model has no word {unknown[0]!r}.",
                            advice=f"It has {', '.join(self.words[3:9])} and so on.")
        return [*(self.ids[word] for word in text.split()), self.end]

    def decode(self, ids: Sequence[int]) -> str:
        """The words without special ones."""
        return " ".join(self.words[i] for i in ids if i > 2)

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The words."""
        return [self.words[i] for i in ids]

    def begun(self, ids: Sequence[int]) -> list[int]:
        """Every id but the special ones is a word."""
        found, count = [], 0
        for i in ids:
            count += i > 2
            found.append(count)
        return found

    def save(self, folder: Path) -> None:
        """Write ``words.txt``."""
        (folder / WORDS).write_text("\n".join(self.words) + "\n", encoding="utf-8")


class Marian:
    """The two sentencepiece models and the joined list of a Marian checkpoint."""

    def __init__(self, folder: Path) -> None:
        from transformers import MarianTokenizer

        self.tokenizer: Any = MarianTokenizer.from_pretrained(folder, local_files_only=True)
        self.tokenizer.split_special_tokens = True  # as in Pieces
        self.folder = folder
        self.size = len(self.tokenizer)

    def encode(self, text: str, target: bool = False) -> list[int]:
        """Ids and the end token, by the model of the source or of the target language."""
        made = self.tokenizer(text_target=text) if target else self.tokenizer(text)
        return [int(i) for i in made["input_ids"]]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of target ids."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True)).strip()

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Each id as it is shown."""
        return [str(piece) for piece in self.tokenizer.convert_ids_to_tokens(list(ids))]

    def begun(self, ids: Sequence[int]) -> list[int]:
        """See :func:`begun_of`."""
        return begun_of(self.pieces(ids))

    def save(self, folder: Path) -> None:
        """Write Marian's own files."""
        self.tokenizer.save_pretrained(folder)


def _read_words(folder: Path) -> Words:
    return Words((folder / WORDS).read_text(encoding="utf-8").split("\n")[:-1])


def _read_pieces(folder: Path) -> Pieces:
    from tokenizers import Tokenizer

    return Pieces(Tokenizer.from_file(str(folder / FILE)))


KINDS: Mapping[str, Callable[[Path], Vocabulary]] = {WORDS: _read_words, "source.spm": Marian, FILE: _read_pieces}


def open_vocabulary(folder: Path) -> Vocabulary:
    """The vocabulary of a model folder. Raises ``MissingResource`` where there is none, ``UserError`` where
    it cannot be read."""
    for name, kind in KINDS.items():
        if (folder / name).is_file():
            try:
                return kind(folder)
            except UserError:
                raise
            except Exception as error:  # tokenizers and sentencepiece raise bare exceptions
                raise UserError(f"The vocabulary {name} of {folder.name} is damaged ({error}).",
                                advice="Copy the folder again.") from error
    raise MissingResource(f"The folder {folder.name} holds no vocabulary.",
                          advice="A translation model has words.txt, tokenizer.json or source.spm beside its weights.")
