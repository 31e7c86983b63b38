"""What belongs into a field of a body, in our words and both languages, where a library has found that it is something else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hayate.language import Text

_OBJECT: Final = Text("an object", "オブジェクト")
_LIST: Final = Text("a list", "配列")
_TEXT: Final = Text("text", "文字列")
_WHOLE: Final = Text("a whole number", "整数")
_NUMBER: Final = Text("a number", "数値")
_TIME: Final = Text("a time with its offset, such as 2027-01-31T00:00:00Z", "2027-01-31T00:00:00Zのような日時")
_WANTED: Final[Mapping[str, Text]] = {
    "bool": Text("true or false", "trueまたはfalse"),
    "dataclass": _OBJECT,
    "date": _TIME,
    "datetime": _TIME,
    "dict": _OBJECT,
    "finite": _NUMBER,
    "float": _NUMBER,
    "int": _WHOLE,
    "list": _LIST,
    "mapping": _OBJECT,
    "model": _OBJECT,
    "string": _TEXT,
    "timezone": _TIME,
    "tuple": _LIST,
}
"""By the first word of what pydantic calls the mistake: `int_type`, `int_parsing`, `int_from_float`."""


def wanted(kind: str, said: Mapping[str, Any]) -> Text | None:
    """What belongs there; `kind` and `said` are a mistake's type and context. None for what has no words yet."""
    match kind:
        case "greater_than_equal":
            return Text(f"a number of at least {said['ge']:g}", f"{said['ge']:g}以上の数値")
        case "less_than_equal":
            return Text(f"a number of at most {said['le']:g}", f"{said['le']:g}以下の数値")
        case "string_too_short":
            return Text("text that is not empty", "空でない文字列")
        case "literal_error":
            names = str(said["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
            return Text(f"one of {', '.join(names)}", f"{'、'.join(names)}のいずれか")
    return _WANTED.get(kind.partition("_")[0])
