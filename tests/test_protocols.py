"""Protocols: files that hold, states for every organ, errors that name file and key."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from pet2rep_eval import protocols
from pet2rep_eval.errors import ResourceError, UnknownNameError
from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.protocols import load_protocol, protocol_names
from pet2rep_eval.records import ABNORMAL_STATES, ParsedReport, Statement, UptakeState

INCREASED, DECREASED, ABSENT, NORMAL = UptakeState


def report(*statements: tuple[str, UptakeState | None]) -> ParsedReport:
    return ParsedReport("", "en", tuple(Statement(organ, state=state) for organ, state in statements))


def test_the_bundled_protocols_are_found_by_their_files() -> None:
    assert {"pet2rep", "sites"} <= set(protocol_names())


@pytest.mark.parametrize("name", protocol_names())
def test_every_protocol_labels_every_organ_of_any_report(name: str) -> None:
    protocol = load_protocol(name)
    empty = protocol.states(report())
    assert list(empty) == list(protocol.organs)
    assert set(empty.values()) == {frozenset()}
    for site in load_lexicon().sites:
        states = protocol.states(report((site, INCREASED), (site, NORMAL), (site, ABSENT)))
        hit = {organ for organ, found in states.items() if found}
        assert hit == {organ for organ, sites in protocol.regions.items() if site in sites}
        assert all(states[organ] == {INCREASED, ABSENT} for organ in hit)


def test_pet2rep_has_nineteen_organs_and_takes_spine_and_retroperitoneum_along() -> None:
    protocol = load_protocol("pet2rep")
    assert len(protocol.organs) == 19
    assert protocol.labels == ABNORMAL_STATES
    states = protocol.states(report(("spine", DECREASED), ("retroperitoneal_lymph_nodes", INCREASED)))
    assert states["bones"] == {DECREASED}
    assert states["abdominal_lymph_nodes"] == {INCREASED}
    assert "mediastinal_hilar_lymph_nodes" not in protocol.sites


def test_sites_scores_every_site_by_itself() -> None:
    protocol = load_protocol("sites")
    assert protocol.organs == tuple(load_lexicon().sites)
    assert all(sites == (organ,) for organ, sites in protocol.regions.items())


def test_states_of_several_sites_are_joined_and_normal_is_the_empty_set() -> None:
    protocol = load_protocol("pet2rep")
    states = protocol.states(
        report(("bones", NORMAL), ("spine", INCREASED), ("liver", NORMAL), ("heart", INCREASED))
    )
    assert states["bones"] == {INCREASED}
    assert states["liver"] == frozenset()
    assert "heart" not in states


def test_an_unknown_protocol_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'pet2rep'"):
        load_protocol("pet2rap")


FULL = """title = "Two"
labels = ["increased", "absent"]
[regions]
chest = ["lungs", "pleura"]
liver = ["liver"]
"""


def test_a_file_of_the_user_is_a_protocol(tmp_path: Path) -> None:
    file = tmp_path / "two.toml"
    file.write_text(FULL, encoding="utf-8")
    protocol = load_protocol(str(file))
    assert (protocol.name, protocol.organs) == ("two", ("chest", "liver"))
    states = protocol.states(report(("pleura", ABSENT), ("liver", DECREASED)))
    assert states == {"chest": {ABSENT}, "liver": frozenset()}
    assert protocol.key == f"two-{protocol.hash}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FULL.replace("pleura", "pleurae"), r"regions\.chest: 'pleurae' is no site.*Did you mean 'pleura'"),
        (FULL.replace('["liver"]', "[]"), r"regions\.liver: a list of one or more"),
        (FULL.replace('["liver"]', '"liver"'), r"regions\.liver: a list of one or more"),
        (FULL.replace("absent", "normal"), r"labels: abnormal states"),
        (FULL.replace("absent", "increased"), r"labels: abnormal states are needed, each once"),
        (FULL.replace("absent", "hot"), r"labels: a list of some of increased"),
        ('labels = ["increased"]\n', r"\[regions\] is missing"),
        ("labels = [", r"this is not TOML"),
    ],
)
def test_a_bad_file_is_named_with_its_key(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ResourceError, match=rf"bad\.toml.*{message}"):
        load_protocol(str(file))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"gone\.toml: no such protocol file"):
        load_protocol(str(tmp_path / "gone.toml"))


FILE_OF_ANOTHER_PACKAGE = Path()


def test_another_package_adds_a_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    global FILE_OF_ANOTHER_PACKAGE
    FILE_OF_ANOTHER_PACKAGE = tmp_path / "any-name.toml"
    FILE_OF_ANOTHER_PACKAGE.write_text(FULL, encoding="utf-8")
    entry = EntryPoint("lymphoma", f"{__name__}:FILE_OF_ANOTHER_PACKAGE", protocols.ENTRY_POINTS)
    monkeypatch.setattr(protocols, "entry_points", lambda group: EntryPoints([entry]).select(group=group))
    load_protocol.cache_clear()
    assert protocol_names()[-1] == "lymphoma"
    assert load_protocol("lymphoma").organs == ("chest", "liver")
    load_protocol.cache_clear()
