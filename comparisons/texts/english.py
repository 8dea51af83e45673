"""Whether a text is English, told by its small words: for choosing a normaliser where nobody gave the language.

It is no detector of languages: it knows English from other languages in Latin letters, on a sentence and more. A few
words can deceive it, and a text without small words ("metformin 500 milligrams") is not taken for English.
"""

from __future__ import annotations

ENGLISH_SHARE = 1 / 6
"""How many of its words, at least, are small English ones if a text is English; of running English it is more than half."""

_ENGLISH = frozenset(
    """
    a about after again all always am an and another any are as at away be because been before being between both but by
    called can can't could did didn't do does doesn't doing don't down each every everybody everyone everything few
    first for from get getting go going good great had has have he he'll he's hello her here him his how i i'd i'll i'm
    i've if in into is isn't it it's its just keep know let's like little long look looking made make man many may maybe
    me more much must my never new next no not nothing now of off oh old on only or other our out over own people please
    quite really right said say see she she's should since so some something such take tell than thank thanks that
    that's the their them then there there's these they they're thing things think this those through time to today too
    until up us very was wasn't way we we'll we're well went were what what's when where which while who why will with
    without won't would yeah year years yes yesterday you you'll you're your zero one two three four five six seven
    eight nine ten eleven twelve twenty thirty forty fifty hundred thousand
    """.split()  # noqa: SIM905  # a list of 250 strings would be 250 lines
)
_OTHERS = frozenset(
    """
    ah al alla att au aux av avec az bei bir bu che ci com como con czy da dan das dat de dei del della dem den dengan
    der des det di die dla du een egy ei ein eine el elle em en er es est et eu för gli har het hij hogy hvor ich ik
    ikke il ini inte ist itu ja jag je jeg jest juga kan když ki kita la las le les lo los maar mais med meg mi mit mon
    más na ne nem nicht nie niet non nos nous não och og oder olla os ou para pas per più por pour pro på qu que qui se
    sem si sich sie som sono su sur tak te todo tu tudo um uma un una und une ut uz va van var ve voor von vous vi wat
    wij wir yang z ze zich zijn zu à är åt çok és è że się že
    """.split()  # noqa: SIM905  # likewise
)


def looks_english(text: str) -> bool:
    """Whether it has enough small words of English, and far fewer of other languages. Without words: no."""
    bare = (word.strip(".,;:!?'\"“”‘()[]…-—") for word in text.replace("\u2019", "'").casefold().split())
    words = [word for word in bare if word]
    english = sum(word in _ENGLISH for word in words)
    return bool(english) and english >= ENGLISH_SHARE * len(words) and english > 2 * sum(word in _OTHERS for word in words)
