"""Stage `code`: a fingerprint of the code that each stage runs.

Stages depend on their fingerprint instead of on source files: an edit of a comment or a
docstring reruns nothing, a change of what a stage imports reruns that stage.
"""

import ast
from hashlib import sha256
from pathlib import Path

import synset_factory
from synset_factory import layout
from synset_factory.config import load_common
from synset_factory.errors import run_main
from synset_factory.whole_files import write_text

PACKAGE = "synset_factory"
ROOT = Path(synset_factory.__file__).parent


def module_path(module: str) -> Path | None:
    """Return the file of one of our modules, or None for what is no module of ours."""
    parts = module.split(".")
    if parts[0] != PACKAGE:
        return None
    path = ROOT.joinpath(*parts[1:])
    if path.is_dir():
        return path / "__init__.py"
    path = path.with_suffix(".py")
    return path if path.exists() else None


def without_docstrings(tree: ast.Module) -> ast.Module:
    """Take the docstrings out of a syntax tree, which holds no comments anyway."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                    node.body = rest
    return tree


def imported_modules(tree: ast.Module) -> set[str]:
    """Return the names of our modules that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # `from package import name` may name a module or something inside one.
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if module_path(name)}


def code_of(module: str) -> dict[str, str]:
    """Return the bare source of a module and of all of ours that it imports, by module."""
    code: dict[str, str] = {}
    pending = [module]
    while pending:
        name = pending.pop()
        path = module_path(name)
        if path is None or name in code:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        pending += imported_modules(tree)
        if "." in name:
            pending.append(name.rpartition(".")[0])  # a package's __init__ runs as well
        # Unparsed rather than dumped: the dump's format changes between versions of Python.
        code[name] = ast.unparse(without_docstrings(tree))
    return code


def fingerprint(module: str) -> str:
    """Return a hex digest of the code that a module runs."""
    text = "\n".join(f"# {name}\n{source}" for name, source in sorted(code_of(module).items()))
    return sha256(text.encode()).hexdigest()


def stage_modules(world: str) -> dict[str, str]:
    """Return the module of every stage, by stage name: our own and the world's."""
    modules = {}
    for package in ("stages", f"worlds.{world}"):
        folder = ROOT.joinpath(*package.split("."))
        for path in sorted(folder.glob("*.py")):
            if not path.stem.startswith("__"):
                modules[path.stem] = f"{PACKAGE}.{package}.{path.stem}"
    return modules


def main() -> None:
    for stage, module in stage_modules(load_common().world).items():
        write_text(layout.code(stage), fingerprint(module) + "\n")


if __name__ == "__main__":
    run_main(main)
