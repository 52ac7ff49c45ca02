"""Memory plans: which settings each node of the study of large models gets, and what does not fit."""

from dataclasses import replace

import pytest
from xstilts.errors import UserError
from xstilts.hardware import Hardware
from xstilts.planning import estimate, memory_plan
from xstilts.planning.gpu_types import GPU_TYPES
from xstilts.planning.settings import from_config
from xstilts.store.stages import COMPUTING

from tests.builders.plans import node_of

LARGE = "xlm-roberta-large.jiant.nine.s1"
XXL = "xlm-roberta-xxl.lora.nine.s1"


def planned(scale, name, gpu_type, stage="intermediate", gpus=None, **config):
    plan, entries, results = scale
    settings = from_config({"results": str(results), **config})
    return memory_plan.of_node(node_of(plan, stage, name), plan, entries, settings, gpu_type, gpus)


def test_every_node_of_the_large_study_fits_one_gpu_of_80_gb(scale):
    """Trainings and predictions; and what a job asks of the host for XLM-R Large is at most 16 GB."""
    plan, entries, results = scale
    settings = from_config({"results": str(results)})
    found = {}
    for node in (node for stage in COMPUTING for node in plan.stage(stage).values()):
        # three runs of an arm are alike
        name = plan.made.names[node.id][0]
        if ".s2" not in name and ".s3" not in name:
            found[name] = memory_plan.of_node(node, plan, entries, settings, GPU_TYPES["a100-80"])
    assert all(each.fits and each.cost.gpus == 1 and each.cost.memory <= 72e9 for each in found.values())
    assert max(each.cost.host_megabytes for name, each in found.items() if "xlm-roberta-large" in name) <= 16_000
    assert len({each.hardware for each in found.values()}) > 2


