import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { MemoryReport } from '../../src/events/memory-report.js';
import type { StartEvent, TrainingEvent } from '../../src/events/training-event.js';
import { countParameters } from '../../src/cli/plan/count-parameters.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { tempDir } from '../helpers/temp-dir.js';
import { seedDir } from '../tokenizer/open-tokenizer.js';
import { runCommand } from './run-command.js';

const mixtral = fileURLToPath(new URL('../fixtures/extra/models/mixtral', import.meta.url));

let folder: string;
let file: string;
beforeAll(() => {
  folder = tempDir();
  file = join(folder, 'config.json');
  const rows = Array.from({ length: 40 }, (_, i) =>
    JSON.stringify({ prompt: `question ${i}`, response: 'an answer of some words '.repeat(1 + (i % 5)) }),
  );
  writeFileSync(join(folder, 'rows.jsonl'), rows.join('\n'));
  writeFileSync(
    file,
    JSON.stringify({
      ...{ model_name: seedDir, output_dir: join(folder, 'out') },
      datasets_config: { ideas: [join(folder, 'rows.jsonl')] },
      training_config: {
        batch_size: 4,
        num_epochs: 1,
        warmup_steps: 0,
        save_strategy: 'no',
        inspect_rows: 0,
      },
    }),
  );
});

interface Planned {
  steps: number;
  memory: { total: number; keptBlocks?: { kept: number; all: number } };
}
const run = (...args: string[]) => runCommand('src/cli/main.ts', args);

