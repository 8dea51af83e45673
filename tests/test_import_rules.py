"""The import rules of the design: one way, nothing heavy at the top, Gradio in one place."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runners.catalogue.rows import RUNNERS

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("runners", "comparisons", "ui", "app")
"""From the bottom up: each may import itself and what is below it."""

HEAVY = {
    "torch", "transformers", "librosa", "ctranslate2", "faster_whisper", "av", "soundfile", "soxr", "scipy",
    "moonshine_voice", "pocketsphinx", "huggingface_hub", "safetensors", "accelerate", "peft", "numba", "spaces", "openai",
}  # fmt: skip
"""Imported inside functions only."""

NOT_IN_THE_PAGE = (
    "torch",
    "transformers",
    "librosa",
    "ctranslate2",
    "faster_whisper",
    "av",
    "moonshine_voice",
    "pocketsphinx",
    "openai",
)
"""Never in the page's own process once ``app`` is imported."""

CONCRETE = {spec.target.partition(":")[0] for spec in RUNNERS}
SHARED_BY_RUNNERS = {"base", "audio", "prompts", "networks", "scripts", "remote", "dialects"}
"""What a concrete runner may import of ``runners``: the seam, and what no runner is by itself."""


def sources() -> list[Path]:
    found = [ROOT / "app.py"] if (ROOT / "app.py").exists() else []
    for layer in LAYERS[:-1]:
        found += sorted((ROOT / layer).rglob("*.py"))
    return found


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, *, anywhere: bool = True) -> Iterator[str]:
    """Dotted names that a file imports; without ``anywhere`` only those that importing the file itself runs."""
    tree = ast.parse(path.read_text("utf-8"), str(path))
    nodes = ast.walk(tree) if anywhere else _at_the_top(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: write whole names, not relative ones"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def _at_the_top(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from (inner for part in child.orelse for inner in ast.walk(part))
            continue
        yield child
        yield from _at_the_top(child)


def layer_of(name: str) -> str:
    return name.partition(".")[0]


def ids(path: Path) -> str:
    return module_name(path)


@pytest.mark.parametrize("path", sources(), ids=ids)
def test_imports_go_one_way(path: Path) -> None:
    mine = LAYERS.index(layer_of(module_name(path)))
    above = {name for name in imports(path) if layer_of(name) in LAYERS[mine + 1 :]}
    assert not above
    assert not {name for name in imports(path) if layer_of(name) in {"tests", "benchmarks", "samples"}}


@pytest.mark.parametrize("path", sources(), ids=ids)
def test_nothing_heavy_is_imported_at_the_top(path: Path) -> None:
    assert not {layer_of(name) for name in imports(path, anywhere=False)} & HEAVY


@pytest.mark.parametrize("path", sources(), ids=ids)
def test_gradio_stays_on_the_page(path: Path) -> None:
    if layer_of(module_name(path)) not in {"ui", "app"}:
        assert not {name for name in imports(path) if layer_of(name) in {"gradio", "gradio_client"}}


@pytest.mark.parametrize("path", [path for path in sources() if module_name(path) in CONCRETE], ids=ids)
def test_a_runner_knows_the_seam_and_no_sibling(path: Path) -> None:
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("runners.")}
    assert ours <= SHARED_BY_RUNNERS
    assert not {f"runners.{name}" for name in ours} & CONCRETE


@pytest.mark.parametrize("path", [path for path in sources() if layer_of(module_name(path)) != "runners"], ids=ids)
def test_nobody_above_knows_a_concrete_runner(path: Path) -> None:
    assert not CONCRETE & {".".join(name.split(".")[:2]) for name in imports(path)}


def test_the_seam_needs_the_standard_library_and_numpy_alone() -> None:
    needed = {layer_of(name) for name in imports(ROOT / "runners" / "base.py")}
    assert needed <= set(sys.stdlib_module_names) | {"numpy"}


def test_every_row_has_its_file() -> None:
    missing = {name for name in CONCRETE if not (ROOT / (name.replace(".", "/") + ".py")).exists()}
    assert not missing


def test_importing_the_app_loads_nothing_heavy() -> None:
    if not (ROOT / "app.py").exists():
        pytest.skip("there is no app.py yet")
    script = f"import sys, app; print([name for name in {NOT_IN_THE_PAGE!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"


MAPS = [
    path
    for layer in LAYERS[:-1]
    for path in sorted((ROOT / layer).rglob("__init__.py"))
    if path.read_text("utf-8").count("\n") > 1
]


@pytest.mark.parametrize("package", MAPS, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_a_map_names_all_that_lives_there(package: Path) -> None:
    rooms = [path.stem for path in package.parent.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()]
    words = set(re.findall(r"\w+", package.read_text("utf-8")))
    assert sorted(set(rooms) - words - {"__init__", "__main__"}) == []
