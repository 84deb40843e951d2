"""What can go wrong in training, and whose it is to mend.

::

    GmaiError
    └── TrainerError         the user can mend it: one message, exit code 2

    UnusableRow              one row cannot be trained on; counted by its reason, training goes on

A message has three parts: what it is about, what was found, what to do.
"""

from converters.errors import GmaiError

# Why a row is not trained on; the counts of a run and of a plan go by these words.
REASONS: dict[str, str] = {
    "no_conversation": "there are no messages, or none with text",
    "roles": "turns do not alternate between user and assistant, or none is the assistant's",
    "image_count": "the text asks for more or fewer images than the row has",
    "control_token": "the text holds a control token of the tokenizer",
    "too_long": "the image and the first question leave no room for an answer",
    "nothing_to_learn": "no token is supervised",
    "shard_unreadable": "the row group cannot be read; found after planning",
    "image_unreadable": "the bytes are not a whole PNG or JPEG picture",
    "image_too_large": "the header claims more pixels than are allowed",
    "image_depth": "the picture has more than 8 bits a channel, with no mapping to 8 on record",
}


class TrainerError(GmaiError):
    """A mistake in training that the user can mend."""


class UnusableRow(Exception):  # noqa: N818 - a row that is left out is no error of the program
    """One row cannot be trained on.

    Args:
        reason: A key of :data:`REASONS`.
        message: What was found: names and numbers, never pixel data.
    """

    def __init__(self, reason: str, message: str) -> None:
        assert reason in REASONS, f"{reason} is not in REASONS"
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"
