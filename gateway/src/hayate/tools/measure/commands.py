"""The body of `hayate bench`: from what was typed to tables, JSON, a plot, and an exit status.

0 when every call succeeded, 1 when some failed or nothing could be measured, 2 for a mistake in what was typed, 130
after Ctrl-C (what was measured until then is shown). Standard output carries the result alone; progress and remarks go
to standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import orjson
import uvloop
from rich.console import Console

from hayate import __version__
from hayate.language import Language
from hayate.tools.measure.chart_html import write_html
from hayate.tools.measure.chart_png import write_png
from hayate.tools.measure.comparison import comparison_values
from hayate.tools.measure.figures import figures_of
from hayate.tools.measure.options import BenchOptions
from hayate.tools.measure.plan import BenchPlan, check_plot, plan_of
from hayate.tools.measure.progress import ProgressBar
from hayate.tools.measure.record import PromptsUsed, Record, RunSettings, read_record, to_values
from hayate.tools.measure.refusal import CannotMeasure
from hayate.tools.measure.rounds import Rounds
from hayate.tools.measure.tables import print_comparison, print_record
from hayate.tools.measure.words import word
from hayate.tools.running import Place

FAILED, MISTYPED, INTERRUPTED = 1, 2, 130
WIDE = 160
"""As wide as a table gets when the output is no terminal, so that nothing is folded in a pipe."""
BUSY = 0.7
"""The share of a core at which this process may itself be what is slow."""


def run_bench(options: BenchOptions, language: Language, env: Mapping[str, str], find: Callable[[], Place]) -> int:
    """Measures and shows it; the status. What is mistyped is said before anything is measured. `find` says which gateway
    is meant where none is typed.
    """
    errors = _console(to_stderr=True)
    try:
        check_plot(options.plot)
        before = read_record(options.compare) if options.compare is not None else None
        if options.show is not None:
            return _tell(read_record(options.show), before, options, language)
        plan = plan_of(options, language, env, find)
    except CannotMeasure as error:
        _say(errors, error.text(language))
        return MISTYPED
    rounds, status = _measured(plan, language, errors)
    record = record_of(rounds, options)
    if record is None:
        return status or FAILED
    _remark(record, language, errors)
    status = status or (FAILED if record.failed else 0)
    return _tell(record, before, options, language) or status


def _measured(plan: BenchPlan, language: Language, errors: Console) -> tuple[Rounds, int]:
    """The measurement, as far as it came, and 0 if it came to its end."""
    bar = ProgressBar(errors, language)
    rounds = Rounds(plan, bar)
    try:
        with bar:
            uvloop.run(rounds.run())
    except CannotMeasure as error:
        _say(errors, error.text(language))
        return rounds, FAILED
    except KeyboardInterrupt:
        return rounds, INTERRUPTED
    return rounds, 0


def record_of(rounds: Rounds, options: BenchOptions) -> Record | None:
    """What was measured; None if no call has ended."""
    plan = rounds.plan
    models = [
        figures_of(each.model, each.calls, each.wall_s, each.warm_up_s, options.raw)
        for each in rounds.models
        if each.calls
    ]
    if not models:
        return None
    prompts = PromptsUsed(name=plan.prompts.name, count=len(plan.prompts.prompts), sha256=plan.prompts.sha256)
    return Record(
        date=datetime.now(UTC).replace(microsecond=0),
        label=options.label or plan.target.address,
        hayate=__version__,
        complete=rounds.complete,
        client_cpu_share=round(rounds.client_cpu_share, 4),
        settings=RunSettings(
            url=plan.target.origin,
            api=plan.target.api,
            concurrency=plan.concurrency,
            calls=plan.calls,
            max_tokens=plan.max_tokens,
            temperature=plan.temperature,
            prompts=prompts,
            unique=plan.unique,
            warm_up=plan.warm_up,
            timeout_s=plan.timeout_s,
        ),
        models=models,
    )


def _tell(record: Record, before: Record | None, options: BenchOptions, language: Language) -> int:
    """Tables, JSON and the plot; 0 unless the plot can't be written. With --json the tables go to standard error."""
    out = _console(to_stderr=options.as_json)
    print_record(record, language, out)
    if before is not None:
        print_comparison(before, record, language, out)
    if options.as_json:
        values = to_values(record)
        if before is not None:
            values["comparison"] = comparison_values(before, record)
        sys.stdout.write(orjson.dumps(values, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())
        sys.stdout.flush()
    if options.plot is not None:
        write = write_png if options.plot.suffix.lower() == ".png" else write_html
        try:
            write(record, before, options.plot, language)
        except OSError as error:
            _say(_console(to_stderr=True), f"{options.plot}: {error.strerror}")
            return FAILED
        _say(_console(to_stderr=True), word("written", language, path=options.plot))
    return 0


def _remark(record: Record, language: Language, errors: Console) -> None:
    """What a reader of the figures should know."""
    used = record.settings
    if record.client_cpu_share >= BUSY:
        _say(errors, word("busy", language, share=round(record.client_cpu_share * 100)))
    if used.calls > used.prompts.count and not used.unique and any(each.succeeded for each in record.models):
        _say(errors, word("repeats", language, count=used.prompts.count, calls=used.calls))
    if any(each.succeeded and each.tokens_from != "usage" for each in record.models):
        _say(errors, word("counted", language))


def _console(*, to_stderr: bool) -> Console:
    stream = sys.stderr if to_stderr else sys.stdout
    return Console(stderr=to_stderr, width=None if stream.isatty() else WIDE, highlight=False)


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)
