"""What can go wrong in knowledge work. Vendor errors are translated into these where they appear.

KnowledgeError
├── ModelError                     the model cannot answer now; the sentence for a person is chosen by `bot`
│   ├── ModelUnreachableError      nothing answers at the address
│   ├── ModelMissingError          the server runs, the model is not installed
│   ├── ModelUnfitError            the model cannot do this (no `completion`, no `embedding`, runs elsewhere)
│   ├── ModelBusyError             the server's own queue is full (503)
│   ├── ModelSlowError             a deadline passed: `step` is `load`, `first_token` or `next_token`
│   ├── PromptTooLongError         the server refused the prompt: over the window
│   └── ModelBrokenError           an error line, a cut stream, garbage, an internal error
├── IndexUnavailableError          the vector store is starting, rebuilding or broken
├── UnknownCollectionError         a question named a collection that its audience may not read, or that does not exist
└── UnreadableError                a file could not be read; `reason` is one sentence
"""

from __future__ import annotations


class KnowledgeError(Exception):
    """Any error of this package."""


class ModelError(KnowledgeError):
    """The model cannot answer now. `model` and `address` are what was asked; `detail` is the server's own word, bounded."""

    def __init__(self, detail: str, *, model: str = "", address: str = "") -> None:
        super().__init__(detail[:500])
        self.model = model
        self.address = address


class ModelUnreachableError(ModelError):
    """Nothing answers at the address."""


class ModelMissingError(ModelError):
    """The server runs, the model is not installed."""


class ModelUnfitError(ModelError):
    """The model cannot do this: no `completion`, no `embedding`, or it runs elsewhere."""


class ModelBusyError(ModelError):
    """The server's own queue is full."""


class ModelSlowError(ModelError):
    """A deadline passed."""

    def __init__(self, detail: str, *, step: str, model: str = "", address: str = "") -> None:
        super().__init__(detail, model=model, address=address)
        self.step = step


class PromptTooLongError(ModelError):
    """The server refused the prompt: it is over the model's window."""


class ModelBrokenError(ModelError):
    """An error line, a stream cut short, garbage, or an internal error of the server."""


class IndexUnavailableError(KnowledgeError):
    """The vector store is starting, rebuilding or broken."""


class UnknownCollectionError(KnowledgeError):
    """A question named a collection that its audience may not read, or that does not exist: nobody learns which."""


class UnreadableError(KnowledgeError):
    """A file could not be read. `reason` is one sentence for the index report."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
