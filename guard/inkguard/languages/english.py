"""English words that must not be taken for disguises. Data only."""

from __future__ import annotations

__all__ = ["COMMON", "REVERSIBLE"]

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

COMMON = frozenset(_COMMON.split())
"""Where all parts of a joined word are such words, they are read as they stand."""

REVERSIBLE = frozenset(_REVERSIBLE.split())
"""Harmless words that are, or begin or end with, another word in reverse."""
