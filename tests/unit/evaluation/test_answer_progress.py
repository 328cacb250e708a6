"""Lines of progress while a model answers."""

from ftdist.evaluation.answer_progress import AnswerProgress


def test_a_long_batch_says_every_20_s_how_long_the_rest_takes() -> None:
    now, lines = 0.0, list[str]()
    progress = AnswerProgress("base: answers", total=40, log=lines.append, clock=lambda: now)
    for second in range(61):
        now = float(second)
        progress.within(10 * second / 60)  # a batch of ten answers in a minute
    progress(10)
    assert lines == [
        "compare: base: answers 0/40, about 3m40s left",
        "compare: base: answers 0/40, about 3m20s left",
        "compare: base: answers 0/40, about 3m00s left",
        "compare: base: answers 10/40, 3m00s left",
    ]
