"""The edge's errors, by whose fault they are.

NearsideError
├── GivenError            what we were handed is wrong; asking again gives the same answer
│   ├── BundleError       a manifest or artifact is malformed, foreign, or unsigned
│   ├── ConfigError       settings or the keys file are wrong; the process does not start
│   ├── ConsentError      a consent string can't be read; it grants nothing
│   └── TokenError        a page token or cookie is forged, expired or of another site
└── ReachError            something we depend on did not answer; trying later may work
    ├── OriginError       the origin
    └── UpstreamError     the site
"""


class NearsideError(Exception):
    """Base of all errors that Nearside raises on purpose.

    `code` is a stable name, such as ``artifact-hash``, that metrics count and
    documentation explains.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class GivenError(NearsideError):
    """What we were given is wrong."""


class BundleError(GivenError):
    """A manifest or artifact can't be used; the bundle in force stays."""


class ConfigError(GivenError):
    """Settings or the keys file can't be used."""


class ConsentError(GivenError):
    """A consent string can't be read, so it grants nothing."""


class TokenError(GivenError):
    """A page token or visitor cookie can't be believed."""


class ReachError(NearsideError):
    """Something that we depend on did not answer."""


class OriginError(ReachError):
    """The origin did not answer, or refused."""


class UpstreamError(ReachError):
    """The site did not answer."""
