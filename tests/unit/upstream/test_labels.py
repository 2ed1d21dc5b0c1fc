"""An answer with a label of ours names its command, however many lines it has."""

from __future__ import annotations

import pytest

from bouncer.irc.message import Message
from bouncer.upstream.labels import (
    BATCH_SILENCE,
    BATCHES_LIMIT,
    LABEL_PATIENCE,
    LABELS_LIMIT,
    Labels,
    labelled,
)


def line(text: str) -> Message:
    return Message.parse(text.encode())


@pytest.fixture
def labels() -> Labels[str]:
    labels: Labels[str] = Labels()
    labels.note("1", "phone", 0.0)
    labels.note("2", "desk", 0.0)
    return labels


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("WHOIS bob", "@label=a WHOIS bob"),
        ("@ WHOIS bob", "@label=a WHOIS bob"),
        ("@+x=y\\s;+z TAGMSG #c", "@+x=y\\s;+z;label=a TAGMSG #c"),
    ],
)
def test_a_label_stands_beside_other_tags(said: str, sent: str) -> None:
    assert labelled(line(said), "a").raw == sent.encode()


def test_a_single_line_is_the_whole_answer(labels: Labels[str]) -> None:
    assert labels.find(line("@label=2 :s 401 me x :No"), 1.0) == "desk"
    assert labels.find(line("@label=2 :s 401 me x :No"), 1.0) is None
    assert labels.find(line("@label=1 :s 401 me x :No"), 1.0) == "phone"
    assert len(labels) == 0


def test_a_batch_is_an_answer_of_several_lines_and_batches(labels: Labels[str]) -> None:
    labels.batch(line("@label=1 :s BATCH +r labeled-response"), 1.0)
    labels.batch(line("@batch=r :s BATCH +inner netjoin"), 1.0)
    assert labels.find(line("@batch=r :s 311 me bob"), 1.0) == "phone"
    assert labels.find(line("@batch=inner :x JOIN #c"), 1.0) == "phone"
    assert list(labels) == ["desk", "phone", "phone"]
    labels.batch(line(":s BATCH -inner"), 1.0)
    labels.batch(line(":s BATCH -r"), 1.0)
    assert labels.find(line("@batch=r :s 311 me bob"), 1.0) is None
    assert list(labels) == ["desk"]


def test_other_batches_are_of_no_interest(labels: Labels[str]) -> None:
    labels.batch(line(":s BATCH +r netsplit a b"), 1.0)
    labels.batch(line("@label=77 :s BATCH +q labeled-response"), 1.0)
    labels.batch(line(":s BATCH"), 1.0)
    labels.batch(line(":s BATCH r"), 1.0)
    assert labels.find(line("@batch=r :x QUIT :a b"), 1.0) is None
    assert labels.find(line("@batch=q :x QUIT :a b"), 1.0) is None
    assert len(labels) == 2


def test_a_batch_without_an_end_ends_by_its_silence(labels: Labels[str]) -> None:
    labels.batch(line("@label=1 :s BATCH +r labeled-response"), 0.0)
    assert labels.find(line("@batch=r :s 322 me #c"), BATCH_SILENCE) == "phone"
    labels.batch(line("@label=2 :s BATCH +q labeled-response"), BATCH_SILENCE * 2)
    assert labels.find(line("@batch=r :s 322 me #c"), BATCH_SILENCE * 2) == "phone"
    labels.batch(line(":s BATCH +z netsplit"), BATCH_SILENCE * 3 + 1)
    assert labels.find(line("@batch=r :s 322 me #c"), BATCH_SILENCE * 3 + 1) is None


def test_what_is_remembered_is_bounded() -> None:
    labels: Labels[int] = Labels()
    for number in range(LABELS_LIMIT + 10):
        labels.note(f"{number:x}", number, 0.0)
    assert len(labels) == LABELS_LIMIT
    labels.note("new", -1, LABEL_PATIENCE + 1)
    assert list(labels) == [-1]
    labels.batch(line("@label=new :s BATCH +0 labeled-response"), 0.0)
    for number in range(BATCHES_LIMIT + 10):
        labels.batch(line(f"@batch={number} :s BATCH +{number + 1} labeled-response"), 0.0)
    assert len(labels) == BATCHES_LIMIT


def test_no_label_is_given_twice() -> None:
    labels: Labels[int] = Labels()
    given = [labels.next() for _ in range(1000)]
    assert len(set(given)) == 1000
    assert all(label.isalnum() for label in given)
