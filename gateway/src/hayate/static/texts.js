// Every text of the page, in English and Japanese. `hints` says what to do about an error, by the gateway's error code.

const en = {
  title: "Hayate: debug chat", other: "日本語", otherLang: "ja",
  model: "Model", aliases: "Aliases", deployments: "Deployments", notReady: "not ready",
  signIn: "Sign in", signOut: "Sign out", signInWhy: "This gateway answers only to those who hold one of its keys.",
  key: "API key", keyHelp: "The one you were given, or the owner's: it was printed at the first start and is kept in data/api_key, unless HAYATE_API_KEY was set. The page does not store it.",
  wrongKey: "That is no key of this gateway. Copy it again, whole.", signInFailed: "Signing in failed", sessionEnded: "Your session has ended. Sign in again to go on.",
  log: "Questions and answers", welcome: "Ask anything: the answer appears here, token by token.",
  settings: "Settings", system: "System prompt", systemHint: "How the model should behave (optional)",
  maxTokens: "Max tokens", temperature: "Temperature", seed: "Seed", unset: "default",
  prompt: "Your question", promptHint: "Type a question. Enter sends, Shift+Enter starts a new line.", send: "Send", stop: "Stop",
  smallPrint: "Each question is answered on its own: the model does not see the ones before it. Answers can be wrong.",
  again: "Ask again", copyAnswer: "Copy answer", copyCurl: "Copy as curl", copied: "Copied", raw: "Events (SSE)",
  waiting: "Waiting for the first token…", answering: "Answering…", finished: "Answer complete.", stopped: "Stopped.", empty: "The model returned an empty answer.",
  firstToken: "first token", tokens: "tokens", perSecond: "tokens/s",
  dropped: "The connection was lost, so this answer is incomplete.",
  length: "Cut off at the token limit. Raise “Max tokens” for a longer answer.",
  unknownError: "The gateway could not answer.",
  hints: {
    unreachable: "The gateway can't be reached. See whether it is still running, then ask again.",
    invalid_api_key: "Sign in again.",
    model_not_found: "This model is no longer there. Choose another one above.",
    context_length_exceeded: "The question is too long for this model. Shorten it or the system prompt, or choose a model with a longer context.",
    rate_limit_exceeded: "Too many requests with this key. Wait a little, then ask again.",
    overloaded: "The engine is busy or still loading. Wait a little, then ask again.",
    shutting_down: "The gateway is restarting. Ask again in a moment.",
    timeout: "The engine took too long. Ask again; if it keeps happening, look at the engine's log.",
    upstream_error: "The engine failed. Ask again; if it keeps happening, look at the engine's log.",
  },
};

const ja = {
  title: "Hayate：動作確認チャット", other: "English", otherLang: "en",
  model: "モデル", aliases: "エイリアス", deployments: "デプロイメント", notReady: "準備中",
  signIn: "サインイン", signOut: "サインアウト", signInWhy: "このゲートウェイを使うにはAPIキーが必要です。",
  key: "APIキー", keyHelp: "管理者から受け取ったキーか、所有者のキーを入力してください。所有者のキーは初回起動時に表示され、data/api_key に保存されています（HAYATE_API_KEY を設定した場合はその値です）。このページはキーを保存しません。",
  wrongKey: "キーが違います。もう一度、全体をコピーして入力してください。", signInFailed: "サインインできませんでした", sessionEnded: "セッションが切れました。もう一度サインインしてください。",
  log: "質問と回答", welcome: "質問を入力すると、回答がここに届いた順に表示されます。",
  settings: "設定", system: "システムプロンプト", systemHint: "モデルの役割や口調など（省略可）",
  maxTokens: "最大トークン数", temperature: "温度", seed: "シード", unset: "既定値",
  prompt: "質問", promptHint: "質問を入力（Enterで送信、Shift+Enterで改行）", send: "送信", stop: "停止",
  smallPrint: "質問ごとに独立して回答します（前のやり取りは引き継がれません）。回答は誤っていることがあります。",
  again: "再試行", copyAnswer: "回答をコピー", copyCurl: "curlとしてコピー", copied: "コピーしました", raw: "イベント（SSE）",
  waiting: "最初のトークンを待っています…", answering: "回答中…", finished: "回答が完了しました。", stopped: "停止しました。", empty: "モデルの回答は空でした。",
  firstToken: "最初のトークンまで", tokens: "トークン", perSecond: "トークン/秒",
  dropped: "接続が切れたため、回答は途中までです。",
  length: "トークン数の上限に達したため、途中で終わっています。続きが必要なときは「最大トークン数」を増やしてください。",
  unknownError: "回答を得られませんでした。",
  hints: {
    unreachable: "ゲートウェイに接続できません。起動しているか確かめてから、もう一度質問してください。",
    invalid_api_key: "もう一度サインインしてください。",
    model_not_found: "このモデルは現在ありません。上の一覧から別のモデルを選んでください。",
    context_length_exceeded: "質問がこのモデルには長すぎます。質問やシステムプロンプトを短くするか、より長いコンテキストを扱えるモデルを選んでください。",
    rate_limit_exceeded: "このキーでのリクエストが多すぎます。少し待ってから、もう一度質問してください。",
    overloaded: "エンジンが混雑しているか、まだ起動中です。少し待ってから、もう一度質問してください。",
    shutting_down: "ゲートウェイが再起動中です。少し待ってから、もう一度質問してください。",
    timeout: "エンジンの応答に時間がかかりすぎました。もう一度質問してください。繰り返す場合はエンジンのログを確認してください。",
    upstream_error: "エンジンで問題が起きました。もう一度質問してください。繰り返す場合はエンジンのログを確認してください。",
  },
};

export let texts = en;

// Fills in every text under `root`: data-text is the content, data-placeholder and data-label the attributes.
export function fillTexts(root) {
  for (const node of root.querySelectorAll("[data-text]")) node.textContent = texts[node.dataset.text];
  for (const node of root.querySelectorAll("[data-placeholder]")) node.placeholder = texts[node.dataset.placeholder];
  for (const node of root.querySelectorAll("[data-label]")) node.setAttribute("aria-label", texts[node.dataset.label]);
}

export function setLanguage(language) {
  texts = language === "ja" ? ja : en;
  document.documentElement.lang = language;
  document.title = texts.title;
  fillTexts(document);
}

// The language chosen on this page before, else the browser's.
export function preferredLanguage() {
  return localStorage.getItem("language") ?? (navigator.language.startsWith("ja") ? "ja" : "en");
}
