"""PyTorch: tensors and parameters, dtypes, devices, sizes and generators. Torch is imported only where one occurs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from dalsegno.core.errors import SnapshotError
from dalsegno.core.store.layouts import need_torch
from dalsegno.core.store.typed.forms import MARK, Handler, Node, Rebuild, tag

if TYPE_CHECKING:
    from dalsegno.core.store.typed.decoder import Decoder
    from dalsegno.core.store.typed.encoder import Encoder


def handler_of(kind: type) -> Handler | None:
    """The handler of one of torch's types. Subclasses of Tensor other than Parameter are refused."""
    return handlers().get(kind)


@cache
def handlers() -> dict[type, Handler]:
    import torch

    return {
        torch.Tensor: encode_tensor,
        torch.nn.Parameter: encode_tensor,
        torch.Generator: encode_generator,
        torch.Size: lambda encoder, value: tag("torch.Size", list(value)),
        torch.dtype: lambda encoder, value: tag("torch.dtype", str(value).removeprefix("torch.")),
        torch.device: lambda encoder, value: tag("torch.device", str(value)),
    }


def encode_tensor(encoder: Encoder, value: Any) -> Node:
    return encoder.once(value, tensor_node)


def tensor_node(encoder: Encoder, value: Any) -> Node:
    """Values, device, and whether a leaf asks for its gradient; never the graph behind it."""
    import torch

    if value.layout is not torch.strided or value.is_quantized or value.is_nested:
        what = "quantized" if value.is_quantized else "nested" if value.is_nested else str(value.layout)
        raise encoder.refusal(
            value, f"{what}", "only dense tensors can be saved; keep its indices and values, or to_dense()"
        )
    if value.is_meta:
        raise encoder.refusal(value, "on the meta device and without values", "give it values first")
    node: dict[str, Node] = {MARK: "tensor"}
    if value.device.type != "cpu":
        node["device"] = str(value.device)
    if type(value) is torch.nn.Parameter:
        node["parameter"] = True
    if value.requires_grad and value.is_leaf:
        node["grad"] = True
    plain = value.detach()
    if plain.is_conj() or plain.is_neg():
        plain = plain.resolve_conj().resolve_neg()
    return encoder.array(plain, node)


def tensor_from(decoder: Decoder, node: dict[str, Any]) -> Any:
    torch = need_torch()
    found = decoder.array(node)
    device = place(torch, decoder.device or node.get("device", "cpu"))
    if device != "cpu":
        found = decoder.views.moved(found, device)
    if node.get("parameter"):
        return torch.nn.Parameter(found, requires_grad=bool(node.get("grad")))
    return found.requires_grad_() if node.get("grad") else found


def place(torch: Any, device: str) -> str:
    """The device itself where this machine has it, else the host."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        return "cpu"
    return device


def encode_generator(encoder: Encoder, value: Any) -> Node:
    return encoder.once(value, generator_node)


def generator_node(encoder: Encoder, value: Any) -> Node:
    return tag("torch.Generator", encoder.child("get_state", value.get_state()), device=str(value.device))


def generator_from(decoder: Decoder, node: dict[str, Any]) -> Any:
    torch = need_torch()
    if place(torch, node["device"]) != node["device"]:
        raise SnapshotError(f"it holds a random generator of device {node['device']}, which this machine does not have")
    generator = torch.Generator(device=node["device"])
    generator.set_state(node["v"].cpu())
    return generator


def dtype_from_name(decoder: Decoder, node: dict[str, Any]) -> Any:
    torch = need_torch()
    found = getattr(torch, node["v"], None)
    if not isinstance(found, torch.dtype):
        raise SnapshotError(f"it holds torch.{node['v']}, which torch {torch.__version__} does not have")
    return found


REBUILD: dict[str, Rebuild] = {
    "tensor": tensor_from,
    "torch.Generator": generator_from,
    "torch.Size": lambda decoder, node: need_torch().Size(node["v"]),
    "torch.dtype": dtype_from_name,
    "torch.device": lambda decoder, node: need_torch().device(node["v"]),
}
