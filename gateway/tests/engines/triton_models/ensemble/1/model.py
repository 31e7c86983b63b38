"""A stand-in for TensorRT-LLM's ensemble on a real tritonserver: the same tensors, one character per response.

It leaves a stop word in the text and ends after it. What it says is in `spoken.py`.
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


def _response(text):
    return pb.InferenceResponse(
        [
            pb.Tensor("text_output", np.array([text.encode()], dtype=np.object_)),
            pb.Tensor("cum_log_probs", np.array([0.0], np.float32)),
            pb.Tensor("output_log_probs", np.zeros((1, 1), np.float32)),
            pb.Tensor("sequence_index", np.array([0], np.int32)),
        ]
    )


class TritonPythonModel:
    """Decoupled: any number of responses for a request."""

    def execute(self, requests):
        for request in requests:
            sender = request.get_response_sender()
            try:
                self._answer(request, sender)
            except Fault as fault:
                sender.send(pb.InferenceResponse(error=pb.TritonError(str(fault))))
            sender.send(flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def _answer(self, request, sender):
        prompt = _values(request, "text_input")[0].decode()
        stops = [stop.decode() for stop in _values(request, "stop_words") if stop]
        stream = any(_values(request, "stream"))
        text, _ = answer(prompt, int(_values(request, "max_tokens")[0]))
        said = ""
        for character in spoken("ensemble", prompt, text, sender.is_cancelled):
            said += character
            if stream:
                sender.send(_response(character))
            if any(said.endswith(stop) for stop in stops):
                break
        if not stream:
            sender.send(_response(said))
