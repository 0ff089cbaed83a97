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
TRIES = 20  # Prefect and TensorFlow parse, too

_parser = threading.Lock()  # CPython's, up to 3.11, counts its recursion over all threads and fails (issue 106905)


@functools.cache
def code_fingerprint(*modules: str) -> str:
    """Returns the SHA-256 of some modules of this package, of all they import from it, and of the numeric packages.

    Only what is computed counts: not comments, docstrings or layout, nor where a module lies and what it is called. In
    a module's statements, each import of this package stands as the fingerprint of what is imported.

    Args:
        *modules: Names below `mnist_models`, as "networks.cnn".

    Raises:
        ModuleNotFoundError: If there is no such module.
        ValueError: If modules import each other in a circle.
    """
    with _parser:
        known: dict[str, str] = {}
        found = sorted(_module_fingerprint(f"{PACKAGE}.{name}", known) for name in modules)
    return _sha256(repr((found, versions())))


@functools.cache
def versions() -> tuple[tuple[str, str], ...]:
    """Returns (package, version) of the packages whose release can change a number."""
    return tuple((package, version(package)) for package in NUMERIC_PACKAGES)


def _module_fingerprint(name: str, known: dict[str, str], importers: tuple[str, ...] = ()) -> str:
    """That of a module by its full name; `known` holds what was computed before."""
    if name in importers:
        raise ValueError(f"Expected modules without a circle. Received: {' → '.join((*importers, name))}")
    if name not in known:
        statements, imports = _parsed(_source(name).read_bytes())
        modules = [sorted({_imported_module(package, alias) for alias in names}) for package, names in imports]
        imported = [[_module_fingerprint(module, known, (*importers, name)) for module in each] for each in modules]
        known[name] = _sha256(repr((statements, imported)))
    return known[name]


@functools.cache
def _parsed(source: bytes) -> tuple[str, list[tuple[str, list[str]]]]:
    """A module's syntax tree as text, without docstrings, and what its imports of this package name, taken out of it.

    Raises:
        SystemError: If other threads parsed at the same moment, again and again (CPython's issue 106905).
    """
    for left in reversed(range(TRIES)):
        try:
            tree = ast.parse(source)
            break
        except SystemError:
            if not left:
                raise
    imports = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and _is_ours(node.module):
            imports.append((str(node.module), [alias.name for alias in node.names]))
            node.module = None
        _remove_docstring(node)
    return ast.dump(tree), imports


def _source(name: str) -> Path:
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"Expected a module of {PACKAGE}. Received: {name!r}")
    return Path(spec.origin)


def _is_ours(module: str | None) -> bool:
    return module == PACKAGE or (module or "").startswith(f"{PACKAGE}.")


def _imported_module(package: str, name: str) -> str:
    """Which module `from package import name` reads: a module of the package, or the module that has the name."""
    return f"{package}.{name}" if _source(package).name == "__init__.py" else package


def _remove_docstring(node: ast.AST) -> None:
    body = getattr(node, "body", None)
    if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
        value = body[0].value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            body.pop(0)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
