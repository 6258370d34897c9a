"""Unquoted text that a phrase announces: "a sign saying X", "X written in icing"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from inkguard.extract.prompt_weights import GROUP_END, GROUP_START
from inkguard.extract.quote_marks import MARKS, SINGLE

__all__ = ["announced", "lowered"]

_MOST = 400
"""Cues beyond these are not told apart: the rest of the prompt is one span."""
_LONGEST = 160
_REACH = 80

_NOUN = (
    r"(?:texts?|words?|wording|letters|lettering|captions?|slogans?|mottos?|titles?|subtitles?"
    r"|phrases?|messages?|headlines?|headings?|inscriptions?|taglines?|sentences?|quotes?|writing"
    r"|initials|hashtags?)"
)
_SIZE = r"(?:(?:the|a|an|large|big|bold|huge|giant|red|black|white|gold|golden|neon|single|following)\s){0,3}"
_GAP = r"(?:\s{0,3}[:=]\s{0,3}|\s+[-–—]{1,2}>?\s+|\s{1,8})"
_CUE = re.compile(
    rf"""\b(?:
      (?:that|which|it|and|should|must|will|would|can|to|simply)\s(?:just\s|only\s|simply\s)?
        (?:says?|reads?|spells?)(?:\sout)?
    | (?:says|saying|reads|spells|spelling|spelled|spelt|forming\sthe\sletters)(?:\sout)?
    | (?:stating|proclaiming|declaring|announcing|proclaims|which\sstates|that\sstates)
    | (?P<named>named|called) | (?P<reading>reading|logo\sof|tattoo\sof|logo\sfor)
    | (?:with|bearing|displaying|showing|featuring|containing|has|having|the|in|of|form|forms|forming|add|write|draw
        |put|says|spells|spelling|reads|and|large|bold|neon|big)\s
      {_SIZE}{_NOUN}(?:\s(?:is|are|reads?|says?|saying|reading|spelling|of))?
    | (?:{_NOUN}|label|labels|sign|logo)(?=\s?[:=])
    | label(?:l)?ed(?:\sas|\swith)? | (?:en|sub)?titled | captioned(?:\sas|\swith)?
    | (?P<written>written|(?:inscribed|etched|stamped|tattooed|scrawled|stitched)(?:\swith)?|emblazoned\swith
        |engraved(?:\swith)?|stencill?ed\swith)
    | (?P<write>write|writes|writing\sout|spell|spell\sout)
    )\b{_GAP}""",
    re.VERBOSE,
)
_CARRIER = re.compile(
    r"\b(?:signs?|signboard|posters?|banners?|billboard|shirts?|t-shirt|tee|hoodie|mugs?|caps?|hats?"
    r"|labels?|stickers?|placard|plaque|board|blackboard|chalkboard|whiteboard|screen|display|neon|note"
    r"|card|letters?|text|caption|graffiti|tattoo|logo|cake|book|cover|headline|flag|bumper|plate"
    r"|message|paper|wall|panel|badge|button|shop|store|bar|boat|ship|storefront|brand|magazine"
    r"|newspaper|bottle|jar|can|box|movie|film|album)s?\s(?:\w+\s){0,2}$"
)
_STOPS = (
    r"on|in|at|above|below|beneath|under|over|across|by|near|next|against|from|behind|beside|inside"
    r"|outside|while|as|with|hanging|standing|held|holding|painted|printed|written|drawn|carved|made"
    r"|surrounded|attached|onto|around|between|during|and\s(?:an?|the|his|her|two|some)"
)
_END = re.compile(
    rf"[.,;:](?=\s|$)|[。，；\n{GROUP_START}{GROUP_END}]"
    rf"|(?<=\s)(?:{_STOPS})(?=\s)|\s[-–—|]+>?\s"
)
_ARTICLE = re.compile(r"(?:an?|the|his|her|their|its|my|our|this|that|these|those|some|about|to)\s")
_NOTHING = re.compile(rf"(?:{_STOPS}|of|for|is|are|was)(?!\w)")
# ... on the left and LO on the right; ... with a small gap and then LO
_PLACE = r"(?:left|right|top|bottom|front|back|first|second|other|next|upper|lower|one)"
_FOLLOW = re.compile(
    rf"\s?(?:on\s(?:the|its|one)\s?{_PLACE}?\b[^.\n]{{0,20}}?\s(?:and|then)\s"
    rf"(?P<placed>\S{{1,20}})\son\s(?:the|its)\s{_PLACE}\b"
    r"|[^.\n]{0,40}?\b(?:(?:and\s)?then|followed\sby)\s(?!(?:an?|the)\s)(?P<next>[^\s,.;:]{1,20}))"
)

_WRITTEN = re.compile(
    r"""(?<=\s)(?:(?:is|are)\s)?(?:
      (?:written|printed|spelled|spelt|engraved|carved|sprayed|spray[-\s]painted|scrawled|stitched
        |embroidered|etched|tattooed|stamped|stencill?ed|piped|iced|scribbled|chalked|inked|inscribed)
        \s(?:out\s)?(?:in|on|across|onto|over|above|below|upon|inside|into|all\sover|by|at)
    | painted\s(?:in\s(?:\w+\s){0,2}(?:letters|paint)|(?:on|across)\s(?:the|a)\s(?:\w+\s)?(?:wall|sign|door|side))
    | (?:in|as|made\sof|using)\s(?:\w+\s){0,3}(?:letters|lettering|font|typeface|icing|frosting|calligraphy
        |handwriting|graffiti|neon|type|text|neon\slights|capitals|capital\sletters|chalk|lipstick|spray\spaint)
    | (?P<loose>graffiti|tattoo|lettering|calligraphy|wordmark)
    )\b""",
    re.VERBOSE,
)
_QUOTES = re.escape("".join(sorted(MARKS - SINGLE)))
_ARTICLES = r"an?|the|his|her|their|its|my|your|some|this|these|those|two|three"
_BEFORE = re.compile(
    rf"(?s:.*)(?:\b(?:{_NOUN}|with|of|has|have|having|says|and|or|that|which|shows|showing|like|on|in"
    rf"|is|are|at|by|for|a\ssign|(?P<article>{_ARTICLES}))\s|^|[.,;:!?()\n{GROUP_START}{GROUP_END}]\s*)"
    rf"\s*(?!(?:{_ARTICLES})\s)(?P<text>(?:[^\s.,;:{_QUOTES}]+\s){{1,4}})$"
)
_LOOKS_WORDS = """
abstract ancient any arabic arm art artistic back beautiful big black blue bold bright brown
chinese city colorful colourful cool covered crude dark decorative detailed dragon drawing
elegant face faded fancy flower full geometric giant gold golden gothic gray green grey hand
handwritten hip-hop huge large little many messy modern more much neck neon new no old ornate
painted pink political purple rainbow red retro rose script silver sleeve small stencil street
style stylized temporary traditional tribal urban vibrant vintage wall white wild wildstyle
yellow
"""
_LOOKS = frozenset(_LOOKS_WORDS.split())


def lowered(text: str) -> str:
    """`text` in small letters, of the same length."""
    low = text.lower()
    if len(low) != len(text):
        low = "".join(c if len(c.lower()) != 1 else c.lower() for c in text)
    return low


def announced(text: str) -> Iterator[tuple[int, int]]:
    """The half-open ranges of text after or before a cue. They may overlap, and be blank."""
    low = lowered(text)
    for count, cue in enumerate(islice(_CUE.finditer(low), _MOST)):
        yield from _after(text, low, cue)
        if count == _MOST - 1:
            yield cue.end(), len(text)
    for cue in islice(_WRITTEN.finditer(low), _MOST):
        yield from _before(low, cue)


def _after(text: str, low: str, cue: re.Match[str]) -> Iterator[tuple[int, int]]:
    start = cue.end()
    reading = cue["reading"] or ""
    of = reading.endswith(("of", "for"))
    bare = not _CARRIER.search(low, max(0, cue.start() - 60), cue.start())
    guessed = cue["written"] or cue["write"] or of or (reading and bare)
    if (guessed and _ARTICLE.match(text, start)) or _NOTHING.match(text, start):
        return
    if cue["named"] and bare:  # a man called Tom
        return
    end = _end(text, start, cue[0].count(GROUP_START))
    yield start, end
    follow = _FOLLOW.match(low, max(start, end - 1), end + 90)
    if follow:
        yield follow.span(follow.lastgroup or 0)


def _end(text: str, start: int, depth: int) -> int:
    """Where the text that begins at `start` ends; `depth` groups are open there."""
    limit = min(len(text), start + _LONGEST)
    for stop in _END.finditer(text, start, limit):
        if stop[0] == GROUP_START:
            depth += 1
        elif stop[0] == GROUP_END and depth:
            depth -= 1
        else:
            return stop.start()
    return limit


def _before(low: str, cue: re.Match[str]) -> Iterator[tuple[int, int]]:
    first = max(0, cue.start() - _REACH)
    before = _BEFORE.match(low[first : cue.start()])
    if before is None:
        return
    if cue["loose"]:
        if _LOOKS.issuperset(before["text"].split()):
            return
    elif before["article"]:  # a mural painted on the wall
        return
    yield first + before.start("text"), first + before.end("text")