describe('what is told before a run', () => {
  it('train --dry-run and estimate agree with the run, and write nothing', { timeout: 240_000 }, async () => {
    const dry = await run('train', file, '--dry-run', '--json');
    expect(dry).toMatchObject({ status: 0 });
    const planned = JSON.parse(dry.stdout) as Planned;
    const estimated = await run('estimate', seedDir, file, '--json');
    expect(estimated).toMatchObject({ status: 0 });
    const told = JSON.parse(estimated.stdout) as {
      steps: number;
      fits: boolean;
      memory: Planned['memory'] & { weights: number };
      counts: { all: number };
      time: { secondsPerStep: number; evaluating: number; least: number; seconds: number; most: number };
      advice: { name: string; total: number }[];
    };
    expect(readdirSync(folder).sort()).toEqual(['config.json', 'rows.jsonl']);

    const trained = await run('train', file, '--json');
    expect(trained).toMatchObject({ status: 0 });
    const events = trained.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as TrainingEvent);
    const start = events.find((event): event is StartEvent => event.type === 'start')!;
    expect([planned.steps, told.steps]).toEqual([start.steps, start.steps]);
    const total = start.memory!.total;
    for (const { memory } of [planned, told]) expect(Math.abs(memory.total / total - 1)).toBeLessThan(0.15);
    expect(told.memory.weights).toBe(start.memory!.weights);
    // gradientCheckpointing is 'auto'.
    for (const { memory } of [planned, told, start as { memory: Planned['memory'] }])
      expect(memory.keptBlocks).toEqual({ kept: 4, all: 4 });
    expect(told.advice.map(({ name }) => name)).toContain('gradientCheckpointing: true');
    expect(told.fits).toBe(true);
    expect(told.time.secondsPerStep).toBeGreaterThan(0);
    expect(told.time.least).toBeLessThan(told.time.seconds);
    for (const { total: less } of told.advice.slice(0, 1)) expect(less).toBeLessThan(told.memory.total);
  });

  it('counts the weights of an adapter', async () => {
    const set = ['--set', 'peft_config={"r": 8, "target_modules": "all-linear"}'];
    const { stdout } = await run('train', file, '--dry-run', '--overwrite', '--json', ...set);
    const { counts } = JSON.parse(stdout) as { counts: { all: number; trainable: number } };
    // Four layers of 256 wide and 704: q and o 256 each way, k and v to 128, gate, up and down.
    const layer = 2 * 8 * (256 + 256) + 2 * 8 * (256 + 128) + 3 * 8 * (256 + 704);
    expect(counts.trainable).toBe(4 * layer);
  });

  it.each([
    [
      'a base in 4 bits',
      { peft_config: { r: 8, target_modules: 'all-linear' }, 'training_config.load_in_4bit': true },
    ],
    ['an adapter of rows of its own', { peft_config: { r: 4, target_modules: ['q_proj'], use_dora: true } }],
    ['lower layers frozen', { 'training_config.freeze': ['model.embed_tokens', 'model.layers.[0-1]'] }],
  ])('%s: the memory of the run, part by part', { timeout: 120_000 }, async (_, settings) => {
    const out = { output_dir: tempDir(), 'training_config.max_steps': 1 };
    const set = Object.entries({ ...settings, ...out }).flatMap(([key, value]) => [
      '--set',
      `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    ]);
    const { stdout } = await run('train', file, '--dry-run', '--json', ...set);
    const { memory, counts } = JSON.parse(stdout) as { memory: MemoryReport; counts: { trainable: number } };
    const trained = await run('train', file, '--json', ...set);
    const start = trained.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as TrainingEvent)
      .find((event): event is StartEvent => event.type === 'start')!;
    const parts = ({ weights, gradients, optimizer, activations }: MemoryReport) => ({
      ...{ weights, gradients, optimizer, activations },
    });
    expect(parts(memory)).toEqual(parts(start.memory!));
    expect(counts.trainable).toBe(start.trainableParameters);
  });

  it('ranks share out what zeroStage says', { timeout: 120_000 }, async () => {
    const everyBatch = ['--set', 'training_config.gradient_accumulation_steps=1'];
    const told = async (stage: number, ...args: string[]) => {
      const set = [
        '--set',
        `training_config.zero_stage=${stage}`,
        '--set',
        'training_config.optimizer=adamw',
        '--set',
        'training_config.precision=bf16',
        ...everyBatch,
      ];
      const { stdout } = await run('estimate', seedDir, file, '--json', ...set, ...args);
      return JSON.parse(stdout) as Planned & {
        ranks: number;
        memory: MemoryReport;
        advice: { name: string }[];
      };
    };
    const [whole, shared] = [await told(0, '--ranks', '4'), await told(2, '--ranks', '4')];
    // 38 rows, four of each rank a step.
    expect([whole.ranks, whole.steps]).toEqual([4, 3]);
    expect(shared.memory.weights).toBeLessThan(whole.memory.weights);
    expect(shared.memory.optimizer / whole.memory.optimizer).toBeLessThan(0.4);
    expect(shared.memory.gradients).toBeLessThan(whole.memory.gradients);
    expect(whole.advice.map(({ name }) => name)).toContain('zeroStage: 2');
    expect(shared.advice.map(({ name }) => name)).not.toContain('zeroStage: 2');
    const launched = await runCommand(
      'src/cli/main.ts',
      [
        'train',
        file,
        '--dry-run',
        '--json',
        '--overwrite',
        '--set',
        'training_config.zero_stage=2',
        ...everyBatch,
      ],
      { RANK: '0', WORLD_SIZE: '4', LOCAL_RANK: '0', MASTER_ADDR: '127.0.0.1', MASTER_PORT: '29500' },
    );
    expect(JSON.parse(launched.stdout)).toMatchObject({ ranks: 4, steps: 3 });
    expect((await run('estimate', seedDir, file, '--ranks', '0')).stderr).toContain(
      'a whole number from 1 on',
    );
  });

  describe('for a GPU that is not in this machine', () => {
    interface OfGpu extends Planned {
      device: string;
      precision: string;
      free: number | null;
      fits: boolean | null;
      time: object | null;
      advice: { name: string; total: number }[];
      memory: MemoryReport;
    }
    const onCuda = ['--set', 'training_config.device=cuda', '--json'];
    const told = async (...args: string[]) => {
      const hidden = { CUDA_VISIBLE_DEVICES: '' };
      const found = await runCommand(
        'src/cli/main.ts',
        ['estimate', seedDir, file, ...onCuda, ...args],
        hidden,
      );
      expect(found.status, found.stderr).toBe(0);
      return { ...(JSON.parse(found.stdout) as OfGpu), stderr: found.stderr };
    };

    it('its memory may be given', { timeout: 60_000 }, async () => {
      const large = await told('--device-memory', '24GiB');
      const { device, precision, free, fits, time, memory, stderr } = large;
      expect([device, precision, fits, time, stderr]).toEqual(['cuda', 'fp16', true, null, '']);
      expect([free, memory.available, memory.capacity]).toEqual(Array(3).fill(24 * 2 ** 30));
      expect(memory.keptBlocks).toEqual({ kept: 4, all: 4 });
      expect(memory.numerators).toBeGreaterThan(0);
      expect(memory.host).toMatchObject({ pagedStates: 0 });
      const small = await told('--device-memory', '600 mib');
      expect([small.fits, small.free, small.memory.keptBlocks]).toEqual([
        false,
        600 * 2 ** 20,
        { kept: 0, all: 4 },
      ]);
      expect(small.memory.total).toBeGreaterThan(600 * 2 ** 20);
      expect(small.advice[0]!.total).toBeLessThan(600 * 2 ** 20);
    });

    it('what nobody says is not guessed', { timeout: 60_000 }, async () => {
      const { device, free, fits, memory, stderr } = await told();
      expect([device, free, fits, memory.keptBlocks]).toEqual(['cuda', null, null, undefined]);
      expect(memory.total).toBeGreaterThan(memory.base);
      expect(stderr).toMatch(/^warning The run cannot be on this machine: .*--device-memory 24GiB says/s);
    });

    it('a size that is none is a fault of the command line', async () => {
      for (const size of ['24', '-1GiB', '0GiB', 'much']) {
        const { status, stderr } = await run('estimate', seedDir, file, `--device-memory=${size}`);
        expect([status, stderr]).toEqual([2, expect.stringContaining('a size such as 24GiB') as string]);
      }
    });

    it('--dry-run plans for it, and refuses as the run would', { timeout: 60_000 }, async () => {
      const dry = (size: string, ...more: string[]) =>
        run('train', file, '--dry-run', '--device-memory', size, '--set', `output_dir=${tempDir()}`, ...more);
      const { stdout } = await dry('2GB', '--json');
      const planned = JSON.parse(stdout) as OfGpu;
      expect([planned.device, planned.precision, planned.memory.capacity]).toEqual(['cuda', 'fp16', 2e9]);
      expect((await dry('2GB')).stdout).toMatch(/about \d+ MiB on cuda, 1\.86 GiB there/);
      const refused = await dry('600MiB');
      expect([refused.status, refused.stderr]).toEqual([
        1,
        expect.stringMatching(/^OUT_OF_MEMORY: .*fits into 600 MiB of the memory of cuda/m) as string,
      ]);
    });
  });

  it('a token of a mixture of experts goes through the chosen ones alone', async () => {
    const model = await CausalLM.outline(mixtral);
    const { experts, active, intermediateSize } = model.decoder.routing!;
    const { hiddenSize, layers } = model.decoder;
    const ofExperts = layers.length * 3 * intermediateSize * hiddenSize;
    const ofAttention = model.parameters
      .filter(({ name }) => /_proj\.weight$/.test(name))
      .reduce((sum, { shape: [to = 0, from = 0] }) => sum + to * from, 0);
    expect(experts).toBeGreaterThan(active);
    expect(countParameters(model).perToken).toBe(ofAttention + active * ofExperts);
    model.dispose();
  });

  it('an output folder that is in use stops no estimate', async () => {
    expect(await run('estimate', seedDir, file, '--json')).toMatchObject({ status: 0 });
  });

  it('a folder with another run is refused as by the run', async () => {
    const { status, stderr } = await run('train', file, '--dry-run');
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^OUTPUT_DIR_USED/m) as string]);
  });
});
