"""The top level of grid.yaml as pydantic declares it, and what it says of a document that is none, in our words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from bench.errors import SettingError, did_you_mean
from bench.grid import limits
from bench.grid.conditions import Expression
from bench.grid.limits import Path_
from bench.grid.priors import DEFAULT
from bench.grid.schema import Execution, Protocol, Section, StudyName, TuneSection
from bench.imaging.psf import require_distortion

#: What follows "must be" where a value is refused.
ALLOWED = {
    "seed": f"a whole number of at least 0 and at most {2**63 - 1:,}",
    "repetitions": f"a whole number of at least 1 and at most {limits.MOST:,}",
    "samples": f"a whole number of at least 1 and at most {limits.MOST:,}",
    "blur": "a list with at least one entry",
    "noise": "a list with at least one entry",
    "solvers": "a list with at least one entry",
    "metrics": "a list with at least one name",
    "psf_error": "a list, as in [none, {rotate: 5}]",
    "sigma_factor": "a list of positive numbers",
    "exclude": "a list of expressions",
}

Count = Annotated[int, Field(strict=True, ge=1, le=limits.MOST)]


def _name(text: str) -> str:
    if not text or text.startswith(".") or not all(c.isalnum() or c in "._-" for c in text):
        raise ValueError(f"name must consist of letters, digits, '.', '_' and '-', got {text[:200]!r}")
    if len(text) > limits.LONGEST_NAME:
        raise ValueError(f"name must have at most {limits.LONGEST_NAME} characters, got {len(text)}")
    return text


def _condition(item: object) -> Expression:
    if len(str(item)) > limits.LONGEST_CONDITION:
        raise ValueError(f"a condition has at most {limits.LONGEST_CONDITION} characters")
    try:
        return Expression(str(item))
    except SettingError as error:
        raise ValueError(str(error)) from error


def _positive(value: object) -> float:
    if not limits.is_number(value) or not value > 0:  # type: ignore[operator]  # a number by now
        raise ValueError(f"sigma_factor must be positive, got {value!r}")
    return float(value)  # type: ignore[arg-type]


def _number(value: object) -> float:
    if not limits.is_number(value):
        raise ValueError(f"expected none or a mapping such as {{rotate: 5}}, got {value!r}")
    return float(value)  # type: ignore[arg-type]


class Distortion(Section):
    """What is done to the PSF that a solver is given: the keywords of ``bench.imaging.psf.distort``."""

    rotate: Annotated[float, BeforeValidator(_number)] = 0.0
    scale: Annotated[float, BeforeValidator(_number)] = 1.0
    blur: Annotated[float, BeforeValidator(_number)] = 0.0

    @model_validator(mode="before")
    @classmethod
    def _none(cls, value: Any) -> Any:
        return {} if value in (None, "none") else value

    @model_validator(mode="after")
    def _possible(self) -> Distortion:
        try:
            require_distortion(**self.given)
        except SettingError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def given(self) -> dict[str, float]:
        """The keywords that the grid states."""
        return self.model_dump(exclude_unset=True)


def _split(value: object) -> object:
    if not isinstance(value, dict | list):
        raise ValueError(f"expected name: {{settings}}, or a list of such, got {str(value)[:200]!r}")
    return value


#: Datasets with their settings: a mapping, or a list of such where a name may come twice.
Split = Annotated[Any, AfterValidator(_split)]


class Data(Section):
    """Datasets by split, each with its settings."""

    test: Split = Field(default_factory=dict)
    val: Split = Field(default_factory=dict)


class Document(Section):
    """The keys of grid.yaml; entries of plug-ins are left to ``bench.grid.read``, which knows the plug-ins."""

    name: Annotated[str, BeforeValidator(str), AfterValidator(_name)] | None = None
    study: StudyName | None = None
    seed: Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)] = 0
    data: Data
    blur: list[Any]
    noise: list[Any]
    prior: Any = DEFAULT
    psf_error: list[Distortion] = Field(default=[Distortion()], min_length=1)
    sigma_factor: list[Annotated[float, BeforeValidator(_positive)]] = Field(default=[1.0], min_length=1)
    solvers: list[Any]
    exclude: list[Annotated[Any, AfterValidator(_condition)]] = Field(default_factory=list)
    repetitions: Count = 1
    samples: Count = 1
    tune: TuneSection = TuneSection()
    metrics: list[Any] = Field(default=["psnr", "ssim"], min_length=1)
    protocol: Protocol = Protocol()
    run: Execution = Execution()


#: sections whose unknown keys are answered with theirs
_SECTIONS: dict[str, type[Section]] = {
    "data": Data, "tune": TuneSection, "protocol": Protocol, "run": Execution, "psf_error": Distortion,
}  # fmt: skip

Mistake = tuple[Path_, str]


def validate(data: dict[str, Any]) -> tuple[Document, list[Mistake]]:
    """The document, and its mistakes: what is wrong is left out of it, so that the rest can be looked at too."""
    try:
        return Document.model_validate(data), []
    except ValidationError as error:
        wrong = {e["loc"][0] for e in error.errors()}
        rest = {k: v for k, v in data.items() if k not in wrong}
        empty = {k: {} if k == "data" else [] for k, f in Document.model_fields.items() if f.is_required()}
        return Document.model_validate({**empty, **rest}), list(_mistakes(error))


def _mistakes(error: ValidationError) -> Iterator[Mistake]:
    every = error.errors(include_url=False)
    unknown = [str(e["loc"][-1]) for e in every if e["type"] == "extra_forbidden"]
    for e in every:
        path = tuple(e["loc"])
        if e["type"] == "missing" and any(f"Did you mean {path[-1]!r}" in _unknown((u,)) for u in unknown):
            continue  # it is there, misspelt, and was named already
        yield path, _sentence(path, e["type"], e["msg"], e["input"], e.get("ctx", {}).get("error"))


def _sentence(path: Path_, kind: str, message: str, given: Any, raised: Any) -> str:
    """What is wrong, what is allowed, and a guess."""
    if kind == "extra_forbidden":
        return _unknown(path)
    if kind == "missing":
        return f"the key {path[-1]!r} is missing"
    if raised is not None:
        return str(raised)
    shown = repr(given)[:200]
    if len(path) == 1 and path[0] in ALLOWED:
        return f"{path[0]} must be {ALLOWED[str(path[0])]}, got {shown}"
    name = ".".join(str(p) for p in path)
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"{name} must be a mapping, got {shown}"
    return f"{name}: {message[0].lower()}{message[1:]}, got {shown}"


def _unknown(path: Path_) -> str:
    model = _SECTIONS.get(str(path[0]), Document) if len(path) > 1 else Document
    where, key = f" in {path[0]}" if len(path) > 1 else "", [*path][-1]
    return f"unknown key {key!r}{where}. {did_you_mean(str(key), model.model_fields)}"
