"""Environments that a first start stumbles over: what is wrong, the line that says so in both languages, and the advice in
it, which the test follows. A new one is a row here.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.start.mistakes import (
    A_FILE,
    DATA_EN,
    DATA_JA,
    DENIED,
    KEY,
    Broken,
    Hub,
    as_told,
    data_lines,
    elsewhere,
    file_at,
    folder_at,
    from_hub,
    key_mistake,
    port_taken,
    setting_mistake,
    up_mistake,
)

PORT_80_IS_ROOTS = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii")) > 80
BROKEN: dict[str, Broken] = {
    "the data folder is a file": Broken(
        "serve", lambda at: {"HAYATE_DATA": file_at(at, "x")}, *data_lines(".*/x/api_key", *A_FILE), cure=elsewhere
    ),
    "the data folder lies below a file": Broken(
        "up",
        lambda at: {"HAYATE_DATA": file_at(at, "x") + "/y"},
        *data_lines(".*/x/y/api_key", *A_FILE),
        cure=elsewhere,
    ),
    "the data folder is read-only": Broken(
        "serve",
        lambda at: {"HAYATE_DATA": folder_at(at, "ro", 0o555)},
        *data_lines(".*/ro/api_key", *DENIED),
        cure=elsewhere,
        plain=True,
    ),
    "the data folder is another user's": Broken(
        "serve",
        lambda at: {"HAYATE_DATA": str(Path(file_at(at, "their/api_key", KEY, 0o000)).parent)},
        DATA_EN.format(path=".*/their/api_key", why=DENIED[0]) + r" \(or set (HAYATE_API_KEY), (HAYATE_ADMIN_KEY)\)\.$",
        DATA_JA.format(path=".*/their/api_key", why=DENIED[1])
        + "（または(HAYATE_API_KEY), (HAYATE_ADMIN_KEY)を設定してください）。$",
        cure=lambda _, told: {told.group(1): KEY, told.group(2): KEY[::-1]},
        plain=True,
    ),
    "the key of another user is asked for": Broken(
        "key",
        lambda at: {"HAYATE_DATA": str(Path(file_at(at, "their/api_key", KEY, 0o000)).parent)},
        *data_lines(".*/their/api_key", *DENIED),
        cure=lambda at, _: {"HAYATE_DATA": str(Path(file_at(at, "ours/api_key", KEY)).parent)},
        plain=True,
    ),
    "no file may grow where the key is made": Broken(
        "serve",
        lambda _: {},
        *data_lines(".*/data/api_key", "files may not grow that large here", "ファイルサイズの制限を超えています"),
        cure=lambda _, told: {"HAYATE_API_KEY": KEY, "HAYATE_ADMIN_KEY": KEY[::-1]},
        full=True,
    ),
    "the port is taken, of serve": Broken(
        "serve",
        lambda _: {},
        r"^127\.0\.0\.1:\d+ is used by another program\. Stop that one, or choose another port: HAYATE_PORT=(\d+)$",
        r"^127\.0\.0\.1:\d+は別のプログラムに使用されています。.*別のポートを指定してください: HAYATE_PORT=(\d+)$",
        cure=as_told("HAYATE_PORT"),
        around=port_taken,
    ),
    "the port is taken, of up": up_mistake(
        lambda _: {},
        r"^127\.0\.0\.1:\d+ is used by another program\. .*: HAYATE_PORT=(\d+)$",
        r"^127\.0\.0\.1:\d+は別のプログラムに使用されています。.*: HAYATE_PORT=(\d+)$",
        as_told("HAYATE_PORT"),
        around=port_taken,
    ),
    "the host is not this machine's": Broken(
        "serve",
        lambda _: {"HAYATE_HOST": "192.0.2.1"},
        r"^HAYATE_HOST=192\.0\.2\.1 is no address of this machine\. Set one of these: ([\d.]+)",
        r"^HAYATE_HOST=192\.0\.2\.1はこのマシンのアドレスではありません。次のいずれかを指定してください: ([\d.]+)",
        cure=as_told("HAYATE_HOST"),
    ),
    "the host's name is not known": up_mistake(
        lambda _: {"HAYATE_HOST": "no-such-host.invalid"},
        r"^HAYATE_HOST=no-such-host\.invalid is no address of this machine\. Set one of these: ([\d.]+)",
        r"^HAYATE_HOST=no-such-host\.invalidはこのマシンのアドレスではありません。次のいずれかを指定してください: ([\d.]+)",
        as_told("HAYATE_HOST"),
    ),
    "the port is no number": setting_mistake(
        {"HAYATE_PORT": "abc"},
        r"HAYATE_PORT \(server\.port\): must be a whole number from 0 to (\d+), not 'abc'$",
        r"^環境変数HAYATE_PORT（server\.port）: 0以上(\d+)以下の整数にしてください（指定値: 'abc'）$",
    ),
    "the port is too large": setting_mistake(
        {"HAYATE_PORT": "99999"},
        r"HAYATE_PORT \(server\.port\): must be a whole number from 0 to (\d+), not '99999'$",
        r"^環境変数HAYATE_PORT（server\.port）: 0以上(\d+)以下の整数にしてください（指定値: '99999'）$",
    ),
    "the host is a URL": setting_mistake(
        {"HAYATE_HOST": "http://127.0.0.1"},
        r"HAYATE_HOST \(server\.host\): 'http://127\.0\.0\.1' is not a host alone; write ([\d.]+)",
        r"^環境変数HAYATE_HOST（server\.host）: .*はホスト名だけではありません。([\d.]+)と書いてください",
    ),
    "the engine's URL has a typing mistake": setting_mistake(
        {"BACKEND_URL": "htp://127.0.0.1:9"},
        r"BACKEND_URL: 'htp://127\.0\.0\.1:9' is not an http:// or https:// URL; write (http://[\d.:]+)$",
        r"^環境変数BACKEND_URL: .*で始まるURLではありません。(http://[\d.:]+)のように書いてください$",
    ),
    "there is no such engine": setting_mistake(
        {"LLM_BACKEND": "vlm"},
        r"LLM_BACKEND: must be one of .*, not 'vlm'; write (\w+)$",
        r"^環境変数LLM_BACKEND: 次のいずれか（.*）にしてください（指定値: 'vlm'）。(\w+)と書いてください$",
    ),
    "the key is too short": key_mistake("short", r"has only 5 characters", "が短すぎます（5文字）"),
    "the key has a blank in it": key_mistake(
        "sk-0123456789 0123", "has a blank or a line break in it", "の途中に空白か改行があります"
    ),
    "the key has a line break in it": key_mistake(
        "sk-0123456\nsk-789", "has a blank or a line break in it", "の途中に空白か改行があります"
    ),
    "the key is not ASCII": key_mistake(
        "鍵" * 20, "has a character in it that no header can carry", "にヘッダーで送れない文字.*があります"
    ),
    "the operator's key is too short": key_mistake("short", r"has only 5 characters", "が短すぎます（5文字）", "ADMIN"),
    "the model is not there": up_mistake(
        lambda at: {"MODEL": str(at / "none.gguf")},
        r"^MODEL=.*/none\.gguf does not exist\. Name a \.gguf file",
        r"^MODEL=.*/none\.ggufが存在しません。完全な\.ggufファイルを指定するか、",
    ),
    "the model is a folder without one": up_mistake(
        lambda at: {"MODEL": folder_at(at, "models")},
        r"^MODEL=.*/models holds no whole GGUF file\. Name a \.gguf file",
        r"^MODEL=.*/modelsに完全なGGUFファイルがありません。完全な\.ggufファイルを指定するか、",
    ),
    "the model is something else": up_mistake(
        lambda at: {"MODEL": file_at(at, "m.gguf", b"\x00" * 64)},
        r"^.*/m\.gguf: not a usable GGUF file .*or name another: MODEL=",
        r"^.*/m\.gguf: GGUFファイルとして読めません.*別のファイルを指定してください: MODEL=",
    ),
    "the model is another user's": up_mistake(
        lambda at: {"MODEL": file_at(at, "m.gguf", b"", 0o000)},
        r"^.*/m\.gguf: permission denied\. .*or name another: MODEL=",
        r"^.*/m\.gguf: 読み取れません（アクセス権がありません）。.*別のファイルを指定してください: MODEL=",
        plain=True,
    ),
    "the model is no name at all": up_mistake(
        lambda _: {"MODEL": "some model"},
        r"^MODEL=some model is neither a \.gguf file nor a Hugging Face reference",
        r"^MODEL=some modelは\.ggufファイルでも、Hugging Faceの名前（.*）でもありません。",
    ),
    "the Hub can't be reached": up_mistake(
        lambda at: from_hub(at, HF_ENDPOINT="http://127.0.0.1:9"),
        r"can't be had from http://127\.0\.0\.1:9: .*Connect to the network, or name a file: MODEL=",
        r"^http://127\.0\.0\.1:9に接続できないため、owner/tiny-GGUFを取得できません（.*）。.*指定してください: MODEL=",
    ),
    "the Hub's address is none": up_mistake(
        lambda at: from_hub(at, HF_ENDPOINT="127.0.0.1:9", HF_HUB_OFFLINE=""),
        r"^HF_ENDPOINT=127\.0\.0\.1:9 is no http:// or https:// URL: mend it",
        r"^HF_ENDPOINT=127\.0\.0\.1:9がhttp://またはhttps://で始まっていません。修正するか、",
    ),
    "the Hub may not be asked": up_mistake(
        lambda at: from_hub(at, HF_HUB_OFFLINE="1"),
        r"^HF_HUB_OFFLINE is set and .* is not in the cache .*: unset it, or name a file: MODEL=",
        r"^HF_HUB_OFFLINEが設定されており、.*キャッシュ（.*）にありません。.*指定してください: MODEL=",
    ),
    "the token is not good": up_mistake(
        lambda at: from_hub(at, HF_TOKEN="hf_bad"),
        r"is not on .*, or is private: check the name \(MODEL\), or set an HF_TOKEN that may see it\.$",
        r"にないか、非公開です。名前（MODEL）を確かめるか、閲覧できるHF_TOKENを設定してください。$",
        lambda at, _: {"HF_TOKEN": "hf_good"},
        around=Hub,
    ),
    "the Hub's cache can't be written": up_mistake(
        lambda at: from_hub(at, HF_TOKEN="hf_good", HF_HOME=folder_at(at, "ro", 0o555)),
        r"can't be kept in .*/ro/hub: permission denied\. Mend that, or name another folder with HF_HOME\.$",
        r"ro/hubに保存できません（アクセス権がありません）。解消するか、別のフォルダーをHF_HOMEで指定してください。$",
        lambda at, _: {"HF_HOME": folder_at(at, "hf2", 0o777)},
        plain=True,
        around=Hub,
    ),
}
if PORT_80_IS_ROOTS and os.getuid() == 0:
    BROKEN["the port is root's"] = Broken(
        "serve",
        lambda _: {"HAYATE_PORT": "80"},
        r"^Port 80 is for root alone\. Choose one from 1024 on: HAYATE_PORT=(\d+)$",
        r"^ポート80の使用にはroot権限が必要です。1024以上のポートを指定してください: HAYATE_PORT=(\d+)$",
        cure=as_told("HAYATE_PORT"),
        plain=True,
    )
