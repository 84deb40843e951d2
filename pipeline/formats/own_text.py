"""Reports and descriptions of the source, in its own words and its own language."""

from pipeline.phrasing import keep_lines
from pipeline.view import Draft, View


def drafts(view: View) -> list[Draft]:
    """Every text of the source that answers no question of its own."""
    return [
        Draft(
            template="own_text/as_given.en.j2",
            variables={"topic": exchange.topic, "text": keep_lines(exchange.answer)},
            is_own_text=True,
            language=exchange.language,
        )
        for exchange in view.sample.exchanges
        if not exchange.question
    ]
