"""Commands about model versions: which there are, what is known of them, which serves, and any of them to take away."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from wms.move_options import By, Reason
from wms.output import print_json, say
from wms.settings import Settings, load_settings

if TYPE_CHECKING:
    from wms.definitions import Resources
    from wms_resources.promotion import Promotion

app: Final = typer.Typer(
    help="Model versions: list, show and compare them, move `production`, take one away.", no_args_is_help=True
)

_Json = Annotated[bool, typer.Option("--json", help="print JSON, hashes in full")]
_Ref = Annotated[str, typer.Argument(metavar="REF", help="a version's number, or an alias such as production")]


@app.command("list")
def show_all(as_json: _Json = False) -> None:
    """Versions, newest first, with the scores of when they were judged and what `production` has been."""
    from wms.models_view import print_list, told
    from wms_resources.model_list import listed

    _, parts = _set_up()
    versions = listed(parts.registry)
    history = parts.promoter.history() if versions else []
    found = [told(each, history) for each in versions]
    if as_json:
        print_json(found)
    elif found:
        print_list(found)
        say("more of one with `wms models show REF`; REF is its number or an alias")
    else:
        say(
            "no model yet: `wms demo` makes one, or drop pictures (`wms drop DIR`) and run `wms run drop_to_deployment`"
        )


@app.command("show")
def show(ref: _Ref = "production", as_json: _Json = False) -> None:
    """Everything about a version: where it comes from, how it did, when it was in production and why."""
    from wms.models_view import everything, print_everything
    from wms_resources.model_facts import kept_evidence, run_of
    from wms_resources.model_list import find

    settings, parts = _set_up()
    found = find(parts.registry, ref)
    kept = kept_evidence(parts.registry, found.model)
    about = everything(found, run_of(parts.registry, found.model), parts.promoter.history(), kept)
    if as_json:
        print_json(about)
    else:
        print_everything(about, kept, settings.gate_rule())


@app.command("compare")
def compare(
    ref: Annotated[str, typer.Argument(metavar="A", help="the version that would come: number or alias")],
    other: Annotated[str, typer.Argument(metavar="B", help="the version that would go")],
    data: Annotated[Path | None, typer.Option(help="score both on the test side of this folder")] = None,
    as_json: _Json = False,
) -> None:
    """Two versions on the same test pictures, and what the gate would say if A came for B's place; moves nothing."""
    from wms.model_comparison import compare as compared
    from wms.models_view import print_comparison

    settings, parts = _set_up()
    outcome = compared(parts, ref, other, data, settings.gate_rule())
    if as_json:
        print_json(outcome.as_json())
    else:
        print_comparison(outcome)


@app.command("promote")
def promote(ref: _Ref, reason: Reason, by: By = None, as_json: _Json = False) -> None:
    """Put a version into production by hand. The gate judges it as ever: there is no way around it."""
    from wms_resources.model_list import find

    settings, parts = _set_up()
    who = _who(settings, by)
    version = find(parts.registry, ref).model
    done = parts.promoter.promote(parts.registry, version.version, version.data_version, by=who, reason=reason)
    _follow_up(settings, parts, done, who, reason, as_json)


@app.command("rollback")
def rollback(
    reason: Reason,
    to: Annotated[str | None, typer.Option(help="number or alias; default: the version before")] = None,
    by: By = None,
    as_json: _Json = False,
) -> None:
    """Put a version back into production that was there before."""
    from wms_resources.model_list import find

    settings, parts = _set_up()
    who = _who(settings, by)
    target = find(parts.registry, to).model.version if to else None
    done = parts.promoter.rollback(parts.registry, by=who, reason=reason, to=target)
    _follow_up(settings, parts, done, who, reason, as_json)


@app.command("pull")
def pull(
    out: Annotated[Path, typer.Option(help="new or empty folder")],
    ref: _Ref = "production",
) -> None:
    """Take a model away for use without this platform: the checked ONNX file, its card and what it is, as JSON."""
    from wms_resources.model_list import find
    from wms_resources.pulled_model import MODEL, pull_model

    _, parts = _set_up()
    version = find(parts.registry, ref).model
    if ref == "production":
        version = parts.promoter.in_production(parts.registry)
    pull_model(parts.registry, version, out)
    typer.echo(str(out / MODEL))
    say(f"{version.name} version {version.version}: `wms predict PICTURES --model {out} --out found`")


def _follow_up(settings: Settings, parts: "Resources", done: "Promotion", who: str, reason: str, as_json: bool) -> None:
    """What a move by hand brings with it, and what is said of it."""
    from wms.manual_moves import follow_up

    follow_up(settings, parts, done, who, reason)
    outcome: dict[str, Any] = {
        "version": done.version.version,
        "replaced": done.replaced.version if done.replaced else None,
        "by": who,
        "reason": reason,
        "verdict": done.verdict.as_json() if done.verdict else None,
    }
    if as_json:
        print_json(outcome)
    if done.line is None:
        say(f"version {done.version.version} is in production already: nothing was moved")
        return
    before = f" in place of version {done.replaced.version}" if done.replaced else ""
    said = f": {done.verdict.reason}" if done.verdict else ""
    say(f"version {done.version.version} is in production{before}{said}")
    say("the service goes on with the version it has: `wms deploy` deploys this one")


def _set_up() -> "tuple[Settings, Resources]":
    from wms.definitions import resources

    settings = load_settings()
    return settings, resources(settings)


def _who(settings: Settings, by: str | None) -> str:
    from wms.person import person

    return person(settings, by)
