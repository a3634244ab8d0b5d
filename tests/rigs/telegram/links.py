"""The links that the server makes by itself out of plain text: addresses, names, commands, tags.

Behaviour after https://core.telegram.org/bots/api#messageentity and the detection of TDLib, somewhat stricter.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.rigs.telegram.entities import CODE, LINKS, offsets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.rigs.telegram.records import Entity

_COUNTRIES = (
    "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd cf cg ch "
    "ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi gl gm "
    "gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la "
    "lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np "
    "nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sk sl sm sn so sr ss st su "
    "sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw"
)
_GENERIC = (
    "academy agency aero app art asia bar best bio biz blog business bzh cab cafe cam camp cat center chat city click cloud club "
    "code codes coffee com community company cool corsica coop dance date day deals delivery design dev digital direct doc earth "
    "edu education email events expert fail farm fashion finance fit foo fun fund fyi games gift global google gov group guide "
    "guru health help home host house how info ing ink institute int international jobs land law legal life link live loan lol "
    "love ltd map market media meme men mil mobi money monster mov movie museum name net network news ninja nexus observer one "
    "online org page paris party photo photos pics pink pizza place plus post press pro prof pub quebec red report rest review "
    "rip rocks run sale school science services sexy shop show site social software solutions space store stream studio style "
    "support systems taxi team tech technology tel tips today tokyo tools top town toys trade training travel university vip "
    "video vote watch web website wiki win work works world wtf xxx xyz yoga zip zone рф 中国"
)
TLDS = frozenset(f"{_COUNTRIES} {_GENERIC}".split())
_INLINE_BOTS = frozenset({"gif", "wiki", "vid", "bing", "pic"})
_HOST = r"[\w-]+(?:\.[\w-]+)+"
_REST = r"(?::\d{1,5})?(?:[/?#][^\s<>«»\"]*)?"
_WITH_PROTOCOL = re.compile(rf"(?<!\w)(?:https?|ftp|tg|ton|tonsite)://[\w-]+(?:\.[\w-]+)*{_REST}", re.IGNORECASE)
_EMAIL = re.compile(rf"(?<![\w.+-])[\w.+-]+@({_HOST})")
_BARE = re.compile(rf"(?<![\w.@-])({_HOST}){_REST}")
_MENTION = re.compile(r"(?<![\w@])@([A-Za-z0-9_]{3,32})(?![\w@])")
_COMMAND = re.compile(r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/<>])")
_HASHTAG = re.compile(r"(?<![\w#@])#(?=\w*[^\W\d_])\w{1,256}(?![\w#])")
_CASHTAG = re.compile(r"(?<![\w$])\$[A-Z]{1,8}(?![\w$])")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


def final(text: str, entities: list[Entity]) -> tuple[Entity, ...]:
    """The entities that a person sees: those that were sent, and those that the server adds where no link or code stands."""
    taken = [(one["offset"], one["offset"] + one["length"]) for one in entities if one["type"] in CODE | LINKS]
    added: list[Entity] = []
    starts = offsets(text)
    for kind, begin, end in _found(text):
        first, last = starts[begin], starts[end]
        if all(last <= start or first >= stop for start, stop in taken):
            taken.append((first, last))
            added.append({"type": kind, "offset": first, "length": last - first})
    return tuple(sorted([*entities, *added], key=lambda one: (one["offset"], -one["length"])))


def _found(text: str) -> Iterator[tuple[str, int, int]]:
    """What could be a link, the stronger reading first: (type, begin, end) in characters."""
    for match in _WITH_PROTOCOL.finditer(text):
        yield "url", match.start(), match.start() + len(_untailed(match[0]))
    for match in _EMAIL.finditer(text):
        if _known(match[1]):
            yield "email", *match.span()
    for match in _BARE.finditer(text):
        if _known(match[1]):
            yield "url", match.start(), match.start() + len(_untailed(match[0]))
    for match in _MENTION.finditer(text):
        if len(match[1]) > 3 or match[1] in _INLINE_BOTS:
            yield "mention", *match.span()
    for kind, pattern in (("bot_command", _COMMAND), ("hashtag", _HASHTAG), ("cashtag", _CASHTAG)):
        for match in pattern.finditer(text):
            yield kind, *match.span()


def _untailed(address: str) -> str:
    """Without the punctuation that ends a sentence; a bracket stays where it was opened inside."""
    while address:
        if address[-1] in ".,;:!?'…" or (address[-1] in ")]}" and address.count("([{"[")]}".index(address[-1])]) == 0):
            address = address[:-1]
        else:
            break
    return address


def _known(host: str) -> bool:
    """Whether a bare host is one to link: an IPv4 address, or a known last label that is not just a capitalised word."""
    if _ADDRESS.fullmatch(host):
        return all(int(part) < 256 for part in host.split("."))
    last = host.rpartition(".")[2]
    capitalised = last[:1] != last[:1].lower() and last[1:] == last[1:].lower()
    return last.lower() in TLDS and not capitalised
