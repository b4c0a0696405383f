"""Brings the bundle in force in line with the rollout: fetch, verify, lay down, activate."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge.agent.check import Check
from edge.agent.origin import Origin
from edge.agent.refusals import Refusals
from edge.agent.store import ArtifactFile, Store
from edge.agent.tries import Tries
from edge.agent.trusted import SignedManifest, TrustedSet
from edge.bundle import format as fmt
from edge.bundle.active import Active
from edge.bundle.format import Artifact
from edge.errors import BundleError, GivenError, OriginError, ReachError

log = logging.getLogger(__name__)

FETCHES_AT_ONCE: Final = 4


class Updater:
    """Takes rollouts as they come and works until the bundle in force is the one they name.

    Attributes
    ----------
    active : Active or None
        What is in force.
    tell : callable
        Called after each change of what is in force.

    Parameters
    ----------
    check
        The last check of a fetched folder, before it gets its name.
    """

    def __init__(
        self, trusted: TrustedSet, origin: Origin, store: Store, refusals: Refusals, check: Check
    ) -> None:
        self._trusted, self._origin, self._store = trusted, origin, store
        self._refusals, self._check = refusals, check
        self._tries = Tries()
        self._work: asyncio.Task[None] | None = None
        self.active = store.active()
        self.tell: Callable[[], None] = lambda: None
        self._gauge()

    @property
    def in_line(self) -> bool:
        """Whether all that the rollout says is in force."""
        serial = self.active.serial if self.active else self._trusted.serial
        return serial == self._trusted.serial and self._has_revision

    @property
    def _has_revision(self) -> bool:
        """Whether the revision in force is the one that the rollout names, or it names none."""
        return self._trusted.wanted in {0, self.active.revision if self.active else 0}

    def resume(self) -> None:
        """Take the rollout of the last run: what it wanted may not have been reached."""
        data = self._store.rollout()
        if data is not None:
            self.offer(data)

    def offer(self, data: bytes) -> None:
        """Take a signed rollout, if it can be believed; what it kills is killed when this returns."""
        before = self._trusted.wanted
        try:
            newer = self._trusted.take_rollout(data)
        except BundleError as error:
            self._refusals.add(error)
            return
        if not newer:
            return
        log.info("rollout %d names revision %d", self._trusted.serial, self._trusted.wanted)
        self._gauge()
        try:
            self._store.save_rollout(data)
            self._apply_kill()
        except OSError as error:
            # Tried again by the loop; what is in force stays until then.
            log.error("rollout %d can't be written: %s", self._trusted.serial, error)
        if self._work is not None and self._trusted.wanted != before:
            self._work.cancel()
        self._tries.wake()

    async def run(self) -> None:
        """Keep the bundle in force in line, for ever."""
        await self._tries.run(self._attempt)

    async def _attempt(self) -> float:
        """One try; the delay before the next one, 0 where none is needed."""
        if self.in_line:
            return 0.0
        self._work = asyncio.create_task(self._bring_in_line())
        try:
            await asyncio.wait({self._work})
        except asyncio.CancelledError:
            self._work.cancel()
            raise
        work, self._work = self._work, None
        error = None if work.cancelled() else work.exception()
        if isinstance(error, GivenError):
            self._refusals.add(error)
            return self._tries.after_refusal_s()
        if isinstance(error, OriginError):
            self._origin.reach.failed("bundles", error)
            return self._tries.after_failure_s()
        if isinstance(error, ReachError | OSError):
            log.error("revision %d can't be laid down: %s", self._trusted.wanted, error)
            return self._tries.after_failure_s()
        if error is not None:
            raise error
        return 0.0

    async def _bring_in_line(self) -> None:
        self._apply_kill()
        if self._has_revision:
            return
        number = self._trusted.wanted
        revision = self._trusted.open_revision(await self._origin.revision(number), number)
        bundle = fmt.bundle_id({role: ref.sha256 for role, ref in revision.manifests.items()})
        manifests = {}
        for role in fmt.ROLES:
            ref = revision.manifests[role]
            manifests[role] = self._trusted.open_manifest(await self._origin.manifest(ref.sha256), role, ref)
        await self._lay_down(bundle, manifests)
        self._origin.reach.answered("bundles")
        self._activate(number, bundle)
        await asyncio.to_thread(self._store.prune)

    async def _lay_down(self, bundle: str, manifests: dict[str, SignedManifest]) -> None:
        if self._store.has(bundle) and await self._still_good(bundle):
            return
        folder = await asyncio.to_thread(self._store.begin, bundle)
        await asyncio.to_thread(self._store.lay_manifests, folder, manifests)
        artifacts = {a.sha256: a for role in fmt.ROLES for a in manifests[role].manifest.artifacts}
        await self._fetch_all(folder, list(artifacts.values()))
        try:
            await self._check(folder, self._trusted.site)
        except BundleError:
            await asyncio.to_thread(self._store.discard, bundle)
            raise
        await asyncio.to_thread(self._store.complete, bundle)

    async def _still_good(self, bundle: str) -> bool:
        """Whether a bundle that was here before still is what it was."""
        try:
            await self._check(self._store.folder(bundle), self._trusted.site)
        except BundleError as error:
            self._refusals.add(error)
            return False
        return True

    async def _fetch_all(self, folder: Path, artifacts: list[Artifact]) -> None:
        gate = asyncio.Semaphore(FETCHES_AT_ONCE)

        async def fetch(artifact: Artifact) -> None:
            async with gate:
                if not await asyncio.to_thread(self._store.reuse, folder, artifact):
                    await self._fetch(folder, artifact)

        tasks = [asyncio.create_task(fetch(artifact)) for artifact in artifacts]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _fetch(self, folder: Path, artifact: Artifact) -> None:
        file = ArtifactFile(folder, artifact)
        try:
            async for chunk in self._origin.artifact(artifact.sha256):
                file.write(chunk)
            await asyncio.to_thread(file.finish)
        finally:
            file.abandon()

    def _activate(self, number: int, bundle: str) -> None:
        rollout = self._trusted.rollout
        assert rollout is not None
        if self._trusted.wanted != number:
            return
        self._put_in_force(Active(number, bundle, rollout.serial, rollout.kill))
        self._refusals.metrics.count("nearside_activations_total")
        log.info("revision %d is in force: bundle %s", number, bundle)

    def _apply_kill(self) -> None:
        """Let the kill list act before the revision that comes with it is here.

        Until then what was killed stays killed: the new list may revive a
        campaign only because the new revision mends it.
        """
        rollout, active = self._trusted.rollout, self.active
        if rollout is None or active is None:
            return
        killed = rollout.kill if self._has_revision else tuple(sorted({*active.kill, *rollout.kill}))
        self._put_in_force(Active(active.revision, active.bundle, rollout.serial, killed))

    def _put_in_force(self, active: Active) -> None:
        if active != self.active:
            self._store.activate(active)
            self.active = active
            self.tell()
        self._gauge()

    def _gauge(self) -> None:
        gauge = self._refusals.metrics.gauge
        gauge("nearside_revision", self.active.revision if self.active else 0)
        gauge("nearside_wanted_revision", self._trusted.wanted)
        gauge("nearside_rollout_serial", self._trusted.serial)
