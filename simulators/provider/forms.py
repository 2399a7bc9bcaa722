"""Stripe's requests: form-encoded, with `metadata[order]=7`, `expand[]=latest_charge` or `expand[0]=…` for what is nested."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from simulators.provider.refusals import invalid

Form = dict[str, object]

_PARTS = re.compile(r"\[([^\[\]]*)\]")
MOST_FIELDS = 200


def read_form(text: str) -> Form:
    """The fields of a form or query; lists come as dictionaries by place, `metadata` as one by name.

    Raises:
        Refusal: it has too many fields, or one name is used as a value and as a group.
    """
    form: Form = {}
    pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    for name, value in pairs:
        head, *parts = [name.partition("[")[0], *_PARTS.findall(name)]
        _put(form, [head, *parts], value, name)
    return form


def _put(form: Form, path: list[str], value: str, name: str) -> None:
    group = form
    for part in path[:-1]:
        inner = group.setdefault(part, {})
        if not isinstance(inner, dict):
            raise invalid(f"Invalid {name}", param=name)
        group = inner
    last = path[-1] or str(len(group))
    group[last] = value


def text_of(form: Form, name: str) -> str | None:
    """A plain field; None where it is absent or empty.

    Raises:
        Refusal: it is a group.
    """
    value = form.get(name)
    if isinstance(value, dict):
        raise invalid(f"Invalid string: {name}", param=name)
    return str(value) if value not in (None, "") else None


def whole_number(form: Form, name: str) -> int | None:
    """A field that is a positive whole number; None where it is absent.

    Raises:
        Refusal: it is something else.
    """
    text = text_of(form, name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise invalid(f"Invalid integer: {text}", param=name, code="parameter_invalid_integer")
    return int(text)


def group_of(form: Form, name: str) -> dict[str, str]:
    """A group of plain fields, or a list's values by their place; empty where it is absent.

    Raises:
        Refusal: it is a plain field.
    """
    value = form.get(name, {})
    if not isinstance(value, dict):
        raise invalid(f"Invalid {name}: must be an object or array", param=name)
    return {str(key): str(inner) for key, inner in value.items() if inner != ""}


def only_known(form: Form, known: frozenset[str]) -> None:
    """Refuse what the operation does not know, as Stripe does.

    Raises:
        Refusal: there is such a field.
    """
    for name in form:
        if name not in known:
            raise invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")
