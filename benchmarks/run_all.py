"""All benchmarks, one after the other, on this machine: what `make bench` runs.

    python benchmarks/run_all.py [NAME ...]

Each is run without arguments, which is its small form; those that take ten minutes even so are
left out unless they are named (real_configurations). Their tables are printed as they come, and
once more together at the end, under the machine's name, and kept in data/bench.md.
"""

import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path

from measuring import machine, print_table

from synset_factory.whole_files import write_text

HERE = Path(__file__).parent
KEPT = Path("data/bench.md")
NO_BENCHMARKS = {"measuring", "run_all"}
ONLY_IF_NAMED = {"real_configurations"}


def benchmarks() -> list[str]:
    """The names of all benchmarks."""
    return sorted(path.stem for path in HERE.glob("*.py") if path.stem not in NO_BENCHMARKS)


def run(name: str) -> tuple[list[str], float, bool]:
    """Run one, showing what it says; return its tables' lines, its seconds, whether it succeeded.

    Tables are what begins with a bar; an empty line is kept between two of them.
    """
    tables: list[str] = []
    start = time.perf_counter()
    command = [sys.executable, str(HERE / f"{name}.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if line.startswith("|"):
                tables.append(line)
            elif tables and tables[-1] != "\n":
                tables.append("\n")
    return tables, time.perf_counter() - start, process.returncode == 0


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(benchmarks()))
    names = parser.parse_args().names
    names = names or [name for name in benchmarks() if name not in ONLY_IF_NAMED]
    unknown = set(names) - set(benchmarks())
    if unknown:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    on = machine()
    print(f"{on}\n{len(names)} benchmarks", flush=True)
    text, took = [f"{on}\n"], []
    for number, name in enumerate(names, start=1):
        print(f"\n{number} of {len(names)}: {name}", flush=True)
        tables, seconds, succeeded = run(name)
        failed = [] if succeeded else ["\nFAILED: these are not all of its tables.\n"]
        text += [f"\n## {name}\n\n", *tables, *failed]
        took.append((name, f"{seconds:.0f}", "" if succeeded else "FAILED, see above"))
        write_text(KEPT, "".join(text))
    print(f"\n{'-' * 80}\n{''.join(text)}")
    print_table(["benchmark", "s in all", ""], took)
    print(f"\nThe tables are in {KEPT}.")
    if any(failed for _, _, failed in took):
        sys.exit(1)


if __name__ == "__main__":
    main()
