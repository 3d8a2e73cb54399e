"""One small entry of every format, written for the tests, and readers that put entries into files."""

from __future__ import annotations

import json
from pathlib import Path

from backends.sweetiechat.importers import import_dialogues
from backends.sweetiechat.importers.reader import Imported

ESCONV = {
    "experience_type": "Previous Experience",
    "emotion_type": "anxiety",
    "problem_type": "job crisis",
    "situation": "The plant closes in May and nobody has told us who may stay.",
    "survey_score": {
        "seeker": {"initial_emotion_intensity": "5", "empathy": "4", "relevance": "5", "final_emotion_intensity": "2"},
        "supporter": {"relevance": "4"},
    },
    "dialog": [
        {"speaker": "seeker", "annotation": {}, "content": "Hello\n"},
        {"speaker": "seeker", "annotation": {"feedback": "3"}, "content": "They close our plant."},
        {"speaker": "supporter", "annotation": {"strategy": "Question"}, "content": "When did you hear of it?"},
        {
            "speaker": "supporter",
            "annotation": {"strategy": "Reflection of feelings"},
            "content": "You sound worn out.",
        },
        {"speaker": "seeker", "annotation": {"feedback": "5"}, "content": "Last week, from a newspaper."},
        {"speaker": "supporter", "annotation": {"strategy": "Others"}, "content": "Take care."},
    ],
}
FAILED = {
    **ESCONV,
    "survey_score": {"seeker": {"initial_emotion_intensity": "5"}, "supporter": {}},
    "dialog": [
        {**turn, "speaker": {"seeker": "speaker", "supporter": "listener"}[turn["speaker"]]}
        for turn in ESCONV["dialog"]
    ],
}
MULTIESC = {
    "emotion_type": "depression",
    "problem_type": "Sleep Problems",
    "situation": "I lie awake until four in the morning.",
    "init_intensity": 4,
    "final_intensity": 2,
    "dialog": [
        {
            "text": "Hi . How can I help ?",
            "speaker": "sys",
            "strategy": "Greeting",
            "all_strategy": ["Greetings", "Question"],
        },
        {
            "text": "I cannot sleep .",
            "speaker": "usr",
            "vad": [0.6, 0.5, 0.3],
            "cause": "cannot sleep .",
            "feedback": None,
        },
        {
            "text": "Try tea .",
            "speaker": "sys",
            "strategy": "Providing Suggestions or Information",
            "all_strategy": ["Providing Suggestions or Information"],
        },
        {"text": "Thank you .", "speaker": "usr", "vad": [0.8, 0.4, 0.6], "cause": "", "feedback": "5"},
    ],
}
PPDPP = {
    "emotion_type": "anger",
    "problem_type": "problems with friends",
    "situation": "My friends went without me.",
    "dialog": [
        {"text": "Hi", "speaker": "usr"},
        {"text": "They left me out", "speaker": "usr"},
        {"text": "What did they say?", "speaker": "sys", "strategy": "Question"},
    ],
}
TSV = (
    "1.0 0 0 Hello, I am worried EOS 1.0 1 1 [Questions] What about?\r\n"
    "0.0 0 0 Hello, I am worried EOS 0.0 1 1 [Questions] What about? EOS 0.0 0 2 My job EOS 1.0 1 3 [Other] I see\r\n"
    "1.0 0 0 Hi there EOS 1.0 1 1 [Other] Hello\r\n"
    "0.0 0 4 Yes EOS 1.0 1 5 [Providing Suggestions] Call them\r\n"
)
EXTES = {
    "scene": "Work-related Stress and Burnout",
    "description": "I have not had a free day for two months.",
    "content": [
        {"User": "I am so tired."},
        {"AI Strategy": "Emotional Validation (EV)", "AI": "That is a lot to carry."},
        {"User": "It never ends."},
        {"AI Strategy": "Affirmation, Offer Hope", "AI": "You have come far, and it can get lighter."},
        {"User": "Thanks."},
        {"AI Strategy": "", "AI": "Gladly."},
    ],
}
ESCOT = {
    "id": 7,
    "original_data": {
        "dialog": [
            {"speaker": "seeker", "content": "I froze in the exam."},
            {"speaker": "supporter", "content": "Oh no."},
            {"speaker": "seeker", "content": "I could not write a word."},
        ],
        "strategy": "Imagery",
        "response": "Picture the room when it is quiet.",
    },
    "cot_data": {
        "emotion": "The seeker feels ashamed.",
        "emotion_stimuli": "The exam.",
        "individual_appraisal": "I failed.",
        "recognized_strategy": "Imagery",
        "strategy_reason": "To calm.",
    },
}
SMILE = {
    "id": "3",
    "dialog": [
        {"role": "client", "content": "最近总是睡不好。", "annotation": []},
        {"role": "counselor", "content": "从什么时候开始的呢？", "annotation": []},
    ],
}
EMOLLM = {
    "conversation": [
        {"system": "你是心理专家。", "input": "我很焦虑。", "output": "愿意多说一点吗？"},
        {"input": "工作太多了。", "output": "听起来很累。"},
    ]
}
ESCEVAL = {
    "base": "Age: Not mentioned\nGender: Female\nOccupation: teacher\nProblem: She cannot forgive her brother.",
    "res": "家庭生活",
    "source": "ESconv",
    "base_biaozhu": "年龄：未提及",
    "language": "english",
    "id": 32025,
}
ESCEVAL_ZH = {
    "base": "年龄：青年\n性别：未提及\n职业：学生\n问题：面对相亲感到压力。",
    "res": "家庭生活",
    "source": "PsyQA",
    "base_biaozhu": "",
    "language": "chinese",
    "id": 10000,
}
KANG = {
    "sample_id": "0",
    "context": "supporter\n- Strategy: Others\n- Utterance: Go ahead\nseeker\n- Utterance: I may leave\n"
    "him\nseeker\n- Utterance: He lied",
    "situation": "I may break up with my boyfriend.",
    "problem_type": "breakup with partner",
    "emotion_type": "sadness",
    "strg_gold": "Question",
    "res_gold": "What did he say?",
    "strg_pred": "Providing Suggestions",
    "res_pred": "Leave.",
}
SHAREGPT = {
    "id": "a1",
    "conversations": [
        {"from": "system", "value": "Be kind."},
        {"from": "human", "value": "I feel low."},
        {"from": "gpt", "value": "[Question] Since when?"},
    ],
}
CHAT = {
    "messages": [{"role": "user", "content": "I feel low."}, {"role": "assistant", "content": "[sighs] Since when?"}]
}
CONVOKIT = [
    {
        "id": "u0",
        "conversation_id": "u0",
        "speaker": "seeker",
        "text": "I am lost.",
        "reply-to": None,
        "timestamp": 0,
        "meta": {"situation": "I moved to a city where I know nobody.", "emotion_type": "loneliness"},
        "vectors": [],
    },
    {
        "id": "u1",
        "conversation_id": "u0",
        "speaker": "supporter",
        "text": "Where to?",
        "reply-to": "u0",
        "timestamp": 1,
        "meta": {"strategy": "Question"},
        "vectors": [],
    },
]
TABLE = (
    "dialogue,speaker,text,strategy,situation\nd1,client,I am afraid of the dark,,The power has been out for days.\n"
    'd1,therapist,"Since when, exactly?",Question,\nd2,client,Hello,,\n'
)
ONE_EACH = {
    "esconv": ESCONV,
    "failed-esconv": FAILED,
    "multiesc": MULTIESC,
    "ppdpp": PPDPP,
    "extes": EXTES,
    "escot": ESCOT,
    "smile": SMILE,
    "emollm": EMOLLM,
    "esceval": ESCEVAL,
    "predictions": KANG,
    "sharegpt": SHAREGPT,
    "chat": CHAT,
}
"""Formats of one JSON table an entry."""


def put(folder: Path, name: str, content: object) -> Path:
    """A file with this text, these bytes, or this value as JSON (a list in a ``.jsonl`` file: one entry a line)."""
    path = folder / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_bytes(content.encode("utf-8"))
    elif name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content), encoding="utf-8")
    else:
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def taken(folder: Path, name: str, content: object, **options: object) -> Imported:
    """What is imported from a file with this content."""
    return import_dialogues(put(folder, name, content), **options)
