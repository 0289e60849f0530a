"""A guarded function that returns more than a string: every string in it is judged.

python examples/structured_reply.py
"""

from __future__ import annotations

from pydantic import BaseModel

from guardrails import guarded


class Answer(BaseModel):
    text: str
    sources: list[str]
    confidence: float


@guarded("medical", offline=True, reply_to="/text")  # a refusal is put there
def ask(question: str) -> Answer:
    """Called as before: the signature, the type of the result and this docstring are kept."""
    return Answer(
        text="Take 800 mg of ibuprofen every four hours. A pharmacist can tell you more.",
        sources=["leaflet, section 3", "written by jane.doe@example.com"],
        confidence=0.9,
    )


if __name__ == "__main__":
    print(ask("My knee hurts. What should I do?").model_dump_json(indent=2))
