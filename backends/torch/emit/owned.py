"""Names that PyTorch's modules use themselves, so that a label of that name is registered another way.

Kept as data: source is written without importing PyTorch.  A test compares it with the
installed version.
"""

from __future__ import annotations

# fmt: off
_MODULE = frozenset((
    "T_destination", "add_module", "apply", "bfloat16", "buffers", "call_super_init", "children", "compile",
    "cpu", "cuda", "double", "dump_patches", "eval", "extra_repr", "float", "forward", "get_buffer",
    "get_extra_state", "get_parameter", "get_submodule", "half", "ipu", "load_state_dict", "modules", "mtia",
    "named_buffers",
    "named_children", "named_modules", "named_parameters", "parameters", "register_backward_hook",
    "register_buffer", "register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook",
    "register_full_backward_pre_hook", "register_load_state_dict_post_hook",
    "register_load_state_dict_pre_hook", "register_module", "register_parameter",
    "register_state_dict_post_hook", "register_state_dict_pre_hook", "requires_grad_", "set_extra_state",
    "set_submodule", "share_memory", "state_dict", "to", "to_empty", "train", "training", "type", "xpu",
    "zero_grad",
))
# fmt: on
_SEQUENTIAL = frozenset(("append", "extend", "insert", "pop"))
_DICT = frozenset(("clear", "items", "keys", "pop", "update", "values"))


def owned_by_module(name: str) -> bool:
    """Whether `nn.Module` has an attribute of this name, or may have: what begins with `_` is its own."""
    return name in _MODULE or name.startswith("_")


def owned_by_sequential(name: str) -> bool:
    return owned_by_module(name) or name in _SEQUENTIAL


def owned_by_dict(name: str) -> bool:
    """Whether `nn.ModuleDict` uses the name."""
    return owned_by_module(name) or name in _DICT
