"""From what a request carries to what an operation takes: query and body put together.

Parameters of a GET or DELETE come in the query, and what the query lacks from a body; those of
a POST or PUT come in the body, and what the body lacks from the query. A list may come as a
single item, as a form, or as parameters that repeat.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from vpbx.api.body import Payload, query_pairs, query_values, read_form
from vpbx.api.errors import field_errors, refuse_fields

__all__ = ["Parameters"]


class Parameters:
    """Reads the parameters of one operation into its model.

    `model` is a request model, a list of them, or a list of texts; `item` is what a text of
    such a list is called where it comes under a name (`user` in `?user=olga&user=702`).
    """

    def __init__(self, model: Any, *, query_first: bool, item: str = "") -> None:
        self._adapter: TypeAdapter[Any] = TypeAdapter(model)
        self._query_first = query_first
        self._takes_list = get_origin(model) is list
        self._item = item
        of = get_args(model)[0] if self._takes_list else model
        is_model = isinstance(of, type) and issubclass(of, BaseModel)
        self._fields = _fields(of) if is_model else ((item, True),)
        self._of_texts = not is_model

    def read(self, query_string: bytes, payload: Payload) -> Any:
        """Return the model, filled; ApiError 400 names the fields that are wrong."""
        if self._query_first:
            value, lenient = self._from_query(query_string, payload.value), payload.is_form
        elif self._takes_list:
            value, lenient = self._list(query_string, payload)
        else:
            value, lenient = self._from_body(query_string, payload)
        try:
            return self._adapter.validate_python(value, context={"form": lenient})
        except ValidationError as error:
            raise refuse_fields(*field_errors(error)) from None

    def _from_query(self, query_string: bytes, body: Any) -> dict[str, Any]:
        """Return each parameter from the query, or from the body where the query lacks it."""
        values = query_values(query_string)
        if isinstance(body, list):  # whom to take from a list, as a list
            body = {name: body for name, is_list in self._fields if is_list}
        found: dict[str, Any] = {}
        for name, is_list in self._fields:
            given = [value for value in values.get(name, ()) if value]
            if given:
                found[name] = given if is_list else given[-1]
            elif isinstance(body, dict) and name in body:
                found[name] = body[name]
        return found

    def _from_body(self, query_string: bytes, payload: Payload) -> tuple[Any, bool]:
        """Return the body, and what it lacks from the query; and whether it is like a form."""
        body = payload.value
        if not isinstance(body, dict):
            return body, False
        is_form = payload.is_form or not body
        if payload.is_form:
            body = self._unfolded(payload)
        if query_string:
            asked = read_form(query_pairs(query_string))
            rest = self._unfolded(asked)
            body = {**{k: v for k, v in rest.items() if body.get(k) is None}, **_sent(body)}
        return body, is_form

    def _unfolded(self, form: Payload) -> dict[str, Any]:
        """Return a form with all values of a list that repeats, and JSON texts as what they say."""
        found = dict(form.value)
        for name, is_list in self._fields:
            if is_list and name in form.repeated:
                found[name] = form.repeated[name]
            elif isinstance(found.get(name), str):
                found[name] = _unpacked(found[name])
        return found

    def _list(self, query_string: bytes, payload: Payload) -> tuple[Any, bool]:
        """Return a list from a list, a single item, a form, or the query."""
        value = payload.value
        if isinstance(value, list):
            return value, False
        form = payload if payload.is_form else None
        if not value and query_string:
            form = read_form(query_pairs(query_string))
        if form is None:
            if self._of_texts and value:
                value = value.get(self._item, value)
                return (value if isinstance(value, list) else [value]), False
            return ([value] if value else value), False
        if form.value and all(name.isdigit() for name in form.value):
            return list(form.value.values()), True  # PHP writes a list so
        if self._of_texts:
            found = form.repeated.get(self._item) or form.value.get(self._item, form.value)
            return (found if isinstance(found, list) else [found]), True
        return self._objects(form), True

    def _objects(self, form: Payload) -> list[dict[str, Any]]:
        """Return as many objects as the most repeated parameter has values."""
        count = max((len(values) for values in form.repeated.values()), default=1)
        items: list[dict[str, Any]] = []
        for index in range(count):
            item = dict(form.value)
            for name, values in form.repeated.items():
                item[name] = values[min(index, len(values) - 1)]
            items.append(item)
        return items


def _sent(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def _unpacked(text: str) -> Any:
    """Return what a JSON object or array says that came as a text of a form."""
    if text[:1] not in "{[" or text == "":
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _fields(model: type[BaseModel]) -> tuple[tuple[str, bool], ...]:
    """Return (name outside, is it a list) of each field of a model."""
    return tuple((info.alias or name, _is_list(info)) for name, info in model.model_fields.items())


def _is_list(info: FieldInfo) -> bool:
    kinds: Iterable[Any] = (info.annotation, *get_args(info.annotation))
    return any(get_origin(kind) is list for kind in kinds)
