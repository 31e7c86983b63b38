"""Why `hayate up` can't start.

CannotStart
├── AddressRefused     the port is taken, or the address can't be had
├── DataRefused        the data folder can't be written
├── ModelRefused       the model was named wrongly, is not there, or is not a GGUF
├── HubFailed          the Hub was asked and can't be reached, or says no
├── TooLittleMemory    it would not fit
└── EngineFailed       llama.cpp's server is not installed, or ended before it answered
"""

from __future__ import annotations

from hayate.tools.refusal import Refusal


class CannotStart(Refusal):
    """Any of them: status 1."""


class AddressRefused(CannotStart):
    """The port is taken, or the address can't be had."""


class DataRefused(CannotStart):
    """The data folder can't be written."""


class ModelRefused(CannotStart):
    """The model was named wrongly, is not there, or is not a GGUF."""


class HubFailed(CannotStart):
    """The Hub was asked and can't be reached, or says no."""


class TooLittleMemory(CannotStart):
    """It would not fit: said before a machine that swaps, or a process that is killed, says it."""


class EngineFailed(CannotStart):
    """llama.cpp's server is not installed, or ended before it answered."""
