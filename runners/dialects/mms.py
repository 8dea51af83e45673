"""What MMS calls its languages, each of which has an adapter: a file of its own beside the model, and a vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_PAIRS = """
af:afr am:amh ar:ara as:asm az:azj-script_latin ba:bak be:bel bg:bul bn:ben bo:bod br:bre bs:bos ca:cat cs:ces cy:cym da:dan
de:deu el:ell en:eng es:spa et:est eu:eus fa:fas fi:fin fo:fao fr:fra ga:gle gl:glg gu:guj ha:hau he:heb hi:hin hr:hrv ht:hat
hu:hun hy:hye id:ind ig:ibo is:isl it:ita ja:jpn jv:jav ka:kat kk:kaz km:khm kn:kan ko:kor ku:kmr-script_latin ky:kir lb:ltz
lg:lug ln:lin lo:lao lt:lit lv:lav mg:mlg mi:mri mk:mkd ml:mal mn:mon mr:mar ms:zlm mt:mlt my:mya ne:npi nl:nld no:nob ny:nya
oc:oci or:ory pa:pan pl:pol ps:pus pt:por ro:ron ru:rus sd:snd sk:slk sl:slv sn:sna so:som sq:sqi sr:srp-script_latin su:sun
sv:swe sw:swh ta:tam te:tel tg:tgk th:tha tk:tuk-script_latin tl:tgl tr:tur tt:tat ug:uig-script_arabic uk:ukr
ur:urd-script_arabic uz:uzb-script_latin vi:vie wo:wol xh:xho yo:yor zh:cmn-script_simplified zu:zul
"""
MMS_CODES: Mapping[str, str] = MappingProxyType(dict(pair.split(":") for pair in _PAIRS.split()))
"""ISO 639-1 codes to the names of MMS's language adapters, which are ISO 639-3 codes, with a script where there are several."""


def adapter_file(name: str, kind: str = "safetensors") -> str:
    """What an adapter's file is called, on the hub and in a folder."""
    return f"adapter.{name}.{kind}"
