"""English: its commonest words, its inflections, and how its prompts announce text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from inkguard.languages.base import Cues, Inflection, Language

__all__ = ["ENGLISH"]

_COMMON = """
a able age air all also am an and any are art as ask at back bad ball bar be bed bell best big
bird blue body bond book both box boy but butter buy by call can car care case cat city come
cook cup cut dark date day dead did do does dog done door down dry each eat end even ever eye
face fact fake far feel few find fine fire fish fit fly food for free fruit full fun game get
gin girl give glad go gold good got green had hand hard has have he head heads hear heart hell
help her here hero hi high him his hit hits hold holy home hope horse horses hot hour house how
i ice idea if ill in into is it its job joy just keep key kid kind king kiss knew know last late
law left less let lie life like line little live long look lose lot love low made make man many
map may me mean meat men met mind mine mix more most mouth move much mum must my name near need
never new next nice night no not now of off oh ok old on one only open or our out over own part
past pay pen per pet pick play put ran raw real red rest rich ring road rock room run sad said
same sat save saw say sea see sell send set she show side sign simple sing sit six size skin sky
sleep slow so some son song soon star stay stone stop story sub such sun sure t take talk tea
team tell ten test than that the their them then there they thing things this three time to told
top tree true try turn two under up us use used user users using very via view wait walk wall
want war warm was wash way we week well went were what when white who why will win wind wine
wish with without wood word words work world worth year yes yet you your zone
"""
_REVERSIBLE = """
able ages aidan alam alas amor amos anil ares aron array assam asset avid aviv avon bad baggins
bard bats beef bin boon boy boys brag bros bud buns but corp cram dab dam damon dart ddos decal
deem deen deep deer den denim dennis derail desserts deus devil dew dial diaper dine diva diy
dog doom door dos doss drab draw drawer dub edit elba ella emil emit end ergo eros eton evan
even evil flog flow foxes ftw gaff gals garb gas gel gin ginn giro gnat god golf got grub gulp
gum gums guns hoop imam iris isis ivan keel keels keep knit knits kool kramer laced lack lag
lager laid lallana lama lana lap leer leg leon lever liam lien lime lina linus live lived look
loop loops loot macs mad mail maps mara marc mart mets mined mood moor mug nadia nail nap naps
nats nave need neil nemo nero net nib nip nit noel nomad nora not note notes nova now nuts ogre
ohhh ohhhh omen oohs oooh ooooh pal pals pan pans parc part parts pat paws peek pets pin pins
pit plug pooh pool pools pot pots pow proc rafa rag rail rails rama raps rats raw recap redo
reed reel rees regal remark remit repaid repel revel reviled reward rolf roma room sag saps saw
sega sens sera siam sinned siri slap slaps sleep sloop smart smug snap snaps snot snug soba soma
spam span spans spar spat spin spit spools sports spot spots stan star stem step stew stop stops
strap straw stressed stun sued suez swap tap taps tar tarp tarps tarts ten tessa tide time timer
tin tins tip tips tog ton tons tool tools top tops tort tram trams trap trot tub tubs tug viva
war ward warts was wed wolf wolfs won yaps yard zeus
"""

_VOWELS = frozenset("aeiou")
_SIBILANTS = ("s", "x", "z", "ch", "sh")
_AFTER_Y = frozenset(("ies", "ied", "ier", "iest", "ily", "iness"))


def _inflections(word: str) -> list[Inflection]:
    """Generous, as a form that nobody writes costs nothing: `"lazy"` gives "lazy" and "lazi" with endings.

    Doubled consonants need no rule: the matcher makes letters single.
    """
    long, size = word.endswith((*_SIBILANTS, "o")), min(len(word), 5)
    if len(word) > 2 and word.endswith("y") and word[-2] not in _VOWELS:
        return [(word, _suffixes(long, 0)), (word[:-1], _AFTER_Y)]
    if word.endswith("e"):
        return [
            (word, _suffixes(long, 0)),
            (word[:-1], _suffixes(long, size) - _suffixes(long, 0)),
        ]
    return [(word, _suffixes(long, size))]


@cache
def _suffixes(long: bool, size: int) -> frozenset[str]:
    """Endings of a word by whether its plural has an e, and by its letters, up to 5; 0: plurals alone."""
    suffixes = {"", "s", "es"} if long else {"", "s"}
    if size:
        suffixes |= {"ed", "ing", "in", "ings", "er", "ers", "y"}
    if size > 3:
        suffixes |= {"ier", "iest", "ish"}
    if size > 4:
        suffixes |= {"est", "ic", "ical", "ically", "ity", "ness", "ly", "like", "ery", "dom"}
    return frozenset(suffixes)


def _by_frequency() -> Iterator[str]:
    text = (files("symspellpy") / "frequency_dictionary_en_82_765.txt").read_text("utf-8-sig")
    return (line.partition(" ")[0] for line in text.splitlines())


def _dictionary() -> frozenset[str]:
    """82,765 words in small letters, inflected forms included: SymSpell's frequency dictionary.

    Not kept here, since `inkguard.languages.vocabulary` keeps the words of all languages.
    """
    return frozenset(_by_frequency())


_NOUN = (
    r"(?:texts?|words?|wording|letters|lettering|captions?|slogans?|mottos?|titles?|subtitles?"
    r"|phrases?|messages?|headlines?|headings?|inscriptions?|taglines?|sentences?|quotes?|writing"
    r"|initials|hashtags?)"
)
_SIZE = r"(?:(?:the|a|an|large|big|bold|huge|giant|red|black|white|gold|golden|neon|single|following)\s){0,3}"
_AFTER = rf"""
  (?:that|which|it|and|should|must|will|would|can|to|simply)\s(?:just\s|only\s|simply\s)?
    (?:says?|reads?|spells?)(?:\sout)?
