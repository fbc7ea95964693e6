"""The web application of the review page: HTML made here, one form, no state but the files.

It answers to this machine alone, and only to who has the token that `synset-factory review`
printed: requests name the address that they were sent to (Host), posts the page that they come
from (Origin) and a token, so that no other site's page can use the browser of the person.
"""

import secrets
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Annotated, Any

from fastapi import FastAPI, Form, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nltk.corpus.reader.wordnet import WordNetCorpusReader

from synset_factory import layout
from synset_factory.config import NATURAL, Common
from synset_factory.errors import InputError
from synset_factory.prompts.check import text_encoder
from synset_factory.prompts.files import Synset, read_synsets
from synset_factory.prompts.lint import REASONS
from synset_factory.prompts.parsing import Rows
from synset_factory.records import TRAIN, image_key
from synset_factory.review.clarification import (
    Clarification,
    StaleError,
    faults_of_prompt,
    faults_of_row,
    keep,
    read_rows,
    row_digest,
    row_of,
)
from synset_factory.review.pending import Pending, pending_work
from synset_factory.review.pictures import count_pictures, read_picture
from synset_factory.review.trials import Trial, Trials
from synset_factory.review_list import SYNONYMS, WORD, ReviewEntry
from synset_factory.stages.ambiguity import SYNSET
from synset_factory.wordnet import Sense, noun_senses, open_wordnet

PAGE = Path(__file__).parent / "page"
PICTURES = 16  # of a set, shown of a class
MISTAKES = 4  # classes that a class is taken for, shown
LARGEST_POST = 1 << 18  # bytes: some 20,000 characters of any script
# Nothing but our own style, script and pictures; nobody may frame the page.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

Field = Annotated[str, Form()]


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a person has written into the form, and which row they saw when they did."""

    prompt: str
    reason: str
    note: str
    shown: str  # clarification.row_digest


@dataclass(frozen=True, kw_only=True)
class Keys:
    """What lets a person in: each run has its own."""

    port: int
    entry: str = field(default_factory=lambda: secrets.token_urlsafe(24))  # in the address
    cookie: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    form: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def cookie_name(self) -> str:
        """Browsers send a host's cookies to all of its ports: clones side by side differ."""
        return f"synset_factory_review_{self.port}"

    @property
    def hosts(self) -> tuple[str, str]:
        return f"127.0.0.1:{self.port}", f"localhost:{self.port}"


