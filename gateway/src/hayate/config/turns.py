"""Whether deployments can take turns on the GPUs as the configuration says: names that are there, sizes that fit, and what can be
loaded at all. The rule: what is accepted here, some order of loading and unloading can serve.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from hayate.config.deployment import DeploymentConfig
from hayate.config.environment import CONTAINER
from hayate.config.mistakes import Findings, Mistake, Where
from hayate.config.models import Config
from hayate.config.values import shown_size
from hayate.config.wanted import nearest
from hayate.language import Text
from hayate.policy.routing import with_first_names

LOADED_OVER_HTTP: Final[Mapping[str, Text]] = {
    "vllm": Text("its sleep mode", "スリープモード"),
    "ollama": Text("its keep_alive", "keep_alive"),
    "llamacpp": Text("its router mode", "ルーターモード"),
}
"""Backends whose engine loads and unloads its model when it is asked to, and how."""
_BY_NAME: Final = ("ollama", "llamacpp")
"""Those that have to be told which model."""


def turn_mistakes(config: Config, found: Findings, env: Mapping[str, str]) -> Iterator[Mistake]:
    """Each with its place. What follows from a GPU that is itself among `found` is not told."""
    sound = not found.within(("gpus",))
    for name, each in config.deployments.items():
        where = ("deployments", name)
        if each.run is not None and env.get(CONTAINER):
            yield Mistake((*where, "run"), _IN_A_CONTAINER)
        if each.pin and each.idle_unload_s is not None:
            yield Mistake(
                (*where, "idle_unload_s"),
                Text(
                    "contradicts pin: true: what is pinned stays loaded; remove one of them",
                    "pin: trueと矛盾しています。pinを指定したモデルは読み込まれたままになります。どちらかを取り除いてください",
                ),
            )
        if sound:
            yield from _unknown_gpus(where, each, config.gpus)
            if each.memory is not None:
                yield from _of_memory(where, each, config)
    if sound:
        yield from _pinned(config)
    if not (found.within(("deployments",)) or found.within(("aliases",))):
        yield from _preloads(config)


def preloaded(config: Config) -> tuple[str, ...]:
    """The deployments that are loaded at the start, each once; of an alias the first."""
    leads = with_first_names(config.aliases, tuple(config.deployments))
    found = (name if name in config.deployments else leads[name][0] for name in config.preload)
    return tuple(dict.fromkeys(found))


def takes_turns(config: Config, each: DeploymentConfig) -> bool:
    """Whether the gateway loads and unloads it."""
    return each.run is not None or (each.memory is not None and any(name in config.gpus for name in each.gpu))


def _unknown_gpus(where: Where, each: DeploymentConfig, gpus: Collection[str]) -> Iterator[Mistake]:
    for number, name in enumerate(each.gpu):
        if not gpus or name in gpus:
            continue
        there, meant = list(gpus), nearest(name, list(gpus))
        english, japanese = (f"; did you mean {meant}?", f"。{meant}のことですか？") if meant else ("", "")
        yield Mistake(
            (*where, "gpu", number),
            Text(
                f"gpus has no {name[:60]}: there {'are' if len(there) > 1 else 'is'} {', '.join(there)}{english}",
                f"gpusに{name[:60]}はありません。あるのは{'、'.join(there)}です{japanese}",
            ),
        )


def _of_memory(where: Where, each: DeploymentConfig, config: Config) -> Iterator[Mistake]:
    where = (*where, "memory")
    if each.run is None and each.backend not in LOADED_OVER_HTTP:
        ways = ", ".join(f"{name} ({way.en})" for name, way in LOADED_OVER_HTTP.items())
        japanese_ways = "、".join(f"{name}（{way.ja}）" for name, way in LOADED_OVER_HTTP.items())
        yield Mistake(
            where,
            Text(
                f"is for models that the gateway can unload, and {each.backend} offers no way to: it can be done with "
                f"{ways}, or with run: in place of replicas; else remove this",
                f"memoryはゲートウェイが解放できるモデル用の設定ですが、{each.backend}にはその手段がありません。"
                f"使えるのは{japanese_ways}か、replicasの代わりにrun:を書く方法です。それ以外ではこの行を取り除いてください",
            ),
        )
    elif each.run is None and not each.model and each.backend in _BY_NAME:
        yield Mistake(
            where,
            Text(
                f"needs model: to be set, because {each.backend} is told by name what to load",
                f"model:も必要です。{each.backend}には読み込むモデルを名前で伝えます",
            ),
        )
    elif not each.gpu or not config.gpus:
        yield Mistake(where, _without_a_gpu(each, config))
    for name in each.gpu:
        gpu = config.gpus.get(name)
        if gpu is not None and each.memory is not None and each.memory > gpu.memory:
            size, whole = shown_size(each.memory), shown_size(gpu.memory)
            yield Mistake(
                where,
                Text(
                    f"is {size} and never fits on {name}, which has {whole}; `hayate plan` computes what does",
                    f"{size}は、{name}の容量（{whole}）に収まりません。収まる構成は`hayate plan`で計算できます",
                ),
            )


def _without_a_gpu(each: DeploymentConfig, config: Config) -> Text:
    if config.gpus:
        names = ", ".join(config.gpus)
        return Text(
            f"belongs to a GPU: write gpu: with a name of gpus ({names}) too",
            f"どのGPUのメモリーかを、gpu:にgpusの名前（{names}）で指定してください",
        )
    name = each.gpu[0] if each.gpu else "gpu0"
    also = Text("", "") if each.gpu else Text(f", and gpu: {name} here", f"、ここにgpu: {name}")
    return Text(
        f"belongs to a GPU whose size is known: write gpus: {{{name}: {{memory: 24GiB}}}} at the top{also.en}",
        f"GPUの容量が分かりません。先頭にgpus: {{{name}: {{memory: 24GiB}}}}{also.ja}を書いてください",
    )


def _pinned(config: Config) -> Iterator[Mistake]:
    """What stays and leaves too little for another."""
    for name, gpu in config.gpus.items():
        taken, pinned = 0, list[str]()
        here = {key: each for key, each in config.deployments.items() if name in each.gpu and each.memory is not None}
        for key, each in sorted(here.items(), key=lambda item: not item[1].pin):
            needs = each.memory or 0
            if needs > gpu.memory:
                continue  # told already
            if taken + needs > gpu.memory:
                names = ", ".join(pinned)
                left, size = shown_size(gpu.memory - taken), shown_size(needs)
                yield Mistake(
                    ("deployments", key, "pin" if each.pin else "memory"),
                    Text(
                        f"never fits: it takes {size}, and what is pinned on {name} ({names}) leaves {left}; "
                        "pin fewer or smaller ones",
                        f"{size}が必要ですが、{name}でpinを指定したモデル（{names}）があるため{left}しか残らず、"
                        "読み込めません。pinを減らすか、小さいモデルにしてください",
                    ),
                )
            elif each.pin:
                taken, pinned = taken + needs, [*pinned, key]


def _preloads(config: Config) -> Iterator[Mistake]:
    known = {**config.deployments, **with_first_names(config.aliases, tuple(config.deployments))}
    for number, name in enumerate(config.preload):
        if name in known:
            continue
        meant = nearest(name, list(known))
        english, japanese = (f"; did you mean {meant}?", f"。{meant}のことですか？") if meant else ("", "")
        yield Mistake(
            ("preload", number),
            Text(
                f"no deployment or alias is named {name[:60]}; there are {', '.join(config.deployments)}{english}",
                f"{name[:60]}というデプロイメントやエイリアスはありません。あるのは{'、'.join(config.deployments)}です{japanese}",
            ),
        )


_IN_A_CONTAINER = Text(
    "is for a gateway that is installed on the machine; this one runs in its container, which has neither engines nor the GPU: "
    "give the engine a service of its own, with its address in replicas, and memory to have its model loaded and unloaded "
    "over HTTP (vllm, ollama, llamacpp)",
    "コンテナ内のゲートウェイにはエンジンもGPUもないため、runは使えません。エンジンを別のサービスとして起動し、そのアドレスをreplicasに書いて"
    "ください。vllm、ollama、llamacppであれば、memoryを書くとモデルの読み込みと解放をHTTPで行います",
)
