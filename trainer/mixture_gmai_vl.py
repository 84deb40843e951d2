"""Shares of the third stage of GMAI-VL, by the names that sources of these corpora go by here.

From Table 10 of arXiv 2411.14522v2. What is not listed has a share of 1. In the first two stages
every corpus with images has a share of 1, and texts without images are not used.
"""

INSTRUCTION_SHARES: dict[str, float] = {
    "allava": 0.5,
    "sharegpt4v": 0.5,
    "medicat": 0.05,
    "mpx_single": 0.05,
    "pmc_oa": 0.05,
    "quilt_1m": 0.05,
    "retina_image_bank": 0.05,
    "chexpertplus": 0.3,
    "mimic_cxr": 0.3,
    "openi": 0.3,
    "geoqa": 0.75,
    "ai2d": 0.75,
    "synthdog": 0.75,
    "chartqa": 0.75,
    "mmchemexam": 0.75,
    "llava_instruct_150k": 0.75,
    "dvqa": 0.75,
    "docvqa": 0.75,
    "pmc_inline": 0.1,
    "vqa_med_2019": 0.1,
    "medical_diff_vqa": 0.1,
    "pathvqa": 0.1,
    "pmc_casereport": 0.1,
    "pmc_vqa": 0.1,
    "rocov2": 0.1,
    "slake": 0.1,
    "vqa_rad": 0.1,
}
