"""Invariant: a person's mistake leaves one sentence and a status, ours leaves a traceback."""

import subprocess
import sys

import pytest

from synset_factory.errors import InputError, run_main


def fail_with(error: BaseException) -> None:
    raise error


def test_success_exits_0_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        run_main(lambda: None)
    assert exit_.value.code == 0
    assert capsys.readouterr() == ("", "")


def test_input_error_is_one_line_on_stderr_and_exits_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as exit_:
        run_main(lambda: fail_with(InputError("params.yaml: key 'a\nb' is unknown; remove it.")))
    assert exit_.value.code == 1
    assert capsys.readouterr() == ("", "error: params.yaml: key 'a b' is unknown; remove it.\n")


def test_interrupt_is_one_line_and_exits_130(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        run_main(lambda: fail_with(KeyboardInterrupt()))
    assert exit_.value.code == 130
    assert capsys.readouterr() == ("", "Interrupted.\n")


def test_a_fault_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run_main(lambda: fail_with(ZeroDivisionError()))


def test_a_process_ends_with_the_status_and_no_traceback() -> None:
    code = (
        "from synset_factory.errors import InputError, run_main\n"
        "def main():\n"
        "    raise InputError('prompts.csv, row 3: no prompt; write one.')\n"
        "run_main(main)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: prompts.csv, row 3: no prompt; write one.\n"
