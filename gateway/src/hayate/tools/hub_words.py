"""Why the Hub was asked in vain, in words for a person: what every command says alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hayate.language import Text
from hayate.tools.hub_trouble import BadName, Gated, HubTrouble, NoFile, NoRepository

UNAUTHORISED = 401


@dataclass(frozen=True, slots=True)
class Asker:
    """What a command calls the name that it was given, and what it advises when the Hub, or the network, is in trouble."""

    name: str
    later: Text
    network: Text


def in_vain(endpoint: str, repository: str, model: str, trouble: HubTrouble, asker: Asker) -> Text:
    """What happened and what to do. Offline and NotKept are each command's own."""
    match trouble:
        case Gated():
            page = f"{endpoint}/{repository}"
            return Text(
                f"{repository} asks for consent: accept its terms at {page} and set HF_TOKEN.",
                f"{repository}は利用許諾が必要です。{page} で同意し、HF_TOKENを設定してください。",
            )
        case NoRepository():
            return Text(
                f"{repository} is not on {endpoint}, or is private: check the name ({asker.name}), or set an HF_TOKEN that "
                f"may see it.",
                f"{repository}は{endpoint}にないか、非公開です。名前（{asker.name}）を確かめるか、閲覧できるHF_TOKENを設定してください。",
            )
        case NoFile() | BadName():
            return Text(
                f"{model} is not a file on the Hub: check the name ({asker.name}).",
                f"{model}はHubにありません。名前（{asker.name}）を確かめてください。",
            )
    if trouble.status == UNAUTHORISED:
        return Text(
            f"{endpoint} refuses HF_TOKEN, so {repository} can't be had: make a new one at "
            f"{endpoint}/settings/tokens, or unset it.",
            f"HF_TOKENが{endpoint}に拒否されたため、{repository}を取得できません。{endpoint}/settings/tokens で"
            f"新しいトークンを作成するか、HF_TOKENの設定を外してください。",
        )
    if not endpoint.startswith(("http://", "https://")):
        return Text(
            f"HF_ENDPOINT={endpoint} is no http:// or https:// URL: mend it, or unset it.",
            f"HF_ENDPOINT={endpoint}がhttp://またはhttps://で始まっていません。修正するか、設定を外してください。",
        )
    if trouble.status is not None:
        return Text(
            f"{repository} can't be had from {endpoint} (status {trouble.status}). {asker.later.en}",
            f"{endpoint}のエラーのため、{repository}を取得できません（status {trouble.status}）。{asker.later.ja}",
        )
    reason = re.sub(r"^\[Errno -?\d+\] ", "", str(trouble).splitlines()[0]).rstrip(".")
    return Text(
        f"{repository} can't be had from {endpoint}: {reason}. {asker.network.en}",
        f"{endpoint}に接続できないため、{repository}を取得できません（{reason}）。{asker.network.ja}",
    )


def not_there(repository: str, model: str, names: Sequence[str]) -> Text:
    """The repository is there, and not what was asked for; `names` are the models that are."""
    if not names:
        return Text(
            f"{repository} has no GGUF files; look for a repository whose name ends in -GGUF.",
            f"{repository}にGGUFファイルがありません。名前が-GGUFで終わるリポジトリを探してください。",
        )
    return Text(
        f"{model} is not there; {repository} has: {', '.join(names)}.",
        f"{model}が見つかりません。{repository}にあるもの: {', '.join(names)}",
    )


def wrong_checksum(name: str) -> Text:
    """All of it came, and it is something else."""
    return Text(
        f"What came as {name} does not have the checksum that the Hub tells, and was thrown away. Run it again; if that "
        f"happens twice, something between here and the Hub changes it, or HF_ENDPOINT is no true copy.",
        f"受信した{name}のチェックサムがHubの値と一致しないため、破棄しました。もう一度実行してください。繰り返す場合は、"
        f"途中の経路で内容が書き換えられているか、HF_ENDPOINTのミラーが正しくありません。",
    )


def in_use(name: str) -> Text:
    """Somebody else is at it."""
    return Text(
        f"Another process is downloading {name}: wait for it.",
        f"別のプロセスが{name}をダウンロード中です。完了するまでお待ちください。",
    )