| (?:says|saying|reads|spells|spelling|spelled|spelt|forming\sthe\sletters)(?:\sout)?
| (?:stating|proclaiming|declaring|announcing|proclaims|which\sstates|that\sstates)
| (?P<carried>named|called) | (?P<verb>reading)
| (?:with|bearing|displaying|showing|featuring|containing|has|having|the|in|of|form|forms|forming|add|write|draw
    |put|says|spells|spelling|reads|and|large|bold|neon|big)\s
  {_SIZE}{_NOUN}(?:\s(?:is|are|reads?|says?|saying|reading|spelling|of))?
| (?:{_NOUN}|label|labels|sign|logo)(?=\s?[:=])
| label(?:l)?ed(?:\sas|\swith)? | (?:en|sub)?titled | captioned(?:\sas|\swith)?
| (?P<bare>(?:logo|tattoo)\sof|logo\sfor
    |written|(?:inscribed|etched|stamped|tattooed|scrawled|stitched)(?:\swith)?|emblazoned\swith
    |engraved(?:\swith)?|stencill?ed\swith
    |write|writes|writing\sout|spell|spell\sout)
"""
_CARRIERS = (
    r"(?:signs?|signboard|posters?|banners?|billboard|shirts?|t-shirt|tee|hoodie|mugs?|caps?|hats?"
    r"|labels?|stickers?|placard|plaque|board|blackboard|chalkboard|whiteboard|screen|display|neon|note"
    r"|card|letters?|text|caption|graffiti|tattoo|logo|cake|book|cover|headline|flag|bumper|plate"
    r"|message|paper|wall|panel|badge|button|shop|store|bar|boat|ship|storefront|brand|magazine"
    r"|newspaper|bottle|jar|can|box|movie|film|album)s?"
)
_ENDS = (
    r"on|in|at|above|below|beneath|under|over|across|by|near|next|against|from|behind|beside|inside"
    r"|outside|while|as|with|hanging|standing|held|holding|painted|printed|written|drawn|carved|made"
    r"|surrounded|attached|onto|around|between|during|and\s(?:an?|the|his|her|two|some)"
)
_ARTICLES = r"an?|the|his|her|their|its|my|your|some|this|these|those|two|three"
_PLACE = r"(?:left|right|top|bottom|front|back|first|second|other|next|upper|lower|one)"
_DESCRIPTIONS = """
abstract ancient any arabic arm art artistic back beautiful big black blue bold bright brown
chinese city colorful colourful cool covered crude dark decorative detailed dragon drawing
elegant face faded fancy flower full geometric giant gold golden gothic gray green grey hand
handwritten hip-hop huge large little many messy modern more much neck neon new no old ornate
painted pink political purple rainbow red retro rose script silver sleeve small stencil street
style stylized temporary traditional tribal urban vibrant vintage wall white wild wildstyle
yellow
"""

_CUES = Cues(
    after=_AFTER,
    carriers=_CARRIERS,
    ends=_ENDS,
    no_text=rf"{_ENDS}|of|for|is|are|was",
    articles=r"an?|the|his|her|their|its|my|our|this|that|these|those|some|about|to",
    # ... on the left and LO on the right; ... with a small gap and then LO
    continued=rf"""
      on\s(?:the|its|one)\s?{_PLACE}?\b[^.\n]{{0,20}}?\s(?:and|then)\s
        (?P<placed>\S{{1,20}})\son\s(?:the|its)\s{_PLACE}\b
    | [^.\n]{{0,40}}?\b(?:(?:and\s)?then|followed\sby)\s(?!(?:an?|the)\s)(?P<next>[^\s,.;:]{{1,20}})
    """,
    before=r"""(?:(?:is|are)\s)?(?:
      (?:written|printed|spelled|spelt|engraved|carved|sprayed|spray[-\s]painted|scrawled|stitched
        |embroidered|etched|tattooed|stamped|stencill?ed|piped|iced|scribbled|chalked|inked|inscribed)
        \s(?:out\s)?(?:in|on|across|onto|over|above|below|upon|inside|into|all\sover|by|at)
    | painted\s(?:in\s(?:\w+\s){0,2}(?:letters|paint)|(?:on|across)\s(?:the|a)\s(?:\w+\s)?(?:wall|sign|door|side))
    | (?:in|as|made\sof|using)\s(?:\w+\s){0,3}(?:letters|lettering|font|typeface|icing|frosting|calligraphy
        |handwriting|graffiti|neon|type|text|neon\slights|capitals|capital\sletters|chalk|lipstick|spray\spaint)
    | (?P<loose>graffiti|tattoo|lettering|calligraphy|wordmark)
    )""",
    before_starts=rf"{_NOUN}|with|of|has|have|having|says|and|or|that|which|shows|showing|like|on|in"
    r"|is|are|at|by|for|a\ssign",
    before_articles=_ARTICLES,
    descriptions=frozenset(_DESCRIPTIONS.split()),
    letters=r"[Ll]etters?|LETTERS?|[Ii]nitials|[Ss]pell\w*|SPELL\w*|reads|says|saying",
    letters_between=r"and|then|next|plus|followed|by|finally|lastly|an?|the|letter|another|in|that|order",
    letters_small_between="and|then",
    mirrored=r"mirrored|mirror[-\s](?:writing|image|script|text|letters)|revers(?:ed|e)|backwards?|flipped"
    r"|back\sto\sfront|right\sto\sleft|upside[-\s]down|palindrome",
    placed=r"left|right|top|bottom|above|below|under|over|before|after|first|second|last|in\sfront"
    r"|behind|upper|lower|starts?|ends?|beginning|preceded",
)

ENGLISH = Language(
    code="en",
    inflections=_inflections,
    dictionary=_dictionary,
    common=frozenset(_COMMON.split()),
    reversible=frozenset(_REVERSIBLE.split()),
    reversible_endings=("ing",),
    misspelled_suffixes=("s", "z", "es", "ed", "d", "er", "ers", "a", "as", "az", "in", "ing", "y"),
    masked_suffixes=("s", "es", "ed", "er", "ers", "in", "ing", "y"),
    cues=_CUES,
    frequent=_by_frequency,
)
