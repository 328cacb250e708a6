"""A question and its answer as samples: one per wording, and a probe in a wording kept back."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ftdist.data.messages import Message
from ftdist.library.schema import WITHOUT_NEW_FACT, MadeBy, ProbeRow, Sample
from ftdist.library.stages.sample_settings import SampleSettings
from ftdist.library.stats import CurationStats
from ftdist.library.synthesis.answer_keys import answer_keys
from ftdist.library.synthesis.paraphrases import paraphrases
from ftdist.library.synthesis.probe_selection import is_probe_question, withhold_probe


@dataclass(frozen=True, kw_only=True)
class WordedSamples:
    """Makes the samples of questions, and collects their probes."""

    settings: SampleSettings
    stats: CurationStats
    probes: list[ProbeRow] = field(default_factory=list)

    def keys(self, answer: str, *, question: str, given: str, one_in: int) -> Sequence[str]:
        """Keys of a probe of a question; empty if it gives none.

        Args:
            answer: of the question.
            question: one in so many gives a probe; 0: none does.
            given: names that are no keys.
            one_in: how many questions there are per probe.
        """
        if not one_in or not is_probe_question(question, one_in=one_in, seed=self.settings.seed):
            return ()
        keys = answer_keys(answer, question=question, given=given)
        self.stats.record_fact("facts" if keys else "facts without a key")
        return keys

    def samples(
        self,
        sample: Sample,
        *,
        keys: Sequence[str],
        document: str,
        own: Sequence[str] = (),
        written: Sequence[str] = (),
        answers: Sequence[str] = (),
    ) -> Sequence[Sample]:
        """A question in several wordings; where it has keys, one of them becomes a probe.

        Args:
            sample: with the question's own wording.
            keys: of its probe; empty: it gives none.
            document: that it comes from.
            own: wordings that are known to be good; with any, there are none by rule.
            written: wordings by a language model.
            answers: other wordings of the answer, which wordings of the question take in turn.
        """
        question, answer = sample.messages[0]["content"], sample.messages[-1]["content"]
        count = self.settings.paraphrases
        count *= 2 if own and count > 1 else 1  # they differ more than those by rule
        first, *by_rule = paraphrases(
            question, count=count + bool(keys), seed=self.settings.seed, own=own
        )
        texts: Sequence[str] = list(dict.fromkeys([first, *written, *by_rule]))
        if keys:
            trained = len(written) + count
            texts = self.withhold(texts, sample, keys=keys, trained=trained, document=document)
        self.stats.wordings.record(texts)
        known = [answer, *answers]

        def made_by(number: int, text: str) -> MadeBy:
            if number == 0 or sample.made_by in WITHOUT_NEW_FACT:
                return sample.made_by
            return "written wording" if text in written else "wording"

        return [
            replace(
                sample,
                messages=as_messages(text, known[number % len(known)]),
                made_by=made_by(number, text),
            )
            for number, text in enumerate(texts)
        ]

    def withhold(
        self,
        texts: Sequence[str],
        sample: Sample,
        *,
        keys: Sequence[str],
        trained: int,
        document: str = "",
    ) -> Sequence[str]:
        """The wordings that are trained; another form of them becomes a probe if one can."""
        texts, held = withhold_probe(texts, trained=trained, overlap_words=self.settings.ngram)
        if held is None:
            self.stats.record_fact("facts without a wording")
        else:
            self.probes.append(
                ProbeRow(
                    question=held.question,
                    answer=sample.messages[-1]["content"],
                    keys=tuple(keys),
                    document=document or sample.doc_id,
                    section=sample.section,
                    evidence=sample.context,
                    form="reverse" if sample.made_by == "reverse" else held.form,
                )
            )
        return texts


def as_messages(question: str, answer: str) -> tuple[Message, ...]:
    """A question and its answer as a conversation."""
    return Message(role="user", content=question), Message(role="assistant", content=answer)
