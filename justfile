# Recipes for developers; `just` lists them. CI runs .ci/run, which calls the same commands.

default:
    @just --list

# The tests that need no more than a few minutes.
test *args:
    uv run pytest {{args}}

# The slow ones and those that need a browser too.
test-all:
    uv run pytest -m ""

lint:
    uv run ruff check .
    uv run ruff format --check .
    uv run pyright
    .ci/biome ci

fix:
    uv run ruff check --fix .
    uv run ruff format .
    .ci/biome check --write

# The main job and its page.
quickstart:
    uv run bench run quickstart
    uv run bench report

# The documentation as a site, and its notebook executed again.
docs:
    uv run --group docs mkdocs build --strict

notebook:
    uv run python docs/make_notebook.py

# How fast everything is, beside other libraries: docs/speed.md. Nothing else should run meanwhile.
speed *args:
    uv run python benchmarks/speed.py {{args}}

# Build the wheel and run the tests against it.
wheel:
    bash .ci/wheel

ci:
    bash .ci/run

# Pictures in docs/img, drawn from the code.
pictures:
    uv run python docs/make_operator_pictures.py
    uv run python docs/make_dataset_pictures.py
