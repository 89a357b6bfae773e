"""Heavy libraries stay out of what does not need them, and public names are declared."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import pet2rep_eval
from pet2rep_eval.cli import COMMANDS, group
from tests.conftest import ROOT

HEAVY = (
    "torch",
    "transformers",
    "SimpleITK",
    "pydicom",
    "spacy",
    "jieba",
    "matplotlib",
    "ray",
    "pandas",
    "sklearn",
    "nltk",
    "rouge_score",
    "scipy",
    "PIL",
    "httpx",
    "peft",
    "pyarrow",
    "openpyxl",
)
PACKAGE = Path(pet2rep_eval.__file__).parent
MODULES = sorted(
    name
    for _, name, _ in pkgutil.walk_packages([str(PACKAGE)], "pet2rep_eval.")
    if not name.endswith("__main__")
)


def loaded(code: str) -> set[str]:
    """Top-level packages in ``sys.modules`` of a fresh interpreter that has run *code*."""
    listing = "import sys; print('\\n'.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{listing}"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split("\n"))


def program(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pet2rep_eval", *args], capture_output=True, text=True, check=False, cwd=ROOT
    )


def test_help_lists_every_command() -> None:
    done = program("--help")
    assert done.returncode == 0
    for name, words in COMMANDS.items():
        assert re.search(rf"^\s+{name}\s+{re.escape(words[:20])}", done.stdout, re.MULTILINE), name


def test_version() -> None:
    done = program("--version")
    assert done.stdout.strip().endswith(pet2rep_eval.__version__)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    command = group.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    assert command.name == name
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name}: {parameter.name} has no help"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import contextlib, io\nfrom pet2rep_eval.cli import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n    main(['--help'])"
    )
    assert not loaded(code) & {*HEAVY, "rich", "lark", "numpy", "hypothesis"}


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert not loaded("import pet2rep_eval") & {*HEAVY, "rich", "lark", "numpy", "click"}


def test_parsing_imports_nothing_heavy() -> None:
    code = "from pet2rep_eval import parse_report\nassert parse_report('肝脏FDG摄取增高。').states"
    assert not loaded(code) & {*HEAVY, "rich", "numpy", "click"}


def test_scoring_needs_no_model_and_no_image_library() -> None:
    code = (
        "from pet2rep_eval import datasets\nfrom pet2rep_eval.alignment import align\n"
        "from pet2rep_eval.evaluation import score_systems\n"
        "system = align(datasets.read_predictions('fixtures/datasets/official_result.jsonl'),"
        " datasets.read_references('fixtures/datasets/official_prompt.jsonl'))\n"
        "sheets = score_systems([system])\nassert sheets[0].scores"
    )
    assert not loaded(code) & {
        "torch",
        "transformers",
        "SimpleITK",
        "pydicom",
        "matplotlib",
        "ray",
        "httpx",
        "peft",
    }


def test_clinical_efficacy_alone_needs_no_words() -> None:
    code = (
        "from pet2rep_eval import datasets\nfrom pet2rep_eval.alignment import align\n"
        "from pet2rep_eval.evaluation import score_systems\n"
        "system = align(datasets.read_predictions('fixtures/datasets/official_result.jsonl'),"
        " datasets.read_references('fixtures/datasets/official_prompt.jsonl'))\n"
        "score_systems([system], metrics=['clinical_efficacy'])"
    )
    assert not loaded(code) & {"torch", "transformers", "SimpleITK", "pydicom", "nltk", "spacy"}


def _rank(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest, as the linter sorts them."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


@pytest.mark.parametrize("name", MODULES)
def test_all_is_sorted_and_complete(name: str) -> None:
    """Read from the source, so that no optional dependency is needed."""
    path = ROOT / Path(*name.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(source.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) or name.endswith("._version"), f"{name} has no docstring"
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "__all__" for t in node.targets):
            declared = ast.literal_eval(node.value)
            assert declared == sorted(declared, key=_rank), f"__all__ of {name} is not sorted"


def test_public_names_are_there() -> None:
    assert pet2rep_eval.__all__ == sorted(pet2rep_eval.__all__, key=_rank)
    for name in pet2rep_eval.__all__:
        assert getattr(pet2rep_eval, name) is not None
    assert {"parse_report", "evaluate", "load_lexicon", "load_protocol", "render_template"} <= set(
        pet2rep_eval.__all__
    )
    assert set(pet2rep_eval.__all__) <= set(dir(pet2rep_eval))
    with pytest.raises(AttributeError, match="no attribute 'parse_reports'"):
        _ = pet2rep_eval.parse_reports


def test_entry_points_lead_somewhere() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    targets = [*project["scripts"].values()]
    for points in project.get("entry-points", {}).values():
        targets += points.values()
    for target in targets:
        module, _, name = target.partition(":")
        assert hasattr(importlib.import_module(module), name), target


def test_names_of_modules_say_what_they_are_about() -> None:
    for name in MODULES:
        assert not set(name.split(".")) & {"utils", "util", "helpers", "common", "core", "manager", "misc"}, (
            name
        )
