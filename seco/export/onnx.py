"""ONNX: digital numbers in, features out; the normalisation is part of the graph."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO

import torch
from torch import Tensor, nn

from seco.data.normalization import Normalization
from seco.environment import extra
from seco.errors import ConfigError, reason_of
from seco.export.subject import Subject
from seco.export.weights import check_features


class NormalizedEncoder(nn.Module):
    """A backbone that takes digital numbers, ``[N, C, size, size]`` float32, and gives features ``[N, d]``."""

    def __init__(self, backbone: nn.Module, normalization: Normalization) -> None:
        super().__init__()
        self.backbone = backbone
        of_bands = {name: getattr(normalization, name) for name in ("scale", "offset", "mean", "std")}
        self.numbers = nn.ParameterDict(
            {name: nn.Parameter(torch.tensor(v)[:, None, None], requires_grad=False) for name, v in of_bands.items()}
        )

    def forward(self, digital_numbers: Tensor) -> Tensor:
        """Normalise and encode: digital numbers ``[N, C, H, W]`` → features ``[N, d]``."""
        n = self.numbers
        unit = (digital_numbers * n["scale"] + n["offset"]).clamp(0.0, 1.0)
        return self.backbone((unit - n["mean"]) / n["std"])


def export_onnx(subject: Subject) -> dict[str, bytes]:
    """``model.onnx``: input ``digital_numbers`` of any batch size, output ``features``; checked with onnxruntime.

    Raises:
        ConfigError: If the packages for it are missing, or torch cannot export the backbone.
    """
    with extra("export", "onnx and onnxscript", "format"):
        import onnx
        import onnxscript  # noqa: F401 - torch's exporter needs it
    encoder = subject.encoder
    model = NormalizedEncoder(encoder.backbone, encoder.normalization).eval()
    shape = (2, len(encoder.normalization.bands), encoder.size, encoder.size)
    white = (1.0 - model.numbers["offset"]) / model.numbers["scale"]
    numbers = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * white
    with _quiet():
        try:
            program = torch.onnx.export(
                model,
                (numbers,),
                input_names=["digital_numbers"],
                output_names=["features"],
                dynamic_shapes={"digital_numbers": {0: torch.export.Dim("batch", min=1, max=1 << 16)}},
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            said = f"{encoder.name}: {reason_of(error)}"
            raise ConfigError(f"format: expected a backbone that torch exports, got {said}") from error
        assert program is not None
        proto = program.model_proto
    for key, value in subject.describe_in_words().items():
        proto.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(proto, full_check=True)
    content: bytes = proto.SerializeToString()
    _run(content, model, numbers)
    return {"model.onnx": content}


def _run(content: bytes, model: nn.Module, numbers: Tensor) -> None:
    """Compare with onnxruntime, where it is installed, at another batch size than that of the export."""
    try:
        import onnxruntime
    except ImportError:
        return
    batch = torch.cat([numbers, numbers.flip(3)])[:3]
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"digital_numbers": batch.numpy()})
    with torch.inference_mode():
        check_features(torch.from_numpy(found), model(batch), "onnxruntime")


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells its progress; nobody asked."""
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)
