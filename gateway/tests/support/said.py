"""What is said and looked for: Japanese and what stands beside it, which query finds which text, and as much else as one likes."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence

import orjson

from hayate.store.search_upkeep import Upkeep
from hayate.wire.items import message

SAID = {
    "tokyo": "東京の天気はどうですか？",
    "tocho": "来週、東京都庁で会議があります。",
    "kyoto": "京都へ旅行に行きたいです。",
    "east": "東へ行って京へ上る話",
    "katakana": "トウキョウとカタカナで書く",
    "half": "ﾄｳｷｮｳの半角ｶﾅ",
    "hiragana": "とうきょうとひらがなで書く",
    "gpu_wide": "ＧＰＵを二枚使う",
    "gpu": "The gpu memory is full.",
    "gpus": "How many GPUs do I need?",
    "egpu": "My eGPU is slow",
    "gpu_server": "GPUサーバーを借りる",
    "gpu_apart": "GPU サーバー が落ちた",
    "server": "メールサーバーとWebサーバー",
    "serva": "サーバが止まった",
    "python": "Python 入門の本を探す",
    "python3": "python3.11をインストールした",
    "learning": "機械学習入門",
    "cpp": "C++とRustの比較",
    "csharp": "C#で書いたゲーム",
    "c": "C言語の授業",
    "node": "node.jsのバージョン",
    "room": "部屋は2026号室",
    "date": "2026年11月29日の予定",
    "ticket": "受付番号は20261129です",
    "wide_digits": "りんごが１２３個",
    "party": "誕生日おめでとう🎉",
    "family": "家族👨\u200d👩\u200d👧の写真",
    "heart": "大好き❤️",
    "crowd": "人々が集まる広場",
    "sasaki": "佐々木さんに電話した",
    "ramen": "ラーメンを食べた",
    "menu": "メニューを見せて",
    "hangul": "안녕하세요 여러분",
    "okinawa": "めんそーれ、ちゅら海水族館へ",
    "haisai": "はいさい！ぐすーよー",
    "marks": "か\u3099っこうへ行く",
    "school": "学校はがっこうと読む",
    "company": "㍿疾風の①番",
    "katsuragi": "葛\U000e0100城市の地図",
    "plums": "すもももももももものうち",
    "quote": "彼は「すもも」と言った",
    "url": "https://example.com/path?q=1 を開く",
    "mail": "taro@example.com に送る",
    "snake": "def read_file(path): return open(path)",
    "cat": "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。",
    "john": "ジョン・スミスの小説",
    "john_whole": "ジョンスミスという店",
    "accents": "Un café au lait",
    "russian": "Привет, мир",
    "greek": "ΟΔΟΣ ΑΘΗΝΩΝ",
    "german": "Die Straße ist lang",
    "thai": "สวัสดีครับ",
    "sql": "SELECT name FROM items WHERE id = 'x' OR 1=1",
    "lines": "一行目は春\n二行目は秋",
    "phone": "iPhone15を買った",
    "near": "NEAR(a b) is no operator, AND neither",
    "blank": "　 \n",
    "silent": "……！？",
}

QUERIES: dict[str, set[str]] = {
    # one, two and three characters
    "京": {"tokyo", "tocho", "kyoto", "east"},
    "東": {"tokyo", "tocho", "east"},
    "都": {"tocho", "kyoto"},
    "東京": {"tokyo", "tocho"},
    "京都": {"tocho", "kyoto"},
    "東京都": {"tocho"},
    "東京都庁": {"tocho"},
    "京東": set(),
    "猫": {"cat"},
    "犬": set(),
    "春": {"lines"},
    "話": {"east", "sasaki"},
    # kana, wide and narrow
    "トウキョウ": {"katakana", "half"},
    "ﾄｳｷｮｳ": {"katakana", "half"},
    "とうきょう": {"hiragana"},
    "トウ": {"katakana", "half"},
    "カナ": {"half", "katakana"},
    "カタカナ": {"katakana"},
    "サーバー": {"gpu_server", "gpu_apart", "server"},
    "サーバ": {"gpu_server", "gpu_apart", "server", "serva"},
    "ラー": {"ramen"},
    "メン": {"ramen"},
    "めん": {"okinawa"},
    "がっこう": {"marks", "school"},
    "かっこう": set(),
    "すもも": {"plums", "quote"},
    "もももも": {"plums"},
    "「すもも」": {"plums", "quote"},
    # words of letters and digits, whole, the last one also as a beginning
    "GPU": {"gpu_wide", "gpu", "gpus", "gpu_server", "gpu_apart"},
    "ＧＰＵ": {"gpu_wide", "gpu", "gpus", "gpu_server", "gpu_apart"},
    "gpu memory": {"gpu"},
    "GPUs": {"gpus"},
    "PU": set(),
    "GPUサーバー": {"gpu_server", "gpu_apart"},
    "GPU サーバー": {"gpu_server", "gpu_apart"},
    "サーバー GPU": {"gpu_server", "gpu_apart"},
    "GPUを": {"gpu_wide"},
    "GPUサ": {"gpu_server", "gpu_apart"},
    "Python 入門": {"python"},
    "Python入門": {"python"},
    "入門": {"python", "learning"},
    "入門 Python": {"python"},
    "pyth": {"python", "python3"},
    "Python": {"python", "python3"},
    "python3.11": {"python3"},
    "thon": set(),
    "memory full": {"gpu"},
    "full memory": {"gpu"},
    "memo": {"gpu"},
    "memo full": set(),
    "c++": {"cpp"},
    "C#": {"csharp"},
    "C": {"c"},
    "node.js": {"node"},
    "node js": {"node"},
    "jsのバージョン": {"node"},
    "2026": {"room", "date"},
    "2026年": {"date"},
    "29": {"date"},
    "202": set(),
    "20261129": {"ticket"},
    "123": {"wide_digits"},
    "123個": {"wide_digits"},
    "1": {"company", "url", "sql"},
    "1番": {"company"},
    "iphone15": {"phone"},
    "iPhone": {"phone"},
    "read_file": {"snake"},
    "file": {"snake"},
    "example.com": {"url", "mail"},
    "taro@example.com": {"mail"},
    "CAFÉ": {"accents"},
    "cafe\u0301": {"accents"},
    "привет": {"russian"},
    "οδοσ": {"greek"},
    "STRASSE": {"german"},
    # signs of repetition, the long vowel, emoji, other scripts, what is not seen
    "々": {"crowd", "sasaki"},
    "人々": {"crowd"},
    "佐々木": {"sasaki"},
    "ー": {
        "gpu_server",
        "gpu_apart",
        "server",
        "serva",
        "node",
        "ramen",
        "menu",
        "csharp",
        "python3",
        "okinawa",
        "haisai",
    },
    "🎉": {"party"},
    "おめでとう🎉": {"party"},
    "👨\u200d👩\u200d👧": {"family"},
    "❤": {"heart"},
    "안녕": {"hangul"},
    "여러분": {"hangul"},
    "はいさい": {"haisai"},
    "ちゅら海": {"okinawa"},
    "สวัสดี": {"thai"},
    "株式会社": {"company"},
    "㍿": {"company"},
    "葛城": {"katsuragi"},
    # several words, phrases, punctuation
    "名前はまだ無い": {"cat"},
    "吾輩は猫である 名前": {"cat"},
    "猫である。名前はまだ": {"cat"},
    "猫である、名前はまだ": {"cat"},
    "猫であるの名前": set(),
    "どこで生れたかとんと見当がつかぬ": {"cat"},
    "ジョン・スミス": {"john"},
    "ジョン": {"john", "john_whole", "node"},
    "ジョンスミス": {"john_whole"},
    "東京 天気": {"tokyo"},
    "天気　東京": {"tokyo"},
    "東京 京都": {"tocho"},
    "東京 猫": set(),
    "春 秋": {"lines"},
    # nothing of FTS5's, nor of SQL's
    '"東京" OR "京都"': set(),
    "東京*": {"tokyo", "tocho"},
    "-東京": {"tokyo", "tocho"},
    "grams:東京": set(),
    "NEAR(a b": {"near"},
    "' OR 1=1": {"sql"},
    "id = 'x'": {"sql"},
    "AND": {"near"},
    "": set(),
    "  ": set(),
    "。": set(),
    '"': set(),
    "*": set(),
}
"""A query, and the names of all texts of SAID that it has to find: no other."""


def keep(
    connection: sqlite3.Connection,
    texts: Sequence[str],
    *,
    project: str = "shop",
    together: int = 1,
    listed: bool = True,
) -> list[str]:
    """Adds a conversation for every few texts, and gives their ids."""
    (conversation,) = connection.execute("SELECT coalesce(max(number), 0) FROM conversations").fetchone()
    (number,) = connection.execute("SELECT coalesce(max(number), 0) FROM items").fetchone()
    ids: list[str] = []
    connection.execute("BEGIN IMMEDIATE")
    for place, text in enumerate(texts):
        if place % together == 0:
            conversation += 1
            ids.append(f"conv_{conversation}")
            connection.execute(CONVERSATION, (conversation, ids[-1], project, listed, conversation, conversation))
        number += 1
        body = orjson.dumps(message("user", text)).decode()
        turn = place % together + 1
        connection.execute(ITEM, (number, f"msg_{number}", conversation, turn, turn, False, len(body), body))
    connection.execute("COMMIT")
    return ids


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def settled(connection: sqlite3.Connection, upkeep: Upkeep, clock: Clock) -> None:
    """Has all done that there is to do, whatever waits for its time."""
    for _ in range(3):
        while upkeep.step(connection):
            pass
        clock.now += 60


CONVERSATION = "INSERT INTO conversations VALUES (?, ?, ?, ?, ?, ?, '{}', NULL, 1, 1, 0, 1, NULL, NULL, 1)"
ITEM = "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?)"

THINGS = """
会議 資料 予定 締切 報告 連絡 相談 企画 提案 契約 見積 請求 支払 注文 配送 在庫 商品 価格 割引 顧客 対応 質問
回答 説明 理由 方法 手順 結果 原因 問題 解決 改善 設計 実装 試験 検証 運用 保守 監視 障害 復旧 設定 環境 構成
接続 通信 認証 権限 暗号 鍵 証明書 性能 遅延 負荷 容量 費用 削減 学習 推論 言語 翻訳 要約 文章 単語 文法 発音
会話 小説 映画 音楽 写真 料理 材料 野菜 果物 魚 肉 朝食 昼食 夕食 旅行 電車 飛行機 空港 駅 道路 地図 宿 温泉
海 山 川 森 天候 気温 雨 雪 風 季節 夏 冬 家族 友人 子供 先生 学生 学校 大学 病院 医師 薬 健康 運動 睡眠 仕事
会社 社員 上司 部下 給料 税金 保険 年金 銀行 株式 投資 経済 政治 法律 サーバー データ モデル プログラム
コンピューター ネットワーク アプリ ゲーム メッセージ ファイル フォルダー エラー テスト ユーザー パラメーター
トークン キャッシュ プロンプト コーヒー ホテル カメラ ﾃﾞｰﾀ ﾌｧｲﾙ ＡＩ ＷＥＢ API Docker Linux vLLM JSON
HTTP stream request token cache batch error list class return
"""
JOINTS = "の は が を に で と も から まで より へ や など について として による のため ので けど"
ENDS = """
する した します できる できます なります あります います 使います
考える 教えてください でしょうか ですか です ました ません
"""
STOPS = "。。。。、？！\n"
KANJI = "日本国人一大年中会出本中長政事自者社月分議民連対部合市内相後目米産定今回新場金員九入選立開手力学問高代明実円関決子動通"


def noise(count: int, seed: int = 1) -> Iterator[str]:
    """As many texts as one likes, short and long by turns, of words of which some are frequent and most rare."""
    chance = random.Random(seed)
    words = (THINGS.split(), JOINTS.split(), ENDS.split())
    rare = ["".join(chance.choices(KANJI, k=chance.choice((2, 2, 2, 3, 4)))) for _ in range(6000)]
    for index in range(count):
        sentences = chance.randint(2, 14) if index % 2 else chance.randint(1, 3)
        yield "".join(_sentence(chance, rare, *words) for _ in range(sentences))


def _sentence(
    chance: random.Random, rare: Sequence[str], things: Sequence[str], joints: Sequence[str], ends: Sequence[str]
) -> str:
    words: list[str] = []
    for _ in range(chance.randint(2, 6)):
        kind = chance.random()
        if kind < 0.6:
            words.append(things[min(int(chance.paretovariate(0.6)) - 1, len(things) - 1)])
        elif kind < 0.95:
            words.append(chance.choice(rare))
        else:
            words.append(str(chance.randint(30, 3000)))
        words.append(chance.choice(joints))
    return "".join(words) + chance.choice(ends) + chance.choice(STOPS)
