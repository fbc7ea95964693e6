"""A fingerprint of the code that a module runs: of what it reaches, not of all that lies beside it.

A definition counts if it is named in what counts already, so a new function or a new path in a
module that every stage imports reruns no stage that does not use it. Comments, docstrings and
layout count nowhere.
"""

import ast
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import synset_factory

PACKAGE = "synset_factory"
ROOT = Path(synset_factory.__file__).parent

Import = ast.Import | ast.ImportFrom


def fingerprint(*modules: str) -> str:
    """Return a hex digest of the code that modules run; the same with every version of Python."""
    code = sorted(reached_code(*modules).items())
    return sha256(repr(code).encode()).hexdigest()


def reached_code(*modules: str) -> dict[str, list[str]]:
    """Return what modules reach, by module of ours: statements in the order of lines."""
    reach = _Reach()
    for module in modules:
        reach.add_all(module)
    return {
        name: [_dump(each) for each in reach.modules[name].body if each in reached]
        for name, reached in reach.reached.items()
    }


def _dump(node: object) -> str:
    """Write a syntax tree out. Python's own ways, ast.dump and ast.unparse, differ by version."""
    if isinstance(node, list):
        return f"[{','.join(map(_dump, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, getattr(node, name, None)) for name in node._fields if name != "kind"]
    # What is empty is left out: later versions bring fields that older code has nothing for.
    told = [f"{name}={_dump(value)}" for name, value in fields if value not in (None, [])]
    return f"{type(node).__name__}({','.join(told)})"


@dataclass(frozen=True)
class _Module:
    body: list[ast.stmt]

    @cached_property
    def definitions(self) -> dict[str, list[ast.stmt]]:
        """The statements of the top level that give a name its value."""
        found: defaultdict[str, list[ast.stmt]] = defaultdict(list)
        for statement in self.body:
            for name in _defined(statement):
                found[name].append(statement)
        return found

    @cached_property
    def effects(self) -> list[ast.stmt]:
        """The statements that an import runs whether or not anything is named."""
        return [each for each in self.body if not _defined(each) and not _is_main_block(each)]


@dataclass
class _Reach:
    """What is reached so far: statements of the top level, by module."""

    reached: defaultdict[str, set[ast.stmt]] = field(default_factory=lambda: defaultdict(set))
    modules: dict[str, _Module] = field(default_factory=dict)

    def add_all(self, module: str) -> None:
        """All of a module counts: it is run, or handed on as a whole."""
        self._open(module)
        for statement in self.modules[module].body:
            self._add_statement(module, statement)

    def add_name(self, module: str, name: str) -> None:
        """A name of a module counts, which may be a module itself."""
        if module_path(f"{module}.{name}"):
            self.add_all(f"{module}.{name}")
            return
        self._open(module)
        self._use(module, name)

    def _open(self, module: str) -> None:
        """Importing a module runs its effects, its packages, and whatever it imports in turn."""
        if module in self.modules:
            return
        self.modules[module] = _parse(module)
        if "." in module:
            self.add_all(module.rpartition(".")[0])
        for statement in self.modules[module].body:
            if isinstance(statement, Import):
                self._open_imported(statement)
        for statement in self.modules[module].effects:
            self._add_statement(module, statement)

    def _open_imported(self, statement: Import) -> None:
        for source, name in _imports(statement).values():
            for module in (source, f"{source}.{name}"):
                if module_path(module):
                    self._open(module)

    def _add_statement(self, module: str, statement: ast.stmt) -> None:
        if statement in self.reached[module]:
            return
        self.reached[module].add(statement)
        # An import at the top counts for the names of it that are used, one in a function for all.
        if not isinstance(statement, Import):
            self._follow(module, statement)

    def _follow(self, module: str, node: ast.AST) -> None:
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                imported = self._module_named(module, name)
                if imported is None:
                    self._use(module, name)
                else:
                    self._add_imports(module, name)
                    self.add_name(imported, attribute)
            case ast.Name(id=name):
                self._use(module, name)
            case ast.Import() | ast.ImportFrom():
                for source, part in _imports(node).values():
                    self._add_imported(source, part)
            case _:
                for child in ast.iter_child_nodes(node):
                    self._follow(module, child)

    def _use(self, module: str, name: str) -> None:
        """A name stands in code that counts: what gives it its value counts as well."""
        for statement in self.modules[module].definitions.get(name, []):
            self._add_statement(module, statement)
            if isinstance(statement, Import):
                self._add_imported(*_imports(statement)[name])

    def _add_imports(self, module: str, name: str) -> None:
        """The import that binds a name counts, but not all that it brings."""
        for statement in self.modules[module].definitions[name]:
            self.reached[module].add(statement)

    def _add_imported(self, source: str, name: str | None) -> None:
        if module_path(source):
            if name is None:
                self.add_all(source)
            else:
                self.add_name(source, name)

    def _module_named(self, module: str, name: str) -> str | None:
        """Return the module of ours for which a name of the top level stands, if it does."""
        for statement in self.modules[module].definitions.get(name, []):
            if isinstance(statement, Import):
                full = ".".join(part for part in _imports(statement)[name] if part)
                if module_path(full):
                    return full
        return None


