"""The project's addresses for the package index: of the repository whose workflow builds it."""

import os
from typing import Any

# hatchling is in the environment of a build alone
from hatchling.metadata.plugin.interface import MetadataHookInterface  # pyright: ignore[reportMissingImports]


class Urls(MetadataHookInterface):
    """[project.urls] from the variables that the workflow's runner sets; none in a build by hand."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the addresses."""
        server, name = (os.environ.get(f"GITHUB_{part}") for part in ("SERVER_URL", "REPOSITORY"))
        home = f"{server}/{name}"
        files = {"Documentation": "docs/index.md", "Changelog": "CHANGELOG.md"}
        pages = {title: f"{home}/blob/main/{file}" for title, file in files.items()}
        metadata["urls"] = {"Repository": home, "Issues": f"{home}/issues", **pages} if server and name else {}
