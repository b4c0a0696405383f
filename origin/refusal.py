"""How the origin says no: one exception, one JSON form."""

from typing import Any

from starlette.responses import JSONResponse

from edge.errors import GivenError


class RefusedError(GivenError):
    """A request that the origin refuses, with the HTTP status and what to do about it.

    `extra` stands beside ``error`` in the answer, for values that a client acts on.
    """

    def __init__(
        self, status: int, code: str, message: str, hint: str = "", extra: dict[str, Any] | None = None
    ) -> None:
        super().__init__(code, message)
        self.status = status
        self.message = message
        self.hint = hint
        self.extra = extra or {}

    def response(self) -> JSONResponse:
        """The answer's form, the same for every refusal."""
        headers = {"www-authenticate": "Bearer"} if self.status == 401 else None
        error = {"code": self.code, "message": self.message, "hint": self.hint}
        return JSONResponse({"error": error, **self.extra}, self.status, headers)