class Desk:
    """What lies on the desk of the person who reviews: the list, the files, the models."""

    def __init__(self, common: Common, entries: list[ReviewEntry], trials: Trials) -> None:
        self.common = common
        self.entries = {entry.synset.wnid: entry for entry in entries}
        self.order = list(self.entries)
        self.synsets = read_synsets()
        self.encoder = text_encoder()
        self.trials = trials
        self.wordnet: WordNetCorpusReader | None = None
        self.wordnet_lock = Lock()
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
        form_token: str,
        *,
        written: Written | None = None,
        trial: Trial | None = None,
        kept_trial: Trial | None = None,
        message: str = "",
        faults: tuple[str, ...] = (),
        status: int = 200,
    ) -> HTMLResponse:
        """Return the page of one class. What the person wrote stays in the form."""
        entry, place = self.entry(wnid), self.order.index(wnid)
        rows, pending, unreadable = self._files()
        row = row_of(rows, wnid)
        if written is None:
            written = Written(
                prompt=row.get("prompt", entry.synset.prompt),
                reason=row.get("reason") or likely_reason(entry),
                note=row.get("note", ""),
                shown=row_digest(row),
            )
        in_row = () if unreadable else faults_of_row(rows, entry.synset, self.synsets, self.encoder)
        html = self.templates.get_template("class.html").render(
            token=form_token,
            entry=entry,
            rank=place + 1,
            entries=list(self.entries.values()),
            clarified={each["wnid"] for _, each in rows},
            written=written,
            reasons=REASONS,
            previous=self.order[place - 1] if place else None,
            following=self.order[place + 1] if place + 1 < len(self.order) else None,
            strips=self._strips(entry.synset, row.get("prompt", "")),
            mistakes=entry.mistaken_for[:MISTAKES],
            senses=self._senses(entry.synset.lemmas[0]),
            suggestions=suggestions(entry, self._prompts_of_others(rows, wnid)),
            trial=trial,
            kept_trial=kept_trial,
            data_url=data_url,
            pending=pending,
            message=message,
            faults=[*faults, *unreadable, *in_row],
        )
        return HTMLResponse(html, status_code=status)

    def sentence(self, text: str, status: int, typed: str = "") -> HTMLResponse:
        """Return a page of one sentence, and of what was typed, so that it is not lost."""
        html = self.templates.get_template("sentence.html").render(text=text, typed=typed)
        return HTMLResponse(html, status_code=status)

    def _files(self) -> tuple[Rows, Pending | None, tuple[str, ...]]:
        """Return the rows and what is pending, as far as they can be read, and what cannot."""
        try:
            _, rows = read_rows()
        except InputError as error:
            return [], None, (str(error),)
        try:
            return rows, pending_work(self.common), ()
        except InputError as error:
            return rows, None, (str(error),)

    def _prompts_of_others(self, rows: Rows, wnid: str) -> set[str]:
        """Return, in lower case, the prompts that the class may not have."""
        clarified = {row["wnid"]: row["prompt"] for _, row in rows}
        of_all = {each.wnid: clarified.get(each.wnid, each.prompt) for each in self.synsets}
        own = {self.entries[wnid].synset.prompt, clarified.get(wnid, "")}
        others = {prompt for other, prompt in of_all.items() if other != wnid}
        return {prompt.lower() for prompt in own | others}

    def _strips(self, synset: Synset, clarified: str) -> list[dict[str, Any]]:
        """Return the rows of stored pictures: caption, image set, what each was taken for."""
        verdicts = self.trials.stored_verdicts(synset)
        captions = {
            NATURAL: "Natural pictures",
            SYNSET: f"Drawn from the synset prompt, “{synset.prompt}”",
        }
        if clarified:
            captions["disamb"] = f"Set disamb as it was last made; the prompt is now “{clarified}”"
        return [
            {
                "caption": caption,
                "image_set": name,
                "taken_for": [
                    verdicts.get(image_key(synset.wnid, TRAIN, n)) if name == SYNSET else None
                    for n in range(min(count_pictures(name, synset.wnid), PICTURES))
                ],
            }
            for name, caption in captions.items()
        ]

    def _senses(self, word: str) -> list[Sense] | str:
        """Return WordNet's noun senses of a word, or the sentence that says why there are none."""
        with self.wordnet_lock:  # nltk reads its files by seeking in them
            try:
                self.wordnet = self.wordnet or open_wordnet()
            except InputError as error:
                return str(error)
            return noun_senses(self.wordnet, word)


def build_app(desk: Desk, keys: Keys) -> FastAPI:
    """Return the application."""
    app = FastAPI(openapi_url=None)  # a page for a person: no interface to describe
    app.mount("/page", StaticFiles(directory=PAGE), name="page")
    guard(app, desk, keys)

    @app.exception_handler(404)
    async def nothing_here(request: Request, error: Exception) -> Response:
        about = getattr(error, "detail", "")
        return desk.sentence(f"There is nothing at {request.url.path}: {about}.", 404)

    @app.get("/")
    def start() -> Response:
        return RedirectResponse(f"/class/{first_open(desk)}", status_code=303)

    @app.get("/class/{wnid}")
    def show(wnid: str, kept: str = "") -> Response:
        message = f"Kept: this is the class's row in {layout.DISAMBIGUATIONS} now." if kept else ""
        return desk.page(wnid, keys.form, message=message)

    @app.get("/class/{wnid}/try")
    @app.get("/class/{wnid}/keep")
    def show_again(wnid: str) -> Response:
        return RedirectResponse(f"/class/{wnid}", status_code=303)

    @app.post("/class/{wnid}/try")
    def try_prompt(
        wnid: str, prompt: Field = "", reason: Field = "", note: Field = "", shown: Field = ""
    ) -> Response:
        synset = desk.entry(wnid).synset
        written = Written(prompt=prompt.strip(), reason=reason, note=note, shown=shown)
        try:
            faults = faults_of_prompt(synset, written.prompt, desk.encoder)
            if faults:
                return desk.page(wnid, keys.form, written=written, faults=tuple(faults), status=422)
            trial = desk.trials.run(synset, written.prompt)
            kept = row_of(read_rows()[1], wnid).get("prompt", "")
            kept_trial = desk.trials.run(synset, kept) if kept else None
        except (InputError, OSError, RuntimeError) as error:
            return desk.page(
                wnid, keys.form, written=written, faults=(sentence_of(error),), status=500
            )
        return desk.page(wnid, keys.form, written=written, trial=trial, kept_trial=kept_trial)

    @app.post("/class/{wnid}/keep")
    def keep_prompt(
        wnid: str, prompt: Field = "", reason: Field = "", note: Field = "", shown: Field = ""
    ) -> Response:
        desk.entry(wnid)
        written = Written(prompt=prompt.strip(), reason=reason, note=note, shown=shown)
        row = Clarification(wnid=wnid, prompt=written.prompt, reason=reason, note=note)
        try:
            keep(row, shown, desk.synsets, desk.encoder)
        except StaleError as error:
            seen = row_digest(row_of(read_rows()[1], wnid))  # they have been told of it now
            told = Written(prompt=written.prompt, reason=reason, note=note, shown=seen)
            return desk.page(wnid, keys.form, written=told, faults=(str(error),), status=409)
        except (InputError, OSError) as error:
            return desk.page(
                wnid, keys.form, written=written, faults=(sentence_of(error),), status=422
            )
        return RedirectResponse(f"/class/{wnid}?kept=yes", status_code=303)

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


