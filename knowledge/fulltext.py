"""The full-text leg: which words of a question are asked for, and the FTS5 query over live chunks of a scope."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import text

from knowledge.tables import json_list

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Connection

_WORD = re.compile(r"[^\W_]+")
_MARKS = re.compile(r"[\u0300-\u036f]+")
_TERMS = 12
_SHARE = 0.2
"""Words are asked for, the rarest first, until the chunks they stand in add up to this share: the rest costs time, not hits."""

_FEW, _RARE = 3, 0.002
"""A word is rare when it stands in so many chunks, or in this share of them."""
_COUNTED = 200
"""Words that stand in more chunks than that are not counted one by one."""
_NAMED = 4
"""Characters of a number or code that names something."""

# Words that are also nouns people ask for ("été", "may", "will") are not here: their frequency weighs them.
_FRENCH = """
    a ai aie ainsi alors apres as au aucun aucune aujourd aussi autre autres aux avant avec avez avoir avons bien c ca
    car ce ceci cela celle celles celui ces cet cette ceux chaque chez ci comme comment d dans de depuis des deux doit
    doivent donc dont du elle elles en encore entre est et etait etant etes etre eu faire fait faut hui il ils j je
    jusqu jusque l la laquelle le lequel les lesquels leur leurs lors lorsqu lorsque lui m ma mais me meme memes mes moi
    moins mon n ne ni non nos notre nous on ont ou par parce pas pendant peu peut peuvent peux plus plusieurs pour
    pourquoi puis puisque qu quand que quel quelle quelles quels qui quoi s sa sans se selon sera ses si soit son sont
    sous suis sur t ta te tes toi ton tous tout toute toutes tres tu un une vers veut voici voila vos votre vous y
"""
_ENGLISH = """
    about above after again against all also am an and any are at be because been before being below between both but by
    can could did do does doing down during each few for from further had has have having he her here hers him his how i
    if in into is it its itself just me might more most must my no nor not of off on once only or other our ours out
    over own same shall she should so some such than that the their theirs them then there these they this those through
    to too under until up upon very was we were what when where which while who whom whose why with would you your
    yours
"""
_STOP = frozenset(f"{_FRENCH} {_ENGLISH}".split())


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a question: those asked for, and the weight of each word, known to the index or not.

    `weights` are inverse document frequencies as BM25 has them; `chunks` is how many the index holds, dead ones included.
    `named` are those of a number or code that the question gives and that is rare: a meter, an invoice, a model.
    """

    asked: tuple[str, ...]
    weights: dict[str, float]
    chunks: int
    named: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """A hit: chunk and BM25 score, higher is better."""

    chunk_id: int
    score: float


def folded(question: str) -> list[str]:
    """The words of a question as FTS5's `unicode61 remove_diacritics 2` cuts them, stop words removed, each once, in order."""
    return [word for word in dict.fromkeys(terms(question)) if word not in _STOP and (len(word) > 1 or word.isdigit())]


def covered(words: Words, passage: str) -> float:
    """The share of a question's words that stand in a passage, by weight, 0 to 1; a plural counts as its singular."""
    there = set(terms(passage))
    whole = sum(words.weights.values())
    return sum(weight for word, weight in words.weights.items() if not there.isdisjoint(_forms(word))) / whole if whole else 0.0


def names(words: Words, passage: str) -> bool:
    """Whether a passage has the whole number or code that a question gives."""
    return bool(words.named) and words.named <= set(terms(passage))


def words_of(connection: Connection, question: str, collections: Collection[str]) -> Words:
    """Choose the words to ask for: at most twelve, rarest first, until they stand in a fifth of the chunks."""
    words = folded(question)
    chunks, known = _counted(connection, words, collections)
    frequencies = {word: known.get(word, 0) for word in words}
    weights = {word: math.log(1 + (chunks - count + 0.5) / (count + 0.5)) for word, count in frequencies.items()}
    asked: list[str] = []
    sum_ = 0
    for word in sorted((word for word, count in frequencies.items() if count), key=frequencies.__getitem__)[:_TERMS]:
        if asked and sum_ + frequencies[word] > _SHARE * chunks:
            break
        asked.append(word)
        sum_ += frequencies[word]
    return Words(tuple(asked), weights, chunks, _named(frequencies, chunks))


