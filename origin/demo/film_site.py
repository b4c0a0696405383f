"""The film site: what a visitor sees where no edge stands in front."""

import argparse
import hashlib
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import jinja2
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from origin.demo import films as catalogue
from origin.demo import posters
from origin.demo.films import Film

HERE: Final = Path(__file__).parent / "site"
ROW: Final = 6
"""Films on a shelf: one row of a wide screen, two of a phone."""
ROWS: Final = 6
PAGE: Final = 48
MAX_QUERY_CHARS: Final = 80

# A shared cache may keep a page for a minute. A browser may not: what its owner
# sees changes at once when they change their mind about being remembered.
FRESH: Final = {"cache-control": "public, max-age=0, s-maxage=60"}
LASTING: Final = {"cache-control": "public, max-age=3600"}

CONSENT_COOKIE: Final = "consent"
CONSENT_AGE_S: Final = 180 * 86400
CHOSEN_CSS: Final = {
    "full": ".consent{display:none}.choices .full{font-weight:700;text-decoration:none}",
    "none": ".consent{display:none}.choices .plain{font-weight:700;text-decoration:none}",
}


class Site:
    """The pages over one catalogue.

    Attributes
    ----------
    app : Starlette
        The site's ASGI program.
    """

    def __init__(self, films: Sequence[Film]) -> None:
        self._films = {film.id: film for film in films}
        self._newest = sorted(films, key=lambda film: (-film.year, _shuffled(film)))
        self._picks = _one_of_each_genre(films)[:ROW]
        self._names: dict[str, str] = {}
        self._genres: dict[str, list[Film]] = {}
        for film in self._newest:
            for name in film.genre_names:
                self._names.setdefault(catalogue.slug(name), name)
                self._genres.setdefault(catalogue.slug(name), []).append(film)
        self._templates = _templates()
        self.app = Starlette(
            routes=[
                Route("/", self.home),
                Route("/film/{item}", self.film),
                Route("/genre/{slug}", self.genre),
                Route("/search", self.search),
                Route("/poster/{item}.svg", self.poster),
                Route("/consent", choose, methods=["GET", "POST"]),
                Route("/consent.css", consent_css),
                Mount("/static", _Static(directory=HERE / "static")),
            ],
            exception_handlers={404: self.missing},
        )

    def home(self, request: Request) -> Response:
        """The front page."""
        fullest = sorted(self._genres, key=lambda slug: (-len(self._genres[slug]), slug))[:ROWS]
        rows = [(self._names[slug], slug, self._genres[slug][ROW : 2 * ROW]) for slug in sorted(fullest)]
        shown = {"picks": self._picks, "newest": self._newest[:ROW], "rows": rows, "count": len(self._films)}
        return self._page("home.html", request, shown)

    def film(self, request: Request) -> Response:
        """One film."""
        film = self._films.get(request.path_params["item"])
        if film is None:
            return self.missing(request, None)
        shown = {
            "film": film,
            "film_genres": [(name, catalogue.slug(name)) for name in film.genre_names],
            "similar": self._similar(film),
            "newest": self._newest[:ROW],
        }
        return self._page("film.html", request, shown)

    def genre(self, request: Request) -> Response:
        """The films of a genre, newest first."""
        slug = request.path_params["slug"]
        found = self._genres.get(slug)
        text = request.query_params.get("page", "1")
        number = int(text) if text.isdecimal() and len(text) < 5 else 0
        if found is None or not 1 <= number <= -(-len(found) // PAGE):
            return self.missing(request, None)
        shown = {
            "title": self._names[slug],
            "note": f"{len(found)} films",
            "films": found[(number - 1) * PAGE : number * PAGE],
            "here": slug,
            "previous": f"/genre/{slug}?page={number - 1}" if number > 1 else "",
            "next": f"/genre/{slug}?page={number + 1}" if number * PAGE < len(found) else "",
        }
        return self._page("list.html", request, shown)

    def search(self, request: Request) -> Response:
        """Films by title; accents and case do not matter."""
        query = request.query_params.get("q", "")[:MAX_QUERY_CHARS].strip()
        wanted = _plain(query)
        found = [film for film in self._newest if wanted in _plain(film.title)] if wanted else []
        note = f"{len(found)} film{'' if len(found) == 1 else 's'}" if wanted else "Type a word of a title."
        title = f"“{query}”" if query else "Search"
        shown = {"title": title, "note": note, "films": found[:PAGE], "previous": "", "next": ""}
        return self._page("list.html", request, {**shown, "query": query})

    def poster(self, request: Request) -> Response:
        """A film's poster."""
        film = self._films.get(request.path_params["item"])
        if film is None:
            return self.missing(request, None)
        return Response(posters.draw(film), 200, LASTING, "image/svg+xml")

    def missing(self, request: Request, _error: Exception | None) -> Response:
        """No such page."""
        return self._page("missing.html", request, {}, 404)

    def _similar(self, film: Film) -> list[Film]:
        others = [other for other in self._genres[film.genre] if other.id != film.id]
        return sorted(others, key=lambda other: (abs(other.year - film.year), _shuffled(other)))[:ROW]

    def _page(self, name: str, request: Request, shown: dict[str, Any], status: int = 200) -> Response:
        back = request.url.path + (f"?{request.url.query}" if request.url.path == "/search" else "")
        genres = [(self._names[slug], slug) for slug in sorted(self._names)]
        body = self._templates.get_template(name).render(back=back, genres=genres, **shown)
        return HTMLResponse(body, status, FRESH if status == 200 else {"cache-control": "no-store"})


async def choose(request: Request) -> Response:
    """Keep the visitor's choice in the site's own cookie, and go back to where they were."""
    tier = request.query_params.get("tier", "")
    if tier not in (*CHOSEN_CSS, "unset"):
        return Response("tier must be full, none or unset\n", 400, media_type="text/plain")
    response = RedirectResponse(_own_path(request.query_params.get("back", "/")), 303)
    response.headers["cache-control"] = "no-store"
    if tier == "unset":
        response.delete_cookie(CONSENT_COOKIE, samesite="lax")
    else:
        response.set_cookie(CONSENT_COOKIE, tier, CONSENT_AGE_S, samesite="lax")
    return response


async def consent_css(request: Request) -> Response:
    """Hides the question once it is answered: pages stay the same for all, and need no script."""
    css = CHOSEN_CSS.get(request.cookies.get(CONSENT_COOKIE, ""), "")
    return Response(css, 200, {"cache-control": "private, no-store", "vary": "cookie"}, "text/css")


def _own_path(back: str) -> str:
    """`back` as a path of this site; the front page where it is anything else."""
    # Browsers read a backslash as a slash and drop control characters: "/\\evil" is another site.
    if not back.startswith("/") or back.startswith("//") or any(c == "\\" or c <= " " for c in back):
        return "/"
    url = URL(back)
    return "/" if url.netloc or url.scheme else back


class _Static(StaticFiles):
    """Files with an explicit lifetime."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        """The file, to be kept for an hour."""
        response = super().file_response(*arguments, **options)
        response.headers.update(LASTING)
        return response


def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def _one_of_each_genre(films: Sequence[Film]) -> list[Film]:
    """The first film of each genre in an order that means nothing: something for everybody."""
    firsts: dict[str, Film] = {}
    for film in sorted(films, key=_shuffled):
        firsts.setdefault(film.genre, film)
    return list(firsts.values())


def _shuffled(film: Film) -> bytes:
    """An order that is the same every time, and means nothing."""
    return hashlib.sha256(film.id.encode()).digest()


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in folded if not unicodedata.combining(char))


def main() -> None:
    """Serve the site on this machine alone."""
    parser = argparse.ArgumentParser("film-site", description=__doc__)
    parser.add_argument("--films", type=Path, required=True, help="the catalogue, films.csv")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    site = Site(catalogue.read(options.films))
    uvicorn.run(site.app, host="127.0.0.1", port=options.port, log_level="info")


if __name__ == "__main__":
    main()
