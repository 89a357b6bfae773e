"""Factors from headers: units, decay corrections, sources of times, and headers that give none."""

from __future__ import annotations

import math

import pytest

from pet2rep_eval.errors import SUVError
from pet2rep_eval.imaging import SuvConversion, suv_conversion
from pet2rep_eval.imaging.body_size import NORMALISATIONS, body_surface, size_for
from pet2rep_eval.imaging.suv_times import mean_activity_time
from tests.imaging.headers import REMOVE, add_private, pet_header

HALF_LIFE = 6586.2
BASE = 70000 / 350e6
HOUR = BASE * 2 ** (3600 / HALF_LIFE)


def convert(count: int = 3, **changes: object) -> SuvConversion:
    return suv_conversion([pet_header(i, **changes) for i in range(count)])


# weight, MBq, injection, reference, half-life, factor: headers of real scanners (facts of imaging)
REAL = [
    ("67", "374000000", "083045", "104829", "6586.2", 4.2748316e-4),
    ("52", "152022720", "084500", "095621", "6586.2002", 5.3673877e-4),
    ("65", "225000000", "114100", "123514.999995", "6586.2", 4.0691569e-4),
    ("69", "388000000", "120037", "130348.234", "6586.2", 2.6503313e-4),
    ("102", "412000000", "125000", "135431.843", "6586.2", 3.7210892e-4),
]


@pytest.mark.parametrize(("weight", "dose", "given", "reference", "half_life", "factor"), REAL)
def test_factors_of_real_headers(
    weight: str, dose: str, given: str, reference: str, half_life: str, factor: float
) -> None:
    found = convert(
        PatientWeight=weight,
        RadionuclideTotalDose=dose,
        RadiopharmaceuticalStartTime=given,
        SeriesTime=reference,
        AcquisitionTime=reference,
        RadionuclideHalfLife=half_life,
    )
    assert found.factors == pytest.approx([factor] * 3, rel=1e-6)


def test_series_time_after_the_acquisition_is_not_used() -> None:
    found = convert(
        PatientWeight="69", RadionuclideTotalDose="388000000", RadiopharmaceuticalStartTime="120037",
        SeriesTime="140000", AcquisitionTime="130348.234",
    )  # fmt: skip
    assert found.factors[0] == pytest.approx(2.6503313e-4, rel=1e-6)
    assert found.reference_source == "earliest acquisition"
    assert any("(0008,0031)" in note for note in found.warnings)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("BW", 750), ("BSA", 198.137584), ("LBM", 627.775749), ("LBMJANMA", 609.153359)],
)
def test_unit_vector_of_normalisations(kind: str, value: float) -> None:
    assert size_for(kind, 75, 185, "M") / 100 == pytest.approx(value, rel=1e-6)


def test_sex_other_is_the_mean() -> None:
    for kind in NORMALISATIONS:
        male, female, other = (size_for(kind, 75, 185, sex) for sex in "MFO")
        assert other == pytest.approx((male + female) / 2)


def test_decay_corrections() -> None:
    assert convert().factors == pytest.approx([HOUR] * 3, rel=1e-12)
    assert convert(DecayCorrection="ADMIN").factors == pytest.approx([BASE] * 3, rel=1e-12)
    rate, duration = math.log(2) / HALF_LIFE, 180.0
    expected = BASE * rate * duration / (1 - math.exp(-rate * duration)) * math.exp(rate * 3600)
    found = convert(DecayCorrection="NONE", CorrectedImage=["ATTN", "NORM"], ActualFrameDuration="180000")
    assert found.factors == pytest.approx([expected] * 3, rel=1e-12)


def test_without_decay_correction_every_slice_has_its_own_time() -> None:
    slices = [
        pet_header(i, DecayCorrection="NONE", CorrectedImage=["ATTN"], ActualFrameDuration="120000",
                   AcquisitionTime=f"11{2 * i:02d}00")
        for i in range(3)
    ]  # fmt: skip
    factors = suv_conversion(slices).factors
    assert factors[1] / factors[0] == pytest.approx(2 ** (120 / HALF_LIFE), rel=1e-12)
    assert factors[2] / factors[0] == pytest.approx(2 ** (240 / HALF_LIFE), rel=1e-12)


def bedwise(back: float = 0.0, **changes: object) -> list[object]:
    """Three beds of 120 s; frame reference times count from 10:50, the series time says 11:00 − *back* s."""
    late = mean_activity_time(HALF_LIFE, 120)
    return [
        pet_header(
            i, AcquisitionTime=f"11{2 * i:02d}00", ActualFrameDuration="120000",
            FrameReferenceTime=f"{1000 * (600 + 120 * i + late):.3f}", **changes,
        )
        for i in range(3)
    ]  # fmt: skip


