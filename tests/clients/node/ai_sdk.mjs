// The AI SDK in all its ways of asking for structure, over both of OpenAI's dialects.
import assert from "node:assert/strict";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, Output, streamObject, streamText, tool } from "ai";
import { z } from "zod";

const baseURL = `${process.argv[2]}/v1`;
const schema = z.object({
  name: z.string(),
  age: z.number().int(),
  city: z.enum(["London", "Paris"]),
});
const prompt = "Ada Lovelace, born in London, is 36 years old.";
const openai = createOpenAI({ baseURL, apiKey: "none" });
const compatible = createOpenAICompatible({
  name: "lipogram",
  baseURL,
  apiKey: "none",
  supportsStructuredOutputs: true,
});

for (const model of [compatible("tiny"), openai.chat("tiny"), openai.responses("tiny")]) {
  schema.parse((await generateObject({ model, schema, prompt, maxRetries: 0 })).object);

  const streamed = streamObject({ model, schema, prompt, maxRetries: 0 });
  let pieces = 0;
  for await (const _ of streamed.partialObjectStream) pieces += 1;
  assert(pieces > 1);
  schema.parse(await streamed.object);

  const tools = { person: tool({ description: "Notes a person", inputSchema: schema }) };
  const called = await generateText({ model, prompt, tools, toolChoice: "required", maxRetries: 0 });
  schema.parse(called.toolCalls[0].input);
  const calls = streamText({ model, prompt, tools, toolChoice: "required", maxRetries: 0 });
  schema.parse((await calls.toolCalls)[0].input);

  const output = Output.object({ schema });
  schema.parse((await generateText({ model, prompt, output, maxRetries: 0 })).output);

  let text = "";
  for await (const delta of streamText({ model, prompt, maxOutputTokens: 8, maxRetries: 0 }).textStream) {
    text += delta;
  }
  assert(text.length > 0);
}
