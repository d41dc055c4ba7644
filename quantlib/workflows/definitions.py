"""Definitions as things people keep: saved under a name in versions, compared, passed on, run every day."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from quantlib.errors import ConfigError, DataError, StrategyError, nearest
from quantlib.store import (
    StrategyRecord,
    VersionRecord,
    coverage,
    delete_definition,
    read_definition_versions,
    rename_definition,
    save_version,
)
from quantlib.strategies import DAILY, LIBRARY, STRATEGIES, Definition, Strategy, build
from quantlib.strategies.difference import Change, diff
from quantlib.strategies.document import check_name, from_yaml, to_yaml
from quantlib.strategies.fitting import check_symbols
from quantlib.strategies.from_file import load_file, read_text
from quantlib.universe import ALL
from quantlib.workflows.session import Session

EVERYTHING = "all"


def record_of(strategy: Strategy, title: str) -> StrategyRecord:
    """Return a definition as it is stored, under its id."""
    params = strategy.model_dump(mode="json")
    return StrategyRecord(id=strategy.id, family=strategy.family, title=title, params=params)


def save_definition(
    session: Session,
    name: str,
    strategy: Strategy,
    note: str | None = None,
    *,
    why: str | None = None,
    reference: str | None = None,
) -> VersionRecord:
    """Return the newest version of a name after saving a definition under it.

    The definition that is the newest version already makes no new one.

    Parameters
    ----------
    name
        A new one, or one in use.
    note, why, reference
        What was changed, why it might work, where it was written about; None leaves what there is.

    Raises
    ------
    StrategyError
        The name is that of a ready definition or has signs in it that a name must not have; or the strategy is a
        class of its own in a Python file.
    """
    name = _own_name(name)
    if STRATEGIES.get(strategy.family) is not type(strategy):
        raise StrategyError(
            f"{strategy.title} is a class of its own, which is kept in its Python file, and in MLflow with every run. "
            "Only definitions of a family can be saved under a name."
        )
    record = record_of(strategy, name)
    return save_version(session.store, name, record, note=note, why=why, reference=reference)


def definition_versions(session: Session, name: str) -> list[VersionRecord]:
    """Return the versions kept under a name, the first one first.

    Raises
    ------
    DataError
        Nothing is kept under that name.
    """
    return read_definition_versions(session.store, name)


def saved_definitions(session: Session) -> dict[str, Definition]:
    """Return the newest version of every name in use; one that its family no longer accepts is left out."""
    newest = {record.name: record for record in read_definition_versions(session.store)}
    found = {}
    for name, record in newest.items():
        try:
            found[name] = _definition(record)
        except StrategyError:
            continue
    return found


def known_definitions(session: Session) -> dict[str, Definition]:
    """Return all definitions by name: the ready ones, then those saved under a name in their newest version."""
    return LIBRARY | saved_definitions(session)


def find_definition(session: Session, name: str) -> Definition:
    """Return a definition by what people call it.

    Parameters
    ----------
    name
        The name of a ready definition or of a saved one, which is then the newest version; another with its number,
        such as "My pair@2".

    Raises
    ------
    StrategyError
        There is no definition of that name, no such version, or its family no longer accepts it.
    """
    base, _, number = (part.strip() for part in name.rpartition("@")) if "@" in name else (name.strip(), "", "")
    if base in LIBRARY:
        if number:
            raise StrategyError(f"{base} is a ready definition, which has no versions. Leave @{number} out.")
        return LIBRARY[base]
    versions = [record for record in read_definition_versions(session.store) if record.name == base]
    if not versions:
        known = {*LIBRARY, *(record.name for record in read_definition_versions(session.store))}
        raise StrategyError(f"There is no definition {base!r}. {nearest(base, known)}")
    if not number:
        return _definition(versions[-1])
    for record in versions:
        if str(record.version) == number:
            return _definition(record)
    last = versions[-1].version
    raise StrategyError(f"{base} has no version {number!r}; accepted: {'1' if last == 1 else f'1 to {last}'}.")


def open_definition(session: Session, what: str) -> tuple[str, Definition]:
    """Return what a definition is called, and the definition, from a name or a file.

    Parameters
    ----------
    what
        A name as in `find_definition`, or the path of a YAML document (.yaml, .yml) or a Python file (.py).

    Raises
    ------
    StrategyError
        There is no such name or file, or it does not hold a definition.
    """
    path = Path(what)
    if path.suffix == ".py":
        strategy = load_file(path)
        return strategy.title, Definition(strategy)
    if path.suffix in {".yaml", ".yml"}:
        return _document(path)
    return what.partition("@")[0].strip(), find_definition(session, what)


def compare_versions(session: Session, name: str, a: int, b: int) -> list[Change]:
    """Return what changed from one version of a name to another, in words.

    Raises
    ------
    StrategyError
        There is no such name or version.
    """
    old, new = (find_definition(session, f"{name}@{number}") for number in (a, b))
    return diff(old.strategy, new.strategy)


def version_changes(versions: Sequence[VersionRecord]) -> list[str]:
    """Return for each version what changed from the one before it, in words; nothing for the first."""
    said = []
    before: Strategy | None = None
    for record in versions:
        try:
            now = _definition(record).strategy
        except StrategyError as error:
            said.append(f"It is accepted no more. {error}")
            continue
        said.append("" if before is None else "; ".join(change.sentence for change in diff(before, now)))
        before = now
    return said


def import_definition(
    session: Session, text: str, *, name: str | None = None, note: str | None = None
) -> VersionRecord:
    """Return the version that a YAML document was saved as.

    Parameters
    ----------
    text
        The document.
    name
        Another name than the one in it.

    Raises
    ------
    StrategyError
        Something in the document is not accepted; the message names the line. Or as in `save_definition`.
    """
    written, told = from_yaml(text)
    return save_definition(session, name or written, told.strategy, note, **_words(told))


def save_opened(session: Session, name: str, what: str, note: str | None = None) -> VersionRecord:
    """Return the version that a definition was saved as under a name; refuses symbols that are not known here.

    See Also
    --------
    open_definition, save_definition
    """
    _, told = open_definition(session, what)
    _check_symbols(session, told, what)
    return save_definition(session, name, told.strategy, note, **_words(told))


def import_file(session: Session, path: Path, *, name: str | None = None, note: str | None = None) -> VersionRecord:
    """Return the version that a file with a YAML document was saved as; refuses symbols that are not known here.

    See Also
    --------
    import_definition
    """
    written, told = _document(path)
    _check_symbols(session, told, str(path))
    return save_definition(session, name or written, told.strategy, note, **_words(told))


def export_definition(session: Session, name: str) -> str:
    """Return a definition as a YAML document.

    See Also
    --------
    find_definition
    """
    definition = find_definition(session, name)
    return to_yaml(definition.strategy, name.partition("@")[0].strip(), definition.why, definition.reference)


def move_definition(session: Session, name: str, new: str) -> None:
    """Keep all versions of a name under a new one.

    Raises
    ------
    DataError
        Nothing is kept under the old name, or something is or was under the new one.
    StrategyError
        As in `save_definition`.
    ConfigError
        WORKBENCH_STRATEGIES names it.
    """
    new = _own_name(new)
    _check_not_daily(session, name)
    rename_definition(session.store, name, new)


def drop_definition(session: Session, name: str) -> None:
    """Take a name out of use; its versions stay, and come back when something is saved under it again.

    Raises
    ------
    DataError
        Nothing is kept under that name.
    ConfigError
        WORKBENCH_STRATEGIES names it.
    """
    _check_not_daily(session, name)
    delete_definition(session.store, name)


def daily(session: Session) -> dict[str, Strategy]:
    """Return the definitions that the pipeline runs by itself, by name: those that WORKBENCH_STRATEGIES names.

    "daily" stands for those the library has for it, "all" for every ready and saved one.

    Raises
    ------
    ConfigError
        The setting names none, or something that is no definition.
    """
    wanted = session.settings.strategies.strip()
    if wanted == "daily":
        return {name: LIBRARY[name].strategy for name in DAILY}
    known = {name: definition.strategy for name, definition in known_definitions(session).items()}
    if wanted == EVERYTHING:
        return known
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    if unknown := [name for name in names if name not in known]:
        hint = nearest(unknown[0], known)
        raise ConfigError(f"WORKBENCH_STRATEGIES names {unknown[0]!r}, which is no definition. {hint}")
    if not names:
        raise ConfigError("WORKBENCH_STRATEGIES names no definition. Give names with commas between, daily, or all.")
    return {name: known[name] for name in names}


def check_prices(session: Session, strategy: Strategy) -> None:
    """Refuse a definition with a symbol that nobody knows, or one of the universe without prices so far.

    Raises
    ------
    StrategyError
        Nobody knows the symbol.
    DataError
        There are no prices of it yet.
    """
    stored = set(coverage(session.store)["symbol"])
    if not stored:
        return  # reading them says what to do
    check_symbols(strategy, stored.union(session.universe.symbols()))
    if lacking := [symbol for symbol in strategy.inputs if symbol not in stored]:
        asked = " ".join(f"--symbol {symbol}" for symbol in lacking)
        how = f"Load them with `workbench ingest --source SOURCE {asked}`; `workbench sources` says who has them."
        raise DataError(f"There are no prices of {', '.join(lacking)} yet. {how}")


def _words(told: Definition) -> dict[str, str | None]:
    """Return what is told about a definition; nothing leaves what was told before."""
    return {"why": told.why or None, "reference": told.reference or None}


def _check_not_daily(session: Session, name: str) -> None:
    """Refuse to take away a name that the pipeline is told to run: it could not run at all then."""
    if name in (one.strip() for one in session.settings.strategies.split(",")):
        raise ConfigError(f"WORKBENCH_STRATEGIES names {name!r}, so the pipeline needs it. Change the setting first.")


def _own_name(name: str) -> str:
    """Return a name that something may be saved under."""
    name = check_name(name)
    if name in ("daily", EVERYTHING):
        raise StrategyError(f"{name!r} has a meaning of its own in WORKBENCH_STRATEGIES. Choose another name.")
    if name in LIBRARY:
        raise StrategyError(f"{name!r} is the name of a ready definition, which stays as it is. Choose another name.")
    return name


def _check_symbols(session: Session, told: Definition, what: str) -> None:
    """Raise where a definition from outside names a symbol that is neither in the universe nor stored."""
    try:
        check_symbols(told.strategy, {*session.universe.symbols(ALL), *coverage(session.store)["symbol"]})
    except StrategyError as error:
        raise StrategyError(f"{what}: {error} Another symbol needs prices first: `workbench ingest`.") from None


def _document(path: Path) -> tuple[str, Definition]:
    """Return the name and the definition in a YAML file, whose path every error names."""
    text = read_text(path)
    try:
        return from_yaml(text)
    except StrategyError as error:
        raise StrategyError(f"{path}: {error}") from None


def _definition(record: VersionRecord) -> Definition:
    return Definition(build(record.family, record.params), record.why, record.reference)
