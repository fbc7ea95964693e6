"""The web application of the review page: HTML made here, one form, no state but the files.

It answers to this machine alone, and only to who has the token that `synset-factory review`
printed: requests name the address that they were sent to (Host), posts the page that they come
from (Origin) and the token, so that no other site's page can use the browser of the person.
"""

from base64 import b64encode
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path
from secrets import compare_digest
from typing import Annotated, Any

from fastapi import FastAPI, Form, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from synset_factory import layout
from synset_factory.config import NATURAL, Common
from synset_factory.errors import InputError
from synset_factory.prompt_check import text_encoder
from synset_factory.prompt_files import Synset, read_synsets
from synset_factory.prompt_lint import REASONS
from synset_factory.review.clarification import (
    Clarification,
    StaleError,
    faults_of_prompt,
    keep,
    read_rows,
)
from synset_factory.review.pending import pending_work
from synset_factory.review.pictures import count_pictures, read_picture
from synset_factory.review.trials import Trial, Trials
from synset_factory.review_list import SYNONYMS, WORD, ReviewEntry
from synset_factory.stages.ambiguity import SYNSET
from synset_factory.wordnet import Sense, noun_senses

PAGE = Path(__file__).parent / "page"
PICTURES = 16  # of a set, shown of a class
MISTAKES = 4  # classes that a class is taken for, shown
LARGEST_POST = 1 << 16  # bytes; no form of ours comes near it
COOKIE = "synset_factory_review"
# Nothing but our own style, script and pictures; nobody may frame the page.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

Field = Annotated[str, Form()]


class Desk:
    """What lies on the desk of the person who reviews: the list, the files, the models."""

    def __init__(self, common: Common, entries: list[ReviewEntry], trials: Trials) -> None:
        self.common = common
        self.entries = {entry.synset.wnid: entry for entry in entries}
        self.order = [entry.synset.wnid for entry in entries]
        self.synsets = read_synsets()
        self.encoder = text_encoder()
        self.trials = trials
        self.templates = Environment(
            loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined
        )

    def entry(self, wnid: str) -> ReviewEntry:
        """Return a class of the list, or the answer 404."""
        if wnid not in self.entries:
            raise HTTPException(404, "no such class is on the list for review")
        return self.entries[wnid]

    def page(
        self,
        wnid: str,
        token: str,
        *,
        prompt: str | None = None,
        reason: str | None = None,
        note: str | None = None,
        trial: Trial | None = None,
        message: str = "",
        fault: str = "",
        status: int = 200,
    ) -> HTMLResponse:
        """Return the page of one class. What the person wrote stays in the form."""
        entry, place = self.entry(wnid), self.order.index(wnid)
        _, rows = read_rows()
        kept = {row["wnid"]: row for _, row in rows}
        row = kept.get(wnid, {})
        html = self.templates.get_template("class.html").render(
            token=token,
            entry=entry,
            rank=place + 1,
            entries=[self.entries[each] for each in self.order],
            kept={each: kept[each]["prompt"] for each in self.order if each in kept},
            shown=row.get("prompt", ""),
            prompt=prompt if prompt is not None else row.get("prompt", entry.synset.prompt),
            reason=reason or row.get("reason") or likely_reason(entry),
            note=note if note is not None else row.get("note", ""),
            reasons=REASONS,
            previous=self.order[place - 1] if place else None,
            following=self.order[place + 1] if place + 1 < len(self.order) else None,
            strips=picture_strips(entry.synset, row.get("prompt", "")),
            mistakes=entry.mistaken_for[:MISTAKES],
            senses=senses_of(entry.synset.lemmas[0]),
            suggestions=suggestions(entry, {row["prompt"] for row in kept.values()}),
            trial=trial,
            data_url=data_url,
            pending=pending_work(self.common),
            message=message,
            fault=fault,
        )
        return HTMLResponse(html, status_code=status)

    def sentence(self, text: str, status: int) -> HTMLResponse:
        """Return a page of one sentence."""
        html = self.templates.get_template("sentence.html").render(text=text)
        return HTMLResponse(html, status_code=status)


