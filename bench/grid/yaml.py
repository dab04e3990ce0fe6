"""YAML that remembers where each value stood, so that an error can say ``grid.yaml:12``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.errors import GridError
from bench.grid.limits import Path_

#: Nodes that a grid may hold once its aliases are expanded: more is a mistake, or an attack.
MAX_NODES = 100_000
#: Bytes of a file: its text takes PyYAML ten times as long as its length suggests.
MAX_BYTES = 1_000_000
#: Bits of a whole number: more is no count of anything.
MAX_BITS = 128

_TAGS = {"map", "seq", "str", "int", "float", "bool", "null"}


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-2 as a number (YAML 1.1 wants 1.0e-2 and takes the rest for text), up to a limit."""

    nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:  # type: ignore[override]
        """Count before anything is made of it."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise yaml.MarkedYAMLError(problem=f"more than {MAX_NODES:,} values", problem_mark=self.get_mark())
        return super().compose_node(parent, index)  # type: ignore[arg-type]


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$|^[-+]?inf$"),
    list("-+0123456789.i"),
)


@dataclass(frozen=True)
class Located:
    """Plain data from YAML and the line of each node.

    Attributes:
        data: dicts, lists and scalars.
        lines: path of keys and indices -> line, counted from 1.
        file: what errors call the file.
        text: the source.
    """

    data: Any
    lines: dict[Path_, int]
    file: str
    text: str

    def where(self, *path: str | int) -> str:
        """``file:line`` of the node at ``path``, or of its nearest ancestor."""
        return f"{self.file}:{self.line(*path)}"

    def line(self, *path: str | int) -> int:
        """The line of the node at ``path``, or of its nearest ancestor."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def error(self, message: str, *path: str | int) -> GridError:
        """A GridError that starts with the place of ``path``."""
        return GridError(f"{self.where(*path)}: {message}")


def read_yaml(file: Path) -> Located:
    """Read a YAML file. Raises GridError with file and line."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        text = data[:MAX_BYTES].decode("utf-8", errors="ignore" if len(data) > MAX_BYTES else "strict")
    except OSError as error:
        raise GridError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise GridError(f"{file}: is not UTF-8 text: {error}") from error
    if len(data) > MAX_BYTES:
        raise GridError(f"{file}:1: is longer than {MAX_BYTES:,} bytes; that is no grid")
    return parse_yaml(text.replace("\r\n", "\n"), file.name)


def parse_yaml(text: str, file: str) -> Located:
    """Parse YAML text; ``file`` is what errors call it."""
    if len(text) > MAX_BYTES:
        raise GridError(f"{file}:1: is longer than {MAX_BYTES:,} characters; that is no grid")
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        reader = _Reader(loader, file)
        data = reader.value(node, ()) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark else 1
        raise GridError(f"{file}:{line}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise GridError(f"{file}:1: not valid YAML: {error}") from error
    finally:
        if loader is not None:
            loader.dispose()
    return Located(data, reader.lines, file, text)


def dump_yaml(data: dict[str, Any]) -> str:
    """Plain data as YAML text. Raises GridError for anything else, such as an array."""
    try:
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    except yaml.YAMLError as error:
        raise GridError(f"a grid holds dictionaries, lists, text and numbers alone: {error}") from error


class _Reader:
    """Turns nodes into data and notes their lines."""

    def __init__(self, loader: _Loader, file: str):
        self.loader, self.file = loader, file
        self.lines: dict[Path_, int] = {}
        self.count = 0

    def value(self, node: yaml.Node, path: Path_) -> Any:
        line = node.start_mark.line + 1
        self.lines[path] = line
        self.count += 1
        if self.count > MAX_NODES:
            raise GridError(f"{self.file}:{line}: more than {MAX_NODES:,} values once aliases are expanded")
        if node.tag.removeprefix("tag:yaml.org,2002:") not in _TAGS:
            raise GridError(f"{self.file}:{line}: the tag {node.tag!r} is not allowed: data only")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(n, (*path, i)) for i, n in enumerate(node.value)]
        if node.tag.endswith((":map", ":seq")):
            raise GridError(f"{self.file}:{line}: text with the tag {node.tag!r}")
        return self._scalar(node, line)

    def _scalar(self, node: yaml.Node, line: int) -> Any:
        try:
            value = self.loader.construct_object(node)
            if isinstance(value, str):
                value.encode()
        except UnicodeEncodeError as error:
            raise GridError(f"{self.file}:{line}: text with half of a surrogate pair") from error
        except (ValueError, LookupError) as error:  # LookupError: !!int '', !!bool x
            raise GridError(f"{self.file}:{line}: not valid YAML: {str(error).split(';')[0]}") from error
        if isinstance(value, int) and value.bit_length() > MAX_BITS:
            raise GridError(f"{self.file}:{line}: a whole number of {value.bit_length():,} bits; at most {MAX_BITS}")
        return value

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self._scalar(key_node, line)
            if not isinstance(key, str):
                raise GridError(f"{self.file}:{line}: a key must be text, got {key!r}")
            if key in result:
                raise GridError(f"{self.file}:{line}: the key {key!r} stands here twice")
            result[key] = self.value(value_node, (*path, key))
            self.lines[(*path, key)] = line
        return result