def test_frame_reference_times_come_before_the_series_time() -> None:
    found = suv_conversion(bedwise())
    assert found.reference_source == "frame reference time"
    assert found.factors == pytest.approx([BASE * 2 ** (3000 / HALF_LIFE)] * 3, rel=1e-8)
    assert any("10.0 min" in note for note in found.warnings), "10:50 and 11:00 differ by more than a minute"
    assert not suv_conversion(bedwise(SeriesTime="105000")).warnings


def test_frame_reference_times_of_ge_count_to_the_start_of_the_frame() -> None:
    slices = [
        pet_header(i, Manufacturer="GE MEDICAL SYSTEMS", AcquisitionTime=f"11{2 * i:02d}00",
                   ActualFrameDuration="120000", FrameReferenceTime=f"{120000 * i}")
        for i in range(3)
    ]  # fmt: skip
    found = suv_conversion(slices)
    assert found.factors == pytest.approx([HOUR] * 3, rel=1e-12)
    assert found.reference_source == "frame reference time"


def test_frame_reference_times_that_contradict_each_other_are_not_used() -> None:
    slices = [
        pet_header(
            i, AcquisitionTime=f"11{3 * i:02d}00", ActualFrameDuration="120000", FrameReferenceTime="60000"
        )
        for i in range(3)
    ]
    found = suv_conversion(slices)
    assert found.factors == pytest.approx([HOUR] * 3, rel=1e-12)
    assert found.reference_source == "series time"
    assert any("(0054,1300)" in note for note in found.warnings)


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize(
    ("group", "element", "creator"), [(0x0009, 0x0D, "GEMS_PETD_01"), (0x0071, 0x22, "SIEMENS MED PT")]
)
def test_private_times_of_vendors(group: int, element: int, creator: str, dropped: bool) -> None:
    slices = []
    for i in range(2):
        ds = pet_header(i, SeriesTime="120000", AcquisitionTime="113000")
        if dropped:  # de-identification often drops the creator and leaves the value
            ds.add_new((group, 0x1000 | element), "DT", "20240510110000.00")
        else:
            add_private(ds, group, element, creator, "DT", "20240510110000.00")
        slices.append(ds)
    assert suv_conversion(slices).factors == pytest.approx([HOUR] * 2, rel=1e-12)


def test_standard_tag_of_decay_correction_wins() -> None:
    found = convert(DecayCorrectionDateTime="20240510110000", SeriesTime="104000", AcquisitionTime="112000")
    assert found.factors == pytest.approx([HOUR] * 3, rel=1e-12)


def test_private_block_of_another_owner_is_not_read() -> None:
    slices = [
        add_private(pet_header(i), 0x0009, 0x0D, "OTHER OWNER", "DT", "20240510090000") for i in range(2)
    ]
    assert suv_conversion(slices).factors == pytest.approx([HOUR] * 2, rel=1e-12)


@pytest.mark.parametrize(
    "changes",
    [
        {"RadiopharmaceuticalStartTime": "100000.000"},
        {"RadiopharmaceuticalStartTime": "1000"},
        {"RadiopharmaceuticalStartTime": "10:00:00"},
        {"RadiopharmaceuticalStartTime": REMOVE, "RadiopharmaceuticalStartDateTime": "20240510100000.000000"},
        {"RadiopharmaceuticalStartDateTime": "20240510100000+0200"},
        {"RadiopharmaceuticalStartDateTime": "20240510080000+0000", "TimezoneOffsetFromUTC": "+0200",
         "RadiopharmaceuticalStartTime": REMOVE},
        {"RadiopharmaceuticalStartDateTime": "20240510200000+1200", "TimezoneOffsetFromUTC": "+0200",
         "RadiopharmaceuticalStartTime": REMOVE},
        {"RadiopharmaceuticalStartDateTime": "20240510"},
        {"RadiopharmaceuticalStartDateTime": "20240510080000+0000"},
        {"RadionuclideTotalDose": "3.5E+08"},
        {"PatientWeight": " 70.0 "},
        {"AcquisitionDate": "20240510", "SeriesDate": "19000101"},
        {"SeriesTime": REMOVE},
        {"SeriesTime": REMOVE, "SeriesDate": REMOVE, "AcquisitionTime": REMOVE, "AcquisitionDate": REMOVE,
         "AcquisitionDateTime": "20240510110000"},
        {"AcquisitionTime": REMOVE},
        {"SeriesDate": "2024.05.10"},
        {"AcquisitionDate": REMOVE},
        {"PatientWeight": "70000"},
        {"RadionuclideTotalDose": "350"},
        {"RadiopharmaceuticalStartDateTime": "19990101100000", "RadiopharmaceuticalStartTime": REMOVE},
        {"FrameReferenceTime": "0", "ActualFrameDuration": "120000"},
    ],
)  # fmt: skip
def test_forms_of_the_same_truth(changes: dict[str, object]) -> None:
    assert convert(**changes).factors == pytest.approx([HOUR] * 3, rel=1e-9)


