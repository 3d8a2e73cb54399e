"""The practice talk: everyday sentences and, for each, replies in five tones. Written for this project; no data set.

It teaches a small language model the one thing stage 2 needs of it: that the same sentence is answered differently
when it is said happily or sadly, and that different sentences are answered differently in one tone. A sentence is a
subject, an action and a place or time; a reply is an opening for the tone, a remark that takes up the sentence, and a
close. All of it is combined from lists, so it is *synthetic*, and a model of it talks about these things only.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

from backends.blsp_emo.ser import EMOTIONS

PEOPLE = ("Kids", "Dogs", "My neighbours", "The birds", "Two friends", "The students", "My parents", "Some tourists",
          "The cats", "Our guests", "The players", "My cousins", "The workers", "Three horses", "The teachers",
          "A few strangers", "The twins", "My colleagues", "The singers", "The doctors")
ACTIONS = ("talking", "sitting", "waiting", "singing", "running", "sleeping", "dancing", "eating", "laughing",
           "standing", "playing", "reading", "arguing", "cooking", "resting", "shouting")
PLACES = ("by the door", "in the garden", "at the station", "near the river", "under the tree", "in the kitchen",
          "on the roof", "behind the house", "at the market", "in the park", "on the stairs", "by the window",
          "in the hall", "at the beach", "on the bridge", "in the library")
DEEDS = (("I am graduating", "graduating"), ("I lost my keys", "losing your keys"),
         ("I found a letter", "finding a letter"), ("I am moving to another town", "moving to another town"),
         ("I met my old teacher", "meeting your old teacher"), ("I broke a cup", "breaking a cup"),
         ("I missed the bus", "missing the bus"), ("I sold my car", "selling your car"),
         ("I painted the wall", "painting the wall"), ("I wrote a song", "writing a song"),
         ("I start a new job", "starting a new job"), ("I left the office", "leaving the office"),
         ("I planted a tree", "planting a tree"), ("I called my sister", "calling your sister"),
         ("I passed the exam", "passing the exam"), ("I bought a bicycle", "buying a bicycle"))
THINGS = ("cloth", "letter", "lamp", "basket", "clock", "mirror", "guitar", "blanket", "bottle", "carpet", "camera",
          "kettle", "ladder", "picture", "pillow", "suitcase", "telephone", "umbrella", "wallet", "shovel", "hammer",
          "violin", "candle", "jacket", "packet", "ticket", "magazine", "computer", "sandwich", "medicine")
SPOTS = ("fridge", "table", "shelf", "sofa", "wardrobe", "fireplace", "balcony", "cupboard", "doorstep", "window sill",
         "garage roof", "old piano", "garden wall", "kitchen floor")
TIMES = ("today", "this morning", "last night", "this week", "on Monday", "after lunch", "before dinner", "at noon")
OPENINGS = {
    "neutral": ("I see.", "All right.", "Thank you for telling me.", "Good to know."),
    "happy": ("That is wonderful!", "How lovely!", "I am so glad for you!", "What great news!"),
    "angry": ("That sounds really frustrating.", "I can hear how much this bothers you.",
              "You have every right to be upset.", "That would make me furious too."),
    "sad": ("I am sorry to hear that.", "That must be hard for you.", "My heart goes out to you.",
            "I can tell this hurts."),
    "surprise": ("Wow, really?", "Oh, I did not expect that!", "No way!", "What a shock!"),
}
REMARKS = {
    "neutral": ("So it is about {it}.", "You mention {it}.", "I will keep {it} in mind."),
    "happy": ("Enjoy {it}!", "It is a joy to think of {it}.", "I can picture {it} and smile."),
    "angry": ("Nobody should have to put up with {it}.", "I understand why {it} makes you so cross.",
              "Let us see what can be done about {it}."),
    "sad": ("It is all right to cry about {it}.", "I am here if {it} weighs on you.",
            "Take your time with {it}."),
    "surprise": ("Who would have thought of {it}?", "I never saw {it} coming.", "Imagine that, {it}!"),
}
CLOSES = {
    "neutral": ("What happens next?", "Is there anything else?"),
    "happy": ("Tell me more!", "Let us celebrate!"),
    "angry": ("Breathe, and tell me what you need.", "What would make it right?"),
    "sad": ("Would you like to talk?", "You are not alone."),
    "surprise": ("How did it happen?", "When did you find out?"),
}


@dataclass(frozen=True)
class Said:
    """A sentence, and how a reply takes it up."""

    text: str
    it: str


SAYINGS = (
    Said("The cloth is lying on the fridge.", "the cloth on the fridge"),
    Said("She will hand it in on Wednesday.", "her handing it in on Wednesday"),
    Said("Tonight I could tell him.", "telling him tonight"),
    Said("The black sheet of paper is up there next to the piece of wood.", "the black sheet of paper"),
    Said("In seven hours it will be time.", "the next seven hours"),
    Said("What about the bags that stand there under the table?", "the bags under the table"),
    Said("They have just carried it upstairs and now they are going down again.", "them going up and down"),
    Said("At the weekends I have always gone home and seen Agnes.", "seeing Agnes at the weekends"),
    Said("I will just take this away and then have a drink with Karl.", "having a drink with Karl"),
    Said("It will be in the place where we always put it.", "the place where you always put it"))
"""The ten sentences of EMO-DB in English (our translation), so that the practice clips can be answered."""


@dataclass(frozen=True)
class Pair:
    """An answer to a sentence in a tone; ``""`` names no tone and is answered as ``neutral`` is."""

    text: str
    emotion: str
    output: str


def sentences(generator: random.Random, count: int) -> list[Said]:
    """Different sentences in random order, ``count`` of the about 6,000 there are."""
    every = [Said(f"{who} are {act} {where}.", f"{who[0].lower() + who[1:]} {act} {where}".replace("my ", "your "))
             for who, act, where in itertools.product(PEOPLE, ACTIONS, PLACES)]
    every += [Said(f"{deed} {when}.", f"{it} {when}") for (deed, it), when in itertools.product(DEEDS, TIMES)]
    every += [Said(f"The {thing} is lying {where} the {spot}.", f"the {thing} {where} the {spot}")
              for thing, where, spot in itertools.product(THINGS, ("on", "under"), SPOTS)]
    return generator.sample(every, min(count, len(every)))


def reply(said: Said, emotion: str, generator: random.Random) -> str:
    """One reply in a tone."""
    name = emotion or "neutral"
    parts = (generator.choice(OPENINGS[name]), generator.choice(REMARKS[name]).format(it=said.it),
             generator.choice(CLOSES[name]))
    return " ".join(part[0].upper() + part[1:] for part in parts)


def pairs(said: Sequence[Said], generator: random.Random) -> list[Pair]:
    """Every sentence with a reply for each tone and one where no tone is named."""
    return [Pair(one.text, emotion, reply(one, emotion, generator)) for one in said for emotion in (*EMOTIONS, "")]


def divided(seed: int, count: int, held: int) -> tuple[list[Said], list[Said]]:
    """Sentences to learn and ``held`` others to be asked about; none is in both."""
    every = sentences(random.Random(seed), count + held)
    if len(every) <= held:
        return every[:-1], every[-1:]
    return every[held:], every[:held]
