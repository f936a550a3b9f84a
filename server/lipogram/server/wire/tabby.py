"""What Tabby's plug-ins send, and what they are answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lipogram.server.wire.common import CursorOptions, Refused, Reply, Request, Seed, StreamOptions


class Snippet(Request):
    """A piece of another file."""

    filepath: str
    body: str
    score: float | None = None


class Segments(Request):
    """Tabby's document: what is before and behind the cursor; pieces of other files."""

    prefix: str
    suffix: str | None = None
    filepath: str | None = None
    git_url: str | None = None
    declarations: list[Snippet] | None = None
    relevant_snippets_from_changed_files: list[Snippet] | None = None
    relevant_snippets_from_recently_opened_files: list[Snippet] | None = None
    clipboard: str | None = None


class TabbyRequest(CursorOptions):
    """Tabby's `/v1/completions`, which is OpenAI's path: `segments` tells it apart."""

    segments: Segments
    language: str | None = None
    user: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    seed: Seed | None = None
    mode: Literal["standard"] | None = None
    debug_options: Refused = None

    @property
    def stream(self) -> bool | None:
        """Tabby has no streams."""
        return False

    @property
    def stream_options(self) -> StreamOptions | None:
        """Tabby has no streams."""
        return None


class TabbyChoice(Reply):
    """A middle."""

    index: int
    text: str


class TabbyReply(Reply):
    """Tabby's answer, which is never streamed."""

    id: str
    choices: list[TabbyChoice]
    mode: Literal["standard"] = "standard"


class TabbyVersion(Reply):
    """What Tabby calls its build."""

    build_date: str
    build_timestamp: str
    git_sha: str
    git_describe: str


class TabbyHealth(Reply):
    """Tabby's `/v1/health`."""

    model: str
    chat_model: str
    device: str
    arch: str
    cpu_info: str
    cpu_count: int
    cuda_devices: list[str]
    version: TabbyVersion
