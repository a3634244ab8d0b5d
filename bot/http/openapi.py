"""The description of the HTTP door at `/openapi.json`, made from the models that validate and the types that answer."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from adapters.types import Source
from bot.http.ask import Question
from bot.http.chat import ChatRequest
from bot.http.errors import STATUS

_REF = "#/components/schemas/"
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": (
        "With it the question is answered to its end, whoever disconnects, also across a crash; the same key joins it or returns "
        "its answer, another body under it is 422. Without it a disconnect ends the question."
    ),
}
_EVENTS = (
    "As `text/event-stream`: `position` {position, reason}, `step` {step}, `words` {text}, `restarted` {} (the words so far are "
    "void), and last `answer` (the whole Answer) or `error` (a Problem). Comments come in between as signs of life."
)


@cache
def openapi() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Grillon",
            "version": _version(),
            "license": {"name": "MIT", "identifier": "MIT"},
            "description": "A private assistant that answers from the household's own documents, with their sources.",
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "`grillon token create NAME` makes a token."}
            },
        },
    }


def _paths() -> dict[str, Any]:
    return {
        "/ask": {
            "post": _operation("ask", "Ask a question", _answers(), body="Question", parameters=[_KEY]),
            "get": _operation(
                "askByAddress", "Ask a question that fits into an address", _answers(), parameters=[*_query(), _KEY]
            ),
        },
        "/v1/models": {
            "get": _operation("models", "The one model, as OpenAI lists models", {"200": _json("The list", "Models")})
        },
        "/v1/models/grillon": {"get": _operation("model", "The one model", {"200": _json("The model", "Model")})},
        "/v1/chat/completions": {
            "post": _operation(
                "complete", "Ask as an OpenAI client does", {"200": _streamed("The answer", "Completion")}, body="ChatRequest"
            )
        },
        "/status": {"get": _operation("status", "What you may know of the house", {"200": _json("The status", "Status")})},
        "/metrics": {"get": _operation("metrics", "Metrics for Prometheus; the owner's alone", {"200": _text("The page")})},
        "/openapi.json": {"get": _operation("description", "This document", {"200": _json("The document", "Status")})},
        "/healthz": {method: _probe(f"{method}Alive", "Alive", {"200": _json("Alive", "Alive")}) for method in ("get", "head")},
        "/readyz": {
            method: _probe(
                f"{method}Ready", "Which parts are ready", {"200": _json("Ready", "Ready"), "503": _json("Not ready", "Ready")}
            )
            for method in ("get", "head")
        },
    }


def _operation(
    name: str, summary: str, answers: dict[str, Any], *, body: str | None = None, parameters: list[Any] | None = None
) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": name, "summary": summary, "parameters": parameters or []}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(body)}}}
    codes = ", ".join(sorted(STATUS))
    problems = {"401": _json("No valid token", "Problem"), "default": _json(f"Not answered. Codes: {codes}", "Problem")}
    return {**operation, "responses": {**answers, **problems}}


def _probe(name: str, summary: str, answers: dict[str, Any]) -> dict[str, Any]:
    return {"operationId": name, "summary": summary, "security": [], "responses": answers}


def _answers() -> dict[str, Any]:
    return {"200": _streamed(f"The answer. {_EVENTS}", "Answer")}


def _query() -> list[dict[str, Any]]:
    fields = Question.model_json_schema()["properties"]
    names = {"q": "question", **{name: name for name in fields if name != "question"}}
    return [
        {
            "name": name,
            "in": "query",
            "required": name == "q",
            "description": fields[field].get("description", ""),
            "schema": {key: value for key, value in fields[field].items() if key not in {"description", "title"}},
        }
        for name, field in names.items()
    ]


def _schemas() -> dict[str, Any]:
    _, made = models_json_schema([(Question, "validation"), (ChatRequest, "validation")], ref_template=_REF + "{model}")
    source = TypeAdapter(Source).json_schema(ref_template=_REF + "{model}")
    sources = {"type": "array", "items": _ref("Source")}
    text, number, whole, yes = {"type": "string"}, {"type": "number"}, {"type": "integer"}, {"type": "boolean"}
    named = {"type": "object", "additionalProperties": yes}
    answer = {
        "answer": text,
        "citations": {**sources, "description": "Passages that the answer names, by n."},
        "consulted": {**sources, "description": "Passages that were given to the model and not named."},
        "nearest": {**sources, "description": "What came closest, when nothing was found."},
        "refused": {**yes, "description": "Nothing relevant was found."},
        "cut": {**yes, "description": "Present and true: the answer ended at its length limit; /continue goes on."},
        "file": {**_object({"name": text, "text": text}), "description": "Present where one goes with the answer: /mydata."},
        "conversation": {"type": ["string", "null"]},
        "model": {"type": ["string", "null"]},
        "timings": {"type": "object", "additionalProperties": number, "description": "Seconds by step."},
    }
    error = {"type": "object", "required": ["code", "message"], "properties": {"code": text, "message": text}}
    model = {"id": text, "object": text, "created": whole, "owned_by": text}
    return {
        **made["$defs"],
        "Source": source,
        "Answer": _object(answer, but=frozenset({"cut", "file"})),
        "Problem": {"type": "object", "required": ["error"], "properties": {"error": error}},
        "Completion": {"type": "object", "description": "As OpenAI's, with `citations`: a list of Source."},
        "Model": _object(model),
        "Models": _object({"object": text, "data": {"type": "array", "items": _ref("Model")}}),
        "Status": {"type": "object"},
        "Alive": _object({"status": text}),
        "Ready": _object({"ready": yes, "parts": named}),
    }


def _object(properties: dict[str, Any], *, but: frozenset[str] = frozenset()) -> dict[str, Any]:
    return {"type": "object", "required": [name for name in properties if name not in but], "properties": properties}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _REF + name}


def _json(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _ref(schema)}}}


def _streamed(description: str, schema: str) -> dict[str, Any]:
    made = _json(description, schema)
    made["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    return made


def _text(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}


def _version() -> str:
    try:
        return version("grillon")
    except PackageNotFoundError:
        return "0"
