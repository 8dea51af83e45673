"""Flags for text that a prompted system may have said in its own name: refusals, preambles, closing remarks."""

from __future__ import annotations

import re

_THINGS = r"(transcri\w+|translation|summary|text|minutes|bullets?|points|list|answer|audio|recording|clip)"
_PREAMBLE = re.compile(
    rf"""["'“«¡*#\s]*(
        (sure|certainly|of\ course|absolutely|okay|ok|no\ problem)\b[,.!]*\s[^.\n]{{0,60}}\b{_THINGS}
      | (based\ on\ the\ {_THINGS}[^.\n]{{0,20}}\ )?(below\ is|here(\ is|\ are|['’]s))\b[^.\n]{{0,60}}\b{_THINGS}
      | (the|this)\ {_THINGS}\b[^.\n]{{0,60}}:
      | (transcript|transcription|translation|summary|answer)["'*\s]*:
      | (hier\ (ist|sind)|gerne|natürlich|sicher|klar)\b[^.\n]{{0,60}}\b(transkri\w+|abschrift|übersetzung|zusammenfassung|text)
      | (voici|bien\ sûr)\b[^.\n]{{0,60}}\b(transcription|traduction|résumé|texte)
      | (aquí\ (está|tienes)|claro|por\ supuesto)\b[^.\n]{{0,60}}\b(transcripción|traducción|resumen|texto)
      | (ecco|certo|certamente)\b[^.\n]{{0,60}}\b(trascrizione|traduzione|riassunto|testo)
      | (aqui\ está|claro|com\ certeza)\b[^.\n]{{0,60}}\b(transcrição|tradução|resumo|texto)
      | (当然|好的|以下是|这是)[^。\n]{{0,20}}(转录|转写|翻译|摘要|总结|文本|内容)
      | (以下は|はい、|もちろん)[^。\n]{{0,20}}(文字起こし|翻訳|要約|書き起こし)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_CANNOT = r"(can['’]?t|cannot|can\ not|unable|not\ able|don['’]t\ have\ the\ ability|couldn['’]t)"
_REFUSAL = re.compile(
    rf"""["'“«¡*\s]*(
        (i['’]?\s?a?m\ )?(very\ |so\ )?sorry,?\ (but\ )?i(['’]m|\ am)?\ {_CANNOT}
      | (unfortunately,?\ )?i(['’]m|\ am)?\ {_CANNOT}(\ to)?
        \ (directly\ )?(listen|hear|process|access|transcribe|play|assist|help|provide|translate|summari[sz]e)
      | (i\ apologi[sz]e|(my\ )?apologies)[^.\n]{{0,40}}\bi(['’]m|\ am)?\ {_CANNOT}
      | i(['’]m|\ am)\ (just\ |only\ )?an?\ (ai|large\ language|language|text([-\ ]based)?)\ (model|assistant)
      | as\ an?\ (ai|artificial|large\ language|language\ model|text)
      | (es\ tut\ mir\ leid|tut\ mir\ leid|entschuldigung|leider)[^.\n]{{0,30}}\bkann
      | (je\ suis\ )?désolée?[^.\n]{{0,30}}\bne\ (peux|suis)
      | lo\ siento[^.\n]{{0,30}}\bno\ puedo
      | (mi\ dispiace|spiacente)[^.\n]{{0,30}}\bnon\ (posso|sono)
      | (desculpe|lamento|sinto\ muito)[^.\n]{{0,30}}\bnão\ (posso|consigo)
      | (很抱歉|对不起|抱歉)[^。\n]{{0,20}}(无法|不能)
      | 申し訳[^。\n]{{0,30}}(できません|できない)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_CLOSING = re.compile(
    r"""(
        let\ me\ know\ if\ (you|there)\b[^.!?\n]{0,40}\b(else|further|more|questions?|help|assistance|changes)\b[^.!?\n]{0,40}
      | (is\ there\ anything\ else|would\ you\ like\ me\ to|do\ you\ want\ me\ to)\b[^.!?\n]{0,80}
      | (i\ hope\ this\ helps|feel\ free\ to\ ask)\b[^.!?\n]{0,80}
    )[.!?)"'*\s]*$""",
    re.IGNORECASE | re.VERBOSE,
)


def oddities(text: str) -> tuple[str, ...]:
    """What in a prompted system's text looks like its own words instead of the clip's. Flags: the text stays as it is.

    By wording alone, in the languages that Phi-4-multimodal hears, so a clip in which somebody says such words is flagged
    too.
    """
    start, end = text[:400].lstrip(), text[-400:]
    found = []
    if _REFUSAL.match(start):
        found.append("looks like a refusal")
    if _PREAMBLE.match(start):
        found.append("begins with a preamble")
    if _CLOSING.search(end):
        found.append("ends with a remark of its own")
    return tuple(found)
