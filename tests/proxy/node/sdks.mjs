// Every helper of the official SDKs for Node, each in a call of its own, which it names as its model:
// so the fake provider knows what to answer. Prints one JSON object, of what each call gave.
//
//   node sdks.mjs ANTHROPIC_BASE_URL OPENAI_BASE_URL KEY

import Anthropic from "@anthropic-ai/sdk";
import { jsonSchemaOutputFormat } from "@anthropic-ai/sdk/helpers/json-schema";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";
import { betaZodOutputFormat, betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { BetaMessageStream } from "@anthropic-ai/sdk/lib/BetaMessageStream";
import { MessageStream } from "@anthropic-ai/sdk/lib/MessageStream";
import OpenAI from "openai";
import { ResponsesToolRunner, runnerFunction } from "openai/helpers/responses-tool-runner";
import { zodFunction, zodResponseFormat, zodResponsesFunction, zodTextFormat } from "openai/helpers/zod";
import { ChatCompletionStream } from "openai/lib/ChatCompletionStream";
import { z } from "zod";

const [anthropicUrl, openaiUrl, apiKey] = process.argv.slice(2);
const a = new Anthropic({ baseURL: anthropicUrl, apiKey, maxRetries: 0, logLevel: "off" });
const o = new OpenAI({ baseURL: openaiUrl, apiKey, maxRetries: 0, logLevel: "off" });

// -- what is asked -------------------------------------------------------------------------------

const Sum = z.object({ answer: z.number() });
const City = z.object({ city: z.string() });
const CITY = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const SUM = {
  type: "object",
  properties: { answer: { type: "number" } },
  required: ["answer"],
  additionalProperties: false,
};

let ran = []; // what tools were run with
const run = ({ city }) => {
  ran.push(city);
  return `Rain in ${city}.`;
};
const weather = { name: "weather", description: "The weather.", parameters: City };
const zodTool = betaZodTool({ ...weather, inputSchema: City, run });
const plainTool = betaTool({ ...weather, inputSchema: CITY, run });
const tools = [{ name: "weather", input_schema: CITY }];
const chatTool = zodFunction({ ...weather, function: run });
const responsesTool = zodResponsesFunction({ ...weather, function: run });

const QUESTION = "What is two and two?";
const said = (text = QUESTION) => [{ role: "user", content: text }];
const claude = (model, more) => ({ model, max_tokens: 200, messages: said(), ...more });
const gpt = (model, more) => ({ model, messages: said(), ...more });
const items = (model, more) => ({ model, input: QUESTION, ...more });

// -- what is told of it --------------------------------------------------------------------------

const all = async (iterable) => {
  const found = [];
  // A tool runner is a promise as well, of its last message.
  const source = Symbol.asyncIterator in iterable ? iterable : await iterable;
  for await (const item of source) found.push(item);
  return found;
};

/** Whatever a stream's listeners hear, in order. */
const heard = async (stream, names, ending) => {
  const events = [];
  for (const name of names) stream.on(name, (...told) => events.push([name, ...told]));
  return { events, end: await ending(stream) };
};

const MESSAGE = ["streamEvent", "text", "inputJson", "thinking", "contentBlock", "message", "finalMessage"];
const message = (stream) => heard(stream, MESSAGE, async (s) => [await s.finalMessage()]);
const CHAT = [
  ...["chunk", "content", "content.delta", "content.done", "refusal.delta", "refusal.done"],
  ...["tool_calls.function.arguments.delta", "tool_calls.function.arguments.done"],
  ...["message", "functionToolCall", "functionToolCallResult", "finalContent", "finalMessage"],
  ...["finalChatCompletion", "totalUsage"],
];
const completion = (stream) => heard(stream, CHAT, (s) => s.finalChatCompletion());
const response = (stream) => heard(stream, ["event"], (s) => s.finalResponse());

const HEADERS = ["content-type", "request-id", "x-request-id", "retry-after", "retry-after-ms"];
const shown = (headers) => HEADERS.map((name) => headers.get(name));
const raw = async (call) => {
  const { data, response, request_id } = await call.withResponse();
  return [response.status, shown(response.headers), request_id, data._request_id, data];
};
const bytes = async (call) => {
  const got = await call.asResponse();
  return [got.status, shown(got.headers), await got.text()];
};
const failure = (error) => ({
  failed: error.constructor.name,
  message: error.message,
  status: error.status,
  type: error.type,
  code: error.code,
  body: error.error,
  id: error.requestID,
  headers: error.headers && shown(error.headers),
});

// -- the calls -----------------------------------------------------------------------------------

const stream = true;
const output_config = { format: zodOutputFormat(Sum) };
const sumFormat = zodResponseFormat(Sum, "sum");
const text = { format: zodTextFormat(Sum, "sum") };
const runner = new ResponsesToolRunner({ functions: [runnerFunction(responsesTool)] });
const again = { maxRetries: 2 };

const CALLS = {
  "messages.create": (m) => a.messages.create(claude(m)),
  "messages.create/thinking": (m) =>
    a.messages.create(claude(m, { max_tokens: 2000, thinking: { type: "enabled", budget_tokens: 1024 } })),
  "messages.create/tool": (m) => a.messages.create(claude(m, { tools })),
  "messages.create/stream": (m) => all(a.messages.create(claude(m, { stream }))),
  "messages.create/withResponse": (m) => raw(a.messages.create(claude(m))),
  "messages.create/asResponse": (m) => bytes(a.messages.create(claude(m))),
  "messages.create/stream/asResponse": (m) => bytes(a.messages.create(claude(m, { stream }))),
  "messages.stream": (m) => message(a.messages.stream(claude(m))),
  "messages.stream/for-await": (m) => all(a.messages.stream(claude(m))),
  "messages.stream/finalText": (m) => a.messages.stream(claude(m)).finalText(),
  "messages.stream/tool": (m) => message(a.messages.stream(claude(m, { tools }))),
  "messages.stream/withResponse": async (m) => {
    const { data, response, request_id } = await a.messages.stream(claude(m)).withResponse();
    return [response.status, shown(response.headers), request_id, await data.finalMessage()];
  },
  "messages.stream/toReadableStream": (m) =>
    message(MessageStream.fromReadableStream(a.messages.stream(claude(m)).toReadableStream())),
  "messages.stream/parse": (m) => message(a.messages.stream(claude(m, { output_config }))),
  "messages.parse": (m) => a.messages.parse(claude(m, { output_config })),
  "messages.parse/schema": (m) =>
    a.messages.parse(claude(m, { output_config: { format: jsonSchemaOutputFormat(SUM) } })),
  "messages.countTokens": (m) => a.messages.countTokens({ model: m, messages: said() }),
  "beta.messages.create": (m) => a.beta.messages.create(claude(m)),
  "beta.messages.stream": (m) => message(a.beta.messages.stream(claude(m))),
  "beta.messages.stream/toReadableStream": (m) =>
    message(BetaMessageStream.fromReadableStream(a.beta.messages.stream(claude(m)).toReadableStream())),
  "beta.messages.parse": (m) =>
    a.beta.messages.parse(claude(m, { output_config: { format: betaZodOutputFormat(Sum) } })),
  "beta.messages.countTokens": (m) => a.beta.messages.countTokens({ model: m, messages: said() }),
  "beta.messages.toolRunner": (m) =>
    a.beta.messages.toolRunner(claude(m, { thread: false, tools: [zodTool] })).runUntilDone(),
  "beta.messages.toolRunner/turns": (m) =>
    all(a.beta.messages.toolRunner(claude(m, { thread: false, tools: [plainTool] }))),
  "beta.messages.toolRunner/stream": async (m) => {
    const turns = [];
    for await (const turn of a.beta.messages.toolRunner(
      claude(m, { thread: false, tools: [zodTool], stream }),
    ))
      turns.push(await message(turn));
    return turns;
  },
  "models.list": () => all(a.models.list()),
  "models.retrieve": (m) => a.models.retrieve(m),

  "chat.create": (m) => o.chat.completions.create(gpt(m)),
  "chat.create/tool": (m) => o.chat.completions.create(gpt(m, { tools: [chatTool] })),
  "chat.create/stream": (m) =>
    all(o.chat.completions.create(gpt(m, { stream, stream_options: { include_usage: true } }))),
  "chat.create/withResponse": (m) => raw(o.chat.completions.create(gpt(m))),
  "chat.create/asResponse": (m) => bytes(o.chat.completions.create(gpt(m))),
  "chat.create/stream/asResponse": (m) => bytes(o.chat.completions.create(gpt(m, { stream }))),
  "chat.stream": (m) => completion(o.chat.completions.stream(gpt(m))),
  "chat.stream/for-await": (m) => all(o.chat.completions.stream(gpt(m))),
  "chat.stream/tool": (m) => completion(o.chat.completions.stream(gpt(m, { tools: [chatTool] }))),
  "chat.stream/parse": (m) => completion(o.chat.completions.stream(gpt(m, { response_format: sumFormat }))),
  "chat.stream/toReadableStream": (m) =>
    completion(ChatCompletionStream.fromReadableStream(o.chat.completions.stream(gpt(m)).toReadableStream())),
  "chat.parse": (m) => o.chat.completions.parse(gpt(m, { response_format: sumFormat })),
  "chat.parse/tool": (m) => o.chat.completions.parse(gpt(m, { tools: [chatTool] })),
  "chat.runTools": (m) => completion(o.chat.completions.runTools(gpt(m, { tools: [chatTool] }))),
  "chat.runTools/stream": (m) =>
    completion(o.chat.completions.runTools(gpt(m, { tools: [chatTool], stream }))),
  "responses.create": (m) => o.responses.create(items(m)),
  "responses.create/tool": (m) => o.responses.create(items(m, { tools: [responsesTool] })),
  "responses.create/stream": (m) => all(o.responses.create(items(m, { stream }))),
  "responses.create/withResponse": (m) => raw(o.responses.create(items(m))),
  "responses.create/asResponse": (m) => bytes(o.responses.create(items(m))),
  "responses.stream": (m) => response(o.responses.stream(items(m))),
  "responses.stream/tool": (m) => response(o.responses.stream(items(m, { tools: [responsesTool] }))),
  "responses.stream/parse": (m) => response(o.responses.stream(items(m, { text }))),
  "responses.parse": (m) => o.responses.parse(items(m, { text })),
  "responses.parse/tool": (m) => o.responses.parse(items(m, { tools: [responsesTool] })),
  "responses.toolRunner": (m) => runner.run(o, items(m, { input: said() })),
  "responses.toolRunner/stream": (m) => runner.run(o, items(m, { input: said() }), { stream }),
  "openai.models.list": () => all(o.models.list()),
  "openai.models.retrieve": (m) => o.models.retrieve(m),
};
for (const fault of ["400", "401", "404", "429", "500", "529", "event"]) {
  CALLS[`error/${fault}/messages.create`] = (m) => a.messages.create(claude(m));
  CALLS[`error/${fault}/messages.stream`] = (m) => a.messages.stream(claude(m)).finalMessage();
  CALLS[`error/${fault}/chat.create`] = (m) => o.chat.completions.create(gpt(m));
  CALLS[`error/${fault}/chat.stream`] = (m) => o.chat.completions.stream(gpt(m)).finalChatCompletion();
  CALLS[`error/${fault}/responses.create`] = (m) => o.responses.create(items(m));
  CALLS[`error/${fault}/responses.stream`] = (m) => o.responses.stream(items(m)).finalResponse();
}
for (const fault of ["429", "500", "529"]) {
  CALLS[`retry/${fault}/messages.create`] = (m) => a.messages.create(claude(m), again);
  CALLS[`retry/${fault}/messages.stream`] = (m) => a.messages.stream(claude(m), again).finalMessage();
  CALLS[`retry/${fault}/chat.create`] = (m) => o.chat.completions.create(gpt(m), again);
  CALLS[`retry/${fault}/responses.create`] = (m) => o.responses.create(items(m), again);
}

// -- breaches: what is read as the reply or as a refusal, why it stopped, and which deltas came before --

const ofMessage = (got, deltas) => ({
  text: got.content.map((block) => block.text ?? "").join(""),
  stop: got.stop_reason,
  refusal: got.stop_details?.explanation,
  parsed: got.parsed_output,
  deltas,
});
const ofChat = ({ choices: [{ message, finish_reason }] }, deltas) => ({
  text: message.content ?? "",
  stop: finish_reason,
  refusal: message.refusal,
  parsed: message.parsed,
  deltas,
});
const ofResponse = (got, deltas) => ({
  text: got.output_text ?? "",
  stop: got.incomplete_details?.reason ?? got.status,
  refusal: got.output.flatMap((item) => item.content).find((part) => part.type === "refusal")?.refusal,
  parsed: got.output_parsed,
  deltas,
});
const collected = (made, name, piece) => {
  const deltas = [];
  made.on(name, (told) => deltas.push(piece(told)));
  return deltas;
};
const streamed = {
  messages: async (params) => {
    const made = a.messages.stream(params);
    const deltas = collected(made, "text", (told) => told);
    return ofMessage(await made.finalMessage(), deltas);
  },
  chat: async (params) => {
    const made = o.chat.completions.stream(params);
    const deltas = collected(made, "content", (told) => told);
    return ofChat(await made.finalChatCompletion(), deltas);
  },
  responses: async (params) => {
    const made = o.responses.stream(params);
    const deltas = collected(made, "response.output_text.delta", (told) => told.delta);
    return ofResponse(await made.finalResponse(), deltas);
  },
};

const ASKED = {
  "messages.create": async (m, messages) => ofMessage(await a.messages.create(claude(m, { messages }))),
  "messages.parse": async (m, messages) =>
    ofMessage(await a.messages.parse(claude(m, { messages, output_config }))),
  "messages.stream": (m, messages) => streamed.messages(claude(m, { messages })),
  "messages.stream/parse": (m, messages) => streamed.messages(claude(m, { messages, output_config })),
  "beta.messages.toolRunner": async (m, messages) =>
    ofMessage(await a.beta.messages.toolRunner(claude(m, { messages, tools: [zodTool] })).runUntilDone()),
  "chat.create": async (m, messages) => ofChat(await o.chat.completions.create(gpt(m, { messages }))),
  "chat.parse": async (m, messages) =>
    ofChat(await o.chat.completions.parse(gpt(m, { messages, response_format: sumFormat }))),
  "chat.stream": (m, messages) => streamed.chat(gpt(m, { messages })),
  "chat.stream/parse": (m, messages) => streamed.chat(gpt(m, { messages, response_format: sumFormat })),
  "chat.runTools": async (m, messages) =>
    ofChat(await o.chat.completions.runTools(gpt(m, { messages, tools: [chatTool] })).finalChatCompletion()),
  "responses.create": async (m, input) => ofResponse(await o.responses.create(items(m, { input }))),
  "responses.parse": async (m, input) => ofResponse(await o.responses.parse(items(m, { input, text }))),
  "responses.stream": (m, input) => streamed.responses(items(m, { input })),
  "responses.stream/parse": (m, input) => streamed.responses(items(m, { input, text })),
  "responses.toolRunner": async (m, input) => ofResponse(await runner.run(o, items(m, { input }))),
};
for (const [name, ask] of Object.entries(ASKED)) {
  CALLS[`breach/prompt/${name}`] = (m) => ask(m, said("Say something forbidden."));
  CALLS[`breach/reply/${name}`] = (m) => ask(m, said("Say something."));
  if (name.endsWith(".stream")) CALLS[`breach/midway/${name}`] = (m) => ask(m, said("Say a lot."));
  if (/run/i.test(name)) CALLS[`breach/tool/${name}`] = (m) => ask(m, said("Use the tool."));
  if (/run/i.test(name)) CALLS[`filtered/${name}`] = (m) => ask(m, said("Say something."));
}
// The provider would keep the conversation: a tool runner by itself, unless it is told that it cannot.
CALLS["thread/toolRunner"] = (m) =>
  a.beta.messages.toolRunner(claude(m, { tools: [zodTool] })).runUntilDone();
CALLS["thread/send"] = (m) => a.beta.messages.thread({ model: m, max_tokens: 200 }).send(said()[0]);

const results = {};
for (const [name, call] of Object.entries(CALLS)) {
  ran = [];
  const result = await call(name).catch(failure);
  results[name] = { result, ran };
}
console.log(JSON.stringify(results));