def test_the_first_that_fits_is_taken(scale):
    plan, entries, results = scale
    assert planned(scale, LARGE, GPU_TYPES["h100"]).hardware == Hardware()
    # five choices of 256 tokens in each of 32 examples, halved
    found = planned(scale, XXL, GPU_TYPES["h100"])
    assert found.hardware == Hardware(max_tokens_per_device=32 * 5 * 256 // 8)
    small = replace(GPU_TYPES["h100"], memory=30)
    found = planned(scale, XXL, small)
    assert found.hardware.gradient_checkpointing and found.hardware.max_tokens_per_device <= 4096
    assert found.cost.gpus == 1 and found.fits
    # less than the weights: on two GPUs, each with half of every batch
    two = planned(scale, XXL, replace(GPU_TYPES["h100"], memory=24))
    assert two.cost.gpus == 2 and two.fits and two.cost.memory < found.cost.memory
    assert planned(scale, XXL, None) == memory_plan.MemoryPlan(Hardware(), planned(scale, XXL, None).cost, True)


def test_what_is_stated_stays(scale):
    h100 = GPU_TYPES["h100"]
    assert planned(scale, XXL, h100, max_tokens_per_device=2048).hardware == Hardware(2048)
    stated = planned(scale, XXL, h100, gradient_checkpointing=True).hardware
    assert stated == Hardware(None, True)
    few = planned(scale, XXL, replace(h100, memory=30), max_tokens_per_device=8192).hardware
    assert few == Hardware(8192, True)
    never = planned(scale, XXL, replace(h100, memory=30), gradient_checkpointing=False)
    assert not never.hardware.gradient_checkpointing and never.hardware.max_tokens_per_device < 4096
    # a job that was given two GPUs
    assert planned(scale, LARGE, h100, gpus=2).cost.gpus == 2


def test_a_prediction_has_fewer_tokens_at_once_where_memory_is_small(scale):
    """Halves, down to one row; what config.yaml states of trainings is not of it, and no path moves."""
    whole = planned(scale, XXL + ".xnli", None, stage="predictions", max_tokens_per_device=64).cost
    assert whole == planned(scale, XXL + ".xnli", GPU_TYPES["h100"], stage="predictions").cost
    # nine tenths of a GPU's memory are free
    small = replace(GPU_TYPES["h100"], memory=(whole.weights + 0.3 * whole.activations) / 0.9e9)
    found = planned(scale, XXL + ".xnli", small, stage="predictions", max_tokens_per_device=64)
    assert found.fits and found.hardware == Hardware(max_tokens_per_device=16384 // 4) and found.stated
    assert found.cost.activations == whole.activations / 4 and found.cost.operations == whole.operations
    least = replace(small, memory=(whole.weights + 1e6) / 0.9e9)
    one = planned(scale, XXL + ".xnli", least, stage="predictions")
    # a text of at most 256 tokens
    assert not one.fits and one.hardware == Hardware(max_tokens_per_device=256) and one.cost.gpus == 1


def test_a_training_has_the_gpus_that_it_is_given(scale):
    """Each has all weights where they fit, and a share of them where they do not; a prediction has one."""
    h100 = GPU_TYPES["h100"]
    alone, four = (planned(scale, LARGE, h100, gpus_per_training=number) for number in (1, 4))
    assert alone == planned(scale, LARGE, h100) and alone.cost.shards == alone.cost.gpus == 1
    assert (four.hardware, four.cost.gpus, four.cost.shards, four.fits) == (Hardware(shards=1), 4, 1, True)
    assert four.cost.activations == alone.cost.activations / 4 and four.cost.weights == alone.cost.weights
    assert memory_plan.fault("Large", four, h100) is None
    # of ten thousand tokens each, in place of forty thousand, as many at once
    found = planned(scale, XXL, h100, gpus_per_training=4)
    assert found.hardware == Hardware(max_tokens_per_device=5120, shards=1) and found.cost.gpus == 4
    small = replace(h100, memory=24)
    for given, gpus in ((1, 2), (2, 2), (4, 4), (8, 8)):
        divided = planned(scale, XXL, small, gpus_per_training=given)
        assert divided.fits and divided.hardware.shards is None
        assert divided.cost.gpus == divided.cost.shards == gpus
    predicted = planned(scale, XXL + ".xnli", h100, stage="predictions", gpus_per_training=4)
    assert predicted.cost.gpus == 1 and predicted.hardware == Hardware()


def test_a_job_with_other_gpus_than_the_settings_give(scale):
    """What is asked of Snakemake by hand: whole weights where they fit, which of an unknown GPU is not known."""
    assert planned(scale, LARGE, GPU_TYPES["h100"], gpus=2).hardware == Hardware(shards=1)
    assert planned(scale, XXL, replace(GPU_TYPES["h100"], memory=24), gpus=4).cost.shards == 4
    assert planned(scale, LARGE, None, gpus=2).hardware == Hardware()
    given = planned(scale, LARGE, None, gpus_per_training=4)
    assert (given.hardware, given.cost.gpus) == (Hardware(shards=1), 4)
    assert planned(scale, LARGE, None, gpus=2, gpus_per_training=4).hardware == Hardware(shards=1)


def test_no_gpu_is_given_that_would_have_nothing_to_do(scale):
    plan, entries, results = scale
    node = node_of(plan, "intermediate", LARGE)
    sizes = estimate.sizes_of(node, plan, entries, results)
    settings = from_config({"results": str(results), "gpus_per_training": 8})

    def gpus(spec=node.spec, sizes=sizes):
        return memory_plan.of_sizes(spec, sizes, settings, GPU_TYPES["h100"]).cost.gpus

    def batches(*numbers, form="classification"):
        tasks = [replace(node.spec.tasks[0], batch_size=number, form=form) for number in numbers]
        return gpus(replace(node.spec, tasks=tasks), replace(sizes, data=sizes.data[:1] * len(tasks)))

    assert gpus() == 8
    assert [batches(number) for number in (32, 7, 4, 3, 1)] == [8, 4, 4, 2, 1]
    assert batches(32, 5) == 4
    # whole in every process
    assert batches(32, form="retrieval") == 1
    mixed = replace(node.spec, sampling=replace(node.spec.sampling, tasks_per_step=16))
    assert gpus(mixed) == 2
    few = [replace(size, rows=3) for size in sizes.data]
    assert gpus(sizes=replace(sizes, data=few)) == 2
    # random weights
    assert gpus(replace(node.spec, sampling=replace(node.spec.sampling, steps=0))) == 1


@pytest.mark.parametrize("number", [0, 3, 16, "4"])
def test_other_numbers_of_gpus_are_refused(number):
    with pytest.raises(
        UserError, match=r"^config\.yaml: gpus_per_training: must be one of 1, 2, 4, 8, found "
    ) as error:
        from_config({"gpus_per_training": number})
    assert "\n" not in str(error.value)
    assert from_config({"gpus_per_training": memory_plan.NODE_GPUS}).gpus_per_training == 8


def test_a_model_without_a_place_is_named(scale):
    """Its weights are more than the GPUs of a node have, or, in prediction, than one has."""
    tiny = replace(GPU_TYPES["l40s"], memory=2)
    found = planned(scale, XXL, tiny)
    assert not found.fits and found.cost.gpus == 8
    with pytest.raises(UserError, match=r"^XXL: does not fit 8 GPUs of type l40s: .* GB weights.*2 GB are free; lower"):
        memory_plan.checked("XXL", found, tiny)
    predicted = planned(scale, XXL + ".xnli", tiny, stage="predictions")
    assert "does not fit one l40s" in memory_plan.fault("XXL", predicted, tiny)
    two = planned(scale, XXL, replace(tiny, memory=24))
    line = memory_plan.fault("XXL", two, tiny)
    assert line.startswith("XXL: needs 2 GPUs of type l40s: ") and line.endswith("on each")
    assert "in config.yaml" not in line
    stated = planned(scale, XXL, tiny, max_tokens_per_device=2048)
    assert "leave max_tokens_per_device in config.yaml to the memory plan, or name" in memory_plan.fault(
        "X", stated, tiny
    )
    assert memory_plan.fault("Large", planned(scale, LARGE, GPU_TYPES["h100"]), GPU_TYPES["h100"]) is None


def test_a_training_job_has_time_for_the_predictions_asked_of_its_model(scale):
    plan, entries, results = scale
    settings, gpu_type = from_config({"results": str(results)}), GPU_TYPES["h100"]
    node = node_of(plan, "targets", "xlm-roberta-large.jiant.none.s1.mnli")
    hours = memory_plan.hours_of_job(node, plan, entries, settings, gpu_type)
    asked = [other for other in plan.nodes.values() if other.spec.parents.get("model") == node.id]
    costs = [
        memory_plan.of_node(one, plan, entries, settings, gpu_type).cost.hours(
            gpu_type, estimate.numerics_of(one.spec).precision
        )
        for one in (node, *asked)
    ]
    assert asked and hours == pytest.approx(sum(costs))


def test_on_several_gpus_nothing_is_predicted_in_the_job_of_a_training(scale):
    plan, entries, results = scale
    settings, gpu_type = from_config({"results": str(results)}), replace(GPU_TYPES["h100"], memory=24)
    node = node_of(plan, "targets", f"{XXL}.mnli")
    cost = memory_plan.of_node(node, plan, entries, settings, gpu_type).cost
    hours = memory_plan.hours_of_job(node, plan, entries, settings, gpu_type)
    assert cost.gpus > 1 and plan.predicted_with[node.id]
    assert hours == cost.hours(gpu_type, node.spec.numerics.precision)
