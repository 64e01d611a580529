import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { losslessJson } from '../../src/common/lossless-json.js';
import type { ChatMessage } from '../../src/events/chat-message.js';
import { ChatTemplate } from '../../src/tokenizer/template/chat-template.js';

const python = process.env['ADAPTIVE_TRAINER_PYTHON'];
const script = fileURLToPath(new URL('../../scripts/oracles/real_chat_templates.py', import.meta.url));

interface Renders {
  sources: Record<string, string>;
  chats: Record<string, ChatMessage[]>;
  tools: unknown[];
  tokens: Record<string, string>;
  cases: {
    template: string;
    chat: string;
    tools: boolean;
    asks: boolean;
    text?: string;
    marks?: [number, number][];
    error?: string;
  }[];
}

/** Marks that touch each other as one. */
function joined(marks: readonly (readonly [number, number])[]): [number, number][] {
  const all: [number, number][] = [];
  for (const [start, end] of marks) {
    const last = all.at(-1);
    if (last !== undefined && last[1] === start) last[1] = end;
    else if (end > start) all.push([start, end]);
  }
  return all;
}

const why = python ? '' : ' (skipped: set ADAPTIVE_TRAINER_PYTHON to a Python that has transformers and trl)';
describe.skipIf(!python)(`the chat templates of trl, beside transformers${why}`, () => {
  test('same texts, same refusals, same marks', () => {
    const output = execFileSync(python!, [script], {
      maxBuffer: 2 ** 28,
      encoding: 'utf8',
      env: { ...process.env, HF_HUB_OFFLINE: '1' },
    });
    const { sources, chats, tools, tokens, cases } = losslessJson.parse(output) as Renders;
    expect(cases.length).toBeGreaterThan(1000);
    const templates = new Map(
      Object.entries(sources).map(([name, source]) => [name, new ChatTemplate(source, name, tokens)]),
    );
    for (const { template, chat, tools: hasTools, asks, text, marks, error } of cases) {
      const render = () =>
        templates
          .get(template)!
          .render(chats[chat]!, { tools: hasTools ? tools : null, addGenerationPrompt: asks });
      const where = [template, chat, hasTools, asks];
      if (error !== undefined) {
        expect(render, where.join()).toThrow();
        continue;
      }
      const rendered = render();
      expect([...where, rendered.text]).toEqual([...where, text]);
      const generated = rendered.generated?.map(({ start, end }): [number, number] => [start, end]);
      if (generated !== undefined) expect([...where, joined(generated)]).toEqual([...where, joined(marks!)]);
    }
  });
});
