"""A study on a Slurm without accounts, by the literal command."""



def test_literal_command_runs_a_study_to_its_end(finished_on_slurm):
    project, run = finished_on_slurm, finished_on_slurm.ended
    assert run.text.count("has been submitted with SLURM jobid") == 3
    assert len(project.scores()) > 0
    assert not project.half_written()
