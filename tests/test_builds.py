"""Which build runs, and what may be compiled at all."""

import ast
import hashlib
import importlib
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from kobza.builds import PURE_VARIABLE, Build, choose
from tools.compiled_build import ROOT, SOURCES, listed, modules

CODE = "value = 'of the source'\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with a source and beside it an extension module, which does not load: so one sees that it was tried."""
    folder = tmp_path / "builds_example"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "thing.py").write_text(CODE)
    (folder / f"thing{sysconfig.get_config_var('EXT_SUFFIX')}").write_text("not a library")
    (folder / "compiled.sha256").write_text(f"{hashlib.sha256(CODE.encode()).hexdigest()}  thing.py\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "path_hooks", [*sys.path_hooks])
    monkeypatch.delenv(PURE_VARIABLE, raising=False)
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == folder.name]:
        del sys.modules[name]
    sys.path_importer_cache.pop(str(folder), None)


def imported() -> object:
    return importlib.import_module("builds_example.thing").value


def test_a_compiled_module_comes_before_its_source(package: Path) -> None:
    assert choose(package / "compiled.sha256") is Build.COMPILED
    with pytest.raises(ImportError, match=r"invalid ELF|file too short|not a mach-o"):
        imported()


def test_the_source_comes_first_when_a_variable_says_so(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PURE_VARIABLE, "1")
    assert choose(package / "compiled.sha256") is Build.ASKED_FOR
    assert imported() == "of the source"


@pytest.mark.parametrize("value", ["", "0"])
def test_the_variable_can_say_no(package: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(PURE_VARIABLE, value)
    assert choose(package / "compiled.sha256") is Build.COMPILED


def test_what_was_compiled_from_an_older_source_is_passed_over(package: Path) -> None:
    (package / "thing.py").write_text(CODE.replace("the source", "the newer source"))
    assert choose(package / "compiled.sha256") is Build.STALE
    assert imported() == "of the newer source"


def test_a_source_that_is_gone_has_changed_too(package: Path) -> None:
    (package / "thing.py").unlink()
    assert choose(package / "compiled.sha256") is Build.STALE


def test_without_a_list_nothing_was_compiled(package: Path) -> None:
    assert choose(package / "nothing.sha256") is Build.NEVER_COMPILED


@pytest.mark.parametrize("source", listed(), ids=str)
def test_a_module_that_is_compiled_has_nothing_that_the_compiler_gets_wrong(source: Path) -> None:
    tree = ast.parse((ROOT / SOURCES / source).read_text())
    later = names_for_the_type_checker_alone(tree)
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(bases=bases, keywords=keywords):
                struct = {ast.unparse(base) for base in bases} & {"Struct", "msgspec.Struct"}
                assert not (keywords and struct), f"{node.name} loses its keywords: inherit from kobza.values.Value"
                fields = {name for field in node.body if isinstance(field, ast.AnnAssign) for name in names_in(field)}
                values = struct or any(ast.unparse(base) in ("Value", "Leaf", "Key") for base in bases)
                assert not (values and fields & later), f"{node.name} needs {fields & later} before they are there"
            case ast.AnnAssign(annotation=ast.Name("Final"), value=ast.Tuple(elts=elements)):
                floats = [one for one in elements if isinstance(one, ast.Constant) and isinstance(one.value, float)]
                assert not floats, f"{ast.unparse(node.target)} would be unset: say Final[Sequence[float]]"
            case ast.FunctionDef():
                caught = {(one.name, ast.unparse(one.type)) for one in handlers_in(node) if one.name and one.type}
                assert len(caught) == len({name for name, _ in caught}), f"{node.name} catches two kinds as one name"
                twice = captured_in(node) & assigned_in(node)
                assert not twice, f"{node.name} gives {twice} by a pattern and by an assignment: the name has one type"
            case ast.Attribute(attr="_thread"):
                pytest.fail("the compiler makes of the name _thread a word of C")
            case ast.Constant(value=str(text)):
                assert not re.search("[\ud800-\udfff]", text), "write the escape of a surrogate in a raw string"


def names_for_the_type_checker_alone(tree: ast.Module) -> set[str]:
    """Return what is imported below `if TYPE_CHECKING`."""
    blocks = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name for node in imports for alias in node.names}


def names_in(field: ast.AnnAssign) -> set[str]:
    return {node.id for node in ast.walk(field.annotation) if isinstance(node, ast.Name)}


def captured_in(function: ast.FunctionDef) -> set[str]:
    return {node.name for node in ast.walk(function) if isinstance(node, ast.MatchAs) and node.name is not None}


def assigned_in(function: ast.FunctionDef) -> set[str]:
    targets = [target for node in ast.walk(function) if isinstance(node, ast.Assign) for target in node.targets]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def handlers_in(function: ast.FunctionDef) -> Iterator[ast.ExceptHandler]:
    return (node for node in ast.walk(function) if isinstance(node, ast.ExceptHandler))


def test_nothing_that_is_decoded_is_compiled() -> None:
    """The compiler writes `type` into a class where the field's type is more than a name, and msgspec believes it."""
    decoded = {where for path in (ROOT / SOURCES).rglob("*.py") for where in decoded_in(path)}
    assert {"kobza/call/heard.py", "kobza/store/messages.py"} <= decoded
    assert not decoded & {str(source) for source in listed()}


def decoded_in(path: Path) -> Iterator[str]:
    """Yield the modules of the structs that a module decodes."""
    text = path.read_text()
    names = {name for pair in re.findall(r"Decoder\((\w+)\)|decode\(.*type=(?:list\[)?(\w+)", text) for name in pair}
    for node in ast.parse(text).body if names else ():
        if isinstance(node, ast.ClassDef) and node.name in names:
            yield str(path.relative_to(ROOT / SOURCES))
        elif isinstance(node, ast.ImportFrom) and node.module and names & {alias.name for alias in node.names}:
            yield node.module.replace(".", "/") + ".py"


def test_a_list_that_names_nothing_is_refused() -> None:
    with pytest.raises(SystemExit, match=r"src/kobza/sip/gone\.py"):
        modules(["src/kobza/sip/*.py", "src/kobza/sip/gone.py"])


def test_what_is_taken_from_the_list_again_is_not_in_it() -> None:
    assert modules(["src/kobza/sip/me*.py", "!src/kobza/sip/message.py"]) == []
