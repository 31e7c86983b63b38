"""Configurations as people break them, each with what has to be said of it and what it becomes when that advice is followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

ONE: Final = "deployments:\n  qwen: {backend: vllm, replicas: [http://127.0.0.1:8000]}\n"


@dataclass(frozen=True, slots=True)
class Broken:
    """A file (None: the environment alone) with all its mistakes: the place of each, and words in English and in Japanese."""

    name: str
    file: str | bytes | None
    says: tuple[tuple[str, str, str], ...]
    cured: str | None
    env: Mapping[str, str] = field(default_factory=dict)
    cured_env: Mapping[str, str] = field(default_factory=dict)


def _b(name: str, file: str | bytes, cured: str, *says: tuple[str, str, str], **env: str) -> Broken:
    return Broken(name, file, says, cured, env, env)


def _e(name: str, env: Mapping[str, str], cured: Mapping[str, str], *says: tuple[str, str, str]) -> Broken:
    return Broken(name, None, says, None, env, cured)


SYNTAX: Final = [
    _b(
        "tabs for indentation",
        "server:\n\tport: 8080\n\thost: 127.0.0.1\n" + ONE,
        "server:\n  port: 8080\n  host: 127.0.0.1\n" + ONE,
        ("line 2", "indent with blanks", "半角の空白で字下げ"),
        ("line 3", "indent with blanks", "半角の空白で字下げ"),
    ),
    _b(
        "a full-width colon and a full-width blank",
        "server：\n  port:　8080\n　 host：127.0.0.1\n" + ONE,
        "server:\n  port: 8080\n  host: 127.0.0.1\n" + ONE,
        ("line 1", "ordinary colon", "半角のコロン"),
        ("line 2", "ordinary colon", "半角のコロン"),
        ("line 3", "ordinary colon", "半角のコロン"),
    ),
    _b(
        "no colon, and a mistake elsewhere",
        "server:\n  port 8080\nlimits: {concurrency: many}\n" + ONE,
        "server:\n  port: 8080\nlimits: {concurrency: 5}\n" + ONE,
        ("line 1: server", "a section with entries such as port: 8080, not 'port 8080'", "port: 8080のような項目"),
        ("line 3: limits.concurrency", "a whole number, at least 1", "1以上の整数"),
    ),
    _b(
        "no colon among others that have one",
        "server:\n  host: 127.0.0.1\n  port 8080\nlimits: {concurrency: many}\n" + ONE,
        "server:\n  host: 127.0.0.1\n  port: 8080\nlimits: {concurrency: 5}\n" + ONE,
        ("line 3", "a colon with a blank behind it is missing", "コロンとその後ろの空白"),
        ("line 4: limits.concurrency", "a whole number, at least 1", "1以上の整数"),
    ),
    _b(
        "a bracket left open, and a mistake behind it",
        "deployments:\n  qwen:\n    backend: vllm\n    replicas: [http://127.0.0.1:8000\n    model: x\nsafety: {max_n: 0}\n",
        "deployments:\n  qwen:\n    backend: vllm\n    replicas: [http://127.0.0.1:8000]\n    model: x\nsafety: {max_n: 1}\n",
        ("line 4", "a bracket [ is opened here and not closed", "角括弧[が閉じられていない"),
        ("line 6: safety.max_n", "a whole number, at least 1, not 0", "1以上の整数"),
    ),
    _b(
        "a brace left open",
        "server: {port: 8080\n" + ONE,
        "server: {port: 8080}\n" + ONE,
        ("line 1", "a brace { is opened here and not closed", "波括弧{が閉じられていない"),
    ),
    _b(
        "a quotation mark left open",
        ONE + "server: {host: '127.0.0.1}\n",
        ONE + "server: {host: '127.0.0.1'}\n",
        ("line 3", "a quotation mark is opened here and never closed", "引用符が閉じられていません"),
    ),
    _b(
        "an entry indented too far",
        "server:\n  port: 8080\n    host: 127.0.0.1\n" + ONE,
        "server:\n  port: 8080\n  host: 127.0.0.1\n" + ONE,
        ("line 3", "indent it like its neighbours", "字下げをそろえ"),
    ),
    _b(
        "an entry indented too little",
        "server:\n    port: 8080\n  host: 127.0.0.1\n" + ONE,
        "server:\n    port: 8080\n    host: 127.0.0.1\n" + ONE,
        ("line 3", "let them begin in one column", "同じ桁から"),
    ),
    _b(
        "a star without quotes",
        ONE + "safety:\n  image_hosts: [*.example.com]\n",
        ONE + "safety:\n  image_hosts: ['*.example.com']\n",
        ("line 4", "quotes", "引用符で囲んでください"),
    ),
    _b(
        "an at sign without quotes",
        "deployments:\n  qwen: {backend: vllm, replicas: [http://127.0.0.1:8000], model: @qwen}\n",
        "deployments:\n  qwen: {backend: vllm, replicas: [http://127.0.0.1:8000], model: '@qwen'}\n",
        ("line 2", "put the text in quotes", "引用符で囲んでください"),
    ),
    _b(
        "a Windows path in double quotes",
        'data: "C:\\Users\\me"\n' + ONE,
        "data: 'C:\\Users\\me'\n" + ONE,
        ("line 1", "use single quotes", "一重引用符"),
    ),
    _b(
        "a reference to nothing",
        "deployments:\n  qwen: {<<: *base, backend: vllm, replicas: [http://127.0.0.1:8000]}\n",
        "x-base: &base {model: q}\ndeployments:\n  qwen: {<<: *base, backend: vllm, replicas: [http://127.0.0.1:8000]}\n",
        ("line 2", "no & of this name stands above it", "同じ名前の&がありません"),
    ),
    _b(
        "a merge of no section",
        ONE + "server:\n  <<: 7\n",
        "x-base: &base {port: 1}\n" + ONE + "server:\n  <<: *base\n",
        ("line 4", "<< takes a section that a & names", "<<に書けるのは"),
    ),
    _b(
        "keys written twice, and what is wrong with the last",
        ONE + "  qwen: {backend: vlm, replicas: [http://127.0.0.1:8000]}\nserver: {port: 1}\nserver: {port: 2}\n",
        "deployments:\n  qwen: {backend: vllm, replicas: [http://127.0.0.1:8000]}\nserver: {port: 2}\n",
        ("line 3: deployments.qwen", "is written twice, in line 2 too; keep one", "2回書かれています（2行目"),
        ("line 3: deployments.qwen.backend", "not 'vlm'; write vllm", "vllmと書いてください"),
        ("line 5: server", "is written twice, in line 4 too; keep one", "1つにしてください"),
    ),
    _b(
        "two documents",
        ONE + "---\nserver: {port: 1}\n",
        ONE + "server: {port: 1}\n",
        ("line 3", "remove the line ---", "---の行を取り除いて"),
    ),
    _b(
        "a tag",
        ONE + "data: !env DATA\n",
        ONE + "data: '!env DATA'\n",
        ("line 3", "a text that begins with ! stands in quotes", "!で始まる文字列は引用符"),
    ),
    _b(
        "a date that is none",
        "deployments:\n  qwen: {backend: vllm, replicas: [http://127.0.0.1:8000], model: 2026-99-99}\n",
        "deployments:\n  qwen: {backend: vllm, replicas: [http://127.0.0.1:8000], model: '2026-99-99'}\n",
        ("line 2: deployments.qwen.model", "put it in quotes", "引用符で囲んで"),
    ),
    _b(
        "a control character",
        "server: {port: \x01 8080}\n" + ONE,
        "server: {port: 8080}\n" + ONE,
        ("line 1", "a control character stands here; remove it", "制御文字があります"),
    ),
    _b(
        "Shift_JIS, and a mistake",
        "# 設定\nserver: {prot: 1}\n".encode("cp932") + ONE.encode(),
        "# 設定\nserver: {port: 1}\n" + ONE,
        ("line 1", "save the file as UTF-8", "UTF-8で保存"),
        ("line 2: server.prot", "did you mean port?", "portのことですか"),
    ),
    _b(
        "UTF-16",
        ONE.encode("utf-16"),
        ONE,
        ("line 1", "save the file as UTF-8", "UTF-8で保存"),
    ),
    _b("nothing", b"", ONE, ("deployments", "is needed: a section", "必須の項目")),
    _b("comments alone", "# later\n", ONE, ("deployments", "is needed: a section", "必須の項目")),
    _b("a list", "- qwen\n", ONE, ("", "above all deployments:", "deployments:の下に")),
    _b("a text", "hello\n", ONE, ("", "above all deployments:", "deployments:の下に")),
    _b(
        "ten megabytes",
        b"# " + b"x" * 10_000_000 + b"\n" + ONE.encode(),
        ONE,
        ("", "name the right file", "正しいファイル"),
    ),
    _b(
        "a billion laughs",
        "x-a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"x-{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
        + ONE,
        ONE,
        ("", "write out what is meant", "必要なものだけ"),
    ),
    _b(
        "a billion merges are few",
        "x-a: &a {p: 1, q: 2}\n"
        + "".join(
            f"x-{b}: &{b} {{<<: [{', '.join(['*' + a] * 9)}]}}\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        )
        + "server: {<<: *i}\n"
        + ONE,
        ONE,
        ("line 1: server.p", "is not an option", "そのような設定はありません"),
        ("line 1: server.q", "is not an option", "そのような設定はありません"),
    ),
    _b(
        "nested very deeply",
        "server: " + "[" * 5000 + "\n" + ONE,
        ONE,
        ("line 1", "write it out flatly", "入れ子を浅く"),
    ),
    _b("a part of itself", "x-a: &a [*a]\n" + ONE, ONE, ("", "contains itself", "自分自身")),
]

VALUES: Final = [
    _b(
        "unknown entries",
        "sever: {port: 1}\nport: 8080\nserver: {prot: 1, Max-Connections: 5, colour: red}\n" + ONE,
        "server: {port: 1, max_connections: 5}\n" + ONE,
        ("line 1: sever", "did you mean server?", "serverのことですか"),
        ("line 2: port", "it belongs at server.port", "server.portに書いて"),
        ("line 3: server.prot", "did you mean port?", "portのことですか"),
        ("line 3: server.Max-Connections", "did you mean max_connections?", "max_connectionsのことですか"),
        ("line 3: server.colour", "there are host, port,", "取り除いてください"),
    ),
    _b(
        "what other programs call it",
        "models:\n  qwen: {engine: vllm, url: http://127.0.0.1:8000}\n",
        "deployments:\n  qwen: {backend: vllm, replicas: http://127.0.0.1:8000}\n",
        ("deployments", "is needed: a section", "必須の項目"),
        ("line 1: models", "did you mean deployments?", "deploymentsのことですか"),
    ),
    _b(
        "what other programs call a deployment's parts",
        "deployments:\n  qwen: {engine: vllm, url: http://127.0.0.1:8000, key: k}\n",
        "deployments:\n  qwen: {backend: vllm, replicas: http://127.0.0.1:8000, api_key: k}\n",
        ("line 2: deployments.qwen.backend", "is needed: one of vllm", "必須の項目"),
        ("line 2: deployments.qwen.replicas", "is needed: a list of addresses", "必須の項目"),
        ("line 2: deployments.qwen.engine", "did you mean backend?", "backendのことですか"),
        ("line 2: deployments.qwen.url", "did you mean replicas?", "replicasのことですか"),
        ("line 2: deployments.qwen.key", "did you mean api_key?", "api_keyのことですか"),
    ),
    _b(
        "an unknown backend",
        "deployments:\n  qwen: {backend: vlm, replicas: [http://127.0.0.1:8000], max_queued: -1}\n",
        "deployments:\n  qwen: {backend: vllm, replicas: [http://127.0.0.1:8000], max_queued: 0}\n",
        ("line 2: deployments.qwen.backend", "must be one of vllm, llamacpp", "vllmと書いてください"),
        ("line 2: deployments.qwen.max_queued", "a whole number, at least 0, not -1", "0以上の整数"),
    ),
    _b(
        "no deployments", "server: {port: 1}\n", "server: {port: 1}\n" + ONE, ("deployments", "is needed", "必須の項目")
    ),
    _b(
        "empty deployments",
        "deployments:\n",
        ONE,
        ("line 1: deployments", "is empty: write a section", "値がありません"),
    ),
    _b(
        "a list of deployments",
        "deployments:\n- backend: vllm\n",
        ONE,
        ("line 1: deployments", "must be a section", "セクション"),
    ),
    _b(
        "a deployment of text",
        "deployments:\n  qwen: vllm\n",
        ONE,
        ("line 2: deployments.qwen", "a section with entries such as backend", "backend: vllm"),
    ),
    _b(
        "a deployment of nothing",
        "deployments:\n  qwen:\n",
        ONE,
        ("line 2: deployments.qwen", "is empty: write a section", "値がありません"),
    ),
    _b(
        "replicas of no shape",
        "deployments:\n  a: {backend: vllm, replicas: {url: http://a}}\n"
        "  b: {backend: vllm, replicas: []}\n  c: {backend: vllm, replicas: 8000}\n",
        "deployments:\n  a: {backend: vllm, replicas: [http://a]}\n"
        "  b: {backend: vllm, replicas: [http://b]}\n  c: {backend: vllm, replicas: ['http://127.0.0.1:8000']}\n",
        (
            "line 2: deployments.a.replicas",
            "must be a list of addresses such as [http://127.0.0.1:8000]",
            "アドレスのリスト",
        ),
        ("line 3: deployments.b.replicas", "is needed: a list of addresses", "アドレスのリスト"),
        (
            "line 4: deployments.c.replicas",
            "must be a list of addresses such as [http://127.0.0.1:8000], not 8000",
            "アドレスのリスト",
        ),
    ),
    _b(
        "addresses that are none",
        "deployments:\n  a:\n    backend: vllm\n    replicas:\n    - localhost:8000\n    - http://gpu:99999\n    - http://u:s3cret@gpu\n"
        "    - http://gpu/v1?key=s3cret\n    - http://gpu box\n    - http://::1:8000\n    - ftp://gpu\n    - 7\n",
        "deployments:\n  a:\n    backend: vllm\n    replicas:\n    - http://localhost:8000\n    - http://gpu\n    - http://gpu2\n"
        "    - http://gpu/v1\n    - http://gpubox\n    - http://[::1]:8000\n    - http://127.0.0.1:8000\n",
        ("line 5: deployments.a.replicas.0", "write http://localhost:8000", "http://localhost:8000のように"),
        ("line 6: deployments.a.replicas.1", "1 to 65535", "1から65535"),
        ("line 7: deployments.a.replicas.2", "take them out of the URL", "URLから外し"),
        (
            "line 8: deployments.a.replicas.3",
            "write the engine's base URL, http://gpu/v1",
            "ベースURL（http://gpu/v1）",
        ),
        ("line 9: deployments.a.replicas.4", "has a blank", "空白"),
        (
            "line 10: deployments.a.replicas.5",
            "an IPv6 address stands in brackets, such as http://[::1]:8000",
            "角括弧",
        ),
        (
            "line 11: deployments.a.replicas.6",
            "is not an http:// or https:// URL; write http://127.0.0.1:8000",
            "http://127.0.0.1:8000のように",
        ),
        ("line 12: deployments.a.replicas.7", "must be an address such as http://127.0.0.1:8000, not 7", "アドレス"),
    ),
    _b(
        "numbers with units, words, true, and full-width digits",
        "server: {heartbeat_s: 10s, max_body_bytes: 8MiB, port: ８０８０, drain_s: soon, workers: true, max_url_bytes: 5}\n"
        + ONE,
        "server: {heartbeat_s: 10, max_body_bytes: 8388608, port: 8080, drain_s: 5, workers: 1, max_url_bytes: 1024}\n"
        + ONE,
        ("line 1: server.heartbeat_s", "a number of seconds over 0, not '10s'; write 10", "10と書いてください"),
        ("line 1: server.max_body_bytes", "write 8388608", "8388608と書いてください"),
        ("line 1: server.port", "a whole number from 0 to 65535, not '８０８０'; write 8080", "8080と書いてください"),
        ("line 1: server.drain_s", "a number of seconds, at least 0", "0以上の秒数"),
        ("line 1: server.workers", "a whole number, at least 1, not true", "1以上の整数"),
        ("line 1: server.max_url_bytes", "a whole number of bytes, at least 1024, not 5", "1024以上のバイト数"),
    ),
    _b(
        "numbers that nobody can mean",
        "server: {heartbeat_s: .inf, drain_s: .nan, keep_alive_s: '1e300', port: 70000, workers: 1.5}\n" + ONE,
        "server: {heartbeat_s: 1, drain_s: 1, keep_alive_s: '1', port: 7000, workers: 1}\n" + ONE,
        ("line 1: server.heartbeat_s", "is too large a number", "数値が大きすぎます"),
        ("line 1: server.drain_s", "a number of seconds, at least 0, not .nan", "0以上の秒数"),
        ("line 1: server.keep_alive_s", "is too large a number", "数値が大きすぎます"),
        ("line 1: server.port", "from 0 to 65535, not 70000", "0以上65535以下"),
        ("line 1: server.workers", "a whole number, at least 1, not 1.5", "1以上の整数"),
    ),
    _b(
        "more than one worker",
        "server: {workers: 4}\n" + ONE,
        "server: {workers: 1}\n" + ONE,
        ("line 1: server.workers", "write 1", "1にしてください"),
    ),
    _b(
        "text where a choice is",
        "server: {half_close: cansel, host: 'http://0.0.0.0:8080'}\n" + ONE,
        "server: {half_close: cancel, host: '0.0.0.0'}\n" + ONE,
        (
            "line 1: server.half_close",
            "must be one of cancel, serve, not 'cansel'; write cancel",
            "cancelと書いてください",
        ),
        ("line 1: server.host", "write 0.0.0.0", "0.0.0.0と書いてください"),
    ),
    _b(
        "sections of no shape",
        "server: 8080\nlimits: [5]\nsafety: yes\nhealth: x\ndata: [a]\n" + ONE,
        "server: {port: 8080}\nlimits: {requests_per_minute: 60}\nsafety: {max_n: 4}\nhealth: {eject_after: 5}\ndata: data\n"
        + ONE,
        (
            "line 1: server",
            "must be a section with entries such as port: 8080, not 8080",
            "port: 8080のような項目を持つセクション",
        ),
        ("line 2: limits", "must be a section with entries such as requests_per_minute: 60", "セクション"),
        ("line 3: safety", "must be a section with entries such as max_n: 4, not yes", "セクション"),
        ("line 4: health", "must be a section with entries such as probe_interval_s: 5", "セクション"),
        ("line 5: data", "a folder's path such as data", "フォルダーのパス"),
    ),
    _b(
        "text that is none",
        "deployments:\n  a: {backend: vllm, replicas: [http://a], model: 7, api_key: 12345678,"
        " probe: health, canary: maybe, options: 5, timeouts: 5}\n",
        "deployments:\n  a: {backend: vllm, replicas: [http://a], model: '7', api_key: '12345678',"
        " probe: /health, canary: true, options: {}, timeouts: {connect_s: 5}}\n",
        ("line 2: deployments.a.model", "in quotes", "引用符"),
        ("line 2: deployments.a.api_key", "${BACKEND_API_KEY}", "${BACKEND_API_KEY}"),
        ("line 2: deployments.a.probe", "such as /health, nor none", "/health"),
        ("line 2: deployments.a.canary", "must be true or false, or null, not 'maybe'", "trueかfalse"),
        ("line 2: deployments.a.options", "what only this backend has, or {}", "{}"),
        ("line 2: deployments.a.timeouts", "a section with entries such as connect_s: 5, not 5", "connect_s: 5"),
    ),
    _b(
        "aliases",
        ONE + "aliases:\n  fast: qwne\n  a: b\n  b: a\n  none: []\n  seven: 7\n  nobody:\n  qwen: fast\n",
        ONE + "aliases:\n  fast: qwen\n  a: qwen\n  b: a\n  none: [qwen]\n  seven: qwen\n",
        ("line 4: aliases.fast", "no deployment named qwne; there are qwen; did you mean qwen?", "qwenのことですか"),
        ("line 5: aliases.a", "goes in a circle: a -> b -> a; name a deployment", "循環しています"),
        ("line 6: aliases.b", "goes in a circle: b -> a -> b; name a deployment", "循環しています"),
        ("line 7: aliases.none", "names no deployment; write one of qwen", "qwenのいずれか"),
        ("line 8: aliases.seven", "in quotes if it looks like a number, not 7", "デプロイメントの名前"),
        ("line 9: aliases.nobody", "is empty: write a deployment's name", "値がありません"),
        ("line 10: aliases.qwen", "a deployment has this name too; rename one of them", "名前を変えてください"),
    ),
    _b(
        "limits, keys and the store",
        ONE + "limits: {rpm: 60, tokens_per_minute: 1k, concurrency: 0, strict: maybe, models: [smart], burst: x}\n"
        "store: {file: '', calls_days: 0, max_waiting_calls: 5.5, synchronous: FULL}\nkeys: {stale_s: 15m}\n",
        ONE + "limits: {requests_per_minute: 60, tokens_per_minute: 1000, concurrency: 1, strict: true,"
        " models: {smart: {requests_per_minute: 10}}}\n"
        "store: {file: hayate.db, calls_days: 1, max_waiting_calls: 5}\nkeys: {stale_s: 900}\n",
        ("line 3: limits.rpm", "did you mean requests_per_minute?", "requests_per_minuteのことですか"),
        ("line 3: limits.tokens_per_minute", "a whole number, at least 1, or null, not '1k'", "1以上の整数"),
        ("line 3: limits.concurrency", "a whole number, at least 1, or null, not 0", "1以上の整数"),
        ("line 3: limits.strict", "true or false, or null, not 'maybe'", "trueかfalse"),
        ("line 3: limits.models", "such as smart: {requests_per_minute: 10}", "クライアントが送る名前ごと"),
        ("line 3: limits.burst", "a whole number, at least 1", "1以上の整数"),
        ("line 4: store.file", "names no file; write one such as hayate.db", "hayate.dbのように"),
        ("line 4: store.calls_days", "a whole number from 1 to 36500, not 0", "1以上36500以下の整数"),
        ("line 4: store.max_waiting_calls", "a whole number, at least 1", "1以上の整数"),
        ("line 4: store.synchronous", "there are file, calls_days, max_waiting_calls", "取り除いてください"),
        ("line 5: keys.stale_s", "a number of seconds, at least 0, not '15m'; write 900", "900と書いてください"),
    ),
    _b(
        "limits of one model",
        ONE + "limits: {models: {smart: 10, fast: {burst: 5, rpm: 1}, qwen: {requests_per_minute: -1}}}\n"
        "store: hayate.db\nkeys: [a]\n",
        ONE
        + "limits: {models: {smart: {requests_per_minute: 10}, fast: {requests_per_minute: 1}, qwen: {requests_per_minute: 1}}}\n"
        "store: {file: hayate.db}\nkeys: {stale_s: 900}\n",
        (
            "line 3: limits.models.smart",
            "a section with entries such as requests_per_minute: 60, not 10",
            "requests_per_minute: 60のような",
        ),
        ("line 3: limits.models.fast.burst", "is not an option", "ません"),
        ("line 3: limits.models.fast.rpm", "did you mean requests_per_minute?", "requests_per_minuteのことですか"),
        ("line 3: limits.models.qwen.requests_per_minute", "at least 1", "1以上の整数"),
        ("line 4: store", "a section with entries such as calls_days: 90, not 'hayate.db'", "calls_days: 90のような"),
        ("line 5: keys", "a section with entries such as stale_s: 900", "stale_s: 900のような"),
    ),
    _b(
        "content to be kept",
        ONE + "record: {content: {game: {days: 7}, main: 7, a1b2c3d4e5f6: {days: 0, hours: 5}},"
        " max_content_bytes: 5, prompts: 1}\n",
        ONE
        + "record: {content: {a1b2c3d4e5f7: {days: 7}, main: {days: 7}, a1b2c3d4e5f6: {days: 0.5}}, max_content_bytes: 5000}\n",
        ("line 3: record.content.game", "is no key's id: `hayate key list` shows them", "`hayate key list`で確認"),
        ("line 3: record.content.main", "a section with entries such as days: 7, not 7", "days: 7のような"),
        ("line 3: record.content.a1b2c3d4e5f6.days", "over 0", "0より大きい"),
        ("line 3: record.content.a1b2c3d4e5f6.hours", "there are days; remove it", "取り除いてください"),
        ("line 3: record.max_content_bytes", "bytes from 1024 to 67108864, not 5", "1024以上"),
        ("line 3: record.prompts", "is not an option", "設定はありません"),
    ),
    _b(
        "content of no shape",
        ONE + "record: {content: [main]}\n",
        ONE + "record: {content: {main: {days: 7}}}\n",
        ("line 3: record.content", "keys' ids and how long their prompts and answers are kept", "main: {days: 7}"),
    ),
    _b(
        "prices",
        ONE + "currency: US Dollar\nprices:\n  qwen: {input: -1, cached_input: cheap, output: 1.5 USD}\n"
        "  fast: {in: 1, output: 0.0000000000001}\n  smart: 5\n",
        ONE + "currency: USD\nprices:\n  qwen: {input: 1, cached_input: 0.5, output: 1.5}\n"
        "  fast: {input: 1, output: '0.1'}\n  smart: {output: 5}\n",
        ("line 3: currency", "no currency's name or sign, such as USD or JPY", "JPYやUSDのように"),
        ("line 5: prices.qwen.input", "a number from 0 to 1000000000, not -1", "0以上1000000000以下の数値"),
        ("line 5: prices.qwen.cached_input", "or null, not 'cheap'", "数値（またはnull）"),
        ("line 5: prices.qwen.output", "a number from 0 to 1000000000, not '1.5 USD'", "数値"),
        ("line 6: prices.fast.in", "is not an option", "設定はありません"),
        ("line 6: prices.fast.output", "more than 12 digits behind the point; round it", "12桁を超えています"),
        ("line 7: prices.smart", "a section with entries such as input: 0, not 5", "input: 0のような"),
    ),
    _b(
        "prices of no shape",
        ONE + "currency: 円\nprices: [1]\n",
        ONE + "currency: 円\nprices: {qwen: {input: 20, output: true_price}}\n".replace("true_price", "80"),
        ("line 4: prices", "such as qwen: {input: 0.15, output: 0.6}", "qwen: {input: 0.15, output: 0.6}のように"),
    ),
    _b(
        "prices that are no numbers",
        ONE + "currency: ''\nprices: {qwen: {input: yes, output: .inf, cached_input: .nan}}\n",
        ONE + "currency: JPY\nprices: {qwen: {input: 1, output: 2, cached_input: 1}}\n",
        ("line 3: currency", "no currency's name or sign", "通貨の名前"),
        ("line 4: prices.qwen.input", "a number from 0 to 1000000000, not yes", "数値"),
        ("line 4: prices.qwen.output", "", ""),
        ("line 4: prices.qwen.cached_input", "a number from 0 to 1000000000", "数値"),
    ),
    _b(
        "aliases as one text",
        ONE + "aliases: fast=qwen\n",
        ONE + "aliases: {fast: qwen}\n",
        ("line 3: aliases", "such as fast: qwen, not 'fast=qwen'", "fast: qwenのように"),
    ),
    _b(
        "aliases as a list",
        ONE + "aliases: [fast]\n",
        ONE + "aliases: {fast: qwen}\n",
        ("line 3: aliases", "such as fast: qwen", "fast: qwenのように"),
    ),
    _b(
        "an alias to a model",
        "deployments:\n  fast-one: {backend: vllm, model: Qwen/Qwen3-8B, replicas: [http://a]}\naliases: {fast: Qwen/Qwen3-8B}\n",
        "deployments:\n  fast-one: {backend: vllm, model: Qwen/Qwen3-8B, replicas: [http://a]}\naliases: {fast: fast-one}\n",
        ("line 3: aliases.fast", "did you mean fast-one?", "fast-oneのことですか"),
    ),
    _b(
        "variables that are not set",
        "deployments:\n  a: {backend: vllm, replicas: ['http://${HOST}:8000'], api_key: '${KEY}', max_queued: '${Q}'}\n"
        "server: {port: '${PORT}'}\n",
        "deployments:\n  a: {backend: vllm, replicas: ['http://${HOST:-gpu}:8000'], api_key: '${KEY:-k}', max_queued: '${Q:-5}'}\n"
        "server: {port: '${PORT:-80}'}\n",
        ("line 2: deployments.a.replicas.0", "the environment has no HOST: set it", "環境変数HOSTがありません"),
        ("line 2: deployments.a.api_key", "the environment has no KEY", "環境変数KEYがありません"),
        ("line 2: deployments.a.max_queued", "write a fallback, ${Q:-value}", "${Q:-value}のように"),
        ("line 3: server.port", "the environment has no PORT", "環境変数PORTがありません"),
    ),
    Broken(
        "a variable of the wrong kind",
        "server: {port: '${PORT}'}\n" + ONE,
        (("line 1: server.port", "from 0 to 65535, not ${PORT}", "0以上65535以下"),),
        "server: {port: '${PORT}'}\n" + ONE,
        {"PORT": "s3cret"},
        {"PORT": "80"},
    ),
    _b(
        "lists",
        ONE
        + "safety: {image_hosts: ['https://h', 7, '*.com'], allow_fields: {a: 1}}\nserver: {cors_origins: [game]}\n",
        ONE + "safety: {image_hosts: [images.example, '*.example.com'], allow_fields: [chat_template_kwargs]}\n"
        "server: {cors_origins: ['https://game.example']}\n",
        ("line 3: safety.image_hosts.0", "write images.example", "images.example"),
        ("line 3: safety.image_hosts.1", "text, in quotes", "引用符"),
        ("line 3: safety.image_hosts.2", "such as *.example.com", "*.example.com"),
        (
            "line 3: safety.allow_fields",
            "a list of request fields such as [chat_template_kwargs]",
            "[chat_template_kwargs]",
        ),
        ("line 4: server.cors_origins.0", "write https://game.example", "https://game.example"),
    ),
    _b(
        "options that a backend does not take, beside other mistakes",
        "deployments:\n  a: {backend: trtllm, replicas: [http://a], options: {num_ctx: 5}}\n"
        "  b: {backend: ollama, replicas: [http://b], options: {numctx: 5, num_ctx: 0, keep_alive: [1]}}\n"
        "  c: {backend: triton, replicas: [http://c], max_queued: x, options: {max_tokens: many, text_output: words}}\n",
        "deployments:\n  a: {backend: trtllm, replicas: [http://a]}\n"
        "  b: {backend: ollama, replicas: [http://b], options: {num_ctx: 5, keep_alive: 30m}}\n"
        "  c: {backend: triton, replicas: [http://c], max_queued: 5,"
        " options: {max_tokens: 5, text_output: delta, tokenizer: some/model}}\n",
        ("line 2: deployments.a.options.num_ctx", "this backend has none, remove it", "取り除いてください"),
        ("line 3: deployments.b.options.numctx", "there are num_ctx, keep_alive", "num_ctx, keep_alive"),
        ("line 3: deployments.b.options.num_ctx", "must be at least 1", "1以上"),
        ("line 3: deployments.b.options.keep_alive", "must be text or a whole number", "文字列か整数"),
        ("line 4: deployments.c.max_queued", "a whole number, at least 0", "0以上の整数"),
        ("line 4: deployments.c.options.max_tokens", "must be a whole number", "整数"),
        ("line 4: deployments.c.options.text_output", "one of auto, delta, cumulative", "auto, delta, cumulative"),
        ("line 4: deployments.c.options.tokenizer", "is needed: the folder or Hub id", "必須の項目"),
    ),
    _b(
        "a tokenizer's folder that is not there",
        "deployments:\n  c: {backend: triton, replicas: [http://c], options: {tokenizer: /nowhere/at/all}}\n",
        "deployments:\n  c: {backend: triton, replicas: [http://c], options: {tokenizer: some/model}}\n",
        ("line 2: deployments.c.options.tokenizer", "/nowhere/at/all is no folder", "フォルダーはありません"),
    ),
]

ENGINES: Final = [
    _b(
        "a command as one text",
        "deployments:\n  a: {backend: vllm, model: m, run: {command: 'vllm serve {model} --port {port} --n 5'}}\n"
        "  b: {backend: vllm, run: 'x {port}'}\n",
        'deployments:\n  a: {backend: vllm, model: m, run: {command: [vllm, serve, "{model}", --port, "{port}", --n, "5"]}}\n'
        "  b: {backend: vllm, run: {command: [x, '{port}']}}\n",
        (
            "line 2: deployments.a.run.command",
            'write [vllm, serve, "{model}", --port, "{port}", --n, "5"]',
            '[vllm, serve, "{model}", --port, "{port}", --n, "5"]と書いてください',
        ),
        ("line 3: deployments.b.run", 'write {command: [x, "{port}"]}', '{command: [x, "{port}"]}と書いてください'),
    ),
    Broken(
        "a command with a secret as one text",
        "deployments:\n  a: {backend: vllm, run: {command: 'x {port} --key ${KEY}'}}\n",
        (("line 2: deployments.a.run.command", '--key, "${KEY}"]', '"${KEY}"]と書いてください'),),
        "deployments:\n  a: {backend: vllm, run: {command: [x, '{port}', --key, '${KEY}']}}\n",
        {"KEY": "s3cret"},
        {"KEY": "{s3cret}"},
    ),
    _b(
        "a command that can't be run",
        "deployments:\n"
        "  a: {backend: vllm, run: {command: [x, '{prt}', '{\"a\": 1}', null], ready: health, stop: TERM, stop_s: 5m, cmd: x}}\n"
        "  b: {backend: vllm, run: {command: [x, --port, '8000']}}\n"
        "  c: {backend: vllm, run: {command: [x, '{model}', '{port}'], env: {A-B: x}}}\n"
        "  d: {backend: vllm, run: {command: [x, '{model}', '{port}']}}\n"
        "  e: {backend: vllm, replicas: [http://a], cmd: x}\n",
        "deployments:\n"
        "  a: {backend: vllm, run: {command: [x, '{port}', '{{\"a\": 1}}'], ready: /health, stop: SIGTERM, stop_s: 300}}\n"
        "  b: {backend: vllm, run: {command: [x, --port, '{port}']}}\n"
        "  c: {backend: vllm, model: m, run: {command: [x, '{model}', '{port}'], env: {A_B: x}}}\n"
        "  d: {backend: vllm, model: m, run: {command: [x, '{model}', '{port}']}}\n"
        "  e: {backend: vllm, replicas: [http://a]}\n",
        ("line 2: deployments.a.run.command.1", "{prt} is no placeholder: there are {port}, {model}", "{prt}という"),
        ("line 2: deployments.a.run.command.2", "a brace is written twice ({{ or }})", "2つ重ねて"),
        ("line 2: deployments.a.run.command.3", "is empty: write text", "値がありません"),
        (
            "line 2: deployments.a.run.ready",
            "is no path of the engine's, such as /health",
            "エンジンのパスではありません",
        ),
        ("line 2: deployments.a.run.stop", "not 'TERM'; write SIGTERM", "SIGTERMと書いてください"),
        ("line 2: deployments.a.run.stop_s", "write 300", "300と書いてください"),
        ("line 2: deployments.a.run.cmd", "did you mean command?", "commandのことですか"),
        ("line 3: deployments.b.run", "has no {port}: the gateway chooses the port", "{port}がありません"),
        ("line 4: deployments.c.run.env.A-B", "is no name of a variable", "環境変数の名前として使えません"),
        ("line 5: deployments.d.run", "needs a model: write model:", "modelが必要です"),
        ("line 6: deployments.e.cmd", "it belongs at deployments.<name>.run.command", "run.commandに書いて"),
    ),
    _b(
        "run and replicas, and llamacpp for another engine",
        "deployments:\n  a: {backend: vllm, replicas: [http://a], run: {command: [x, '{port}']}}\n"
        "  b: {backend: vllm, model: m, run: llamacpp}\n  c: {backend: llamacpp, run: llamacpp}\n",
        "deployments:\n  a: {backend: vllm, run: {command: [x, '{port}']}}\n"
        "  b: {backend: llamacpp, model: m, run: llamacpp}\n  c: {backend: llamacpp, model: m, run: llamacpp}\n",
        ("line 2: deployments.a.replicas", "exclude run", "replicasとrunは同時に書けません"),
        ("line 3: deployments.b.run", "write backend: llamacpp", "backend: llamacppにするか"),
        ("line 4: deployments.c.run", "needs a model: write model:", "modelが必要です"),
    ),
    _b(
        "GPUs and sizes that are none",
        "gpus: {'gpu 0': {memory: 24GiB}, g1: {memory: 24}, g2: {}, g3: 24GiB, g4: {vram: 24GiB, memory: '24,5Gi'}}\n"
        + ONE,
        "gpus: {gpu0: {memory: 24GiB}, g1: {memory: 24GiB}, g2: {memory: 24GiB}, g3: {memory: 24GiB}, g4: {memory: 24.5GiB}}\n"
        + ONE,
        ("line 1: gpus.gpu 0", "is no name for a GPU", "GPUの名前として使えません"),
        ("line 1: gpus.g1.memory", "must be a size such as 24GiB, not 24; write 24GiB", "24GiBと書いてください"),
        ("line 1: gpus.g2.memory", "is needed: a size such as 24GiB", "必須の項目"),
        ("line 1: gpus.g3", "a section with entries such as memory: 24GiB", "memory: 24GiBのような項目"),
        ("line 1: gpus.g4.vram", "did you mean memory?", "memoryのことですか"),
        ("line 1: gpus.g4.memory", "write 24.5GiB", "24.5GiBと書いてください"),
    ),
    _b(
        "turns that nobody can take",
        "gpus: {gpu0: {memory: 24GiB}}\npreload: [fsat]\naliases: {fast: a}\ndeployments:\n"
        "  a: {backend: vllm, replicas: [http://a], gpu: gpu0, memory: 25GiB}\n"
        "  b: {backend: vllm, replicas: [http://b], gpu: gpu1, memory: 5GiB}\n"
        "  c: {backend: vllm, replicas: [http://c], memory: 5GiB}\n"
        "  d: {backend: sglang, replicas: [http://d], gpu: gpu0, memory: 5GiB}\n"
        "  e: {backend: vllm, replicas: [http://e], gpu: gpu0, memory: 20GiB, pin: true, idle_unload_s: 5}\n",
        "gpus: {gpu0: {memory: 24GiB}}\npreload: [fast]\naliases: {fast: a}\ndeployments:\n"
        "  a: {backend: vllm, replicas: [http://a], gpu: gpu0, memory: 4GiB}\n"
        "  b: {backend: vllm, replicas: [http://b], gpu: gpu0, memory: 4GiB}\n"
        "  c: {backend: vllm, replicas: [http://c], gpu: gpu0, memory: 4GiB}\n"
        "  d: {backend: sglang, run: {command: [x, '{port}']}, gpu: gpu0, memory: 4GiB}\n"
        "  e: {backend: vllm, replicas: [http://e], gpu: gpu0, memory: 20GiB, pin: true}\n",
        ("line 2: preload.0", "did you mean fast?", "fastのことですか"),
        ("line 5: deployments.a.memory", "is 25 GiB and never fits on gpu0, which has 24 GiB", "収まりません"),
        ("line 6: deployments.b.gpu.0", "did you mean gpu0?", "gpu0のことですか"),
        ("line 7: deployments.c.memory", "write gpu: with a name of gpus (gpu0) too", "gpusの名前（gpu0）"),
        ("line 8: deployments.d.memory", "sglang offers no way to", "sglangにはその手段がありません"),
        ("line 9: deployments.e.idle_unload_s", "contradicts pin: true", "矛盾しています"),
    ),
    Broken(
        "an engine to be run in the gateway's container",
        "deployments:\n  a: {backend: vllm, run: {command: [x, '{port}']}}\n",
        (("line 2: deployments.a.run", "give the engine a service of its own", "別のサービスとして起動し"),),
        "deployments:\n  a: {backend: vllm, replicas: [http://vllm:8000]}\n",
        {"HAYATE_CONTAINER": "1"},
        {"HAYATE_CONTAINER": "1"},
    ),
]

ENVIRONMENTS: Final = [
    _e(
        "a port that is none",
        {"HAYATE_PORT": "abc"},
        {"HAYATE_PORT": "8080"},
        ("HAYATE_PORT (server.port)", "a whole number from 0 to 65535, not 'abc'", "0以上65535以下の整数"),
    ),
    _e(
        "an unknown backend in the environment",
        {"LLM_BACKEND": "foo"},
        {"LLM_BACKEND": "vllm"},
        ("LLM_BACKEND", "must be one of vllm", "次のいずれか"),
    ),
    _e(
        "no URL",
        {"BACKEND_URL": "gpu:8000"},
        {"BACKEND_URL": "http://gpu:8000"},
        ("BACKEND_URL", "write http://gpu:8000", "http://gpu:8000のように"),
    ),
    _e(
        "all at once",
        {
            "HAYATE_HOST": "a b",
            "HAYATE_WORKERS": "2",
            "LLM_BACKEND": "ollam",
            "BACKEND_URL": "ftp://x",
            "OLLAMA_CONTEXT_LENGTH": "x",
            "BACKEND_API_KEY": "a\nb",
            "HAYATE_CORS_ORIGINS": "x",
        },
        {
            "HAYATE_HOST": "ab",
            "HAYATE_WORKERS": "1",
            "LLM_BACKEND": "ollama",
            "BACKEND_URL": "http://127.0.0.1:8000",
            "BACKEND_API_KEY": "ab",
            "HAYATE_CORS_ORIGINS": "*",
        },
        ("BACKEND_API_KEY", "has a line break", "制御文字"),
        ("HAYATE_HOST (server.host)", "is not a host's name", "ホスト名"),
        ("HAYATE_WORKERS (server.workers)", "write 1", "1にしてください"),
        ("HAYATE_CORS_ORIGINS (server.cors_origins.0)", "is not an origin", "オリジン"),
        ("LLM_BACKEND", "write ollama", "ollamaと書いてください"),
        ("BACKEND_URL", "is not an http:// or https:// URL", "http://127.0.0.1:8000のように"),
    ),
    _e(
        "a tokenizer for Triton",
        {"LLM_BACKEND": "triton"},
        {"LLM_BACKEND": "triton", "HAYATE_TOKENIZER": "some/model"},
        ("HAYATE_TOKENIZER", "is needed", "必須の項目"),
    ),
    Broken(
        "a variable over a file",
        "server: {prot: 1}\n" + ONE,
        (
            ("line 1: server.prot", "did you mean port?", "portのことですか"),
            ("HAYATE_PORT (server.port)", "not 'x'", "指定値: 'x'"),
        ),
        "server: {port: 1}\n" + ONE,
        {"HAYATE_PORT": "x"},
        {"HAYATE_PORT": "2"},
    ),
    Broken(
        "a file that is not there",
        b"",
        (("", "name it with --config or HAYATE_CONFIG", "--configかHAYATE_CONFIGで"),),
        ONE,
        {"HAYATE_CONFIG": "/nowhere/at/all.yaml"},
    ),
]

BROKEN: Final = [*SYNTAX, *VALUES, *ENGINES, *ENVIRONMENTS]
