"""Brings together two bundles that shall be compared, from disk or from an origin, and a log of decisions."""

from dataclasses import dataclass, field
from pathlib import Path

from edge.bundle.reader import Bundle, open_bundle, read_site
from edge.errors import ConfigError
from origin.diff.bundles import BundleDiff, diff
from origin.keys import PublisherKeys, load_publisher
from origin.lake.replay import Findings, replay_files
from origin.publishing.client import OriginClient
from origin.publishing.download import download


@dataclass
class Sources:
    """Where bundles come from that are named by revision; `folder` is for what is downloaded."""

    folder: Path
    url: str = ""
    keys: Path | None = None
    _near: Path | None = field(default=None, init=False)

    def bundle(self, name: str, *, whole: bool) -> Bundle:
        """The bundle of a folder, or of a revision's number where there is no such folder.

        Raises
        ------
        ConfigError
            ``bundle``: a number, and no origin is named.
        """
        path = Path(name)
        if not name.isdecimal() or path.is_dir():
            opened = open_bundle(path, read_site(path))
        elif not self.url or self.keys is None:
            raise ConfigError("bundle", f"for revision {name} name the origin, with --origin and --keys")
        else:
            target = self.folder / name
            with OriginClient(self.url, load_publisher(self.keys)) as client:
                opened = download(client, int(name), target, near=self._near, whole=whole)
        self._near = opened.folder
        return opened


def compare(a: str, b: str, sources: Sources, log: Path | None) -> tuple[BundleDiff, Findings | None]:
    """What changes from `a` to `b`; with a log, for how many of its requests the page would.

    Raises
    ------
    ConfigError
        ``bundle``: they are of different sites, or can't be had.
    """
    if a == b:
        raise ConfigError("bundle", f"{a} and {b} are the same")
    before, after = (sources.bundle(name, whole=log is not None) for name in (a, b))
    if before.site != after.site:
        raise ConfigError("bundle", f"{a} is of site {before.site!r}, {b} is of {after.site!r}")
    pages = replay_files(before.folder, log, after.folder) if log else None
    return diff(before, after), pages


def compare_with_active(bundle: Path, keys: PublisherKeys, url: str, folder: Path) -> BundleDiff | None:
    """What publishing a bundle would change for PoPs that no rollout names; None when nothing is active."""
    with OriginClient(url, keys) as client:
        rollout = client.rollout()
        number = rollout.revision_for("*") if rollout else 0
        if not number:
            return None
        active = download(client, number, folder / f"active-{number}", near=bundle, whole=False)
    return diff(active, open_bundle(bundle, keys.site))
