"""What can go wrong with a source, and whose it is to mend.

::

    GmaiError                the user can mend it: one message, exit code 2
    ├── ManifestError        a manifest, the vocabulary or the terms are wrong
    ├── SourceError          the files of a source are not what its manifest says
    └── SettingsError        the command line or the out folder cannot be served

    CaseError                one case (or sample) is left out, with a reason; the build goes on

A message has three parts: the source, what was found, what to do.
"""

LONGEST_MESSAGE = 1000  # characters of why a case is left out


class GmaiError(Exception):
    """A mistake that the user can mend.

    Args:
        subject: What the message is about: the name of a source, a file or an option.
        found: What was found, in one line.
        remedy: What to do about it, in one line; may be empty where `found` says it all.
    """

    def __init__(self, subject: str, found: str, remedy: str = "") -> None:
        super().__init__(subject, found, remedy)
        self.subject = subject
        self.found = found
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.subject}: {self.found}"
        return f"{text}\n  {self.remedy}" if self.remedy else text


class ManifestError(GmaiError):
    """A manifest, the vocabulary or the table of terms is wrong."""


class SourceError(GmaiError):
    """The files of a source are not what its manifest says."""


class SettingsError(GmaiError):
    """The command line, the environment or the out folder cannot be served."""


class CaseError(Exception):
    """One case or sample cannot become a record.

    Raised anywhere below a layout's ``convert``; turned into a
    :class:`converters.records.Rejection` in one place,
    :func:`converters.select.convert_case`.

    Args:
        reason: A code of ``[rejection]`` in ``manifests/vocabulary.toml``.
        message: What was found: names and numbers, never pixel data. Libraries may quote a broken
            file at length: what is longer than :data:`LONGEST_MESSAGE` is cut.
    """

    def __init__(self, reason: str, message: str) -> None:
        if len(message) > LONGEST_MESSAGE:
            message = f"{message[:LONGEST_MESSAGE]}..."
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"
