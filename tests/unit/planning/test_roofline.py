"""The time of a step: products and bytes, or launches."""

from dataclasses import replace

import pytest
from xstilts.planning import model_size, registry, roofline
from xstilts.planning.gpu_types import GPU_TYPES
from xstilts.planning.roofline import Work
from xstilts.store.specs.models import Method

SHAPES = {name: entry["shape"] for name, entry in registry.load().models.items() if entry["shape"]}


def launches(name, method, copies, passes):
    shape = model_size.read(SHAPES[name])
    return roofline.step(shape, method, copies, 0, 1, 0.0, 0.0, passes, 1).launches


def test_launches_are_about_those_that_were_counted():
    """2,856 kernels in a step of XLM-R Large in full, and 12,235 in one of XLM-R XXL by LoRA, with checkpointing."""
    assert launches("xlm-roberta-large", Method(name="full"), True, 2) == pytest.approx(2856, rel=0.05)
    lora = Method(name="lora", rank=16, alpha=32, modules="all-linear")
    assert launches("xlm-roberta-xxl", lora, False, 3) == pytest.approx(12235, rel=0.05)


def test_time_is_that_of_the_scarcest():
    gpu_type = replace(GPU_TYPES["h100"], bfloat16=1.0, reached=1.0, bandwidth=2.0, launch=1e-6)
    work = [Work(operations=3e12, traffic=4e12, launches=1e6), Work(operations=0, traffic=0, launches=2e6)]
    assert roofline.seconds(work, gpu_type, "bfloat16", 1) == pytest.approx(3 + 2 + 2)
    # each of several GPUs starts all kernels
    assert roofline.seconds(work, gpu_type, "bfloat16", 10) == pytest.approx(1 + 2)
    assert work[0].times(2) == Work(6e12, 8e12, 2e6)


def test_bytes_of_a_step():
    shape = model_size.read(SHAPES["tiny"])
    full = Method(name="full")
    once = roofline.step(shape, full, False, 100, 1, 1000.0, 10.0, 2, 1)
    assert once.traffic == 40 * 100 + 2 * 2 * 1000 + 2 * 10
    divided = roofline.step(shape, full, False, 100, 1, 1000.0, 10.0, 2, 3)
    assert divided.traffic == once.traffic + 2 * 2 * 10 and divided.launches == 3 * once.launches
