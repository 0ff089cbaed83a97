"""Fingerprints of code: which sources and versions a result depends on."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import threading
from importlib.metadata import version
from pathlib import Path

PACKAGE = "mnist_models"
NUMERIC_PACKAGES = ("tensorflow", "keras", "numpy")

_parser = threading.Lock()  # CPython's, up to 3.11, counts its recursion over all threads and fails (issue 106905)


@functools.cache
def code_fingerprint(*modules: str) -> str:
    """Returns the SHA-256 of some modules of this package, of all they import from it, and of the numeric packages.

    Comments, docstrings and layout do not count: only a change of what is computed makes another fingerprint.

    Args:
        *modules: Names below `mnist_models`, as "cnn".

    Raises:
        ModuleNotFoundError: If there is no such module.
    """
    with _parser:
        sources = {name: _statements(name) for name in _closure(modules)}
    return hashlib.sha256(repr((sorted(sources.items()), versions())).encode()).hexdigest()


@functools.cache
def versions() -> tuple[tuple[str, str], ...]:
    """Returns (package, version) of the packages whose release can change a number."""
    return tuple((package, version(package)) for package in NUMERIC_PACKAGES)


def _closure(modules: tuple[str, ...]) -> set[str]:
    """The modules and everything of this package that they import, directly or not."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_imports(name))
    return found


def _source(name: str) -> Path:
    spec = importlib.util.find_spec(f"{PACKAGE}.{name}")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"Expected a module of {PACKAGE}. Received: {name!r}")
    return Path(spec.origin)


def _imports(name: str) -> frozenset[str]:
    return _parsed(_source(name).read_bytes())[0]


def _statements(name: str) -> str:
    return _parsed(_source(name).read_bytes())[1]


@functools.cache
def _parsed(source: bytes) -> tuple[frozenset[str], str]:
    """The modules of this package that a source imports, and its syntax tree as text, without docstrings."""
    tree = ast.parse(source)
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
            found.add(str(node.module).removeprefix(f"{PACKAGE}."))
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                body.pop(0)
    return frozenset(found), ast.dump(tree)
