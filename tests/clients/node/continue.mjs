// Continue's adapters: chat, and filling in over Mistral's and DeepSeek's paths.
import assert from "node:assert/strict";
import { constructLlmApi } from "@continuedev/openai-adapters";

const url = process.argv[2];
const signal = new AbortController().signal;
const messages = [{ role: "user", content: "Ada Lovelace is 36 years old." }];
const fim = {
  model: "tiny",
  prompt: "def add(a, b):\n    retu",
  suffix: "\n\nprint(add(1, 2))\n",
  max_tokens: 8,
};

async function content(chunks) {
  let text = "";
  for await (const chunk of chunks) text += chunk.choices[0]?.delta?.content ?? "";
  return text;
}

const openai = constructLlmApi({ provider: "openai", apiBase: `${url}/v1/`, apiKey: "none" });
const chat = { model: "tiny", messages, max_tokens: 8 };
const whole = await openai.chatCompletionNonStream({ ...chat, stream: false }, signal);
assert(whole.choices[0].message.content.length > 0);
assert((await content(openai.chatCompletionStream({ ...chat, stream: true }, signal))).length > 0);

for (const [provider, apiBase] of [
  ["mistral", `${url}/v1/`],
  ["deepseek", `${url}/`],
]) {
  const api = constructLlmApi({ provider, apiBase, apiKey: "none" });
  const filled = await content(api.fimStream({ ...fim, stream: true, temperature: 0 }, signal));
  assert(filled.length > 0, provider);
}