def build_app(desk: Desk, token: str, port: int) -> FastAPI:
    """Return the application. `token` is this run's, `port` where it is served on loopback."""
    app = FastAPI(openapi_url=None)  # a page for a person: no interface to describe
    app.mount("/page", StaticFiles(directory=PAGE), name="page")
    guard(app, desk, token, port)

    @app.exception_handler(InputError)
    async def bad_input(request: Request, error: InputError) -> Response:
        return desk.sentence(str(error), 400)

    @app.exception_handler(404)
    async def nothing_here(request: Request, error: Exception) -> Response:
        about = getattr(error, "detail", "")
        return desk.sentence(f"There is nothing at {request.url.path}: {about}.", 404)

    @app.get("/")
    def start() -> Response:
        return RedirectResponse(f"/class/{first_open(desk)}", status_code=303)

    @app.get("/class/{wnid}")
    def show(wnid: str, kept: int = 0) -> Response:
        place = f"row {kept} of {layout.DISAMBIGUATIONS}"
        message = f"Kept: {place} is this class's prompt now." if kept else ""
        return desk.page(wnid, token, message=message)

    @app.get("/class/{wnid}/try")
    @app.get("/class/{wnid}/keep")
    def show_again(wnid: str) -> Response:
        return RedirectResponse(f"/class/{wnid}", status_code=303)

    @app.post("/class/{wnid}/try")
    def try_prompt(wnid: str, prompt: Field = "", reason: Field = "", note: Field = "") -> Response:
        synset, text = desk.entry(wnid).synset, prompt.strip()
        fault = " ".join(faults_of_prompt(synset, text, desk.encoder))
        trial = None if fault else desk.trials.run(synset, text)
        return desk.page(
            wnid,
            token,
            prompt=text,
            reason=reason,
            note=note,
            trial=trial,
            fault=fault,
            status=422 if fault else 200,
        )

    @app.post("/class/{wnid}/keep")
    def keep_prompt(
        wnid: str, prompt: Field = "", reason: Field = "", note: Field = "", shown: Field = ""
    ) -> Response:
        synset, text = desk.entry(wnid).synset, prompt.strip()
        row = Clarification(wnid=synset.wnid, prompt=text, reason=reason, note=note)
        try:
            line = keep(row, shown, desk.synsets, desk.encoder)
        except InputError as error:
            status = 409 if isinstance(error, StaleError) else 422
            return desk.page(
                wnid,
                token,
                prompt=text,
                reason=reason,
                note=note,
                fault=str(error),
                status=status,
            )
        return RedirectResponse(f"/class/{wnid}?kept={line}", status_code=303)

    @app.get("/picture/{image_set}/{wnid}/{number}.jpg")
    def picture(image_set: str, wnid: str, number: int) -> Response:
        if image_set not in (NATURAL, *desk.common.sets):
            raise HTTPException(404, "no such image set")
        try:
            return Response(read_picture(image_set, wnid, number), media_type="image/jpeg")
        except KeyError:
            raise HTTPException(404, "no such picture") from None

    @app.get("/favicon.ico")
    def icon() -> Response:
        return FileResponse(PAGE / "icon.svg", media_type="image/svg+xml")

    return app


def guard(app: FastAPI, desk: Desk, token: str, port: int) -> None:
    """Let nobody in but the person at this machine who was given the token."""
    hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
    origins = tuple(f"http://{host}" for host in hosts)

    async def refusal(request: Request) -> str:
        """Return why a request is refused, or nothing."""
        if request.headers.get("host") not in hosts:
            return f"This page answers at http://{hosts[0]} alone."
        given = request.cookies.get(COOKIE, "")
        if request.method not in ("GET", "HEAD"):
            if request.headers.get("origin") not in origins:
                return "A page of another site tried to send this: it was refused."
            if int(request.headers.get("content-length") or LARGEST_POST + 1) > LARGEST_POST:
                return f"This is more than {LARGEST_POST:,} bytes: no prompt is as long as that."
            await request.body()  # kept for the form of the page itself
            sent = str((await request.form()).get("token", ""))
            given = sent if given == token else ""
        if not compare_digest(given.encode(), token.encode()):
            return "Open the address that `synset-factory review` printed: it lets you in."
        return ""

    @app.middleware("http")
    async def let_in(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response: Response
        asked = request.query_params.get("token", "")
        at_home = request.headers.get("host") in hosts and request.method == "GET"
        if at_home and asked and compare_digest(asked.encode(), token.encode()):
            response = RedirectResponse(request.url.path, status_code=303)
            response.set_cookie(COOKIE, token, httponly=True, samesite="strict")
        elif text := await refusal(request):
            response = desk.sentence(text, 403)
        else:
            response = await call_next(request)
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cache-Control"] = "no-store"
        return response


def first_open(desk: Desk) -> str:
    """Return the worst class without a clarified prompt, or the worst of all."""
    _, rows = read_rows()
    kept = {row["wnid"] for _, row in rows}
    return next((wnid for wnid in desk.order if wnid not in kept), desk.order[0])


def likely_reason(entry: ReviewEntry) -> str:
    """Return the reason that the words suggest, for the person to correct."""
    if entry.same_name:
        return "near_equal_class"
    return {WORD: "homonym", SYNONYMS: "repetition"}.get(entry.cause, "too_general")


def suggestions(entry: ReviewEntry, taken: set[str]) -> list[str]:
    """Return prompts to begin with: CLIP's name, the first name with its kind, each other name."""
    synset = entry.synset
    candidates = [
        synset.clip_name,
        f"{synset.lemmas[0]}, {synset.hypernym}",
        *(synset.lemmas if len(synset.lemmas) > 1 else []),
    ]
    different = dict.fromkeys(each for each in candidates if each.lower() != synset.prompt.lower())
    return [each for each in different if each not in taken]


def picture_strips(synset: Synset, clarified: str) -> list[dict[str, Any]]:
    """Return the rows of stored pictures: caption, image set, how many."""
    sets = [("Natural pictures", NATURAL), (f"Drawn from “{synset.prompt}”", SYNSET)]
    if clarified:
        sets.append((f"Set disamb, as it was last made; its prompt is now “{clarified}”", "disamb"))
    return [
        {
            "caption": caption,
            "image_set": name,
            "count": min(count_pictures(name, synset.wnid), PICTURES),
        }
        for caption, name in sets
    ]


@lru_cache(maxsize=1024)
def senses_of(word: str) -> list[Sense] | str:
    """Return WordNet's noun senses of a word, or the sentence that says why there are none."""
    try:
        return noun_senses(word)
    except InputError as error:
        return str(error)


def data_url(jpeg: bytes) -> str:
    """Return a picture that is part of the page itself: what was tried is stored nowhere."""
    return f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"
