"""Continuous batching as vLLM does it, without a model: which sequences a step works on, how long it takes, what comes out.

The rules, vLLM's own (v1, first come, first served). A step has a budget of tokens: each running sequence gets the one that
it decodes, or the next piece of its prompt; what is left goes to those that wait, as long as there is a place and KV blocks.
A running sequence that finds no free block takes those of the one that came last, which computes everything anew later. A
step takes `step_s + token_s * tokens + sequence_s * sequences`. Pure: it knows no clock and no socket.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

BLOCK_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Shape:
    """What bounds an engine, and what its steps take. As it stands: a model of 7 billion parameters on a large GPU."""

    max_num_seqs: int = 64
    kv_tokens: int = 262_144
    """How many tokens the KV cache holds."""
    max_num_batched_tokens: int = 2048
    step_s: float = 0.012
    token_s: float = 0.000_05
    sequence_s: float = 0.000_15

    @property
    def blocks(self) -> int:
        """What the KV cache is given out in."""
        return self.kv_tokens // BLOCK_TOKENS

    @property
    def max_model_len(self) -> int:
        """The longest sequence, in tokens: one alone always fits."""
        return min(32_768, self.blocks * BLOCK_TOKENS)


class Sequence:
    """One prompt and its answer."""

    __slots__ = ("answer", "blocks", "computed", "planned", "produced", "prompt")

    def __init__(self, prompt: int, answer: int) -> None:
        self.prompt = prompt
        self.answer = answer
        self.produced = 0
        self.computed = 0
        """Tokens whose keys and values are in the cache."""
        self.blocks = 0
        self.planned = 0
        """Tokens that the step under way computes."""

    @property
    def finished(self) -> bool:
        """The whole answer has been produced."""
        return self.produced >= self.answer


class Batch:
    """The sequences of one engine. Between `begin` and `end` a step is under way."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.running: list[Sequence] = []
        self.waiting: OrderedDict[Sequence, None] = OrderedDict()
        self.preemptions = 0
        self.prompt_tokens = 0
        self.generated_tokens = 0
        self._free = shape.blocks
        self._stepping: list[Sequence] = []

    @property
    def kv_use(self) -> float:
        """The used part of the KV cache, from 0 to 1."""
        return 1 - self._free / self.shape.blocks

    def add(self, sequence: Sequence) -> None:
        """Takes one in, behind all that wait; it must fit `max_model_len`."""
        self.waiting[sequence] = None

    def abort(self, sequence: Sequence) -> None:
        """Forgets a sequence, waiting or running, at once: its client has left."""
        if sequence in self.waiting:
            del self.waiting[sequence]
        elif sequence in self.running:
            self.running.remove(sequence)
            self._release(sequence)
        sequence.planned = 0

    def begin(self) -> float | None:
        """Plans a step: seconds that it takes, None when there is nothing to do."""
        budget = self.shape.max_num_batched_tokens
        preempted, stepping = self.preemptions, self._stepping
        stepping.clear()
        while len(stepping) < len(self.running) and budget:
            sequence = self.running[len(stepping)]
            if self._make_room(sequence, tokens := self._next(sequence, budget)):
                budget -= self._plan(sequence, tokens)
        if preempted == self.preemptions:
            self._let_in(budget)
        if not stepping:
            return None
        tokens = sum(each.planned for each in stepping)
        return self.shape.step_s + self.shape.token_s * tokens + self.shape.sequence_s * len(stepping)

    def end(self) -> list[Sequence]:
        """Ends the step: the sequences that it gave one token each. Those that are `finished` are out."""
        given = []
        for sequence in self._stepping:
            if not sequence.planned:  # aborted meanwhile
                continue
            sequence.computed += sequence.planned
            sequence.planned = 0
            if sequence.computed == sequence.prompt + sequence.produced:
                if not sequence.produced:
                    self.prompt_tokens += sequence.prompt
                sequence.produced += 1
                given.append(sequence)
        self.generated_tokens += len(given)
        if any(each.finished for each in given):
            for each in given:
                if each.finished:
                    self._release(each)
            self.running = [each for each in self.running if not each.finished]
        self._stepping.clear()
        return given

    def _let_in(self, budget: int) -> None:
        while self.waiting and len(self.running) < self.shape.max_num_seqs and budget:
            sequence = next(iter(self.waiting))
            tokens = self._next(sequence, budget)
            if not self._reserve(sequence, tokens):
                return
            del self.waiting[sequence]
            self.running.append(sequence)
            budget -= self._plan(sequence, tokens)

    def _plan(self, sequence: Sequence, tokens: int) -> int:
        sequence.planned = tokens
        self._stepping.append(sequence)
        return tokens

    @staticmethod
    def _next(sequence: Sequence, budget: int) -> int:
        return min(sequence.prompt + sequence.produced - sequence.computed, budget)

    def _make_room(self, sequence: Sequence, tokens: int) -> bool:
        """Blocks for so many more tokens, if need be those of the latest comers. False when it was itself the latest."""
        while not self._reserve(sequence, tokens):
            latest = self.running.pop()
            self._release(latest)
            latest.computed = 0
            self.waiting[latest] = None
            self.waiting.move_to_end(latest, last=False)
            self.preemptions += 1
            if latest is sequence:
                return False
        return True

    def _reserve(self, sequence: Sequence, tokens: int) -> bool:
        more = -(-(sequence.computed + tokens) // BLOCK_TOKENS) - sequence.blocks
        if more > self._free:
            return False
        self._free -= more
        sequence.blocks += more
        return True

    def _release(self, sequence: Sequence) -> None:
        self._free += sequence.blocks
        sequence.blocks = 0
