"""One model from the Hub into the models folder.

(1) the Hub is asked once which files there are, how large they are and which checksums they have
(2) what is there already is looked at, and left where it is whole
(3) the disk has room for the rest, or nothing is begun
(4) each file comes to `.pull`, goes on where it was cut, and is looked at
(5) once all are there they get their names: so a model that can be seen is whole
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hayate.language import Text, reason_of
from hayate.terminal import plain
from hayate.tools.download import InUse, WrongChecksum, is_whole
from hayate.tools.embedded.reference import HubModel, NoSuchFile
from hayate.tools.hub import ASK_S, Hub, Listing
from hayate.tools.hub_trouble import HubTrouble, NotGiven, NotInstalled, Offline
from hayate.tools.hub_words import Asker, in_use, in_vain, not_there, wrong_checksum
from hayate.tools.models.folder import ModelsFolder
from hayate.tools.models.refusals import InTheWay, NotPulled, TooLittleRoom
from hayate.tools.models.wanted import Choice, chosen
from hayate.tools.transfer import Say, begun, size_text, transfer

LONG_BYTES = 1_000_000_000
"""What takes seconds to look at, and is therefore announced."""
ASKER = Asker(
    "REF",
    later=Text("Try again later: it goes on where it was cut.", "後で再実行すると、中断した位置から再開します。"),
    network=Text(
        "Connect to the network and run it again: it goes on where it was cut.",
        "ネットワークを確認して再実行すると、中断した位置から再開します。",
    ),
)


@dataclass(frozen=True, slots=True)
class Pulled:
    """What is there now: `path` is what an engine is given."""

    path: Path
    files: tuple[Path, ...]
    size_bytes: int
    came: int = 0
    """Files that were not there before."""
    unchecked: tuple[str, ...] = ()
    """Files of which nobody told a checksum."""


def pull_from_hub(model: HubModel, folder: ModelsFolder, replace: bool, say: Say) -> Pulled:
    """All of `model`, whole, in `folder`. Raises CannotDo."""
    folder.check()
    try:
        hub = Hub()
    except NotInstalled:
        raise NotPulled(
            "The Hub's library is not installed here: pip install 'hayate[embedded]', or fetch the files with `hf download`.",
            "Hubのライブラリーがインストールされていません。"
            "pip install 'hayate[embedded]' を実行するか、`hf download`で取得してください。",
        ) from None
    try:
        return _Pull(hub, model, folder, say).run(replace)
    except NoSuchFile as error:
        said = not_there(model.repository, str(model), error.names)
    except InUse:
        said = in_use(str(model))
    except WrongChecksum as error:
        said = wrong_checksum(plain(str(error), 200))
    except Offline:
        said = Text(
            f"HF_HUB_OFFLINE is set, so {model} can't be asked for: unset it.",
            f"HF_HUB_OFFLINEが設定されているため、{model}を取得できません。設定を外してください。",
        )
    except HubTrouble as trouble:
        said = in_vain(hub.endpoint, model.repository, str(model), trouble, ASKER)
    except OSError as error:
        why = reason_of(error)
        said = Text(
            f"{model} can't be written to {folder.path}: {why.en}. What has come is kept: mend that and run it again, and it "
            f"goes on from there.",
            f"{model}を{folder.path}に書き込めません（{why.ja}）。受信済みの分は残っています。解消してから再実行すると、続きから"
            f"再開します。",
        )
    raise NotPulled(said.en, said.ja)


class _Pull:
    """One run of it."""

    def __init__(self, hub: Hub, model: HubModel, folder: ModelsFolder, say: Say) -> None:
        self._hub, self._model, self._folder, self._say = hub, model, folder, say
        self._key = model.repository.replace("/", "--")

    def run(self, replace: bool) -> Pulled:
        listing = self._hub.files(self._model.repository, ASK_S)
        choice = chosen(listing.sizes, self._model)
        if unknown := [there for there, _ in choice.files if not listing.sizes[there] and not listing.checksums[there]]:
            raise NotGiven(f"{plain(unknown[0], 200)}: no size")
        places = {there: self._folder.place(here) for there, here in choice.files}
        missing = [name for name in places if not self._is_there(places[name], listing, name, replace)]
        if missing:
            staging = self._folder.staging(self._key)
            staged = {name: staging / here for name, here in choice.files if name in missing}
            self._fetch(listing, staged)
            self._name(choice, places, staged)
            self._folder.cleared(self._key)
        total = sum(listing.sizes[name] for name in places)
        unchecked = tuple(name for name in places if not listing.checksums[name])
        return Pulled(self._folder.path / choice.shown, tuple(places.values()), total, len(missing), unchecked)

    def _is_there(self, path: Path, listing: Listing, name: str, replace: bool) -> bool:
        wanted = listing.wanted(name)
        if not path.is_dir():
            if wanted.size_bytes > LONG_BYTES and path.exists():
                self._say(f"Looking at {path}, which is there", f"既存の{path}を確認しています")
            if is_whole(path, wanted):
                return True
        if (path.exists() or path.is_symlink()) and (path.is_dir() or not replace):
            raise InTheWay(
                f"{path} is there and is something else. Take it away (`hayate rm`), or say --replace: it gives way once the "
                f"new one is whole.",
                f"{path}は既に存在し、内容が異なります。`hayate rm`で削除するか、--replaceを指定してください"
                f"（新しいものが揃った時点で置き換えます）。",
            )
        return False

    def _fetch(self, listing: Listing, staged: dict[str, Path]) -> None:
        """All that is missing, each looked at. Raises what `Hub.download` does, and TooLittleRoom."""
        for path in staged.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        wanted = [name for name, path in staged.items() if not is_whole(path, listing.wanted(name))]
        whole = sum(listing.sizes[name] for name in wanted)
        had = sum(_had(staged[name], listing.checksums[name]) for name in wanted)
        self._check_room(whole - had)
        if not wanted:
            return
        names = Path(wanted[0]).name if len(wanted) == 1 else f"{Path(wanted[0]).name} … ({len(wanted)})"
        line = begun(names, whole, self._model.repository)
        self._say(line.en, line.ja)
        if had:
            kept = size_text(had)
            self._say(f"{kept} of it came before: it goes on from there", f"受信済みの{kept}に続けて再開します")
        with transfer(whole, self._say) as shown:
            for name in wanted:
                self._hub.download(self._model.repository, name, listing, staged[name], partial(shown.at, name))

    def _check_room(self, missing_bytes: int) -> None:
        free = self._folder.free_bytes
        if missing_bytes > free:
            needs, has = size_text(missing_bytes), size_text(free)
            raise TooLittleRoom(
                f"{self._model} needs {needs} more, and the disk of {self._folder.path} has {has} left. Make room (`hayate rm`), "
                f"or name a folder on another disk with --models.",
                f"{self._model}にはあと{needs}必要ですが、{self._folder.path}のあるディスクの空きは{has}です。`hayate rm`で空きを"
                f"増やすか、別のディスクのフォルダーを--modelsで指定してください。",
            )

    def _name(self, choice: Choice, places: dict[str, Path], staged: dict[str, Path]) -> None:
        """What is whole gets its name: a folder in one step, where it is new."""
        if choice.folder is not None and not self._folder.place(choice.folder).exists():
            folder = self._folder.staging(self._key) / choice.folder
            keep = set(staged.values())
            for path in [each for each in folder.rglob("*") if not each.is_dir() and each not in keep]:
                path.unlink()  # of an earlier commit
            folder.rename(self._folder.place(choice.folder))
            return
        for name, path in staged.items():
            places[name].parent.mkdir(parents=True, exist_ok=True)
            path.replace(places[name])


def _had(staged: Path, checksum: str) -> int:
    try:
        return staged.with_name(f"{checksum or staged.name}.part").stat().st_size
    except OSError:
        return 0
