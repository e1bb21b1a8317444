// An upstream that we didn't write: aimock, which answers on PORT with this text and this usage.

import { LLMock } from "@copilotkit/aimock";

const mock = new LLMock({ host: "127.0.0.1", port: Number(process.env.PORT) });
mock.onMessage("hello", { content: "Hi there, how are you today?", usage: { prompt_tokens: 120, completion_tokens: 30, total_tokens: 150 } });
await mock.start();
