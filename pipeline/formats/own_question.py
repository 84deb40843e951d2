"""The source's own questions and answers."""

from pipeline.phrasing import keep_lines
from pipeline.view import Draft, View


def drafts(view: View) -> list[Draft]:
    """Every question of the source, in its order and its words."""
    return [
        Draft(
            template="own_question/as_given.en.j2",
            variables={
                "question": keep_lines(exchange.question),
                "answer": keep_lines(exchange.answer),
            },
            is_own_text=True,
            language=exchange.language,
        )
        for exchange in view.sample.exchanges
        if exchange.question
    ]
