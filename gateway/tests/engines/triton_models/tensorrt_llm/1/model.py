"""A stand-in for TensorRT-LLM's newer `tensorrt_llm` model on a real tritonserver: every response repeats the text so far.

A finish reason that is not known yet is the word `None`; the default allowance is 32 tokens. What it says is in `spoken.py`.
"""

import sys
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb

sys.dont_write_bytecode = True  # a __pycache__ in the repository would be taken for a model
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from spoken import Fault, answer, spoken  # noqa: E402


def _values(request, name):
    tensor = pb.get_input_tensor_by_name(request, name)
    return [] if tensor is None else list(tensor.as_numpy().reshape(-1))


def _strings(name, text):
    return pb.Tensor(name, np.array([text.encode()], dtype=np.object_))


class TritonPythonModel:
    """Decoupled: any number of responses for a request."""

    def execute(self, requests):
        for request in requests:
            sender = request.get_response_sender()
            try:
                self._answer(request, sender)
            except Fault as fault:
                sender.send(pb.InferenceResponse(error=pb.TritonError(f"Error generating request: {fault}")))
            sender.send(flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def _answer(self, request, sender):
        prompt = _values(request, "text_input")[0].decode()
        stops = [stop.decode() for stop in _values(request, "sampling_param_stop") if stop]
        stream = any(_values(request, "streaming"))
        tell_reason = any(_values(request, "return_finish_reason"))
        limit = int((_values(request, "sampling_param_max_tokens") or [32])[0])
        text, complete = answer(prompt, limit)
        ends = [at for stop in stops if (at := text.find(stop)) >= 0]
        if ends:
            text, complete = text[: min(ends)], True

        def response(said, reason):
            outputs = [_strings("text_output", said)]
            return pb.InferenceResponse(outputs + ([_strings("finish_reason", reason)] if tell_reason else []))

        said = ""
        for character in spoken("tensorrt_llm", prompt, text, sender.is_cancelled):
            said += character
            if stream and len(said) < len(text):
                sender.send(response(said, "None"))
        if len(said) == len(text):
            sender.send(response(said, "stop" if complete else "length"))
