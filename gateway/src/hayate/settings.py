"""What can be set, each with its default, its bounds and its unit, once.

The parts of the configuration file are these classes with checks on top (`config.models`); everything that runs takes
them, or single defaults of them, from here. A setting's name ends in its unit; None means that there is no such limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

Seconds = Annotated[float, Gt(0)]
AtLeastOne = Annotated[int, Ge(1)]
Bytes = Annotated[int, Ge(1)]
Money = Annotated[Decimal, Ge(0), Le(1_000_000_000)]
LogForm = Literal["auto", "json", "text"]


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where the gateway listens and what it takes from a client's connection (`server`)."""

    host: str = "127.0.0.1"
    port: Annotated[int, Ge(0), Le(65535)] = 8080
    workers: AtLeastOne = 1
    max_connections: AtLeastOne = 8192
    max_header_bytes: Annotated[int, Ge(1024)] = 65536
    max_header_lines: Annotated[int, Ge(16)] = 256
    max_url_bytes: Annotated[int, Ge(1024)] = 262144
    unfinished_heads_bytes: Annotated[int, Ge(0)] = 64 * 1024 * 1024
    """What unfinished requests of all clients may take together."""
    max_body_bytes: Annotated[int, Ge(1024)] = 10 * 1024 * 1024
    max_json_weight_per_mib: Annotated[int, Ge(10_000)] = 180_000
    """How many objects a megabyte of JSON may become (`wire.json_values`)."""
    header_timeout_s: Seconds = 10.0
    body_timeout_s: Seconds = 20.0
    body_min_bytes_per_s: AtLeastOne = 16384
    """A body earns time beyond its timeout by arriving at this rate."""
    keep_alive_s: Seconds = 75.0
    heartbeat_s: Seconds = 15.0
    """How long a stream may stay silent before it is pinged."""
    client_stall_s: Seconds = 120.0
    cors_origins: tuple[str, ...] = ()
    """Whose pages may call, beside our own (`wire.origins`)."""
    half_close: Literal["cancel", "serve"] = "cancel"
    """What becomes of a whole answer whose client has ended its sending."""
    openapi: bool | None = None
    """Whether /openapi.json is served; None: where nobody but this machine is listened to."""
    operator_over_http: bool = False
    """Whether the operator may sign in on a page that came over plain http from another machine."""
    drain_s: Annotated[float, Ge(0)] = 60.0
    log_queue_bytes: Annotated[int, Ge(65536)] = 4 * 1024 * 1024
    """What may wait for each of standard output and standard error: some 4,000 calls."""
    log: LogForm = "auto"
    """For people (`text`) or for programs (`json`); `auto`: for people on a terminal alone."""


@dataclass(frozen=True, kw_only=True)
class RateLimits:
    """What one key may do, or one key with one model; none of these is on unless set. A minute is any 60 seconds."""

    requests_per_minute: AtLeastOne | None = None
    tokens_per_minute: AtLeastOne | None = None
    """Prompts and answers together."""
    input_tokens_per_minute: AtLeastOne | None = None
    output_tokens_per_minute: AtLeastOne | None = None
    concurrency: AtLeastOne | None = None
    """Calls at the same time."""
    strict: bool | None = None
    """Whether each call reserves the most that it could use: then tokens, too, never pass more than the limit."""


@dataclass(frozen=True, kw_only=True)
class DefaultLimits(RateLimits):
    """What holds for every key that does not say otherwise (`limits`)."""

    models: Mapping[str, RateLimits] = field(default_factory=dict)
    """Of one key with one model, by the name that is called, beside those of the key as a whole."""
    burst: AtLeastOne | None = None
    """Accepted and ignored since 0.2: no minute lets more through than its limit, however it comes."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a million tokens cost (`prices.<name>`), in the one currency of all."""

    input: Money = Decimal(0)
    cached_input: Money | None = None
    """Of those that the engine had in its cache; None: as the others."""
    output: Money = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """What is kept, and where (`store`)."""

    file: str = "hayate.db"
    """The database; in the data folder unless absolute."""
    calls_days: Annotated[int, Ge(1), Le(36_500)] = 90
    """How long the record of a call is kept."""
    max_waiting_calls: AtLeastOne = 20_000
    """Records that may wait while the file can't be written; what comes beyond is dropped and counted."""


@dataclass(frozen=True, kw_only=True)
class KeptContent:
    """Of one key (`record.content.<id>`)."""

    days: Annotated[float, Gt(0), Le(3650)] = 7.0
    """How long prompts and answers are kept."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What is kept of calls beside their figures: nothing, unless this says so (`record`)."""

    content: Mapping[str, KeptContent] = field(default_factory=dict)
    """The keys, by their ids, whose prompts and answers are kept."""
    max_content_bytes: Annotated[int, Ge(1024), Le(64 * 1024 * 1024)] = 64 * 1024
    """Of one prompt, and of one answer; what is longer is cut off there."""


@dataclass(frozen=True, kw_only=True)
class Following:
    """How a gateway follows the keys of the store (`keys`)."""

    stale_s: Annotated[float, Ge(0)] = 900.0
    """How long known keys go on while the file can't be read."""


