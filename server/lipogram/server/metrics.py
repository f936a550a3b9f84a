"""What the server counts. Names are vLLM's where it counts the same, with another first word."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from lipogram.decoding.events import Finish
from lipogram.server import errors
from lipogram.server.exposition import Counter, Family, Gauge, Histogram, exposed

if TYPE_CHECKING:
    from lipogram.server.compiling import Compiler
    from lipogram.server.generation import House

_LATENCIES_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_MASKS_S = (1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.1, 0.5)
_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536)
_MODEL = ("model_name",)
_STARTED = time.time()


def _counter(name: str, help: str, *labels: str) -> Counter:
    return Counter(f"lipogram_{name}_total", help, labels)


def _seconds(name: str, help: str, *labels: str) -> Histogram:
    return Histogram(f"lipogram_{name}_seconds", help, _LATENCIES_S, labels)


class Metrics:
    """All families that need counting; what can be asked for instead is added by `page`."""

    def __init__(self) -> None:
        self.http_requests = _counter(
            "http_requests", "Answers by route, method and status", "route", "method", "status"
        )
        self.successes = _counter(
            "request_success", "Sequences that ended", "model_name", "finished_reason"
        )
        self.failures = _counter("request_failures", "Requests that failed, by error code", "code")
        self.cancelled = _counter("cancelled_requests", "Requests whose client left before the end")
        self.rejections = _counter("admission_rejections", "Requests answered 429", "reason")
        self.prompt_tokens = _counter("prompt_tokens", "Prompt tokens", *_MODEL)
        self.generation_tokens = _counter("generation_tokens", "Generated tokens", *_MODEL)
        self.forced_tokens = _counter(
            "forced_tokens", "Tokens that the grammar alone determined, without the model", *_MODEL
        )
        self.model_calls = _counter("model_calls", "Positions that the model scored", *_MODEL)
        self.denoising_steps = _counter(
            "denoising_steps", "Model calls that scored all slots of an output", *_MODEL
        )
        self.witness_tokens = _counter(
            "witness_tokens", "Tokens in slots for which the model had none that fit", *_MODEL
        )
        self.model_passes = _counter("model_passes", "Times that the model was asked", *_MODEL)
        self.drafted = _counter(
            "spec_decode_num_draft_tokens", "Tokens that drafters guessed", *_MODEL
        )
        self.accepted = _counter(
            "spec_decode_num_accepted_tokens", "Guesses that the model would have made", *_MODEL
        )
        self.member_calls = _counter(
            "member_calls", "Positions that a member of an ensemble scored", *_MODEL, "member"
        )
        self.prefix_hits = _counter(
            "prefix_cache_hits", "Prompt tokens that were not computed again", *_MODEL
        )
        self.dead_ends = _counter(
            "constraint_dead_ends", "Sequences that the vocabulary cannot go on with", *_MODEL
        )
        self.first_token = _seconds(
            "time_to_first_token", "From a request's arrival to its first text", *_MODEL
        )
        self.between_tokens = _seconds(
            "inter_token_latency", "Between texts of a sequence", *_MODEL
        )
        self.latency = _seconds(
            "e2e_request_latency", "From a request's arrival to its last event", *_MODEL
        )
        self.generated = Histogram(
            "lipogram_request_generation_tokens", "Generated tokens a sequence", _TOKENS, _MODEL
        )
        self.compile_time = _seconds(
            "grammar_compile", "Compiling a grammar, the wait for a worker included", "outcome"
        )
        self.cache_queries = _counter("grammar_cache_queries", "Grammars that were needed")
        self.cache_hits = _counter("grammar_cache_hits", "Grammars that were compiled already")
        self.mask_time = Histogram(
            "lipogram_mask_seconds", "Making a mask that no one needed before", _MASKS_S
        )

    def finished(self, model: str, finish: Finish) -> None:
        """Counts the end of a sequence."""
        usage = finish.usage
        self.successes.add(1, model, finish.reason)
        self.prompt_tokens.add(usage.prompt_tokens, model)
        self.generation_tokens.add(usage.completion_tokens, model)
        self.forced_tokens.add(usage.forced_tokens, model)
        self.model_calls.add(usage.model_calls, model)
        self.denoising_steps.add(usage.denoising_steps, model)
        self.witness_tokens.add(usage.witness_tokens, model)
        self.model_passes.add(usage.model_passes, model)
        self.drafted.add(usage.drafted_tokens, model)
        self.accepted.add(usage.accepted_tokens, model)
        for member, calls in usage.member_calls:
            self.member_calls.add(calls, model, member)
        self.prefix_hits.add(usage.cached_tokens, model)
        self.generated.observe(usage.completion_tokens, model)

    def failed(self, error: Exception) -> None:
        """Counts the end of a request by an error."""
        self.failures.add(1, errors.answer(error).code or "unknown")

    def page(self, house: House, compiler: Compiler) -> str:
        """All metrics, as Prometheus reads them."""
        asked = (
            Gauge("lipogram_num_requests_running", "Being generated", lambda: house.running),
            Gauge("lipogram_num_requests_waiting", "Inside, not running", lambda: house.waiting),
            Gauge("lipogram_grammar_cache_bytes", "Kept grammars", lambda: compiler.cache_bytes),
            Gauge(
                "lipogram_grammar_cache_evictions_total",
                "Compiled grammars that made room",
                lambda: compiler.cache_evictions,
                kind="counter",
            ),
            Gauge(
                "lipogram_compile_workers_lost_total",
                "Compile workers that were killed or died",
                lambda: compiler.workers_lost,
                kind="counter",
            ),
            Gauge("lipogram_compile_workers_idle", "Waiting", lambda: compiler.workers_idle),
        )
        return exposed([*vars(self).values(), *asked, *_process()])


def _process() -> list[Family]:
    """What Prometheus's own clients tell of a process, as far as this system has it."""
    families: list[Family] = [
        Gauge("process_cpu_seconds_total", "CPU time", time.process_time, kind="counter"),
        Gauge("process_start_time_seconds", "Since the epoch", lambda: _STARTED),
    ]
    try:
        with open("/proc/self/statm") as statm:
            resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        descriptors = len(os.listdir("/proc/self/fd"))
    except OSError:
        return families
    families.append(Gauge("process_resident_memory_bytes", "In memory", lambda: resident))
    families.append(Gauge("process_open_fds", "Open descriptors", lambda: descriptors))
    return families
