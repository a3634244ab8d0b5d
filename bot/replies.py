"""Replies as people see them: citations, what was consulted, refusals that name the nearest, a sentence for each failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.types import Reply, Source
from bot.speech.sentences import Language, keys, say
from knowledge import errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knowledge import types

_EXCERPT = 1200
_TITLES = 3
_REASONS = (
    "unreadable_password",
    "unreadable_scan",
    "unreadable_blank",
    "unreadable_empty",
    "unreadable_binary",
    "unreadable_encoding",
    "unreadable_pdf",
    "unreadable_pages",
    "unreadable_bomb",
    "unreadable_crash",
)
_MODEL_ERRORS: dict[type[errors.KnowledgeError], str] = {
    errors.ModelUnreachableError: "model_unreachable",
    errors.ModelMissingError: "model_missing",
    errors.ModelUnfitError: "model_unfit",
    errors.ModelBusyError: "model_busy",
    errors.ModelBrokenError: "model_broken",
    errors.PromptTooLongError: "prompt_too_long",
    errors.IndexUnavailableError: "index_unavailable",
    errors.UnknownCollectionError: "unknown_collection",
}


def reply_of(answer: types.Answer, language: Language) -> Reply:
    """The reply that shows an answer of the engine."""
    if answer.refused:
        return refusal(answer.nearest, language, answer)
    citations = tuple(source_of(citation.n, citation.passage) for citation in answer.citations)
    named = {citation.n for citation in answer.citations}
    numbers = (n for n in range(1, len(named) + len(answer.consulted) + 1) if n not in named)
    consulted = tuple(source_of(n, passage) for n, passage in zip(numbers, answer.consulted, strict=True))
    text = answer.text or say("no_answer", language, titles=_titles(answer.consulted, language))
    return Reply(
        text,
        citations,
        consulted,
        cut=answer.cut,
        model=answer.model,
        timings=answer.timings,
        prompt_tokens=answer.prompt_tokens,
        answer_tokens=answer.answer_tokens,
        language=language,
        untrusted=True,
    )


def refusal(nearest: Sequence[types.Passage], language: Language, answer: types.Answer | None = None) -> Reply:
    """Nothing relevant was found: say so, and show what came nearest."""
    text = say("nothing_found", language)
    if nearest:
        text += " " + say("nearest", language, titles=_titles(nearest, language))
    sources = tuple(source_of(n, passage) for n, passage in enumerate(nearest, 1))
    if answer is None:
        return Reply(text, nearest=sources, refused=True, language=language, untrusted=True)
    return Reply(
        text, nearest=sources, refused=True, model=answer.model, timings=answer.timings, language=language, untrusted=True
    )


def failure(error: errors.KnowledgeError, language: Language, provider: str) -> Reply:
    """The sentence for an error of the model or the index, with its code. The remedy depends on who serves the model."""
    if isinstance(error, errors.ModelSlowError):
        code = "model_loading" if error.step == "load" else "model_slow"
    else:
        code = next((code for kind, code in _MODEL_ERRORS.items() if isinstance(error, kind)), "model_broken")
    blanks = {
        "model": getattr(error, "model", ""),
        "address": getattr(error, "address", ""),
        "detail": detail(str(error), language),
    }
    special = f"{code}_{provider}"
    return Reply(say(special if special in keys() else code, language, **blanks), error=code, language=language)


def reason(english: str, language: Language) -> str:
    """Why a file cannot be read, which its reader or its platform says in English."""
    if language == "en":
        return english
    return say(next((key for key in _REASONS if say(key, "en") == english), "unreadable_other"), language)


def detail(english: str, language: Language) -> str:
    """What a model server says of itself, in English; to others, where to read it."""
    return english if language == "en" else say("see_doctor", language)


def source_of(n: int, passage: types.Passage) -> Source:
    """A passage as source `[n]`."""
    return Source(
        n=n,
        collection=passage.collection,
        document=passage.document,
        title=passage.title,
        locator=_locator(passage),
        url=passage.url,
        score=round(passage.score, 4),
        excerpt=passage.text[:_EXCERPT],
    )


def _locator(passage: types.Passage) -> str | None:
    place = [heading for heading in passage.headings if heading != passage.title]
    if passage.page is not None:
        place.append(f"p. {passage.page}")
    return " › ".join(place) or None


def named(source: Source) -> str:
    """How a source is called in a line of text."""
    return f"{source.title} › {source.locator}" if source.locator else source.title


def _titles(passages: Sequence[types.Passage], language: Language) -> str:
    names = dict.fromkeys(named(source_of(0, passage)) for passage in passages)
    return say("titles_between", language).join(list(names)[:_TITLES])
