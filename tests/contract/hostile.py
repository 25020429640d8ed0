"""Specs that are right, and in which every text that the user chooses tries to become code."""

from __future__ import annotations

import keyword

#: It leaves a file behind if it runs, however it gets to.
CALL = "__import__('os').system('touch canary')"
#: What may break out of a comment, a docstring or a string of Python, and then calls.
PAYLOADS = (
    f'"""; {CALL}; """', f"'''; {CALL}; '''", f'"; {CALL}; "', f"'; {CALL}; '", f"\\\\\"\"\"; {CALL}",
    "\\", f"\\n{CALL}", f"\\x22\\x22\\x22; {CALL}", f"{{{CALL}}}", f"%({CALL})s", f"${{{CALL}}}", f"`{CALL}`",
    f"# -*- coding: utf-7 -*- {CALL}", f"*/ {CALL}", '"', '""', '"""', '""""', "'''", "\\N{QUOTATION MARK}",
    f"]]> {CALL}", f"; {CALL} #",
)
#: The same with what ends a line, which only names of files can hold.
FILE_NAMES = tuple(name.replace("/", "") for name in (
    *(payload + ".cnn" for payload in PAYLOADS), f"a\n{CALL}\n.cnn", f"a\r{CALL}\r.cnn", f"a\x0b\x0c\x1c\x85\u2028{CALL}.cnn",
    f'a"""\n{CALL}\n"""\n.cnn', "a\x1b[31m.cnn", "\u202ea.cnn", "-a.cnn", "a:b.cnn", " .cnn", "\udce9.cnn",
    "a" * 200 + ".cnn"))

#: Words that are names of ours in a spec and mean something in Python, in NumPy or PyTorch, or in generated code.
NAMES = (
    *sorted(keyword.kwlist), "match", "case", "_", "__", "__init__", "__class__", "__name__", "__builtins__",
    "__import__", "self", "cls", "print", "eval", "exec", "open", "len", "range", "dict", "type", "object", "super",
    "np", "numpy", "torch", "nn", "F", "Tensor", "Array", "Arrays", "Any", "Mapping", "OrderedDict", "forward",
    "backward", "weights", "grads", "training", "generator", "build_model", "half", "float", "double", "eval_",
    "parameters", "modules", "state_dict", "train", "call_super_init", "dump_patches", "T_destination", "register_buffer",
    "check_present", "Model", "m", "d", "dx", "y", "i", "out", "kept",
    "annotations", "canary", "os", "sys",
)


def spec(payload: str) -> str:
    """A spec with the payload in its comments, docs, messages, names of outputs and, where it can be, in labels."""
    bare = payload.replace('"', "'").replace("{", "{{").replace("}", "}}")
    name = "".join(c for c in bare if 32 <= ord(c) < 127)[:40].strip() or "y"
    return (
        f"# {payload}\n## {payload}\nblock B(act = relu) {{  # {payload}\n    conv(4, 3x3) -> act\n}}\n"
        f"## {payload}\n## {payload}\nmodel m(n = 3) {{\n    input image: [2, 9, 8]  # {payload}\n"
        f"    B -> B # {payload}\n    expect n == 3, \"{bare}\"\n    stem: seq {{ conv(5, 1x1) }}\n"
        f"    flatten -> fc(n)\n    output \"{name}\"\n    # {payload}\n}}\n# {payload}"
    )


def named(name: str) -> str:
    """A spec in which a name stands wherever a user may choose one."""
    return (
        f"block {name}b(p_{name} = 3) {{ \"{name}\": conv(p_{name}, 1x1) -> relu as {name}_t\n    {name}_t -> batchnorm\n}}\n"
        f"model {name} {{\n    input {name}: [2, 6, 5]\n    \"{name}\": {name}b -> {name}b\n"
        f"    \"x.{name}\": conv(3, 3x3) as r_{name}\n    \"{name}-\": {{ relu -> c: conv(2, 1x1) }}\n    flatten\n"
        f"    output \"{name}.\"\n    fc(2)\n    output \"o/{name}\"\n}}\n"
    )
