"""Real pictures: counts, boxes and rejections, taken anew from the raw files with PIL and csv."""

import csv
import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from converters.files import locate_root
from converters.manifest import load_manifest
from converters.records import Finding, Outcome, Rejection, Sample
from converters.select import converter_for

CHEST_NAMES = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Consolidation": "consolidation",
    "Edema": "pulmonary edema",
    "Effusion": "pleural effusion",
    "Emphysema": "emphysema",
    "Fibrosis": "pulmonary fibrosis",
    "Hernia": "hernia",
    "Infiltrate": "infiltration",
    "Infiltration": "infiltration",
    "Mass": "lung mass",
    "No Finding": "none of 14 common chest findings",
    "Nodule": "lung nodule",
    "Pleural_Thickening": "pleural thickening",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
}
CELLS = {
    "1": "neutrophil",
    "2": "lymphocyte",
    "3": "monocyte",
    "4": "eosinophil",
    "5": "basophil",
}


class Built:
    """What came out of a source, and the raw folder."""

    def __init__(self, name: str, folder: Path) -> None:
        manifest = load_manifest(name).manifest
        root, _ = locate_root(manifest, folder)
        converter = converter_for(manifest)
        outcomes: list[Outcome] = [
            out for case in converter.cases(root) for out in converter.convert(root, case)
        ]
        self.folder = folder
        self.samples = {o.source_path: o for o in outcomes if isinstance(o, Sample)}
        self.rejections = Counter(o.reason for o in outcomes if isinstance(o, Rejection))

    @property
    def labels(self) -> Counter[str]:
        """Findings by label."""
        return Counter(f.label for sample in self.samples.values() for f in sample.findings)

    def of(self, label: str) -> Iterator[tuple[Sample, Finding]]:
        """Samples with the finding of a label that has a box."""
        for sample in self.samples.values():
            for finding in sample.findings:
                if finding.label == label and finding.box:
                    yield sample, finding


def grey(path: Path) -> np.ndarray:
    """Values of a mask, the first channel where there are several."""
    values = np.asarray(Image.open(path))
    return values if values.ndim == 2 else values[..., 0]


