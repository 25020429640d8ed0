"""Members under names that `nn.Module` uses itself (`type`, `training`), or deep in a path."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Labelled(nn.Module):
    """A module whose members may bear any name, `training` too."""

    def __setattr__(self, name: str, value: Any) -> None:
        # nn.Module takes every assignment to a member's name for the member.
        if name in self.__dict__ and not isinstance(value, (nn.Module, nn.Parameter)):
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)


def attach(parent: nn.Module, path: str, member: nn.Module | Tensor) -> None:
    """Register a module, parameter or buffer at a dotted path beneath `parent`."""
    *steps, name = path.split(".")
    for step in steps:
        child = parent._modules.get(step)
        if child is None:
            child = parent._modules[step] = Labelled()
        parent = child
    if isinstance(member, nn.Module):
        parent._modules[name] = member
    elif isinstance(member, nn.Parameter):
        parent._parameters[name] = member
    else:
        parent._buffers[name] = member


def at(parent: nn.Module, path: str) -> Any:
    """What `attach` registered."""
    found: Any = parent
    for step in path.split("."):
        if step in found._modules:
            found = found._modules[step]
        elif step in found._parameters:
            found = found._parameters[step]
        else:
            found = found._buffers[step]
    return found