def guard(app: FastAPI, desk: Desk, keys: Keys) -> None:
    """Let nobody in but the person at this machine who was given the token."""
    origins = tuple(f"http://{host}" for host in keys.hosts)

    async def refusal(request: Request) -> Response | None:
        """Return the answer to a request that is refused, or nothing."""
        if request.headers.get("host") not in keys.hosts:
            return desk.sentence(f"This page answers at http://{keys.hosts[0]} alone.", 403)
        let_in = _same(request.cookies.get(keys.cookie_name, ""), keys.cookie)
        typed = ""
        if request.method not in ("GET", "HEAD"):
            if request.headers.get("origin") not in origins:
                return desk.sentence("A page of another site sent this: it was refused.", 403)
            if int(request.headers.get("content-length") or LARGEST_POST + 1) > LARGEST_POST:
                return desk.sentence("This is far longer than any prompt: it was not read.", 413)
            await request.body()  # kept for the form of the page itself
            form = await request.form()
            let_in = let_in and _same(str(form.get("token", "")), keys.form)
            typed = str(form.get("prompt", ""))
        if not let_in:
            return desk.sentence(
                "Open the address that `synset-factory review` printed: it lets you in.", 403, typed
            )
        return None

    @app.middleware("http")
    async def let_in(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        at_home = request.headers.get("host") in keys.hosts and request.method == "GET"
        if at_home and _same(request.query_params.get("token", ""), keys.entry):
            response: Response = RedirectResponse(request.url.path, status_code=303)
            # Lax: the browser comes from a file of ours. Posts need the form's token as well.
            response.set_cookie(keys.cookie_name, keys.cookie, httponly=True, samesite="lax")
        else:
            response = await refusal(request) or await call_next(request)
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cache-Control"] = "no-store"
        return response


def _same(given: str, right: str) -> bool:
    return secrets.compare_digest(given.encode(), right.encode())


def first_open(desk: Desk) -> str:
    """Return the worst class without a clarified prompt, or the worst of all."""
    try:
        clarified = {row["wnid"] for _, row in read_rows()[1]}
    except InputError:
        clarified = set()  # the page of any class says what is wrong
    return next((wnid for wnid in desk.order if wnid not in clarified), desk.order[0])


def likely_reason(entry: ReviewEntry) -> str:
    """Return the reason that the words suggest, for the person to correct."""
    if entry.same_name:
        return "near_equal_class"
    return {WORD: "homonym", SYNONYMS: "repetition"}.get(entry.cause, "too_general")


def suggestions(entry: ReviewEntry, taken: set[str]) -> list[str]:
    """Return prompts to begin with: CLIP's name, the first name with its kind, each other name.

    `taken` are those, in lower case, that the class may not have.
    """
    synset = entry.synset
    candidates = [
        synset.clip_name,
        f"{synset.lemmas[0]}, {synset.hypernym}",
        *(synset.lemmas if len(synset.lemmas) > 1 else []),
    ]
    return [each for each in dict.fromkeys(candidates) if each.lower() not in taken]


def sentence_of(error: Exception) -> str:
    """Return what a person is told of an error."""
    if isinstance(error, InputError):
        return str(error)
    return f"This did not succeed, and nothing was written: {error}."


def data_url(jpeg: bytes) -> str:
    """Return a picture that is part of the page itself: what was tried is stored nowhere."""
    return f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"
