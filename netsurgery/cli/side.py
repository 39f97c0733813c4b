"""What `netsurgery caffe` and `netsurgery caffe2` share: environments of older Pythons are shown, made and removed alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Json, Quiet
from .printing import note, print_json

if TYPE_CHECKING:
    from ..verification.side.install import Installer

BasePython = Annotated[
    Path | None,
    typer.Option(
        "--python",
        help="The Python 3.8 or 3.9 to make it from. Default: the first one that is there, or one that uv or pyenv get.",
        show_default=False,
    ),
]
Directory = Annotated[
    Path | None,
    typer.Option(help="Where it is. Default: the user's data folder, where it is looked for.", show_default=False),
]


def side_commands(name: str, title: str, content: str, cost: str, about: str | None) -> typer.Typer:
    """The group `netsurgery NAME`: without a command it says what is there. `content` and `cost` are for the help of `install`."""
    app = typer.Typer(help=about, rich_markup_mode="rich", invoke_without_command=True)

    @app.callback()
    def _show(context: typer.Context, as_json: Json = False) -> None:
        if context.invoked_subcommand is None:
            show(name, as_json)

    @app.command(help=f"Make an environment with {content}. {cost}\n\nExample: netsurgery {name} install")
    def install(
        python: BasePython = None,
        directory: Directory = None,
        offline: Annotated[
            Path | None,
            typer.Option(
                metavar="FOLDER",
                help="Take the wheels from this folder, which the command download filled.",
                show_default=False,
            ),
        ] = None,
        force: Annotated[bool, typer.Option("--force", help="Make it anew if it is there.")] = False,
        quiet: Quiet = False,
    ) -> None:
        installer = _installer(name, directory, quiet)
        typer.echo(str(installer.install(str(python) if python else None, offline, force)))
        if directory is not None and installer.folder != _installer(name, None, quiet).folder:
            note(f"note: export {installer.recipe.variable}={installer.python} lets it be found", quiet)

    @app.command(help=f"Remove the environment of {title} and what was downloaded for it.")
    def uninstall(directory: Directory = None, quiet: Quiet = False) -> None:
        installer = _installer(name, directory, quiet)
        freed = installer.uninstall()
        note(f"{installer.folder}: {f'{freed / 1e6:.0f} MB removed' if freed else 'nothing is there'}", quiet)

    @app.command(help="Fetch the wheels for this platform into a folder, for `install --offline` on another machine.")
    def download(
        folder: Annotated[Path, typer.Argument(help="Where to put them.", show_default=False)],
        python: BasePython = None,
        quiet: Quiet = False,
    ) -> None:
        count = _installer(name, None, quiet).download(folder, str(python) if python else None)
        note(f"{folder}: {count} wheels", quiet)

    return app


def show(name: str, as_json: bool) -> None:
    """Says which interpreter is used, whether it works, and what it has."""
    from ..errors import NetsurgeryError
    from ..verification.side.opened import open_side, python_for
    from ..verification.side.recipe import RECIPES

    recipe = RECIPES[name]
    path, how = python_for(recipe)
    told: dict[str, object] = {"python": path, "source": how if path else None, "works": False}
    problem = ""
    try:
        side, about = open_side(recipe)
        side.close()
        told |= {"works": True, **about}
    except NetsurgeryError as error:
        problem = str(error)
        told["problem"] = error.problem
    if as_json:
        print_json(told)
    elif told["works"]:
        versions = ", ".join(f"{package} {version}" for package, version in about["versions"].items() if version)
        typer.echo(f"{path} ({how})\n{versions}")
        if layers := about.get("layers"):
            typer.echo(f"{len(layers)} layer types: {', '.join(layers)}")
        if about.get("batch_statistics") is False:
            typer.echo("its BatchNorm does not compute batch statistics: such layers are left to netsurgery")
    else:
        typer.echo(problem)


def _installer(name: str, directory: Path | None, quiet: bool) -> Installer:
    from ..verification.side.install import Installer, data_folder
    from ..verification.side.recipe import RECIPES

    recipe = RECIPES[name]
    folder = directory.resolve() if directory is not None else data_folder(recipe)
    return Installer(recipe, folder, lambda text: note(text, quiet), not quiet)
