#!/bin/sh
# The gateway by curl: which models there are, one whole answer, one streamed answer, and the short form of a stream.
# usage, with HAYATE_API_KEY in the environment: examples/curl.sh [question]
set -eu
url=${HAYATE_URL:-http://127.0.0.1:8080}
: "${HAYATE_API_KEY:?is not set: see examples/README.md}"

# The key goes in by standard input: on the command line every user of the machine could read it.
gateway() {
    path=$1 && shift
    printf 'Authorization: Bearer %s\n' "$HAYATE_API_KEY" |
        curl --silent --show-error --fail-with-body --no-buffer --header @- "$@" "$url$path"
    echo
}

echo "== models"
gateway /v1/models

echo "== a whole answer (OpenAI's chat completions)"
gateway /v1/chat/completions --json '{
  "model": "default",
  "messages": [{"role": "user", "content": "こんにちは"}],
  "temperature": 0
}'

echo "== the same, streamed"
gateway /v1/chat/completions --json '{
  "model": "default",
  "messages": [{"role": "user", "content": "こんにちは"}],
  "temperature": 0,
  "stream": true,
  "stream_options": {"include_usage": true}
}'

echo "== the short form: a GET that a browser's EventSource can send too"
gateway /generate_stream --get --data-urlencode "prompt=${1:-こんにちは}" --data temperature=0
