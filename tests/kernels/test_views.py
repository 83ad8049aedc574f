"""The CUDA views on a GPU are the CPU's bit for bit: both compute in the same order, without contraction."""

import numpy as np
import pytest
import torch
from kernels.cases import CASES, Case

from seco.errors import ArrayError, DeviceError
from seco.ops.augment import augment_views
from seco.ops.augment_torch import augment_views_op, coefficients_tensor, params_tensor

pytestmark = pytest.mark.gpu


def on(device, case, **changes):
    pixels, params, settings = case.make()
    return torch.as_tensor(augment_views(torch.from_numpy(pixels).to(device), params, **settings | changes))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_views_are_the_cpus_bit_for_bit(case):
    views = on("cuda", case)
    assert views.device.type == "cuda"
    assert torch.equal(views.cpu(), on("cpu", case))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("bands", [1, 3, 4, 12, 16])
@pytest.mark.parametrize("size", [16, 17])
def test_half_precision_and_layouts_are_the_cpus(dtype, channels_last, bands, size):
    case, changes = Case((4, 3, bands, 30, 30), size), {"dtype": dtype, "channels_last": channels_last}
    on_cpu, on_cuda = on("cpu", case, **changes), on("cuda", case, **changes)
    assert torch.equal(on_cuda.cpu(), on_cpu)
    assert on_cuda.stride() == on_cpu.stride()


def test_small_views_of_large_patches_take_more_of_a_multiprocessor():
    case = Case((2, 3, 12, 1024, 1024), 16, "uint16")  # more than half of an H100's
    assert torch.equal(on("cuda", case).cpu(), on("cpu", case))


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="no second GPU here")
def test_another_gpu_than_the_current_one():
    case = Case((4, 3, 3, 60, 60), 32)
    views = on("cuda:1", case)
    assert views.device == torch.device("cuda:1")
    assert torch.equal(views.cpu(), on("cpu", case))


def test_every_draw_gives_the_same_views():
    # Greys are summed by many blocks in whatever order: 20 times the same bits.
    case = Case((32, 3, 3, 264, 264), 224)
    first = on("cuda", case)
    assert all(torch.equal(on("cuda", case), first) for _ in range(20))


def operator_arguments(case, dtype=torch.bfloat16):
    pixels, params, settings = case.make()
    per_band = {name: np.float32(settings[name]) for name in ("scale", "offset", "mean")}
    per_band["inverse_std"] = np.reciprocal(np.float32(settings["std"]))
    tensors = torch.from_numpy(pixels).cuda(), params_tensor(params, "cuda"), coefficients_tensor(per_band, "cuda")
    return tensors, {"size": case.size, "dtype": dtype, "rgb": pixels.shape[2] == 3}


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
def test_it_takes_at_most_three_kernels_and_never_waits():
    tensors, options = operator_arguments(Case((8, 3, 3, 264, 264), 224))
    augment_views_op(*tensors, **options)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA], acc_events=True) as profile:
        torch.cuda.set_sync_debug_mode("error")
        try:
            augment_views_op(*tensors, **options)
        finally:
            torch.cuda.set_sync_debug_mode("default")  # the profiler waits at its end
    kernels = [event for event in profile.events() if "kernel" in event.name]
    assert 1 <= sum(event.count for event in kernels) <= 3, [event.name for event in profile.events()]


def test_a_graph_replays_it_with_other_pixels_and_parameters():
    tensors, options = operator_arguments(Case((4, 3, 3, 60, 60), 32), torch.float32)
    other, _ = operator_arguments(Case((4, 3, 3, 60, 60), 32, method="seco", sigma=1.0), torch.float32)
    augment_views_op(*tensors, **options)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        views = augment_views_op(*tensors, **options)
    other = (255 - other[0], *other[1:])
    expected = augment_views_op(*other, **options)
    for static, new in zip(tensors, other, strict=True):
        static.copy_(new)
    graph.replay()
    assert torch.equal(views, expected)


def test_it_runs_on_the_current_stream():
    tensors, options = operator_arguments(Case((64, 3, 3, 264, 264), 224))
    expected = augment_views_op(*tensors, **options)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        late = torch.zeros_like(tensors[0])
        torch.cuda._sleep(50_000_000)
        late.copy_(tensors[0])  # views of another stream would see zeros
        views = augment_views_op(late, *tensors[1:], **options)
    stream.synchronize()
    assert torch.equal(views, expected)


def test_wild_parameters_on_the_gpu_stay_inside_the_patch():
    (pixels, params, coefficients), options = operator_arguments(Case((4, 3, 3, 40, 40), 16), torch.float32)
    noise = torch.randint(0, 256, params.shape, dtype=torch.uint8, device="cuda")
    augment_views_op(pixels, noise, coefficients, **options)
    torch.cuda.synchronize()


def test_other_devices_are_refused():
    (pixels, params, coefficients), options = operator_arguments(Case((2, 3, 3, 20, 20), 8))
    with pytest.raises(DeviceError, match="params: expected a tensor on cuda:0 like pixels, got one on cpu"):
        augment_views_op(pixels, params.cpu(), coefficients, **options)
    with pytest.raises(ArrayError, match="coefficients: expected a tensor of coefficients_tensor"):
        augment_views_op(pixels, params, coefficients[:, :2], **options)
