/**
 * How two ranks of one thread each compare with one process of one thread, on the same rows per rank; with two network
 * namespaces, over links of several rates, with gradients summed during the backward pass and after it.
 *
 *     npm run bench:ranks [-- --steps 8]
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startRanks, type StartOptions } from '../../test/ranks/run-ranks.js';

const { values } = parseArgs({ options: { steps: { type: 'string', default: '8' } } });
const program = new URL('rank.ts', import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'adaptive-trainer-bench-'));
const config = {
  ...{ model_type: 'llama', architectures: ['LlamaForCausalLM'], vocab_size: 4096, hidden_size: 384 },
  ...{ intermediate_size: 1024, num_hidden_layers: 6, num_attention_heads: 6, num_key_value_heads: 6 },
  ...{ rms_norm_eps: 1e-6, rope_theta: 10000, tie_word_embeddings: false, max_position_embeddings: 512 },
};
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'config.json'), JSON.stringify(config));

interface Measured {
  seconds: number;
  tokens: number;
  parameters: number;
}

async function measure(
  size: number,
  mode: 'overlapped' | 'afterwards',
  options: StartOptions = {},
): Promise<Measured> {
  const ranks = await startRanks(program, size, () => [folder, mode, values.steps], options);
  const results = await Promise.all(ranks.map(({ result }) => result));
  for (const { stderr, status } of results) if (status !== 0) throw new Error(stderr);
  return JSON.parse(results[0]!.stdout) as Measured;
}

const one = await measure(1, 'overlapped');
const print = (what: string, { seconds, tokens }: Measured) => {
  const rate = tokens / seconds;
  const efficiency = rate / (2 * (one.tokens / one.seconds));
  console.log(
    `${what.padEnd(44)} ${seconds.toFixed(3)} s ${rate.toFixed(0).padStart(6)} tokens/s ${(100 * efficiency).toFixed(0)} %`,
  );
};
console.log(
  `${(one.parameters / 1e6).toFixed(1)} M parameters, ${one.tokens} tokens per rank and step, 1 thread per rank`,
);
console.log(
  `one process`.padEnd(44),
  `${one.seconds.toFixed(3)} s ${(one.tokens / one.seconds).toFixed(0).padStart(6)} tokens/s`,
);
for (const mode of ['overlapped', 'afterwards'] as const) print(`2 ranks, ${mode}`, await measure(2, mode));

const hosts = ['atbencha', 'atbenchb'] as const;
if (spawnSync('ip', ['netns', 'add', hosts[0]], { stdio: 'ignore' }).status === 0) {
  const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' });
  try {
    ip('netns', 'add', hosts[1]);
    ip('link', 'add', 'atbench0', 'type', 'veth', 'peer', 'name', 'atbench1');
    hosts.forEach((host, i) => {
      ip('link', 'set', `atbench${i}`, 'netns', host);
      ip('-n', host, 'addr', 'add', `10.213.8.${i + 1}/24`, 'dev', `atbench${i}`);
      ip('-n', host, 'link', 'set', `atbench${i}`, 'up');
    });
    for (const rate of ['10gbit', '1gbit', '500mbit']) {
      hosts.forEach((host, i) =>
        execFileSync('tc', [
          '-n',
          host,
          'qdisc',
          'replace',
          'dev',
          `atbench${i}`,
          'root',
          'tbf',
          'rate',
          rate,
          'burst',
          '1mb',
          'latency',
          '50ms',
        ]),
      );
      const options: StartOptions = {
        prefix: (rank) => ['ip', 'netns', 'exec', hosts[rank]!],
        env: () => ({ MASTER_ADDR: '10.213.8.1', LOCAL_RANK: '0', LOCAL_WORLD_SIZE: '1' }),
      };
      for (const mode of ['overlapped', 'afterwards'] as const)
        print(`2 hosts, ${rate}, ${mode}`, await measure(2, mode, options));
    }
  } finally {
    for (const host of hosts) spawnSync('ip', ['netns', 'del', host], { stdio: 'ignore' });
  }
}
rmSync(folder, { recursive: true });
