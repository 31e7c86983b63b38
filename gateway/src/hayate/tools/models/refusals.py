"""Why a model can't be pulled or taken away.

CannotDo
├── Mistyped          what was typed means nothing; nothing was tried
├── OutsideModels     it would lead out of the models folder
├── FolderRefused     the models folder can't be written
├── InTheWay          another file has the name
├── TooLittleRoom     the disk would not take it
├── NotPulled         the Hub or Ollama was asked, and it did not come; what came is kept
└── StillUsed         a gateway or an engine uses what is to be taken away
"""

from __future__ import annotations

from hayate.tools.refusal import Refusal


class CannotDo(Refusal):
    """Any of them: status 1, but for what was mistyped."""


class Mistyped(CannotDo):
    """What was typed means nothing; nothing was tried: status 2."""


class OutsideModels(CannotDo):
    """It would lead out of the models folder."""


class FolderRefused(CannotDo):
    """The models folder can't be written."""


class InTheWay(CannotDo):
    """Another file has the name."""


class TooLittleRoom(CannotDo):
    """The disk would not take it."""


class NotPulled(CannotDo):
    """The Hub or Ollama was asked, and it did not come; what came is kept."""


class StillUsed(CannotDo):
    """A gateway or an engine uses what is to be taken away."""
