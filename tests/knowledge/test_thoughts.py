import pytest

from knowledge.thoughts import Thoughtless


def through(text: str, size: int) -> str:
    stream = Thoughtless()
    return "".join(stream.feed(text[start : start + size]) for start in range(0, len(text), size)) + stream.end()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("In May. [1]", "In May. [1]"),
        (" and in June.", " and in June."),
        ("<think>\nThe user asks.\n</think>\n\nIn May. [1]", "In May. [1]"),
        ("\n<think></think>\n<think>Again < 3, </ think></think> In May.", "In May."),
        ("<think>\nIt never ends, not with </think", ""),
        ("<thinner> than <think>this</think>", "<thinner> than <think>this</think>"),
        ("<thi", "<thi"),
        ("A tag, <think>this</think>, is a word.", "A tag, <think>this</think>, is a word."),
        ("", ""),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_thoughts_before_an_answer_are_not_passed_on(text: str, shown: str, size: int) -> None:
    assert through(text, size) == shown


def test_thoughts_are_not_kept() -> None:
    stream = Thoughtless()
    stream.feed("<think>")
    for _ in range(1000):
        assert stream.feed("The user asks about the boiler. ") == ""
    assert len(stream._held) < 10
