"""What is legal and odd is told with its place, and keeps nobody from starting."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hayate.config.load import examine

A = "deployments:\n  a: {backend: vllm, replicas: [http://a]}\n"


def odd(tmp_path: Path, text: str | None, **env: str) -> list[str]:
    path = None
    if text is not None:
        path = tmp_path / "c.yaml"
        path.write_text(text, encoding="utf-8")
    _, found = examine(path, env)
    for each in found:
        assert re.search(r"[ぁ-んァ-ヶ一-龠]", each.ja)
    return [each.en.removeprefix(f"{tmp_path}/c.yaml: ") for each in found]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "deployments:\n  a: {backend: vllm, replicas: [http://a, http://b, http://a/v1]}\n",
            "line 2: deployments.a.replicas.2: http://a is listed twice",
        ),
        (
            A + "  b: {backend: ollama, replicas: [http://a/]}\n",
            "line 3: deployments.b.replicas.0: http://a is vllm in the deployment a and ollama here",
        ),
        (
            A + "  b: {backend: vllm, replicas: [http://a/]}\n",
            "line 3: deployments.b.replicas.0: http://a serves the same model in the deployment a",
        ),
        (A + "  '': {backend: vllm, replicas: [http://b]}\n", "line 3: deployments.: has an empty name"),
        (A + "aliases: {'': a}\n", "line 3: aliases.: has an empty name"),
        (
            "deployments:\n  a: {backend: vllm, replicas: [http://a], model: ''}\n",
            "line 2: deployments.a.model: is empty",
        ),
        (
            A + "  b: {backend: vllm, replicas: [http://b]}\naliases: {fast: a}\n",
            "line 3: deployments.b: no alias leads here",
        ),
        (
            A + "  b: {backend: vllm, replicas: [http://b], model: fast}\naliases: {fast: a, b2: b}\n",
            "line 4: aliases.fast: is the model of the deployment b too",
        ),
        (
            "deployments:\n  a: {backend: vllm, replicas: [http://localhost:8080]}\n",
            "line 2: deployments.a.replicas.0: http://localhost:8080 is where this gateway itself listens",
        ),
        (A + "limits: {burst: 5}\n", "line 3: limits.burst: is ignored since 0.2"),
        (
            A + "limits: {tokens_per_minute: 10, input_tokens_per_minute: 11}\n",
            "line 3: limits.input_tokens_per_minute: is a limit that is never reached",
        ),
        (
            A + "limits: {concurrency: 9000}\n",
            "line 3: limits.concurrency: is a limit that is never reached",
        ),
        (
            A + "limits: {requests_per_minute: 5, models: {a: {requests_per_minute: 6}}}\n",
            "line 3: limits.models.a.requests_per_minute: is a limit that is never reached",
        ),
        (A + "currency: USD\n", "line 3: currency: prices and their currency belong together"),
        (A + "prices: {a: {input: 1}}\n", "line 3: prices: prices and their currency belong together"),
        (
            A + "currency: USD\nprices: {aa: {input: 1}}\n",
            "line 4: prices.aa: is the name of no deployment, alias or model here",
        ),
        (
            A + "currency: USD\nprices: {a: {input: 0.10, cached_input: 0.2}}\n",
            "line 4: prices.a.cached_input: is more than 0.1, the price of what no cache held",
        ),
        (
            A + "store: {calls_days: 30}\nrecord: {content: {main: {days: 31}}}\n",
            "line 4: record.content.main.days: is a limit that is never reached",
        ),
        (
            A + "limits: {models: {smrat: {requests_per_minute: 6}}}\n",
            "line 3: limits.models.smrat: is the name of no deployment, alias or model here",
        ),
        (
            "deployments:\n  a: {backend: vllm, replicas: [http://a], timeouts: {silence_s: 90, total_s: 60}}\n",
            "line 2: deployments.a.timeouts.silence_s: is a limit that is never reached",
        ),
        (
            "deployments:\n  a: {backend: vllm, replicas: [http://a], max_queued: 0, queue_timeout_s: 5}\n",
            "line 2: deployments.a.queue_timeout_s: is a limit that is never reached",
        ),
        (
            "deployments:\n  a: {backend: vllm, replicas: [http://a], max_in_flight: 9999}\n",
            "line 2: deployments.a.max_in_flight: is a limit that is never reached",
        ),
        (
            "deployments:\n  a: {backend: vllm, replicas: [http://a], max_in_flight: 8, min_tokens_per_s: 20}\n",
            "line 2: deployments.a.min_tokens_per_s: changes nothing where max_in_flight is a number",
        ),
        (
            A + "safety: {max_media_bytes: 99999999}\n",
            "line 3: safety.max_media_bytes: is a limit that is never reached",
        ),
        (
            "deployments:\n  a: {backend: vllm, replicas: [http://a], context_tokens: 100}\nsafety: {max_output_tokens: 101}\n",
            "line 3: safety.max_output_tokens: is a limit that is never reached",
        ),
        (
            A + "safety: {allow_fields: [chat_template_kwarg]}\n",
            "line 3: safety.allow_fields.0: chat_template_kwarg is no field that is refused",
        ),
        (
            "deployments:\n  a: {backend: vllm, replicas: [http://a], api_key: sk-s3cret}\n",
            "line 2: deployments.a.api_key: is a secret written into the file",
        ),
    ],
)
def test_each_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    found = odd(tmp_path, text)
    assert len(found) == 1
    assert found[0].startswith(said)
    assert "s3cret" not in found[0]


@pytest.mark.parametrize(
    "text",
    [
        A,
        A + "aliases: {default: a}\n",
        A + "  b: {backend: vllm, replicas: [http://a], model: other}\n",
        "deployments:\n  a: {backend: vllm, replicas: [http://a, http://b], timeouts: {total_s: 10}}\n",
        "deployments:\n  a: {backend: vllm, replicas: [http://a], api_key: '${KEY}'}\n",
        A + "limits: {models: {smart: {strict: true}, a: {concurrency: 1}}}\nsafety: {allow_fields: [lora_path]}\n",
        A + "currency: JPY\nprices: {a: {input: 20, cached_input: 5, output: 80}, fast: {output: 1}}\n",
        A + "record: {content: {main: {days: 90}}}\n",
        None,
    ],
)
def test_what_is_usual_is_not_odd(tmp_path: Path, text: str | None) -> None:
    assert odd(tmp_path, text, **({"KEY": "k"} if text else {"BACKEND_URL": "http://a", "MODEL": "m"})) == []


def test_a_variable_that_does_nothing_is_named(tmp_path: Path) -> None:
    found = odd(tmp_path, A, BACKEND_URL="http://x", HAYATE_PROT="1", HAYATE_API_KEY="k", HAYATE_LANG="ja")
    assert [line.split(":")[1].strip() for line in found] == ["BACKEND_URL", "HAYATE_PROT"]
    assert found[1].endswith("did you mean HAYATE_PORT?")
