"""Every refusal leaves as an RFC 9457 problem document (application/problem+json)."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException

from cloud.errors import CloudError, LostRace, NotReady, Refused, problem

LOG = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"


def install_problems(app: FastAPI) -> None:
    """Answer errors of `app` with problem documents."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(CloudError, _cloud)
    app.add_exception_handler(OperationalError, _database)
    app.add_exception_handler(PoolTimeout, _database)
    app.add_exception_handler(Exception, _unexpected)


def _answer(
    request: Request, document: dict[str, object], headers: dict[str, str] | None = None
) -> JSONResponse:
    request_id = request.scope.get("state", {}).get("request_id")
    if request_id:
        document["instance"] = f"urn:request:{request_id}"
    return JSONResponse(
        document, status_code=int(str(document["status"])), media_type=MEDIA_TYPE, headers=headers
    )


def _invalid(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    errors = tuple(
        {
            "field": ".".join(str(part) for part in found["loc"]),
            "problem": str(found["msg"]),
            "fix": _fix(found["type"], found.get("ctx", {})),
        }
        for found in error.errors()
    )
    fields = ", ".join(found["field"] for found in errors)
    detail = f"wrong or missing: {fields}"
    return _answer(request, problem(status=422, title="Not valid", detail=detail, errors=errors))


def _fix(kind: str, context: dict[str, object]) -> str:
    if kind == "missing":
        return "send this field"
    bounds = ", ".join(f"{name} {value}" for name, value in sorted(context.items()) if name != "error")
    return f"keep to {bounds}" if bounds else f"send a value that is no {kind.replace('_', ' ')}"


def _http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    document = problem(status=error.status_code, title=str(error.detail), detail=str(error.detail))
    return _answer(request, document, dict(error.headers or {}))


def _cloud(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, CloudError):
        raise error
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    detail = str(error) or (type(error).__doc__ or "")
    if not isinstance(error, Refused) or error.field is None:
        return _answer(request, problem(status=error.status, title=error.title, detail=detail), headers)
    named = {"field": error.field, "problem": error.detail, "fix": error.fix or ""}
    document = problem(status=error.status, title=error.title, detail=detail, errors=(named,))
    if isinstance(error, LostRace):
        document |= {"reason": error.reason, "alternatives": list(error.alternatives)}
    return _answer(request, document, headers)


def _database(request: Request, error: Exception) -> JSONResponse:
    LOG.error("the database does not answer", error=str(error))
    document = problem(status=NotReady.status, title=NotReady.title, detail="the database does not answer")
    return _answer(request, document, {"Retry-After": "5"})


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    LOG.error("request failed", error=repr(error))
    return _answer(
        request, problem(status=500, title="Internal error", detail="the request failed; it is logged")
    )