@pytest.mark.parametrize("with_date", [False, True])
def test_midnight(with_date: bool) -> None:
    given = {"RadiopharmaceuticalStartTime": "233000"}
    if with_date:
        given["RadiopharmaceuticalStartDateTime"] = "20240510233000"
    found = convert(SeriesDate="20240511", AcquisitionDate="20240511", SeriesTime="003000",
                    AcquisitionTime="003000", **given)  # fmt: skip
    assert found.factors == pytest.approx([HOUR] * 3, rel=1e-12)


def test_midnight_within_the_acquisition_without_its_own_date() -> None:
    slices = [
        pet_header(i, AcquisitionDate=REMOVE, SeriesTime="235500", AcquisitionTime=t,
                   RadiopharmaceuticalStartTime="225500")
        for i, t in enumerate(["235500", "235800", "000100"])
    ]  # fmt: skip
    assert suv_conversion(slices).factors == pytest.approx([HOUR] * 3, rel=1e-12)


def test_units() -> None:
    assert convert(Units="GML").factors == (1.0, 1.0, 1.0)
    assert convert(Units="GML", SUVType="BW", PatientWeight=REMOVE).factors == (1.0, 1.0, 1.0)
    for kind in ("LBM", "LBMJAMES128", "LBMJANMA", "IBW"):
        expected = 70000 / size_for(kind, 70, 175, "F")
        assert convert(Units="GML", SUVType=kind).factors == pytest.approx([expected] * 3)
    assert convert(Units="CM2ML").factors == pytest.approx([70000 / body_surface(70, 175)] * 3)
    assert convert(Units="CM2ML", SUVType="BSA", PatientSize="175").factors == pytest.approx(
        [70000 / body_surface(70, 175)] * 3
    )


@pytest.mark.parametrize("vr", ["DS", "UN"])
def test_counts_of_philips(vr: str) -> None:
    def counts(direct: str | None, activity: str | None) -> SuvConversion:
        slices = []
        for i in range(2):
            ds = pet_header(i, Units="CNTS", Manufacturer="Philips Medical Systems")
            for element, value in ((0x00, direct), (0x09, activity)):
                if value is not None:
                    content = value.encode() + b" " if vr == "UN" else value
                    add_private(ds, 0x7053, element, "Philips PET Private Group", vr, content)
            slices.append(ds)
        return suv_conversion(slices)

    assert counts("0.0005", "2.5").factors == (0.0005, 0.0005)
    assert counts("0", "2.5").factors == pytest.approx([2.5 * HOUR] * 2)
    assert counts(None, "2.5").factors == pytest.approx([2.5 * HOUR] * 2)
    for direct, activity in ((None, None), ("0", "0"), ("0", None)):
        with pytest.raises(SUVError, match=r"\(7053,1000\)"):
            counts(direct, activity)


