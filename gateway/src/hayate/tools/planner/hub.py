"""A model's facts from the Hugging Face Hub: its `config.json` and the sizes of its weight files, nothing more is fetched.

`HF_ENDPOINT` names another hub or a mirror, `HF_TOKEN` opens gated models, `HF_HOME` or `HF_HUB_CACHE` is where files are kept,
`HF_HUB_OFFLINE=1` keeps to what is there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hayate.tools.planner.config_json import facts_from_config
from hayate.tools.planner.facts import ModelFacts, UnknownModel
from hayate.tools.planner.weights import (
    BIN_INDEX,
    SAFETENSORS_INDEX,
    folder_weight_bytes,
    index_total,
    read_json,
    weight_files,
)

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CONFIG = "config.json"
ANSWER_S = 10.0


def facts_from_hub(repo: str, env: Mapping[str, str] | None = None) -> ModelFacts:
    """The model called `repo` on the Hub. Raises UnknownModel with the reason."""
    env = os.environ if env is None else env
    try:
        import httpx2
        from huggingface_hub import HfApi, logging
        from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError
        from huggingface_hub.utils.tqdm import disable_progress_bars
    except ImportError:
        raise UnknownModel(
            f"{repo} is not in the catalogue, and huggingface_hub is not installed to look it up"
            " (pip install 'hayate[embedded]')",
            f"{repo} はカタログになく、調べるための huggingface_hub も入っていません（pip install 'hayate[embedded]'）",
        ) from None
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # its signature says nothing
    disable_progress_bars()
    api = HfApi(endpoint=env.get("HF_ENDPOINT", "").strip() or None, token=env.get("HF_TOKEN", "").strip() or None)
    try:
        if env.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
            return _from_cache(repo, _cache(env))
        return _from_api(api, repo, _cache(env))
    except GatedRepoError:
        raise UnknownModel(
            f"{repo} is gated: accept its terms on the Hub and set HF_TOKEN",
            f"{repo} は利用条件への同意が必要です。Hubで同意し、HF_TOKEN を設定してください",
        ) from None
    except RepositoryNotFoundError:
        raise UnknownModel(
            f"{repo}: neither in the catalogue, nor a path here, nor on the Hub",
            f"{repo} はカタログにも手元にもHubにも見つかりません",
        ) from None
    except HFValidationError:
        raise UnknownModel(
            f"{repo}: neither in the catalogue nor a path here", f"{repo} はカタログにも手元にもありません"
        ) from None
    except (OSError, httpx2.HTTPError, httpx2.InvalidURL, ValueError, TypeError, KeyError) as error:
        # The last three are what a page that is no Hub's gives.
        raise UnknownModel(
            f"{repo}: the Hub can't be asked ({_reason(error)})",
            f"{repo}: Hubに問い合わせできません（{_reason(error)}）",
        ) from None


def _cache(env: Mapping[str, str]) -> str | None:
    """The cache's folder; None is the library's own default."""
    return env.get("HF_HUB_CACHE") or (str(Path(env["HF_HOME"]) / "hub") if env.get("HF_HOME") else None)


def _reason(error: Exception) -> str:
    """What kind of failure it was, without the request's headers and addresses."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"HTTP {status}" if status else type(error).__name__


def _from_api(api: HfApi, repo: str, cache: str | None) -> ModelFacts:
    info = api.model_info(repo, files_metadata=True, timeout=ANSWER_S)
    sizes = {file.rfilename: file.size for file in info.siblings or []}
    if CONFIG not in sizes:
        raise _without_config(repo, list(sizes))
    config = read_json(Path(api.hf_hub_download(repo, CONFIG, revision=info.sha, cache_dir=cache)))
    total = None
    for index in (SAFETENSORS_INDEX, BIN_INDEX):
        if index in sizes:
            total = index_total(read_json(Path(api.hf_hub_download(repo, index, revision=info.sha, cache_dir=cache))))
            break
    total = total or sum(sizes[name] or 0 for name in weight_files(sizes))
    if not total:
        raise UnknownModel(f"{repo}: no weight files", f"{repo}: 重みのファイルがありません")
    return facts_from_config(repo, config, total, source=f"Hub, revision {info.sha}" if info.sha else "Hub")


def _from_cache(repo: str, cache: str | None) -> ModelFacts:
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(repo, CONFIG, cache_dir=cache)
    if not isinstance(config, str):
        raise UnknownModel(
            f"{repo}: not cached, and HF_HUB_OFFLINE is on", f"{repo} はキャッシュになく、HF_HUB_OFFLINE が有効です"
        )
    folder = Path(config).parent
    return facts_from_config(repo, read_json(folder / CONFIG), folder_weight_bytes(folder), source="Hub cache")


def _without_config(repo: str, names: list[str]) -> UnknownModel:
    if any(name.endswith(".gguf") for name in names):
        return UnknownModel(
            f"{repo} holds GGUF files: download one and give its path",
            f"{repo} はGGUFのリポジトリです。ファイルを1つダウンロードし、そのパスを指定してください",
        )
    return UnknownModel(f"{repo} has no {CONFIG}", f"{repo} に {CONFIG} がありません")
