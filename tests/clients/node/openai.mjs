// OpenAI's own package: parsing helpers and streams of chat and of responses.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none", maxRetries: 0 });
const Person = z.object({
  name: z.string(),
  age: z.number().int(),
  city: z.enum(["London", "Paris"]),
});
const text = "Ada Lovelace, born in London, is 36 years old.";
const messages = [{ role: "user", content: text }];
const model = "tiny";

const response_format = zodResponseFormat(Person, "person");
const parsed = await client.chat.completions.parse({ model, messages, response_format });
Person.parse(parsed.choices[0].message.parsed);

const stream = client.chat.completions.stream({ model, messages, response_format });
let deltas = 0;
stream.on("content.delta", () => (deltas += 1));
Person.parse((await stream.finalChatCompletion()).choices[0].message.parsed);
assert(deltas > 1);

const format = zodTextFormat(Person, "person");
const response = await client.responses.parse({ model, input: text, text: { format } });
Person.parse(response.output_parsed);

const events = client.responses.stream({ model, input: text, text: { format } });
let kinds = new Set();
for await (const event of events) kinds.add(event.type);
assert(kinds.has("response.output_text.delta") && kinds.has("response.completed"));
Person.parse((await events.finalResponse()).output_parsed);

const tool = {
  type: "custom",
  custom: {
    name: "vote",
    format: { type: "grammar", grammar: { syntax: "regex", definition: "yes|no" } },
  },
};
const call = await client.chat.completions.create({
  model,
  messages,
  tools: [tool],
  tool_choice: "required",
});
assert.match(call.choices[0].message.tool_calls[0].custom.input, /^(yes|no)$/);

await assert.rejects(
  client.chat.completions.create({ model: "gpt-9", messages }),
  (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found",
);
