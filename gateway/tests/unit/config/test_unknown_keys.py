"""An entry that a section doesn't take: what was meant, or where it belongs."""

from __future__ import annotations

from hayate.config.mistakes import Where
from hayate.config.models import Config
from hayate.config.places import fields_of, place_of
from hayate.config.unknown_keys import _MEANT, not_an_option
from tests.support.tables import table


@table(
    ("where", "said"),
    [
        (("servers_",), "did you mean server?"),
        (("server", "hostname"), "did you mean host?"),
        (("connect_s",), "it belongs at deployments.<name>.timeouts.connect_s"),
        (("server", "connect_s"), "it belongs at deployments.<name>.timeouts.connect_s"),
        (("deployments", "q", "port"), "it belongs at server.port"),
        (("deployments", "q", "silence_s"), "it belongs at deployments.<name>.timeouts.silence_s"),
        (("limits", "rpm"), "did you mean requests_per_minute?"),
        (("limits", "models", "smart", "tpm"), "did you mean tokens_per_minute?"),
        (("store", "path"), "did you mean file?"),
        (("keys", "stale"), "did you mean stale_s?"),
        (("deployments", "q", "cmd"), "it belongs at deployments.<name>.run.command"),
        (("deployments", "q", "run", "cmd"), "did you mean command?"),
        (("deployments", "q", "ttl"), "did you mean idle_unload_s?"),
        (("gpus", "gpu0", "vram"), "did you mean memory?"),
        (("zzz",), "there are server, data, gpus, deployments"),
    ],
)
def test_it_is_told_what_to_write(where: Where, said: str) -> None:
    assert said in not_an_option(Config, where).en


def test_what_other_programs_say_is_a_name_of_ours() -> None:
    sections = [
        (),
        ("server",),
        ("limits",),
        ("safety",),
        ("health",),
        ("store",),
        ("prices", "q"),
        ("deployments", "q"),
        ("deployments", "q", "timeouts"),
        ("deployments", "q", "run"),
    ]
    known = {name for each in sections for name in fields_of(place_of(Config, each)[1].kind)}
    assert set(_MEANT.values()) <= known
