"""Documents to measure with: sentences of a closed vocabulary, the same on every run."""

from __future__ import annotations

import random
from pathlib import Path

_SYLLABLES = ("ba", "co", "di", "fu", "ga", "lo", "mi", "nu", "pe", "ri", "so", "ta", "ve", "xa", "zo", "chau", "mont", "pri")
_CHUNKS_A_FILE = 5
_SENTENCES = 5
_WORDS = 6000
_COMMON = 300


def words(count: int, seed: int = 1) -> list[str]:
    """Distinct made-up words."""
    chance = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(chance.choice(_SYLLABLES) for _ in range(chance.randint(2, 4)))] = None
    return list(found)


def sentence(chance: random.Random, vocabulary: list[str]) -> str:
    """About fourteen words, as often as Zipf says of real ones."""
    picked = (vocabulary[int(len(vocabulary) ** chance.random()) - 1] for _ in range(chance.randint(9, 19)))
    return " ".join(picked).capitalize() + "."


def rare_words() -> frozenset[str]:
    """Words by which a document can be told from others."""
    return frozenset(words(_WORDS)[_COMMON:])


def write_corpus(folder: Path, chunks: int, *, seed: int = 7) -> int:
    """Write Markdown files that make about `chunks` chunks at the default settings; return how many files."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)
    vocabulary = words(_WORDS)
    files = max(1, chunks // _CHUNKS_A_FILE)
    for number in range(files):
        sections = []
        for part in range(_CHUNKS_A_FILE):
            text = " ".join(sentence(chance, vocabulary) for _ in range(_SENTENCES))
            sections.append(f"## Part {part} {chance.choice(vocabulary)}\n\n{text}\n")
        (folder / f"document-{number:05d}.md").write_text(f"# Document {number}\n\n" + "\n".join(sections), encoding="utf-8")
    return files
