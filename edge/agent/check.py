"""`python -m edge.agent.check FOLDER SITE`: the last check of a bundle, in a process of its own.

A model that crashes, hangs or eats memory takes down this process, not the agent.
"""

import asyncio
import os
import resource
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from edge.errors import BundleError

CHECK_TIMEOUT_S: Final = 120.0
MAX_DATA_BYTES: Final = 2 << 30
"""What a check may hold, mapped files aside; a model that asks for more ends it."""

REFUSED: Final = 3
NICENESS: Final = 10

Check = Callable[[Path, str], Awaitable[None]]


class _Refusal(msgspec.Struct):
    code: str
    message: str


async def run_check(folder: Path, site: str) -> None:
    """Check a bundle folder in a process of its own.

    Raises
    ------
    BundleError
        The code of what was found; ``check-crashed`` or ``check-timeout`` when
        there was no answer.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge.agent.check", str(folder), site, stdout=asyncio.subprocess.PIPE
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), CHECK_TIMEOUT_S)
    except TimeoutError as error:
        raise BundleError("check-timeout", f"{folder.name}: no answer in {CHECK_TIMEOUT_S:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == REFUSED:
        raise _read(out)
    if process.returncode != 0:
        raise BundleError("check-crashed", f"{folder.name}: exit status {process.returncode}")


def _read(out: bytes) -> BundleError:
    try:
        refusal = msgspec.json.decode(out, type=_Refusal)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return BundleError("check-crashed", f"its answer can't be read: {error}")
    return BundleError(refusal.code, refusal.message)


def main(folder: str, site: str) -> int:
    """Verify every hash and run the golden decisions; 0, or `REFUSED` with the reason as JSON."""
    # Pages are served beside this by the same processors; the imports are most of the work.
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA_BYTES, MAX_DATA_BYTES))
    # Heavy imports (the model runtime) belong to this short process only.
    from edge.bundle.reader import open_bundle  # noqa: PLC0415
    from edge.decide.golden import check  # noqa: PLC0415

    try:
        check(open_bundle(Path(folder), site, verify=True))
    except BundleError as error:
        message = str(error).removeprefix(f"{error.code}: ")
        sys.stdout.buffer.write(msgspec.json.encode(_Refusal(error.code, message)))
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
