"""What the site takes from outside docs/. MkDocs loads this file; it runs in MkDocs' environment,
so it imports nothing of ours.

README becomes the first page, so that its links are checked like all others. Pages link to files
as they lie in the repository; here those links are turned to the pages made of them.
"""

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
TAKEN = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "simulator/README.md": "simulator_manual.md",
}
LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")
OPENAPI = "openapi.json"


def on_config(config: Any) -> Any:
    """Leave out the pages that are announced and not here yet."""
    coming = set(config.extra.get("coming") or [])
    absent = {name for name in coming if not (ROOT / "docs" / name).exists()}
    config.nav = _without(config.nav, absent)
    return config


def _without(entries: Any, absent: set[str]) -> Any:
    if not isinstance(entries, list):
        return entries
    kept = []
    for entry in entries:
        ((title, target),) = entry.items()
        if not isinstance(target, str) or target not in absent:
            kept.append({title: _without(target, absent)})
    return kept


def on_files(files: Files, config: Any) -> Files:
    for source, name in TAKEN.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=relinked(text, Path(source).parent)))
    schema = Path(os.environ.get("OPENAPI_FILE", ""))
    if not schema.is_file():
        raise PluginError("There is no OpenAPI file: build with ./run check docs.")
    files.append(File.generated(config, OPENAPI, abs_src_path=str(schema)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    source = page.file.src_uri
    if source in TAKEN.values():
        return markdown
    return relinked(markdown, Path("docs", source).parent)


def relinked(text: str, folder: Path) -> str:
    """Links between files of the repository, as links between pages of the site."""
    place = folder.relative_to("docs") if folder.parts[:1] == ("docs",) else Path()
    return LINK.sub(lambda found: _relink(found, folder, place), text)


def _relink(found: re.Match[str], folder: Path, place: Path) -> str:
    target = found[2]
    if "://" in target or target.startswith(("/", "mailto:")):
        return found[0]
    path = os.path.normpath(folder / target)
    if path == "docs/adr":  # a folder is no page
        path = "docs/adr/0001-calls-live-in-devices.md"
    inside = TAKEN.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
    if inside is None:
        return found[0]  # MkDocs says that it leads out of the site
    return f"{found[1]}{os.path.relpath(inside, place)}{found[3]}"
