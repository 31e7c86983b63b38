"""What is legal of a key's terms and probably not meant: told to whoever makes or changes the key, which is done all the same."""

from __future__ import annotations

from collections.abc import Callable

from hayate.access.terms import Terms
from hayate.language import Text


def oddities_of(terms: Terms, is_known: Callable[[str], bool]) -> list[Text]:
    """A line for each. `is_known`: whether there is a model of this name."""
    default = terms.defaults.model
    named = [*(terms.models or ()), *terms.model_limits, *([] if default is None else [default])]
    found = [
        Text(
            f"No alias, deployment or model is named {name!r} at the moment.",
            f"{name!r} という名前のエイリアス、デプロイメント、モデルは現在ありません。",
        )
        for name in dict.fromkeys(named)
        if not is_known(name)
    ]
    found += [
        Text(
            f"The key may not call {name!r}, which its terms name elsewhere.",
            f"{name!r} は、このキーで使えるモデルに含まれていません。",
        )
        for name in dict.fromkeys(named)
        if not terms.may_call(name)
    ]
    most, limit = terms.defaults.max_tokens, terms.max_output_tokens
    if most is not None and limit is not None and most > limit:
        found.append(
            Text(
                f"Answers have at most {limit} tokens, so that the default of {most} never holds.",
                f"回答は最大{limit}トークンのため、既定の{most}トークンは使われません。",
            )
        )
    return found
