#!/usr/bin/env bash
# Starts Ollama, then fetches MODEL (one name, or several with spaces) where it is not there yet: in the ollama/ollama image, or wherever `ollama` is on the PATH.
# Settings come from the environment (README.md beside this file); Ollama reads its own OLLAMA_* itself.
set -euo pipefail

# Unset is Ollama's own default; an empty value is not the same to every one of its settings.
for name in OLLAMA_CONTEXT_LENGTH OLLAMA_NUM_PARALLEL OLLAMA_KEEP_ALIVE OLLAMA_MAX_QUEUE OLLAMA_KV_CACHE_TYPE; do
    [[ -n ${!name:-} ]] || unset "$name"
done
export OLLAMA_HOST=${OLLAMA_HOST:-127.0.0.1:11434}
export OLLAMA_FLASH_ATTENTION=${OLLAMA_FLASH_ATTENTION:-1}

ollama serve "$@" &
server=$!
pull=
stopping=
# shellcheck disable=SC2329  # the trap calls it
stop() {
    stopping=yes
    [[ -z $pull ]] || kill -TERM "$pull" 2>/dev/null || true
    kill -TERM "$server" 2>/dev/null || true
}
trap stop TERM INT

until ollama list >/dev/null 2>&1; do
    kill -0 "$server" 2>/dev/null || break
    sleep 0.3
done

for model in ${MODEL:-}; do
    if [[ -n $stopping ]] || ! kill -0 "$server" 2>/dev/null; then break; fi
    if ollama show "$model" >/dev/null 2>&1; then continue; fi
    if [[ ${OLLAMA_PULL:-missing} == never ]]; then
        echo "MODEL=$model is not in this Ollama's store, and OLLAMA_PULL=never forbids fetching it" >&2
    else
        echo "Fetching $model ..." >&2
        ollama pull "$model" &
        pull=$!
        wait "$pull" || [[ -n $stopping ]] || echo "MODEL=$model could not be fetched; Ollama goes on without it" >&2
        pull=
    fi
done

# The server's own end is what counts. A signal ends `wait` early, sometimes the next one after the trap has run; 127: it was told already.
status=0
ask() {
    local ended=0
    wait "$server" || ended=$?
    [[ $ended == 127 ]] || status=$ended
}
while kill -0 "$server" 2>/dev/null; do ask; done
ask
ask
exit "$status"
