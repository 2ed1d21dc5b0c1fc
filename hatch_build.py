"""How the package is built: with its hot rooms compiled to C by mypyc, or as plain Python where that can't be done.

The source is the same, and so is what it does; compiled code takes less CPU for a line (docs/decisions/0012). Which
modules are compiled stands in pyproject.toml. In the environment, BOUNCER_COMPILE=0 turns it off, and BOUNCER_COMPILE=1
makes a failure an error. What is installed with ``-e`` stays plain Python: else it would run as it was compiled while
its source is edited.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SWITCH = "BOUNCER_COMPILE"
COMPILER = ["mypy[mypyc]>=2.4"]
# A relayed line takes 4% more instructions with 1, which is compiled in three quarters of the time; no fewer with 3.
OPTIMIZE = os.environ.get("MYPYC_OPT_LEVEL", "2")
# types are checked elsewhere (`make types`), with all that they refer to
MYPY = ("--config-file=", "--follow-imports=silent", "--ignore-missing-imports")


def obstacle() -> str:
    """Why nothing can be compiled here, as far as that is known before it is tried; "" if nothing is in the way."""
    if platform.python_implementation() != "CPython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "this Python is not one that mypyc compiles for"
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(compiler) is None:
        return f"there is no C compiler ({compiler})"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "the headers of Python are not installed (python3-dev)"
    return ""


def compile_to(folder: Path, modules: list[str]) -> None:
    """Compile these modules of the current directory, so that ``folder``/lib holds what is to be installed."""
    from mypyc.build import mypycify  # not installed where nothing is to be compiled
    from setuptools import Distribution
    from setuptools.command.build_ext import build_ext

    class SideBySide(build_ext):
        """A compiler for each processor: mypyc writes a source for each module."""

        def build_extensions(self) -> None:
            one_by_one = self.compiler.compile

            def compile_all(sources: list[str], **options: Any) -> list[str]:
                with ThreadPoolExecutor(os.cpu_count()) as pool:
                    made = pool.map(lambda source: one_by_one([source], **options), sources)
                    return [each for objects in made for each in objects]

            self.compiler.compile = compile_all
            super().build_extensions()

    extensions = mypycify(
        [*MYPY, f"--cache-dir={folder / 'cache'}", *modules],
        opt_level=OPTIMIZE,
        debug_level="0",
        multi_file=True,  # a compiler of one source takes three times the memory
        target_dir=str(folder / "c"),
        group_name="bouncer",
    )
    for extension in extensions:
        extension.extra_compile_args.append("-Wno-error")  # a compiler of tomorrow may warn of more than those of today
    build = SideBySide(Distribution({"name": "bouncer", "ext_modules": extensions}))
    build.build_lib, build.build_temp = str(folder / "lib"), str(folder / "o")
    build.ensure_finalized()
    build.run()


if __name__ == "__main__":
    compile_to(Path(sys.argv[1]), sys.argv[2:])
else:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    class Compiled(BuildHookInterface):
        """Puts compiled modules into the wheel, beside their source."""

        def dependencies(self) -> list[str]:
            """What has to be installed to compile; nothing where that is of no use."""
            wanted = os.environ.get(SWITCH, "")
            return COMPILER if wanted == "1" or (wanted != "0" and not obstacle()) else []

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            wanted = os.environ.get(SWITCH, "")
            if version != "standard" or wanted == "0":
                return
            self._folder = Path(tempfile.mkdtemp())
            reason = obstacle() or self._compile()
            if not reason:
                build_data["pure_python"], build_data["infer_tag"] = False, True
                lib = self._folder / "lib"
                for made in lib.rglob("*"):
                    if made.is_file():
                        build_data["force_include"][str(made)] = str(made.relative_to(lib))
            elif wanted == "1":
                raise RuntimeError(f"can't compile: {reason}")
            else:
                last = reason.splitlines()[-1][:200]
                self.app.display_warning(f"bouncer is built as plain Python, which does the same slower: {last}")

        def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
            if folder := getattr(self, "_folder", None):
                shutil.rmtree(folder)

        def _compile(self) -> str:
            """Why it has failed; "" if it has not."""
            # in a process of its own: mypyc writes to standard output, and exits where it fails
            command = [sys.executable, __file__, str(self._folder), *self.config["modules"]]
            done = subprocess.run(command, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            return (done.stdout.strip() or f"exit status {done.returncode}") if done.returncode else ""
