"""How a conversation is written down for each family of language models.

A format is a value. The same value renders training rows (:mod:`trainer.chat`) and writes the
Jinja template that goes with an exported checkpoint, so that a served model is asked the way it
was taught; a test holds the two against each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass

IMAGE = "<image>"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatFormat:
    """What stands around the texts of a conversation.

    Attributes:
        name: Word by which a model folder names its format.
        opening: Before the first turn.
        head: Before the text of a turn, with ``{role}`` for its role.
        end: After the text of a turn. After an answer it is supervised: a model learns to stop.
        tail: After the end of a turn; never supervised.
        answer_prefix: Between the head of an answer and its text; never supervised.
        tokens: Pieces that must be single tokens of the tokenizer.
    """

    name: str
    opening: str
    head: str
    end: str
    tail: str
    answer_prefix: str
    tokens: tuple[str, ...]

    def answer_head(self) -> str:
        """What a model is given right before its answer."""
        return self.head.format(role="assistant") + self.answer_prefix

    def jinja(self) -> str:
        """The template that renders the same text, for tokenizers and servers.

        Content may be a string, or a list of parts of type ``text`` and ``image``.
        """
        head = _quoted(self.head).replace("{role}", "' + message['role'] + '")
        return (
            f"{{{{- {_quoted(self.opening)} -}}}}"
            "{%- for message in messages -%}"
            f"{{{{- {head} -}}}}"
            "{%- if message['role'] == 'assistant' -%}"
            f"{{{{- {_quoted(self.answer_prefix)} -}}}}"
            "{%- endif -%}"
            "{%- if message['content'] is string -%}"
            "{{- message['content'] | trim -}}"
            "{%- else -%}"
            "{%- set parts = namespace(text='') -%}"
            "{%- for part in message['content'] -%}"
            "{%- if part['type'] in ('image', 'image_url') -%}"
            f"{{%- set parts.text = parts.text + {_quoted(IMAGE + chr(10))} -%}}"
            "{%- elif part['type'] == 'text' -%}"
            "{%- set parts.text = parts.text + part['text'] -%}"
            "{%- endif -%}"
            "{%- endfor -%}"
            "{{- parts.text | trim -}}"
            "{%- endif -%}"
            f"{{{{- {_quoted(self.end + self.tail)} -}}}}"
            "{%- endfor -%}"
            "{%- if add_generation_prompt -%}"
            f"{{{{- {_quoted(self.answer_head())} -}}}}"
            "{%- endif -%}"
        )


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def _chatml(name: str, *, opening: str = "", answer_prefix: str = "") -> ChatFormat:
    marks = ("<|im_start|>", "<|im_end|>")
    return ChatFormat(
        name=name,
        opening=opening,
        head="<|im_start|>{role}\n",
        end="<|im_end|>",
        tail="\n",
        answer_prefix=answer_prefix,
        tokens=(*marks, opening) if opening else marks,
    )


FORMATS: Mapping[str, ChatFormat] = {
    form.name: form
    for form in (
        _chatml("smollm2"),
        # Qwen3 answers at once after an empty thought, and thinks aloud without one.
        _chatml("qwen3", answer_prefix="<think>\n\n</think>\n\n"),
        _chatml("internlm2", opening="<s>"),
        ChatFormat(
            name="llama3",
            opening="<|begin_of_text|>",
            head="<|start_header_id|>{role}<|end_header_id|>\n\n",
            end="<|eot_id|>",
            tail="",
            answer_prefix="",
            tokens=("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        ),
    )
}


def format_of_tokens(vocabulary: Mapping[str, int]) -> ChatFormat | None:
    """The format that a tokenizer's own tokens tell of, or None where they fit no format.

    Args:
        vocabulary: Tokens, the added ones among them.
    """
    if "<|start_header_id|>" in vocabulary:
        return FORMATS["llama3"]
    if "<|im_start|>" not in vocabulary:
        return None
    if "<think>" in vocabulary:
        return FORMATS["qwen3"]
    # InternLM2 marks plugins with tokens of its own.
    return FORMATS["internlm2" if "<|plugin|>" in vocabulary else "smollm2"]
