import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../../scripts/docs/comments.js';
import { parseConfig } from '../../src/config/read/parse-config.js';

const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'examples/README.md'],
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const read = (page: string) => readFileSync(join(root, page), 'utf8');
const blocks = pages.flatMap((page) =>
  [...read(page).matchAll(/^```(\S*)\n(.*?)^```$/gms)].map(([, language, code]) => ({
    ...{ page, language: language!, code: code! },
  })),
);
const ofLanguage = (language: string) => blocks.filter((block) => block.language === language);

describe('blocks of code', () => {
  it('are in a language that a test looks at; those without one are no code', () => {
    // test/consumer type-checks and runs those in TypeScript; text is what a command prints.
    const known = ['ts', 'json', 'sh', 'text', ''];
    expect(blocks.filter(({ language }) => !known.includes(language))).toEqual([]);
    expect(blocks.length).toBeGreaterThan(25);
  });

  it.each(ofLanguage('json'))('JSON of $page is a row, or a configuration without a fault', ({ code }) => {
    // What begins with a key is a part of a configuration; one of datasetsConfig where it lists datasets.
    const part = code.startsWith('"') ? (JSON.parse(`{${code}}`) as Record<string, unknown>) : undefined;
    if (part !== undefined) {
      const inner = 'misc' in part ? { datasetsConfig: part } : part;
      expect(() => parseConfig({ modelName: 'm', outputDir: 'o', ...inner } as never)).not.toThrow();
      return;
    }
    const value = JSON.parse(code) as Record<string, unknown>;
    if (Object.keys(value).some((key) => /^model_?name$/i.test(key))) {
      expect(parseConfig(value as never).warnings).toEqual([]);
    } else expect(Object.keys(value)).toEqual(['prompt', 'response']);
  });

  const help = read('docs/cli.md');
  const commands = ofLanguage('sh').flatMap(({ page, code }) =>
    code
      .split('\n')
      .map((line) => /^npx adaptive-trainer (.*?)(\s+#.*)?$/.exec(line)?.[1])
      .filter((line) => line !== undefined)
      .map((line) => ({ page, line })),
  );

  it.each(commands)('$page: $line is a command with options that it has', ({ line }) => {
    const [name, ...rest] = line.split(/\s+/);
    const section = help.split(/^## /m).find((text) => text.startsWith(`${name}\n`));
    expect(section).toBeDefined();
    for (const option of rest.filter((word) => word.startsWith('--')))
      expect(section).toContain(`${option} `.trim());
  });
});

it('troubleshooting has every error code, and no other', () => {
  const codesOf = (text: string) => [...text.matchAll(/^\| `([A-Z_]+)`/gm)].map(([, code]) => code).sort();
  const [, rest] = read('docs/errors.md').split(/^\| code/m);
  const byCode = read('docs/troubleshooting.md').split(/^## /m)[1]!;
  expect(codesOf(byCode)).toEqual(codesOf(rest!.split(/^## /m)[0]!));
});

it('the list of keys that came from Python has every key of its own', () => {
  const text = read('docs/from-python.md');
  const keys = [
    ...[
      'run_name',
      'wandb_project',
      'wandb_entity',
      'max_length_token',
      'padding_side',
      'batch_size',
      'eval_batch_size',
    ],
    ...[
      'gradient_accumulation_steps',
      'learning_rate',
      'weight_decay',
      'warmup_steps',
      'num_epochs',
      'attn_impl',
      'fp16',
    ],
    ...[
      'bf16',
      'gradient_checkpointing',
      'use_liger_kernel',
      'optimizer',
      'logging_steps',
      'eval_strategy',
      'eval_steps',
    ],
    ...[
      'eval_on_start',
      'save_strategy',
      'save_steps',
      'save_total_limit',
      'local_rank',
      'top_k',
      'adaptive_log_steps',
    ],
  ];
  expect(keys.filter((key) => !text.includes(key))).toEqual([]);
});
