"""What crosses between asker and worker survives the trip, or is refused."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketune.messages import (
    FAILURE_KINDS,
    Failure,
    Job,
    Message,
    Report,
    Result,
    from_json,
    to_json,
)

JOB = Job(
    study="digits",
    number=12,
    attempt=2,
    section={"training": {"epochs": 3, "betas": [0.9, 0.999]}, "device": None},
    params={"epochs": 3, "rate": 1e-4, "kind": "a", "flag": True, "none": None},
    seed=5,
    study_seed=0,
    folder="/tmp/a b/ü",
    checkpoint_folder="/tmp/c",
    objectives=("validation_accuracy", "spikes_per_sample"),
    constraints=("n_parameters",),
    time_limit_s=1.5,
    threads=2,
)
MESSAGES: list[Job | Message] = [
    JOB,
    Job("s", 0, 1, {}, {}, 0, 0, "f", "c"),
    Report(3, 1, 4.0, {"validation_loss": 0.25}),
    Result(3, 1, {"accuracy": 0.5}),
    Result(3, 1, {"a": 1.0}, {"silence": -0.1}, "silent", 2.0, 1.25, {"seconds": {"train": 1.0}}),
    *(Failure(3, 1, kind, "a 'quoted'\nmessage", 2.5) for kind in FAILURE_KINDS),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_a_message_is_read_back_as_it_was(message: Job | Message) -> None:
    text = to_json(message)
    assert "\n" not in text
    assert from_json(text) == message
    assert from_json(text.encode()) == message
    assert type(from_json(text)) is type(message)


def test_the_names_a_job_asks_for_come_back_as_tuples() -> None:
    back = from_json(to_json(JOB))
    assert isinstance(back, Job)
    assert back.objectives == ("validation_accuracy", "spikes_per_sample")
    assert isinstance(back.constraints, tuple)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(
    st.dictionaries(st.text(), st.floats(allow_nan=False)),
    st.floats(allow_nan=False),
    st.text(),
)
def test_any_numbers_and_texts_come_back_exactly(
    metrics: dict[str, float], fidelity: float, text: str
) -> None:
    result = Result(1, 1, metrics, metrics, "stopped", fidelity, 0.1, {"note": text})
    assert from_json(to_json(result)) == result


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_a_torn_message_is_refused_wherever_it_is_torn(message: Job | Message) -> None:
    text = to_json(message)
    for end in range(len(text)):
        with pytest.raises(ValueError):  # noqa: PT011
            from_json(text[:end])


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "5", '"job"', "{}", '{"type": "nonsense"}', '{"type": ["job"]}', b"\xff"],
)
def test_what_is_no_message_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        from_json(text)


def test_a_message_without_one_of_its_fields_is_refused() -> None:
    fields = json.loads(to_json(Failure(1, 1, "crash", "why")))
    del fields["kind"]
    with pytest.raises(ValueError, match="kind"):
        from_json(json.dumps(fields))


def test_a_message_with_a_field_too_many_is_refused() -> None:
    fields = json.loads(to_json(Report(1, 1, 1.0, {}))) | {"colour": "red"}
    with pytest.raises(ValueError, match="colour"):
        from_json(json.dumps(fields))


def test_messages_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        JOB.seed = 1  # type: ignore[misc]
