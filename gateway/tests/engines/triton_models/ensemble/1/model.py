"""A stand-in for TensorRT-LLM's ensemble on a real tritonserver: the same tensors, one character per response.

The prompt chooses a fault: `ERR_BEFORE` fails before any output, `ERR_MID` after three characters. `SLEEP` in the
prompt makes each character take 30 ms, so that a client can leave in the middle.
"""

import time

import numpy as np
import triton_python_backend_utils as pb

TEXT = "吾が社の推論基盤は、複数の推論エンジンを一つの窓口にまとめます。東京は今日も晴れです。😀"


def _value(request, name, default=None):
    tensor = pb.get_input_tensor_by_name(request, name)
    return default if tensor is None else tensor.as_numpy().reshape(-1)[0]


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
            self._answer(request, sender)
            sender.send(flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def _answer(self, request, sender):
        prompt = _value(request, "text_input").decode()
        if "ERR_BEFORE" in prompt:
            sender.send(
                pb.InferenceResponse(error=pb.TritonError("Prompt length (9000) exceeds maximum input length (4096)."))
            )
            return
        limit, stop = int(_value(request, "max_tokens")), (_value(request, "stop_words") or b"").decode()
        stream, said = bool(_value(request, "stream", False)), ""
        for count, character in enumerate((TEXT * (1 + limit // len(TEXT)))[:limit]):
            if sender.is_cancelled():
                return
            if "ERR_MID" in prompt and count == 3:
                sender.send(pb.InferenceResponse(error=pb.TritonError("broke in the middle")))
                return
            if stop and stop in said + character:
                break
            said += character
            time.sleep(0.03 if "SLEEP" in prompt else 0)
            if stream:
                sender.send(_response(character))
        if not stream:
            sender.send(_response(said))
