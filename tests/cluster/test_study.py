"""A study on a Slurm without accounts, by the literal command."""


def test_literal_command_runs_a_study_to_its_end(finished_run):
    """Three jobs are submitted: the intermediate training, and a target training with its predictions in either arm."""
    project, run = finished_run
    assert run.text.count("has been submitted with SLURM jobid") == 3
    assert set(project.scores()["mixture"]) == {"none", "one"}
    assert not project.half_written()
