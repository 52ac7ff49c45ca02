"""The list of commands, and a command that is none."""

import pytest
from xstilts.commands import main


def test_commands_are_listed(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "index-mirror" in capsys.readouterr().out


def test_unknown_command_is_no_traceback(capsys):
    with pytest.raises(SystemExit) as error:
        main(["trian"])
    assert error.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_usage_says_where_arguments_for_snakemake_stand(capsys):
    with pytest.raises(SystemExit):
        main(["run", "-n"])
    assert "[-- SNAKEMAKE ...]" in capsys.readouterr().err
