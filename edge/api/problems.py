"""What the local API answers when something is wrong: an RFC 9457 problem that names the field and the fix."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from edge.api.desk import LaneUnknown

MEDIA_TYPE = "application/problem+json"

# What to do about each kind of pydantic error that our bodies can raise; {limits} are filled in from its context.
FIXES = {
    "missing": "Add it.",
    "extra_forbidden": "Leave it out.",
    "json_invalid": "Send one JSON object, as application/json.",
    "model_attributes_type": "Send one JSON object, as application/json.",
    "dict_type": "Send one JSON object, as application/json.",
    "string_type": "Send a text.",
    "string_too_long": "Use at most {max_length} characters.",
    "string_too_short": "Use at least {min_length} characters.",
    "string_pattern_mismatch": "Leave control characters out.",
    "enum": "Use one of {expected}.",
    "float_type": "Send a number.",
    "float_parsing": "Send a number.",
    "datetime_type": "Send an instant with its offset, such as 2026-11-24T14:00:00Z.",
    "datetime_parsing": "Send an instant with its offset, such as 2026-11-24T14:00:00Z.",
    "datetime_from_date_parsing": "Send an instant with its offset, such as 2026-11-24T14:00:00Z.",
    "timezone_aware": "Send an instant with its offset, such as 2026-11-24T14:00:00Z.",
    "finite_number": "Send a finite number.",
    "greater_than_equal": "Use {ge} or more.",
    "less_than_equal": "Use {le} or less.",
}
# The same for what the framework refuses by itself: the field, and the fix.
OF_HTTP = {
    400: ("body", "Send one JSON object, as application/json in UTF-8."),
    404: ("path", "See /api/v1/openapi.json for what there is."),
    405: ("method", "See /api/v1/openapi.json for what there is."),
}
TITLES = {
    400: "Not understood",
    401: "Who is asking?",
    403: "Not allowed",
    404: "Not here",
    405: "Not this way",
}


class Problem(HTTPException):
    """A request that is not carried out, and why. `kind` is a word for machines, `field` and `fix` are for the caller."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        field: str | None = None,
        fix: str | None = None,
        headers: Mapping[str, str] | None = None,
        **more: object,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.kind = kind
        self.document = {"detail": detail, "field": field, "fix": fix, **more}


def answer_with_problems(app: FastAPI, count: Callable[[str], None]) -> None:
    """Make every error of `app` a problem document; `count` is told the kind of each."""

    async def known(_request: Request, problem: Exception) -> JSONResponse:
        if isinstance(problem, Problem):
            return _document(problem.status_code, problem.kind, problem.document, problem.headers)
        if isinstance(problem, LaneUnknown):
            return _document(404, "lane_unknown", _lane_unknown(problem))
        if isinstance(problem, RequestValidationError):
            return _document(422, "malformed", _malformed(problem))
        if isinstance(problem, HTTPException):
            field, fix = OF_HTTP.get(problem.status_code, (None, None))
            document = {"detail": problem.detail, "field": field, "fix": fix}
            return _document(
                problem.status_code, "malformed" if field == "body" else "http", document, problem.headers
            )
        return _document(
            500, "bug", {"detail": "The agent met something it did not expect; its log has the trace."}
        )

    def _document(
        status: int, kind: str, document: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> JSONResponse:
        count(kind)
        stated = {name: value for name, value in document.items() if value is not None}
        body = {
            "type": f"urn:lotgate:problem:{kind}",
            "title": TITLES.get(status, "Not done"),
            "status": status,
            **stated,
        }
        return JSONResponse(body, status, headers, media_type=MEDIA_TYPE)

    for error in (HTTPException, LaneUnknown, RequestValidationError, Exception):
        app.add_exception_handler(error, known)


def _lane_unknown(error: LaneUnknown) -> dict[str, object]:
    return {"detail": str(error), "field": "lane", "fix": "Use the id of a lane of lot.toml."}


def _malformed(error: RequestValidationError) -> dict[str, object]:
    """The first error in the fields of the document, all of them (at most ten) in `errors`."""
    errors = [
        {
            "field": ".".join(str(part) for part in one["loc"] if part != "body") or "body",
            "problem": str(one["msg"]),
            "fix": _fix(str(one["type"]), one.get("ctx") or {}),
        }
        for one in error.errors()[:10]
    ]
    first = errors[0]
    return {
        "detail": f"{first['field']}: {first['problem']}",
        "field": first["field"],
        "fix": first["fix"],
        "errors": errors,
    }


def _fix(kind: str, context: Mapping[str, object]) -> str:
    return FIXES.get(kind, "See /api/v1/openapi.json for what is expected.").format_map(_Stated(context))


class _Stated(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return key
