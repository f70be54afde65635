"""The benches run and print their table. What they measure is not asserted: that depends on the machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench.rows import Row, Unavailable, digits, markdown, measure_module
from tests.support.ci import IN_CI

ROOT = Path(__file__).parents[2]
DRIVING = {"board", "calls", "events", "hostile", "registrations", "standing"}
"""Those that drive whole servers, a minute of CPU together: not in CI, where the interop tests do the like."""
THERE = [name for name in bench.NAMES if (ROOT / "bench" / f"{name}.py").exists()]


@pytest.mark.parametrize("name", THERE)
def test_each_bench_runs_and_prints_rows(name: str) -> None:
    if name in DRIVING and IN_CI:
        pytest.skip("not in CI: it takes too long")
    try:
        made = measure_module(name, quick=True)
    except Unavailable as error:
        pytest.skip(str(error))
    head, rule, *rows = markdown(made).splitlines()
    assert head == "| what | figure | unit | ratio | against |"
    assert set(rule) == set("| -:")
    assert rows
    for row in rows:
        _, what, figure, unit, ratio, _, _ = (cell.strip() for cell in row.split("|"))
        assert what
        assert unit
        assert float(figure.replace(",", "")) is not None
        assert not ratio or float(ratio) >= 0


def test_the_command_prints_the_table() -> None:
    command = [sys.executable, "-m", "bench", "--quick", "codec"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "| what | figure | unit | ratio | against |" in done.stdout
    assert "codec:" in done.stderr


def test_all_modules_are_known() -> None:
    """Whatever has a `measure` is run by `make bench`."""
    modules = {path.stem for path in (ROOT / "bench").glob("*.py") if "\ndef measure(" in path.read_text()}
    assert modules <= set(bench.NAMES)
    assert set(THERE) == modules
    assert {"codec", "journal", "relay"} <= modules


def test_the_table() -> None:
    rows = [
        Row("a thing", 1234.5, "µs", "another", 2469.0),
        Row("alone", 0.01234, "ms"),
        Row("beside nothing", 3.0, "packets", "none", 0.0),
    ]
    assert markdown(rows).splitlines()[2:] == [
        "| a thing | 1,234 | µs | 0.50 | another: 2,469 |",
        "| alone | 0.0123 | ms |  |  |",
        "| beside nothing | 3 | packets |  | none: 0 |",
    ]
    assert [digits(figure) for figure in (0.0, 15.04, 100.0, 999.4)] == ["0", "15", "100", "999"]


def test_the_table_is_put_between_the_marks(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{bench.BEGIN}\nold \\1\n{bench.END}\nafter\n")
    for _ in range(2):
        bench.put_into(readme, "| new \\1 |")
    assert readme.read_text() == f"before\n{bench.BEGIN}\n| new \\1 |\n{bench.END}\nafter\n"
    readme.write_text("nothing")
    with pytest.raises(SystemExit, match="has no"):
        bench.put_into(readme, "x")


def test_a_name_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.main(["codec", "speed"])
    assert "no such bench: speed" in capsys.readouterr().err


def test_what_cannot_run_here_is_left_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Alone:
        def __init__(self, *_: object, **__: object) -> None: ...

        def __enter__(self) -> "Alone":
            return self

        def __exit__(self, *_: object) -> None: ...

        def submit(self, _function: object, name: str, _quick: bool) -> "Alone":
            self.name = name
            return self

        def result(self) -> list[Row]:
            if self.name == "relay":
                raise Unavailable("sipp is not installed")
            return [Row(self.name, 1.0, "s")]

    monkeypatch.setattr(bench, "ProcessPoolExecutor", Alone)
    assert bench.run(["codec", "relay", "journal"], quick=True) == [Row("codec", 1.0, "s"), Row("journal", 1.0, "s")]
    assert "relay: left out: sipp is not installed" in capsys.readouterr().err


def test_the_machine_is_named() -> None:
    assert f"Python {sys.version.split()[0]}" in bench.machine()
