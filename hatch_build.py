"""Compiles the parser with mypyc when a wheel is built: about twice the reports a second, the same results.

An editable install is never compiled, so that an edit takes effect at once. Without a C compiler the wheel is pure
Python, as it is with ``HATCH_BUILD_NO_HOOKS=1``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "pet2rep_eval"
PURE = {"__init__.py", "lexing.py"}
"""Stays Python: what is no code, and what extends a class of Lark."""
OPTIONS = ["--config-file=", "--ignore-missing-imports", "--follow-imports=skip"]


class CompileHook(BuildHookInterface[Any]):
    """Adds the compiled modules beside their sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compiles into a folder that :meth:`finalize` removes."""
        if version == "editable":
            return
        reason = _no_compiler()
        if reason:
            self.app.display_warning(f"The wheel is pure Python: {reason}.")
            return
        self.folder = Path(tempfile.mkdtemp(prefix="compiled-"))
        command = [sys.executable, __file__, str(self.folder)]
        done = subprocess.run(
            command, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode:
            self.app.display_warning(
                f"{done.stdout[-2000:]}\nThe wheel is pure Python: compiling failed, see above."
            )
            return
        built = self.folder / "lib"
        libraries = [path for path in built.rglob("*") if path.suffix in (".so", ".pyd")]
        build_data["force_include"].update({str(p): p.relative_to(built).as_posix() for p in libraries})
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Removes what was compiled."""
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder, ignore_errors=True)


def _no_compiler() -> str:
    """Why nothing can be compiled here; empty where it can."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if sys.platform != "win32" and shutil.which(compiler) is None:
        return f"no C compiler ({compiler}) was found"
    header = Path(sysconfig.get_path("include")) / "Python.h"
    return "" if header.is_file() else f"{header.name} is not installed"


def _compile(folder: Path) -> None:
    """Compiles the parser of the project in the working directory into *folder*/lib."""
    from mypyc.build import mypycify
    from setuptools import Distribution

    files = Path(PACKAGE, "parsing").rglob("*.py")
    sources = sorted(path.as_posix() for path in files if path.name not in PURE)
    extensions = mypycify(
        [*OPTIONS, *sources], target_dir=str(folder / "c"), opt_level="2", group_name=PACKAGE
    )
    distribution = Distribution({"name": PACKAGE, "ext_modules": extensions})
    command: Any = distribution.get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(folder / "lib"), str(folder / "o")
    command.ensure_finalized()
    command.run()


if __name__ == "__main__":
    _compile(Path(sys.argv[1]))
