"""Who only makes tables, or asks for help, does not wait for torch."""

import subprocess
import sys

import pytest

TABLES = """
import benchmark.cli, benchmark.record_commands, benchmark.report.write, benchmark.report
import benchmark.report.simulation, benchmark.report.thinning
"""
HELP = """
import benchmark.cli
for arguments in (["--help"], *([name, "--help"] for name in benchmark.cli.COMMANDS)):
    try:
        benchmark.cli.main(arguments)
    except SystemExit as end:
        assert end.code == 0
"""


@pytest.mark.parametrize("script", [TABLES, HELP], ids=["tables", "help"])
def test_needs_no_torch(script: str) -> None:
    found = f"{script}\nimport sys\nprint([name for name in ('torch', 'torchaudio') if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
