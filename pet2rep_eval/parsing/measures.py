"""SUVs and sizes as they are quoted in reports."""

from __future__ import annotations

import re
from functools import lru_cache

from pet2rep_eval.records import Suv

_NUMBER = r"\d{1,4}(?:[.．]\d{1,3}|,\d{1,2}(?![\d.区组枚个]))?"
_RANGE = rf"{_NUMBER}(?:\s?(?:-|~|至|到|to)\s?{_NUMBER})?"
# The name of the value, in every order that reports use, then what stands between it and the number
_NAME = (
    r"(?:(?:延迟(?:期|显像|扫描|相)?|delayed|early|max(?:imum|imal)?|mean|average|peak|最大|平均|峰值|最高)[\s的]{0,2}){0,2}"
    r"(?:standardi[sz]ed uptake values?|msuv|标准化?摄取值|标准摄取值|suv(?:s(?=\s))?|sul(?=\s?(?:max|mean|peak)))"
    r"(?:[\s~_-]{0,2}\(?(?:max(?:imum)?|mean|peak|avg|ave|average|bw|lbm|值)\)?~?){0,2}"
)
_BETWEEN = (
    r"(?:\s?(?:早期(?:相|显像)?|early|delay(?:ed)?|值|values?|约为|分别为|分别约|分别约为|约|为|is|was|were|are|of|up to|being|measuring|about|approximately|ca\.?|around|"
    r"高达|达到|达|介于|(?:now|today|current)\s?/\s?(?:before|prior|baseline|previous|then)|amounting to|amounted to|波动于|最高达|分布在|范围|在|from|ranging|range|ranges|respectively|的|level|:|=|~|,|至|to|reaching|between|ranged|now|currently|today|(?:has |have )?(?:come|gone|decreased|increased|risen|fallen|dropped|declined|reduced) ?(?:down|up)? to|at|measured at|of (?:the|its|this) [a-z]{3,10}|of (?:it|them|this|(?:the )?(?:primary|lesion|mass|tumou?r|nodule|node))|measured as|measured|equal to|only|just|nearly|almost|over|roughly|some)){0,4}\s?"
)
# From an earlier value to the present one
_CHANGED = (
    rf"(?:from|由|从|自)\s?(?:原来的?|原先的?|原|前次的?|前片的?|治疗前的?|上次的?|之前的?|约|an? |about )?\s?{_NUMBER}"
    r"\s?(?:明显|显著|逐渐|较前|significantly|markedly|down|up)?\s?(?:下?降低?|减低|减少|减|上?升高?|增高|增加|增|变化?|改变)?"
    rf"(?:至|到|为|to)\s?(?:now|目前|现在?|约|本次的?)?\s?{_NUMBER}(?!\d|\s?(?:x|×|\*|c?m\b|mm|厘米|毫米|%))"
)
_MOVED = (
    r"(?:\s?(?:has |have |had |is |was )?(?:now )?(?:come|gone|went|decreased|dropped|fell|fallen|declined|reduced|increased|"
    r"rose|risen|changed|improved|down|up)(?: significantly| markedly| slightly| down| up)?,?)?\s?"
)
_ARROW = rf"{_NUMBER}\s?(?:-{{0,2}}>|=>|[→⟶➔➜])\s?{_NUMBER}"
SUV = (
    rf"{_NAME}(?:{_MOVED}{_CHANGED}|{_BETWEEN}{_ARROW})|{_CHANGED}|"
    rf"{_NAME}(?:/(?:suv)?(?:avg|mean|peak))?(?:{_BETWEEN}[(<>≤≥]{{0,2}}\s?{_RANGE}(?![\d]|\s?(?:c?m\b(?!:)|mm|毫米|厘米|%|hu|年|月|h\b|min|岁|个|枚))"
    rf"(?:\s?(?:,|、|和|及|/|and|&)\s?(?!\d{1, 2}\)\s?[a-z\u3400-\u9fff])(?:suv\s?(?:max|mean|peak|avg)?\s?)?{_RANGE}(?![\d.]|\s?(?:x|\*|×|c?m\b|mm|个|枚|年|月|小时|分|h\b|hours?)|[.]?\d)){{0,6}})?"
    rf"|(?<![\d.x/])\d{{1,2}}\.\d\s?suvs?(?:max)?(?![a-z]|\s?[\d:=(])"
    rf"|放射性指数(?:约为|约|为|:)?\s?{_RANGE}"
)
_UNIT = r"(?:cm|mm|厘米|毫米|公分|centimeters?|centimetres?|millimeters?|millimetres?)"
SIZE = rf"(?<![a-z0-9.]){_NUMBER}\s?{_UNIT}?(?:\s?(?:x|\*|×|by)\s?{_NUMBER}\s?{_UNIT}?){{0,2}}(?<=[m米分s])(?![a-z0-9]|/h)"
_FROM = re.compile(rf"{_CHANGED}|{_ARROW}")
_IMAGE = re.compile(r"\(\s?(?:im(?:g|age)?|ser|图|层|\d{2,4}\s?\))")
_FIND = re.compile(_NUMBER)
_COMMA = re.compile(r"(?<=\d),(?=\d)")
_SPLIT_KIND = re.compile(r"max|最大|最高|mean|avg|ave|average|平均|peak|峰")
_KIND = {
    "max": "max",
    "最大": "max",
    "最高": "max",
    "mean": "mean",
    "avg": "mean",
    "ave": "mean",
    "average": "mean",
    "平均": "mean",
    "peak": "peak",
    "峰": "peak",
}
_VALUE_START = re.compile(r"(?:\d)")
_UNIT_FIND = re.compile(_UNIT)


@lru_cache(maxsize=1024)
def read_suv(text: str) -> tuple[Suv, ...]:
    """The values in one SUV token; a number in parentheses that can only be an image number gives none."""
    if _IMAGE.search(text) and not re.search(r"\d\.\d", text):
        return ()
    delayed = "延迟" in text or "delayed" in text
    body = _COMMA.sub(".", text.replace("．", "."))
    kinds = _SPLIT_KIND.findall(body)
    kind = _KIND[kinds[0]] if kinds else "unspecified"
    values: list[Suv] = []
    changed = _FROM.search(body)
    for match in _FIND.finditer(body):
        if changed and match.end() < changed.end():
            continue  # the earlier value
        value = float(match.group())
        if value <= 150 and not body[: match.start()].endswith("18f"):
            here = kind
            if len(kinds) > 1 and "/" in body and len(values) < len(kinds):
                here = _KIND[kinds[len(values)]]
            values.append(Suv(value, here, delayed))
    return tuple(values)


@lru_cache(maxsize=1024)
def read_size(text: str) -> tuple[float, ...]:
    """The axes of one size token in millimetres; a number without a unit of its own takes the last one."""
    units = _UNIT_FIND.findall(text)
    if not units:
        return ()
    last = 10.0 if units[-1].startswith(("c", "厘", "公")) else 1.0
    axes: list[float] = []
    pieces = re.split(r"x|\*|×|by", text)
    for piece in pieces:
        number = _FIND.search(piece)
        if number:
            unit = _UNIT_FIND.search(piece)
            factor = last if unit is None else (10.0 if unit.group().startswith(("c", "厘", "公")) else 1.0)
            axes.append(round(float(number.group().replace("．", ".").replace(",", ".")) * factor, 3))
    return tuple(axes)
