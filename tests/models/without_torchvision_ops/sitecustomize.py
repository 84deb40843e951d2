"""Lets torchvision load beside a torch that its compiled operators were not built for.

With this folder in PYTHONPATH, torchvision finds its two operators declared, though not there. Its
transforms, all that reading an image needs, are Python. For tests alone; where the operators load,
nothing is changed.
"""

import importlib.abc
import importlib.machinery
import sys
from pathlib import Path

_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared = []


def _have_operators() -> bool:
    import torch

    spec = importlib.machinery.PathFinder.find_spec("torchvision")
    folders = spec.submodule_search_locations if spec else []
    libraries = [path for folder in folders or [] for path in Path(folder).glob("_C*.so")]
    try:
        for path in libraries:
            torch.ops.load_library(path)
    except OSError:
        return False
    return True


class _BeforeTorchvision(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path, target=None):
        if fullname == "torchvision" and not _declared and not _have_operators():
            import torch

            library = torch.library.Library("torchvision", "DEF")
            _declared.append(library)  # it is there as long as it is held
            for operator in _OPERATORS:
                library.define(operator)


sys.meta_path.insert(0, _BeforeTorchvision())