def _counted(connection: Connection, words: list[str], collections: Collection[str]) -> tuple[int, dict[str, int]]:
    """Chunks, and in how many of them each word stands, in these collections alone.

    Else a person could tell from the scores of their own passages which words stand in those of others. A word that is frequent
    in the whole index says nothing about anybody: it is counted there, in proportion.
    """
    values = {"words": json_list(words), "collections": json_list(collections)}
    every, all_, share, counted = connection.execute(_FREQUENCIES, values).one()
    known: dict[str, int] = orjson.loads(counted)
    if every:
        return all_, known
    rare = [word for word, count in known.items() if count <= _COUNTED]
    own: dict[str, int] = {row.word: row.own for row in connection.execute(_OWN, {**values, "words": json_list(rare)})}
    chunks = max(1, round(share * all_))
    frequent = {word: round(share * count) for word, count in known.items() if count > _COUNTED}
    return chunks, {word: min(count, chunks) for word, count in {**frequent, **own}.items()}


def search(connection: Connection, words: Words, collections: Collection[str], limit: int) -> list[Found]:
    """The best live chunks of these collections by BM25 (FTS5's: k1 1.2, b 0.75), headings counting double.

    The best of the whole index are looked at first, which is cheap; when too few of them are in the scope, all of them are.
    """
    if not words.asked or not collections:
        return []
    match = " OR ".join(f'"{word}"' for word in words.asked)
    values = {"match": match, "collections": json_list(collections), "limit": limit}
    for depth in (4 * limit, -1):
        hits = orjson.loads(connection.execute(_SEARCH, {**values, "depth": depth}).scalar_one())
        if len(hits) == limit:
            break
    return [Found(id_, -score) for id_, score in hits]


def terms(passage: str) -> list[str]:
    """The words of a text as FTS5's `unicode61 remove_diacritics 2` cuts them, in order."""
    lower = passage.lower()
    return _WORD.findall(lower if lower.isascii() else _MARKS.sub("", unicodedata.normalize("NFD", lower)))


def _named(frequencies: Mapping[str, int], chunks: int) -> frozenset[str]:
    """The words with digits, together, when they are long enough to name something and one of them is rare."""
    words = frozenset(word for word in frequencies if any(map(str.isdigit, word)))
    rare = any(0 < frequencies[word] <= max(_FEW, _RARE * chunks) for word in words)
    return words if rare and sum(map(len, words)) >= _NAMED else frozenset()


def _forms(word: str) -> tuple[str, ...]:
    """A word as singular and plural."""
    singular = word[:-1] if len(word) > 3 and word[-1] in "sx" else word
    return (word, singular, f"{singular}s", f"{singular}x")


# One row each: a thread that fetches rows takes and gives the interpreter lock for every one of them.
_FREQUENCIES = text(
    """SELECT NOT EXISTS (SELECT 1 FROM collections WHERE name NOT IN (SELECT value FROM json_each(:collections))),
    (SELECT count(*) FROM chunks),
    (SELECT avg(collection IN (SELECT value FROM json_each(:collections))) FROM documents),
    (SELECT json_group_object(term, doc) FROM chunk_vocabulary WHERE term IN (SELECT value FROM json_each(:words)))"""
)
_OWN = text(
    """SELECT words.value AS word, (SELECT count(*) FROM chunk_words
        CROSS JOIN chunks ON chunks.id = chunk_words.rowid
        CROSS JOIN documents ON documents.id = chunks.document_id AND documents.version = chunks.version
            AND +documents.collection IN (SELECT value FROM json_each(:collections))
        WHERE chunk_words MATCH '"' || words.value || '"') AS own
    FROM json_each(:words) AS words"""
)
_SEARCH = text(
    """SELECT json_group_array(json_array(id, score)) FROM (SELECT hits.id, score FROM (
        SELECT rowid AS id, bm25(chunk_words, 2.0, 1.0) AS score FROM chunk_words WHERE chunk_words MATCH :match
        ORDER BY score LIMIT :depth) AS hits
    CROSS JOIN chunks ON chunks.id = hits.id
    CROSS JOIN documents ON documents.id = chunks.document_id AND documents.version = chunks.version
        AND +documents.collection IN (SELECT value FROM json_each(:collections))
    LIMIT :limit)"""  # CROSS: in the order of the hits, and no further than the limit
)
