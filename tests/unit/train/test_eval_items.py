"""Which questions are asked while a model learns."""

from dataclasses import replace
from pathlib import Path

from transformers import AutoTokenizer

from ftdist.evaluation.eval_set import EvalSet
from ftdist.evaluation.probes import Probe
from ftdist.train.eval_items import EvalItems
from tests.support.runs.tiny_runs import write_tokenizer

FACTS = tuple(
    Probe(question=f"How heavy is {name}?", answer=f"It weighs {kg}.", keys=(kg,), kind="fact")
    for name, kg in (("A", "4 kg"), ("B", "9 kg"))
)


def test_questions_in_reverse_and_for_two_facts_do_not_count(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)

    def items(*probes: Probe) -> EvalItems:
        inputs = EvalSet(probes=probes, general=(), texts=(), source=Path())
        return EvalItems(inputs, tokenizer, system_prompt=None, max_items=64, max_tokens=4096)

    others = [replace(FACTS[0], answer="A.", keys=("A",), form=f) for f in ("reverse", "two_facts")]
    assert len(items(*FACTS).samples) == 4  # each answer and the other one
    assert items(*FACTS, *others).digest() == items(*FACTS).digest()
    assert not items(*others).has_library_questions
