"""Chat templates of strangers: they run no code, and end within time and memory."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from ftdist.data import template_trial
from ftdist.data.template_renderer import TemplateRenderer
from ftdist.data.template_trial import EndlessTemplateError, try_in_child
from ftdist.errors import DataError, ModelError
from tests.support.tiers import TESTS

LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
DOUBLE = (
    "{% set n = namespace(a='a') %}{% for i in range(40) %}{% set n.a = n.a ~ n.a %}{% endfor %}"
    "{{ n.a }}"
)
CHATML = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
CODE = (
    "{{ cycler.__init__.__globals__.os.system('touch CANARY') }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages | attr('__class__') | attr('__base__') }}",
    "{% include '/etc/passwd' %}",
)


def renderer(template: str) -> TemplateRenderer:
    core = Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1}, unk_token="<unk>"))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="</s>", unk_token="<unk>", chat_template=template
    )
    return TemplateRenderer(tokenizer)


@pytest.mark.fault("S7", "XL", "M12")
@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ 'a' * 10 ** 10 }}", "takes more than 1 GiB of memory for a few short messages"),
        (DOUBLE, "takes more than 1 GiB of memory for a few short messages"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "takes endless recursion"),
        (LOOP, "takes more than 1 s of processor time for a few short messages"),
    ],
)
@pytest.mark.timeout(120)
def test_a_template_without_end_is_refused_before_it_is_used(
    monkeypatch: pytest.MonkeyPatch, template: str, reason: str
) -> None:
    monkeypatch.setattr(template_trial, "TRIAL_S", 1 if template == LOOP else 60)
    with pytest.raises(ModelError, match=reason) as caught:
        renderer(template)
    assert caught.value.exit_code == 78


@pytest.mark.fault("S7", "XL", "M12")
@pytest.mark.timeout(120)
def test_a_template_that_loops_at_one_conversation_alone_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(template_trial, "RENDER_S", 1)
    template = renderer(f"{{% if messages[0].content == 'go' %}}{LOOP}{{% endif %}}{CHATML}")
    assert template.render([{"role": "user", "content": "a"}])[0] == "<user>a</s>"
    with pytest.raises(DataError, match="takes more than 1 s of processor time"):
        template.render([{"role": "user", "content": "go"}])


@pytest.mark.fault("S7", "XL")
@pytest.mark.parametrize("code", CODE)
def test_a_template_runs_no_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with suppress(ModelError, DataError):
        text = renderer(code + CHATML).render([{"role": "user", "content": "a"}])[0]
        assert text == "<user>a</s>"
    assert not (tmp_path / "CANARY").exists()


ORPHAN = """
import os, sys, time
from ftdist.data.template_trial import try_in_child
def render():
    print(os.getpid(), flush=True)
    while True: pass
try_in_child(render)
"""


@pytest.mark.fault("XL", "M13")
@pytest.mark.timeout(120)
def test_the_process_of_a_trial_dies_with_its_parent() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, text=True, cwd=TESTS.parent
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 5
    while _is_running(child):
        assert time.monotonic() < end, "it outlived its parent"
        time.sleep(0.05)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.fault("S7")
@pytest.mark.timeout(120)
def test_a_trial_that_stands_still_is_no_verdict_on_the_template(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(template_trial, "_DEADLINE_S", 1.0)
    began, held = time.monotonic(), threading.Lock()
    with held:
        try_in_child(held.acquire)  # held by no thread of the child, so that nobody releases it
    assert 1 <= time.monotonic() - began < 60


def test_a_trial_leaves_other_errors_to_the_caller() -> None:
    def fail() -> None:
        raise ValueError

    try_in_child(fail)
    with pytest.raises(EndlessTemplateError):
        try_in_child(lambda: [0] * 2**34)