def module_path(module: str) -> Path | None:
    """Return the file of one of our modules, or None for what is no module of ours."""
    parts = module.split(".")
    if parts[0] != PACKAGE:
        return None
    path = ROOT.joinpath(*parts[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return path if path.exists() else None


def _parse(module: str) -> _Module:
    path = module_path(module)
    assert path is not None, module
    tree = ast.parse(path.read_text(encoding="utf-8"))
    # One name a statement, so that an import counts for what of it is used.
    return _Module([part for each in _without_docstrings(tree).body for part in _split(each)])


def _split(statement: ast.stmt) -> list[ast.stmt]:
    if isinstance(statement, ast.Import):
        return [ast.Import(names=[alias]) for alias in statement.names]
    if isinstance(statement, ast.ImportFrom):
        return [
            ast.ImportFrom(module=statement.module, names=[alias], level=statement.level)
            for alias in statement.names
        ]
    return [statement]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    """Take the docstrings out of a syntax tree, which holds no comments anyway."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                    node.body = rest
    return tree


def _imports(statement: Import) -> dict[str, tuple[str, str | None]]:
    """Return what each name of an import stands for: (module, name in it or None).

    Raises ValueError for a form of import that is not followed here, so that none is overlooked.
    """
    text = ast.unparse(statement)
    if isinstance(statement, ast.ImportFrom) and (statement.level or text.endswith("import *")):
        raise ValueError(f"write every name, and its module in full, instead of `{text}`")
    if isinstance(statement, ast.Import):
        for each in statement.names:
            if each.name.startswith(f"{PACKAGE}.") and not each.asname:
                raise ValueError(f"write `from ... import ...` instead of `{text}`")
        # `import a.b` binds `a`, `import a.b as c` binds the inner one.
        return {
            alias.asname or alias.name.partition(".")[0]: (alias.name, None)
            for alias in statement.names
        }
    source = statement.module or ""
    return {alias.asname or alias.name: (source, alias.name) for alias in statement.names}


def _defined(statement: ast.stmt) -> set[str]:
    """Return the names to which a statement of the top level gives a value, and does no more."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import() | ast.ImportFrom():
            return set(_imports(statement))
        case ast.Assign(targets=targets) if all(isinstance(each, ast.Name) for each in targets):
            return {each.id for each in targets if isinstance(each, ast.Name)}
        case ast.Assign(targets=[ast.Tuple(elts=parts)]) if all(
            isinstance(each, ast.Name) for each in parts
        ):
            return {each.id for each in parts if isinstance(each, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
    return set()


def _is_main_block(statement: ast.stmt) -> bool:
    """Tell whether a statement is `if __name__ == "__main__"`, which no import runs."""
    match statement:
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
    return False
