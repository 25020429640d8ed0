"""A last look at generated Python: what no emitter writes does not leave the house.

Names and texts of a spec reach the source as checked identifiers and escaped literals alone. Should one
ever get through as code, it is noticed here: the file is parsed again, and holds only forms of Python,
imports and built-in functions that stand in these lists.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator

#: What the emitters use of Python's grammar, in all of their files together.
FORMS = frozenset(
    re.findall(
        r"\w+",
        """
        Add And AnnAssign Assign Attribute AugAssign BinOp BitAnd BitOr BitXor BoolOp Call ClassDef
        Compare Constant Continue Dict DictComp Div Eq Expr FloorDiv For FormattedValue FunctionDef
        GeneratorExp Gt GtE If IfExp Import ImportFrom In Invert Is IsNot JoinedStr LShift Lambda List
        ListComp Load Lt LtE MatMult Mod Module Mult Name Not NotEq NotIn Or Pass Pow RShift Raise
        Return Set SetComp Slice Starred Store Sub Subscript Tuple USub UnaryOp While With Yield alias
        arg arguments comprehension keyword withitem
        """,
    )
)
#: Backend -> what its files import, by full name.
IMPORTS = {
    "numpy": frozenset(
        (
            "__future__.annotations",
            "collections.abc.Iterator",
            "collections.abc.Mapping",
            "collections.abc.Sequence",
            "numpy",
            "typing.Any",
            "typing.TypeAlias",
        )
    ),
    "torch": frozenset(
        (
            "__future__.annotations",
            "collections.OrderedDict",
            "collections.abc.Mapping",
            "collections.abc.Sequence",
            "torch",
            "torch.Tensor",
            "torch.nn",
            "torch.nn.functional",
            "torch.nn.modules.batchnorm._BatchNorm",
            "torch.nn.modules.instancenorm._InstanceNorm",
            "typing.Any",
        )
    ),
}
#: Built-in functions that the emitters call; among them is nothing that runs, opens or imports.
BUILTINS = frozenset(
    re.findall(
        r"\w+",
        """
        KeyError RuntimeError TypeError ValueError abs all any bool dict enumerate float getattr int
        isinstance len list map max min object property range repr reversed round set setattr slice
        sorted staticmethod str sum super tuple type zip
        """,
    )
)
#: Attributes with two underscores on either side that the emitters use.
SPECIAL = frozenset(("__class__", "__dict__", "__init__", "__name__", "__setattr__", "__setitem__"))

_ALL_BUILTINS = frozenset(vars(builtins))


def foreign(source: str, backend: str) -> list[str]:
    """What stands in a source that none of the emitters writes, each once, in order; none if all is well."""
    return list(dict.fromkeys(_foreign(ast.parse(source), IMPORTS[backend])))


def checked(source: str, backend: str) -> str:
    """The source, if there is nothing foreign in it."""
    found = foreign(source, backend)
    if found:
        raise RuntimeError(f"the generated source holds what no emitter writes: {', '.join(found[:5])}")
    return source


def _foreign(tree: ast.Module, imports: frozenset[str]) -> Iterator[str]:
    bound: set[str] = set()
    used: dict[str, None] = {}
    for node in ast.walk(tree):
        kind = type(node).__name__
        if kind not in FORMS:
            yield kind
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                used[node.id] = None
            else:
                bound.add(node.id)
        elif isinstance(node, ast.Attribute):
            if node.attr.startswith("__") and node.attr.endswith("__") and node.attr not in SPECIAL:
                yield node.attr
        elif isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name not in imports)
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{one.name}" for one in node.names]
            yield from (name for name in names if node.level or name not in imports)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            # For labels that PyTorch's modules have a meaning of their own for.
            if node.func.id in ("getattr", "setattr") and not isinstance(node.args[1], ast.Constant):
                yield ast.unparse(node)
    # A name that the file itself gives a meaning, such as a layer called `open`, is no built-in function.
    yield from (name for name in used if name in _ALL_BUILTINS and name not in BUILTINS and name not in bound)
