import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { installPackage, placeModel, root, runIn } from '../consumer/install-package.js';
import { settings } from '../consumer/type-check.js';

// The examples as files of a project that installed the package, which is how they are meant to be copied.
const { dir } = installPackage();
placeModel(dir, 'models/small');
const rows = Array.from({ length: 60 }, (_, i) => ({ prompt: `What is ${i}?`, response: `It is ${i % 7}.` }));
writeFileSync(join(dir, 'rows.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
const names = readdirSync(join(root, 'examples'), { withFileTypes: true })
  .filter(
    (entry) => entry.isDirectory() && existsSync(join(root, 'examples', entry.name, `${entry.name}.ts`)),
  )
  .map(({ name }) => name)
  .filter((name) => name !== 'quickstart');
for (const name of names) {
  const source = readFileSync(join(root, `examples/${name}/${name}.ts`), 'utf8');
  const { module, target } = settings('bundler');
  const compilerOptions = { module, target };
  writeFileSync(join(dir, `${name}.js`), ts.transpileModule(source, { compilerOptions }).outputText);
}

const run = (name: string, ...args: string[]) => runIn(dir, `${name}.js`, args);

it('has a line for each example', () => {
  const readme = readFileSync(join(root, 'examples/README.md'), 'utf8');
  expect(names.length).toBeGreaterThan(5);
  expect(names.filter((name) => !readme.includes(`(${name}/${name}.ts)`))).toEqual([]);
});

describe('own-loss', () => {
  const lossesOf = (text: string) => [...text.matchAll(/: \w+ ([\d.]+)/g)].map(([, loss]) => Number(loss));

  it.each(['focal', 'dft', 'eaft'])('trains with %s weights, each with a loss of its own', (loss) => {
    const losses = lossesOf(run('own-loss', 'models/small', 'rows.jsonl', loss));
    expect(losses.length).toBeGreaterThan(10);
    expect(losses.at(-1)).not.toBe(losses[0]);
  });

  it('trains with its dft as `loss: dft` does', () => {
    const example = readFileSync(join(dir, 'own-loss.js'), 'utf8');
    const builtIn = example
      .replace('new Trainer(', 'new AdaptiveTrainer(')
      .replace('batchSize: 4,', "loss: 'dft', batchSize: 4,");
    writeFileSync(join(dir, 'built-in.js'), builtIn);
    const [own, given] = ['own-loss', 'built-in'].map((name) =>
      lossesOf(run(name, 'models/small', 'rows.jsonl', 'dft')),
    ) as [number[], number[]];
    // Printed with four digits; the last may round to the other side.
    expect(given).toHaveLength(own.length);
    own.forEach((loss, step) => expect(loss).toBeCloseTo(given[step]!, 3));
  });
});

it('schedule-and-callback: the rate rises and falls, and the callback ends the run', () => {
  const whole = run('schedule-and-callback', 'models/small', 'rows.jsonl', '0');
  const rates = [...whole.matchAll(/ at ([\d.e+-]+)/g)].map(([, rate]) => Number(rate));
  const highest = rates.indexOf(Math.max(...rates));
  expect(highest).toBeGreaterThan(rates.length / 4);
  expect(highest).toBeLessThan(rates.length / 2);
  expect(rates.at(-1)).toBe(0);
  expect(run('schedule-and-callback', 'models/small', 'rows.jsonl', '1e9')).toContain('ended after 2 steps');
});

function placeConfig(output: string): void {
  const training_config = {
    ...{ num_epochs: 1, batch_size: 4, gradient_accumulation_steps: 1, logging_steps: 2 },
    eval_steps: 4,
  };
  const config = {
    model_name: 'models/small',
    output_dir: output,
    datasets_config: { attention: ['rows.jsonl'] },
    training_config,
  };
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config));
}

it('tracker: writes the course of the run', () => {
  placeConfig('tracked');
  run('tracker', 'config.json', 'course.csv');
  const [head, ...lines] = readFileSync(join(dir, 'course.csv'), 'utf8').trim().split('\n');
  expect(head).toBe('step,epoch,loss,learningRate,evalLoss');
  expect(lines.length).toBeGreaterThan(6);
  expect(lines.every((line) => /^\d+,[\d.]+,([\d.]+,[\d.e-]+,|,,[\d.]+)$/.test(line))).toBe(true);
});

it('trainer-class: keeps the best model beside the last', () => {
  placeConfig('kept');
  expect(run('trainer-class', 'config.json')).toMatch(/best so far/);
  for (const name of ['best_model', 'final_model'])
    expect(readdirSync(join(dir, 'kept', name))).toContain('model.safetensors');
});

it('search: tries every setting once, and goes on where it was stopped', () => {
  const first = run('search', 'models/small', 'rows.jsonl', 'search');
  const results = join(dir, 'search/results.jsonl');
  const lines = readFileSync(results, 'utf8').trim().split('\n');
  expect(lines).toHaveLength(8);
  expect(lines.filter((line) => line.includes('"retention":"auto"'))).toHaveLength(4);
  expect(first).toMatch(/best: topK-/);
  // As if it had been stopped in the third trial.
  writeFileSync(results, `${lines.slice(0, 2).join('\n')}\n`);
  const again = run('search', 'models/small', 'rows.jsonl', 'search');
  expect(again.match(/^topK/gm)).toHaveLength(6);
  expect(again.split('\n').at(-2)).toBe(first.split('\n').at(-2));
});

it('server: trains one user after the other, tells how far it is, and cancels', async () => {
  mkdirSync(join(dir, 'served'));
  const child = spawn(process.execPath, ['server.js', 'models', 'served', '0'], {
    ...{ cwd: dir, stdio: ['ignore', 'pipe', 'inherit'] },
    env: {
      ...process.env,
      ADAPTIVE_TRAINER_ADDON: join(root, 'build/Release/adaptive_trainer.node'),
      HF_HUB_OFFLINE: '1',
    },
  });
  try {
    const [said] = (await once(child.stdout!, 'data')) as [Buffer];
    const address = `http://127.0.0.1:${/listening on (\d+)/.exec(said.toString())![1]}/runs`;
    const start = async (user: string) => {
      const made = await fetch(address, {
        method: 'POST',
        body: JSON.stringify({ user, model: 'small', rows }),
      });
      expect(made.status).toBe(202);
      return ((await made.json()) as { id: string }).id;
    };
    const [ada, bob, eve] = [await start('ada'), await start('bob'), await start('eve')];
    const state = async (id: string) =>
      ((await (await fetch(`${address}/${id}`)).json()) as { state: string }).state;
    await fetch(`${address}/${bob}`, { method: 'DELETE' });
    expect(await state(bob)).toBe('cancelled');
    const course = await (await fetch(`${address}/${ada}/events`)).text();
    expect(course).toMatch(/event: start[^]*event: step[^]*event: end[^]*event: state[^]*"state":"done"/);
    expect(await (await fetch(`${address}/${eve}/events`)).text()).toMatch(/"state":"done"/);
    expect(readdirSync(join(dir, 'served/ada', ada, 'final_model'))).toContain('adapter_model.safetensors');
    expect(readdirSync(join(dir, 'served'))).toEqual(['ada', 'eve']);
    const wrong = await fetch(address, {
      method: 'POST',
      body: JSON.stringify({ user: '../x', model: 'small', rows }),
    });
    expect(wrong.status).toBe(400);
  } finally {
    const gone = child.exitCode === null ? once(child, 'exit') : undefined;
    child.kill();
    await gone;
  }
});