BROKEN: list[tuple[dict[str, object], str]] = [
    ({"Modality": "CT"}, r"\(0008,0060\)"),
    ({"Modality": REMOVE}, r"\(0008,0060\)"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.130"}, r"Enhanced PET"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, r"\(0008,0016\)"),
    ({"NumberOfFrames": "3"}, r"\(0028,0008\)"),
    ({"Units": "PROPCPS"}, r"\(0054,1001\)"),
    ({"Units": REMOVE}, r"\(0054,1001\)"),
    ({"Units": "CNTS"}, r"\(7053,1000\)"),
    ({"Units": "GML", "SUVType": "BSA"}, r"\(0054,1006\)"),
    ({"Units": "GML", "SUVType": "NONSENSE"}, r"\(0054,1006\)"),
    ({"Units": "GML", "SUVType": "LBM", "PatientSize": REMOVE}, r"\(0010,1020\)"),
    ({"Units": "GML", "SUVType": "LBM", "PatientSex": REMOVE}, r"\(0010,0040\)"),
    ({"CorrectedImage": ["DECY", "NORM"]}, r"\(0028,0051\).*ATTN"),
    ({"CorrectedImage": REMOVE}, r"\(0028,0051\)"),
    ({"CorrectedImage": ["ATTN"]}, r"DECY"),
    ({"DecayCorrection": "NONE"}, r"\(0054,1102\)"),
    ({"DecayCorrection": REMOVE}, r"\(0054,1102\)"),
    ({"DecayCorrection": "NONE", "CorrectedImage": ["ATTN"]}, r"\(0018,1242\)"),
    ({"PatientWeight": REMOVE}, r"\(0010,1030\)"),
    ({"PatientWeight": "0"}, r"\(0010,1030\)"),
    ({"PatientWeight": "-70"}, r"\(0010,1030\)"),
    ({"PatientWeight": ""}, r"\(0010,1030\)"),
    ({"RadionuclideTotalDose": REMOVE}, r"\(0018,1074\)"),
    ({"RadionuclideTotalDose": "0"}, r"\(0018,1074\)"),
    ({"RadionuclideHalfLife": REMOVE}, r"\(0018,1075\)"),
    ({"RadionuclideHalfLife": "0"}, r"\(0018,1075\)"),
    ({"RadiopharmaceuticalStartTime": REMOVE}, r"\(0018,1072\)"),
    ({"RadiopharmaceuticalStartTime": "9am"}, r"\(0018,1072\)"),
    ({"RadiopharmaceuticalStartDateTime": "20240510113000"}, r"\(0018,1078\).*negative"),
    ({"RadiopharmaceuticalStartDateTime": "20240508100000"}, r"\(0018,1078\)"),
    ({"SeriesTime": REMOVE, "AcquisitionTime": REMOVE}, r"\(0008,0032\)"),
    ({"SeriesTime": "256100"}, r"\(0008,0031\)"),
    ({"SeriesType": ["DYNAMIC", "IMAGE"]}, r"\(0054,1000\)"),
    ({"SeriesType": ["GATED", "IMAGE"]}, r"\(0054,1000\)"),
    ({"SeriesType": ["WHOLE BODY", "REPROJECTION"]}, r"\(0054,1000\)"),
    ({"NumberOfTimeSlices": "12"}, r"\(0054,0101\)"),
    ({"RescaleSlope": REMOVE}, r"\(0028,1053\)"),
    ({"RadiopharmaceuticalInformationSequence": []}, r"\(0054,0016\)"),
]


@pytest.mark.parametrize(("changes", "tag"), BROKEN)
def test_headers_without_an_suv(changes: dict[str, object], tag: str) -> None:
    with pytest.raises(SUVError, match=tag):
        convert(**changes)


def test_two_tracers() -> None:
    slices = [pet_header(i) for i in range(2)]
    for ds in slices:
        ds.RadiopharmaceuticalInformationSequence = list(ds.RadiopharmaceuticalInformationSequence) * 2
    with pytest.raises(SUVError, match=r"\(0054,0016\)"):
        suv_conversion(slices)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientWeight", "71"),
        ("PatientID", "other"),
        ("Units", "GML"),
        ("RadionuclideTotalDose", "340000000"),
    ],
)
def test_mixed_series(keyword: str, value: str) -> None:
    with pytest.raises(SUVError, match="mixed") as caught:
        suv_conversion([pet_header(0), pet_header(1, **{keyword: value})])
    assert "secret" not in str(caught.value).lower()


@pytest.mark.parametrize("stated", ["109.77", "4062.6"])
def test_half_life_against_the_coded_nuclide(stated: str) -> None:
    import pydicom

    code = pydicom.Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "C-111A1", "SRT", "^18^Fluorine"
    with pytest.raises(SUVError, match=r"\(0018,1075\).*F18"):
        convert(RadionuclideHalfLife=stated, RadionuclideCodeSequence=[code])
    assert convert(RadionuclideHalfLife="6588", RadionuclideCodeSequence=[code]).half_life_s == 6588


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"PatientWeight": "70000"}, "grams"),
        ({"RadionuclideTotalDose": "350"}, "MBq"),
        ({"RadionuclideTotalDose": "350000"}, "kBq"),
        ({"RadiopharmaceuticalStartTime": "104500"}, "uptake time is 15 min"),
        ({"RadiopharmaceuticalStartTime": "083000"}, "uptake time is 150 min"),
        ({"RadiopharmaceuticalStartDateTime": "19990101100000"}, "de-identification"),
        ({"RadiopharmaceuticalStartDateTime": "20240510101000"}, "differ by 10 min"),
    ],
)
def test_doubts_are_warnings(changes: dict[str, object], word: str) -> None:
    assert any(word in note for note in convert(**changes).warnings)


def test_a_sound_header_has_no_warning() -> None:
    assert convert().warnings == ()