@dataclass(frozen=True, kw_only=True)
class History:
    """Conversations that the gateway keeps for its callers (`history`)."""

    enabled: bool = True
    """Whether any are kept. Turned off, calls that name one are refused; what was kept stays where it is."""
    idle_days: Annotated[float, Gt(0), Le(36_500)] | None = None
    """How long a conversation is kept that nobody goes on with; None: until it is deleted."""
    max_age_days: Annotated[float, Gt(0), Le(36_500)] | None = None
    """How long any conversation is kept, whatever happens in it; None: until it is deleted."""
    responses_days: Annotated[float, Gt(0), Le(36_500)] = 30.0
    """How long responses are kept that belong to no conversation of a caller's."""
    responses_store_default: bool = True
    """Whether a response is kept that does not say (`store`)."""
    wait_s: Seconds = 60.0
    """How long a call waits for another that goes on with the same conversation."""
    max_conversation_bytes: Annotated[int, Ge(1024)] = 16 * 1024 * 1024
    """Of the items of one conversation, pictures included."""
    max_project_bytes: Annotated[int, Ge(1024)] = 4 * 1024 * 1024 * 1024
    """Of all conversations of one project."""
    max_item_bytes: Annotated[int, Ge(1024)] = 1024 * 1024
    """Of the text of one item."""
    cache_bytes: Annotated[int, Ge(0)] = 32 * 1024 * 1024
    """Of conversations in memory, which the next call need not read: as they stand in the store; as objects, more."""


@dataclass(frozen=True, kw_only=True)
class Safety:
    """Request fields that can hurt an engine: how far they may go (`safety`)."""

    max_n: AtLeastOne = 4
    max_output_tokens: AtLeastOne | None = None
    max_media_bytes: Annotated[int, Ge(0)] = 8 * 1024 * 1024
    allow_fields: tuple[str, ...] = ()
    """Fields that are refused unless they are named here (`wire.caps.RISKY_FIELDS`)."""
    image_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """Limits of one attempt (`timeouts`). A stream's first byte and a whole answer have limits of their own, and there
    is no limit on a stream as a whole unless `total_s` is set.
    """

    connect_s: Seconds = 5.0
    first_byte_s: Seconds = 300.0
    silence_s: Seconds = 60.0
    total_s: Seconds | None = None
    whole_s: Seconds | None = None
    spare_s: Annotated[float, Ge(0)] = 60.0
    """How long as many connections as calls had at once are held open to a replica after them (`upstream.ahead`)."""


@dataclass(frozen=True, kw_only=True)
class Probing:
    """When a replica is asked, thrown out and taken back (`health`)."""

    probe_interval_s: Seconds = 5.0
    probe_timeout_s: Seconds = 2.0
    eject_after: AtLeastOne = 5
    """Failures in a row."""
    eject_s: Seconds = 30.0
    quiet_s: Seconds = 30.0
    """How long calls may get nothing before that is odd, wherever it is not known what is usual (`policy.progress`)."""
    canary_s: Seconds = 10.0


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """A GPU whose memory deployments share by taking turns (`gpus.<name>`)."""

    memory: Bytes
    """What all that is loaded there may take together."""
    quantum_s: Seconds = 15.0
    """How long a model with nothing to do stays, at most, while others wait; less where loading it again takes less. As long may
    those take to be let in that waited for it, before it gives way.
    """
    max_wait_s: Seconds = 60.0
    """How long a call waits for its model while others are busy, beside what draining and loading take."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """How an engine is run as a child of the gateway (`deployments.<name>.run`)."""

    command: tuple[str, ...]
    """The program and its arguments, with `{port}` and `{model}` filled in; no shell reads it."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables of its own, beside the gateway's without its secrets."""
    ready: str = "/health"
    """The path that answers 2xx once the model can be asked."""
    stop: Literal["SIGTERM", "SIGINT", "SIGQUIT"] = "SIGTERM"
    stop_s: Seconds = 30.0
    """How long it may take to end before it is killed."""


@dataclass(frozen=True, kw_only=True)
class EngineLog:
    """What is kept of what such a child writes (`<data>/logs/<deployment>.log`)."""

    max_bytes: Bytes = 10 * 1024 * 1024
    """Of one file."""
    older: Annotated[int, Ge(0)] = 2
    """Full ones beside it."""


LLAMACPP: Literal["llamacpp"] = "llamacpp"
"""In place of a `Run`: the installed llama.cpp's own server, with `model` as its GGUF file or Hub reference."""


@dataclass(frozen=True, kw_only=True)
class Loading:
    """How a model comes into memory and goes (in `deployments.<name>`)."""

    memory: Bytes | None = None
    """What it takes of each of its GPUs while it is loaded."""
    pin: bool = False
    """Whether it stays, whoever waits."""
    idle_unload_s: Seconds | None = None
    """How long it stays with nothing to do; None: until another needs the memory."""
    load_timeout_s: Seconds = 600.0


@dataclass(frozen=True, kw_only=True)
class Capacity(Loading):
    """How many calls a deployment takes (in `deployments.<name>`)."""

    max_in_flight: AtLeastOne | Literal["auto"] = "auto"
    """At each replica; `auto`: as many as its engine works on at a time (`policy.ceiling`)."""
    min_tokens_per_s: Annotated[float, Gt(0)] | None = None
    """What each answer should get at least: with `auto`, fewer calls are let in while it gets less."""
    max_queued: Annotated[int, Ge(0)] = 4096
    queue_timeout_s: Seconds | None = None
    """None: as long as the engine's first byte may take (`Timeouts.first_byte_s`)."""
    gpu: tuple[str, ...] = ()
    """The GPUs that its replicas run on, by names of the operator's choice: deployments that share one share its queue."""
    context_tokens: AtLeastOne | None = None
    """The context of the model, where the engine does not tell, or tells too much."""
    images: bool | None = None
    """Whether the model takes pictures, where the engine does not tell. Told at /v1/models; no call is refused for it."""
