"""Chinese texts for the benchmark of the checks, and the faults that are words of Chinese."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.check_faults import TEXT_FAULTS, foreign_terms
from benchmarks.check_texts import MODALITY_WORDS, Damage, Fault, Item, Story
from converters.vocabulary import term, terms
from pipeline.phrasing import said_words
from pipeline.word_forms import synonyms

MODALITY = {
    "CT": "CT", "MR": "磁共振", "US": "超声", "MG": "乳腺X线", "ES": "内镜", "CR": "X线",
    "DX": "X线", "GM": "显微镜", "OP": "眼底照片", "CBCT": "锥形束CT", "SM": "病理", "PT": "PET",
}  # fmt: skip
PLANE = {"axial": "轴位", "coronal": "冠状面", "sagittal": "矢状面", "": ""}
ROW, COLUMN = {"upper": "上", "lower": "下"}, {"left": "左", "right": "右", "center": "中"}
SIDE = {"left": "左侧", "right": "右侧", "": ""}
PROMPT = (
    "请用通顺的句子描述这幅图像，写给懂医学的读者，列出的每一项所见都要提到，"
    "并且不要添加清单中没有的内容。"
)


def position(place: str) -> str:
    """A place in the picture."""
    row, _, column = place.partition(" ")
    if not column:
        return "图像中央"
    if row == "center":
        return f"图像{COLUMN[column]}侧中部"
    if column == "center":
        return f"图像{ROW[row]}方中央"
    return f"图像{COLUMN[column]}{ROW[row]}方"


def _names(label: str) -> set[str]:
    """The English names of a term: its own and its synonyms."""
    return {term(label).term, *(one.form for one in synonyms() if one.term == label)}


def _name(item: Item) -> str:
    """What a text calls an item: of one whose name was changed, the changed one."""
    if item.name in _names(item.label):
        return term(item.label).zh
    return term(item.name).zh if item.name in terms() else item.name


def chinese(story: Story, rng: random.Random) -> str:
    """The story in Chinese."""
    codes = [code for code, words in MODALITY_WORDS.items() if story.image in words]
    code = story.sample.modality if story.sample.modality in MODALITY else "CT"
    kind = MODALITY[codes[0] if codes else code]
    part = said_words("zh", "anatomies").get(story.anatomy, "")
    # "乳腺" before "X线" would read as a mammogram.
    part = "" if part and (part in kind or (part, kind) == ("乳腺", "X线")) else part
    plane = PLANE[story.plane]
    out = [rng.choice((f"这是一幅{part}{plane}{kind}图像。", f"图为{part}{kind}{plane}图像。"))]
    out += [_told(item, rng) for item in story.items]
    gone = [term(name).zh if name in terms() else name
            for name in (*story.absent, *story.denied_wrongly)]  # fmt: skip
    if gone:
        row = "及".join(gone)
        out.append(rng.choice((f"未见{row}。", f"没有发现{row}。", f"图中不存在{row}。",
                               f"{row}未显示。")))  # fmt: skip
    return "".join([*out, *story.extra])


def _told(item: Item, rng: random.Random) -> str:
    name = _name(item)
    if item.is_exact and item.count > 1:
        return f"共有{item.count}个{name}。"
    of = f"患者{SIDE[item.side]}的" if item.side else ""
    where = f"，位于{position(item.position)}" if item.position else ""
    big = f"，最大径约{item.size_mm:.1f}毫米" if item.size_mm and item.size_mm >= 0.1 else ""
    return rng.choice(("可见", "图中显示")) + f"{of}{name}{where}{big}。"


def says(*sentences: str) -> Fault:
    """A sentence is added at the end."""
    return lambda story, rng: replace(story, extra=(rng.choice(sentences),))


def says_normal(story: Story, rng: random.Random) -> Story | None:
    """All is called normal where it is not known to be."""
    if any(finding.role == "normal" for finding in story.sample.findings):
        return None
    said = ("其余结构未见异常。", "图像其余部分正常。", "未见明显异常。", "其余部分均正常。")
    return replace(story, extra=(rng.choice(said),))


def kind_invented(story: Story, rng: random.Random) -> Story | None:
    """A quality is told that no name and no attribute holds."""
    told = " ".join(term(finding.label).zh for finding in story.sample.findings)
    words = [word for word in ("良性", "恶性", "急性", "慢性", "重度") if word not in told]
    if not story.items or not words:
        return None
    return replace(story, extra=(f"{_name(story.items[0])}为{rng.choice(words)}。",))


def uncertain(story: Story, rng: random.Random) -> Story | None:
    """Something is said to be possible."""
    strange = foreign_terms(story, ("lesion", "diagnosis"))
    if not strange:
        return None
    name = term(rng.choice(strange)).zh
    said = (f"可能为{name}。", f"不能排除{name}。", f"怀疑{name}。", f"考虑{name}可能。")
    return replace(story, extra=(rng.choice(said),))


def repeated(text: str, story: Story, rng: random.Random) -> str | None:
    """A sentence comes again."""
    sentences = [one for one in text.split("。") if len(one) > 6]
    if not sentences:
        return None
    again = rng.choice(sentences)
    return f"{text}{again}。{again}。"


def cut_off(text: str, story: Story, rng: random.Random) -> str | None:
    """The end is missing."""
    return text[: rng.randint(len(text) // 2, len(text) - 1)].rstrip("。")


def chatted(text: str, story: Story, rng: random.Random) -> str | None:
    """An opening that speaks to the user."""
    return (
        rng.choice(("好的！", "当然可以。", "以下是图像描述：", "答案：", "根据您的要求，")) + text
    )


def file_told(text: str, story: Story, rng: random.Random) -> str | None:
    """The file is named."""
    name = Path(story.sample.source_path).name
    return f"{text}图像文件为{name}。" if "." in name else None


def echoed(text: str, story: Story, rng: random.Random) -> str | None:
    """A part of the prompt."""
    return f"{PROMPT[:30]}。{text}"


def mixed(text: str, story: Story, rng: random.Random) -> str | None:
    """An English word in a Chinese text."""
    return text.replace("图像", "image图像", 1) if "图像" in text else None


STORIES: dict[str, tuple[Fault, tuple[str, ...]]] = {
    "called normal": (says_normal, ("normal",)),
    "quality invented": (kind_invented, ("qualifier",)),
    "said to be possible": (uncertain, ("doubted", "unsupported_finding")),
    "earlier time": (
        says("与之前的检查相比有所增大。", "患者有手术史。", "与既往检查相比无变化。"),
        ("history",),
    ),
    "speaks of labels": (
        says("标注显示如此。", "这是根据分割掩膜得出的。", "根据所提供的信息，以上为全部内容。"),
        ("leak",),
    ),
    "refusal": (
        says("抱歉，我无法解读医学图像。", "作为人工智能语言模型，我不能给出诊断。",
             "请咨询专业医生。"),
        ("refusal",),
    ),
    "talk to the user": (
        says("如需更多信息请告诉我。", "希望对您有帮助！", "以下是描述。"),
        ("echo",),
    ),
    "other language": (
        says("The image shows a normal liver.",
             "\u041d\u0430 \u0441\u043d\u0438\u043c\u043a\u0435."),
        ("language",),
    ),
}  # fmt: skip
TEXTS: dict[str, tuple[Damage, tuple[str, ...]]] = {
    "cut off": (cut_off, ("truncated",)),
    "loop": (repeated, ("loop",)),
    "prompt repeated": (echoed, ("echo",)),
    "two scripts": (mixed, ("language",)),
    "typing of a chat": (chatted, ("echo", "style")),
    "markdown": TEXT_FAULTS["markdown"],
    "file name": (file_told, ("file_name",)),
}
Telling = Callable[[Story, random.Random], str]
