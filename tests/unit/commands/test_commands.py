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
