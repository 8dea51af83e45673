"""What SeamlessM4T v2 calls the languages that it writes (its ``generation_config.json``: three letters, ISO 639-3)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_PAIRS = """
af:afr am:amh ar:arb as:asm az:azj be:bel bg:bul bn:ben bs:bos ca:cat cs:ces cy:cym da:dan de:deu el:ell en:eng es:spa et:est
eu:eus fa:pes fi:fin fr:fra ga:gle gl:glg gu:guj he:heb hi:hin hr:hrv hu:hun hy:hye id:ind ig:ibo is:isl it:ita ja:jpn jv:jav
ka:kat kk:kaz km:khm kn:kan ko:kor ky:kir lg:lug lo:lao lt:lit lv:lvs mk:mkd ml:mal mn:khk mr:mar ms:zsm mt:mlt my:mya nb:nob
ne:npi nl:nld nn:nno ny:nya om:gaz or:ory pa:pan pl:pol ps:pbt pt:por ro:ron ru:rus sd:snd sk:slk sl:slv sn:sna so:som sr:srp
sv:swe sw:swh ta:tam te:tel tg:tgk th:tha tl:tgl tr:tur uk:ukr ur:urd uz:uzn vi:vie yo:yor yue:yue zh:cmn zu:zul
"""
SEAMLESS_CODES: Mapping[str, str] = MappingProxyType(dict(pair.split(":") for pair in _PAIRS.split()))
"""ISO 639-1 code (and "yue") to the model's own; languages without an ISO 639-1 code are left out."""