def bounds(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Bounds of a mask: x_min, y_min, x_max, y_max, the upper ones exclusive."""
    y, x = np.nonzero(mask)
    return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


def box_of(finding: Finding) -> tuple[float, float, float, float]:
    """The box of a finding."""
    box = finding.box
    assert box
    return box.x_min, box.y_min, box.x_max, box.y_max


def rows(path: Path) -> list[list[str]]:
    """Rows of a table below its header."""
    with path.open(newline="") as file:
        return list(csv.reader(file))[1:]


# dsb2018: one mask a nucleus


@pytest.fixture(scope="module")
def dsb(real_data: Path) -> Built:
    """The nuclei."""
    return Built("dsb2018", real_data / "dsb2018")


def test_every_image_of_dsb2018_is_a_sample(dsb: Built) -> None:
    files = list(dsb.folder.glob("stage1_train/*/images/*.png"))
    assert (len(dsb.samples), dsb.rejections) == (len(files), Counter())


def test_every_mask_of_dsb2018_is_a_nucleus_once(dsb: Built) -> None:
    distinct = Counter()
    for path in dsb.folder.glob("stage1_train/*/masks/*.png"):
        distinct[path.parts[-3], (grey(path) > 0).tobytes()] += 1
    assert dsb.labels == Counter({"cell nucleus": len(distinct)})


def test_boxes_and_areas_of_dsb2018_are_those_of_the_masks(dsb: Built) -> None:
    for path, sample in dsb.samples.items():
        folder = (dsb.folder / path).parent.parent / "masks"
        masks = [grey(mask) > 0 for mask in folder.iterdir()]
        raw = {(*bounds(mask), float(mask.sum())) for mask in masks}
        assert {(*box_of(f), f.area_px) for f in sample.findings} == raw


def test_every_image_of_dsb2018_has_lost_its_alpha_on_record(dsb: Built) -> None:
    assert all(s.transforms[0]["step"] == "drop_alpha" for s in dsb.samples.values())


# hc18: a mask of the head and a table with its circumference


@pytest.fixture(scope="module")
def hc18(real_data: Path) -> Built:
    """The fetal heads."""
    return Built("hc18", real_data / "hc18")


def test_every_image_of_hc18_shows_one_head(hc18: Built) -> None:
    files = list(hc18.folder.glob("training_set/*HC.png"))
    assert (len(hc18.samples), hc18.labels) == (
        len(files),
        Counter({"fetal head": len(files)}),
    )


def test_rows_of_hc18_without_their_image_are_rejected(hc18: Built) -> None:
    table = rows(hc18.folder / "training_set_pixel_size_and_HC.csv")
    missing = [r for r in table if not (hc18.folder / "training_set" / r[0]).exists()]
    assert hc18.rejections == Counter({"image_missing": len(missing)})


def test_head_of_hc18_has_the_circumference_of_the_table(hc18: Built) -> None:
    table = {r[0]: r for r in rows(hc18.folder / "training_set_pixel_size_and_HC.csv")}
    for sample, finding in hc18.of("fetal head"):
        row = table[Path(sample.source_path).name]
        assert finding.attributes == (("head circumference", f"{row[2]} mm"),)


def test_region_of_hc18_agrees_with_the_measured_circumference(hc18: Built) -> None:
    # Of all regions of a circumference, the disc is the largest: 4 pi area <= circumference^2.
    for _, finding in hc18.of("fetal head"):
        circumference_mm = float(finding.attributes[0][1].removesuffix(" mm"))
        assert finding.area_mm2
        roundness = 4 * math.pi * finding.area_mm2 / circumference_mm**2
        assert 0.9 < roundness < 1.05


def test_box_of_hc18_is_that_of_the_mask(hc18: Built) -> None:
    for sample, finding in hc18.of("fetal head"):
        name = sample.source_path.replace(".png", "_Annotation.png")
        assert box_of(finding) == bounds(ndimage.binary_fill_holes(grey(hc18.folder / name) > 127))


def test_repeats_of_hc18_belong_to_their_examination(hc18: Built, real_data: Path) -> None:
    manifest = load_manifest("hc18").manifest
    root, _ = locate_root(manifest, real_data / "hc18")
    cases = converter_for(manifest).cases(root)
    subjects = {case.subject_id for case in cases if "010_" in case.key and not case.fault}
    assert subjects == {"010"}


# wbc_zheng: codes of a mask, and two tables of classes


@pytest.fixture(scope="module")
def wbc(real_data: Path) -> Built:
    """The white blood cells."""
    return Built("wbc_zheng", real_data / "wbc_zheng")


def test_findings_of_wbc_zheng_are_those_of_tables_and_masks(wbc: Built) -> None:
    raw: Counter[str] = Counter()
    for number in (1, 2):
        for row in rows(wbc.folder / f"Class Labels of Dataset {number}.csv"):
            mask = wbc.folder / f"Dataset {number}" / f"{int(row[0]):03d}.png"
            if mask.exists():
                values = grey(mask)
                raw[CELLS[row[1]]] += 1
                raw["cytoplasm"] += bool((values == 128).any())
                raw["cell nucleus"] += bool((values == 255).any())
    assert wbc.labels == raw


def test_rows_of_wbc_zheng_without_their_image_are_rejected(wbc: Built) -> None:
    listed = sum(len(rows(path)) for path in wbc.folder.glob("*.csv"))
    images = len(list(wbc.folder.glob("*/*.bmp")))
    assert wbc.rejections == Counter({"image_missing": listed - images})


def test_class_of_wbc_zheng_is_that_of_its_own_table(wbc: Built) -> None:
    for number in (1, 2):
        table = {
            int(r[0]): r[1] for r in rows(wbc.folder / f"Class Labels of Dataset {number}.csv")
        }
        for path, sample in wbc.samples.items():
            if path.startswith(f"Dataset {number}/"):
                assert sample.findings[0].label == CELLS[table[int(Path(path).stem)]]


def test_nothing_of_wbc_zheng_is_absent(wbc: Built) -> None:
    # In some images a white cell of another class stands at the border.
    assert not any(sample.absent for sample in wbc.samples.values())


def test_boxes_of_wbc_zheng_are_those_of_the_codes(wbc: Built) -> None:
    for code, label in ((128, "cytoplasm"), (255, "cell nucleus")):
        for sample, finding in wbc.of(label):
            mask = grey(wbc.folder / sample.source_path.replace(".bmp", ".png")) == code
            assert (box_of(finding), finding.area_px) == (
                bounds(mask),
                float(mask.sum()),
            )


def test_stray_pixels_of_wbc_zheng_are_counted(wbc: Built) -> None:
    stray = sum(
        int((~np.isin(grey(path), (0, 128, 255))).sum()) for path in wbc.folder.glob("*/*.png")
    )
    moved = [
        step["moved_px"]
        for sample in wbc.samples.values()
        for step in sample.transforms
        if step["step"] == "snap_codes"
    ]
    assert sum(moved) == stray > 0


# axondeepseg_sem: BIDS, pixel size in a sidecar


@pytest.fixture(scope="module")
def axon(real_data: Path) -> Built:
    """The electron micrographs."""
    return Built("axondeepseg_sem", real_data / "axondeepseg_sem_bids")


def test_every_sample_of_axondeepseg_is_read(axon: Built) -> None:
    with (axon.folder / "samples.tsv").open(newline="") as file:
        listed = list(csv.DictReader(file, delimiter="\t"))
    assert (len(axon.samples), axon.rejections) == (len(listed), Counter())


def test_areas_of_axondeepseg_are_those_of_the_masks_of_one_class(axon: Built) -> None:
    # The files of one class are another export of the same annotation, strays included.
    for label, suffix in (("axons", "axon"), ("myelin", "myelin")):
        for sample, finding in axon.of(label):
            name = Path(sample.source_path).stem + f"_seg-{suffix}-manual.png"
            folder = "derivatives/labels" / Path(sample.source_path).parent
            mask = grey(axon.folder / folder / name)
            assert abs(finding.area_px - np.count_nonzero(mask == 255)) <= 9


def test_areas_of_axondeepseg_are_in_the_pixel_size_of_the_sidecar(axon: Built) -> None:
    for sample, finding in axon.of("axons"):
        image = axon.folder / sample.source_path
        own = image.with_suffix(".json")
        shared = image.with_name(image.name.split("_")[0] + "_SEM.json")
        content = json.loads((own if own.exists() else shared).read_text())
        width_um, height_um = content["PixelSize"]
        assert finding.area_mm2 == pytest.approx(finding.area_px * width_um * height_um * 1e-6)


def test_subjects_of_axondeepseg_are_its_participants(axon: Built) -> None:
    with (axon.folder / "participants.tsv").open(newline="") as file:
        listed = {row["participant_id"] for row in csv.DictReader(file, delimiter="\t")}
    assert {Path(path).parts[0] for path in axon.samples} == listed


# chestxray14: labels of a table with a broken header


@pytest.fixture(scope="module")
def chest(real_data: Path) -> Built:
    """The chest radiographs."""
    return Built("chestxray14", real_data / "chestxray14")


def chest_rows(chest: Built) -> dict[str, list[str]]:
    """Rows of the label table by image name, of the images that are there."""
    table = rows(chest.folder / "Data_Entry_2017_v2020.csv")
    return {row[0]: row for row in table if (chest.folder / "images" / row[0]).exists()}


def test_labels_of_chestxray14_are_those_of_the_table(chest: Built) -> None:
    raw = Counter(
        CHEST_NAMES[name] for row in chest_rows(chest).values() for name in row[1].split("|")
    )
    found = Counter(
        f.label for sample in chest.samples.values() for f in sample.findings if f.box is None
    )
    assert found == raw


def test_boxes_of_chestxray14_are_those_of_the_table(chest: Built) -> None:
    raw = {
        (row[0], CHEST_NAMES[row[1]], *(round(float(cell), 3) for cell in row[2:6]))
        for row in rows(chest.folder / "BBox_List_2017.csv")
        if (chest.folder / "images" / row[0]).exists()
    }
    found = {
        (
            Path(sample.source_path).name,
            f.label,
            *(round(v, 3) for v in (f.box.x_min, f.box.y_min, f.box.width, f.box.height)),
        )
        for sample in chest.samples.values()
        for f in sample.findings
        if f.box
    }
    assert found == raw


def test_boxes_of_chestxray14_without_their_image_are_rejected(chest: Built) -> None:
    named = {row[0] for row in rows(chest.folder / "BBox_List_2017.csv")}
    missing = {name for name in named if not (chest.folder / "images" / name).exists()}
    assert chest.rejections == Counter({"image_missing": len(missing)})


def test_views_of_chestxray14_are_those_of_the_table(chest: Built) -> None:
    raw = {name: row[6] for name, row in chest_rows(chest).items()}
    assert {Path(path).name: sample.view for path, sample in chest.samples.items()} == raw


def test_nothing_of_chestxray14_is_absent_but_where_nothing_was_found(
    chest: Built,
) -> None:
    for path, sample in chest.samples.items():
        nothing = chest_rows(chest)[Path(path).name][1] == "No Finding"
        assert len(sample.absent) == (14 if nothing else 0)
