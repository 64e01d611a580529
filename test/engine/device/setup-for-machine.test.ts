import { describe, expect, test } from 'vitest';
import {
  chooseLibtorch,
  setupForMachine,
  type SeenGpus,
} from '../../../src/engine/device/setup-for-machine.js';
import { cachedLibtorchDir } from '../../../src/engine/libtorch/cached-libtorch-dir.js';
import { tempDir } from '../../helpers/temp-dir.js';
import { cudaWheels } from '../libtorch/cuda/cuda-wheels.js';
import { errorOf } from '../libtorch/error-of.js';
import { writeFakeLibtorch } from '../libtorch/fake-libtorch.js';

const none: SeenGpus = { graphics: { devices: [], amd: false }, visibleDevices: undefined };
const card = { name: 'a card', capability: '9.0', memory: 8e10 };
const withCard: SeenGpus = { ...none, asked: { driver: { version: 13000, devices: [card] } } };
const withOldDriver: SeenGpus = { ...none, asked: { driver: { version: 12040, devices: [card] } } };
const withOldCard: SeenGpus = {
  ...none,
  asked: { driver: { version: 13000, devices: [{ ...card, capability: '7.5' }] } },
};
/** Before the addon is there, which asks the driver. */
const seenOnly: SeenGpus = { ...none, graphics: { driver: '580.65.06', devices: ['nvidia0'], amd: false } };

describe('which libtorch', () => {
  test.each([
    ['no GPU', none, false, 'libtorch for the CPU: there is no NVIDIA driver'],
    ['a GPU', withCard, true, 'libtorch for CUDA: cuda:0 is a card, and the driver serves CUDA 13.0.'],
    ['a GPU that is too old', withOldCard, false, 'libtorch for the CPU: '],
    [
      'a GPU that only the system knows of',
      seenOnly,
      true,
      'libtorch for CUDA: NVIDIA driver 580.65.06, nvidia0',
    ],
    [
      'a driver without a GPU',
      { ...seenOnly, graphics: { driver: '580.65.06', devices: [], amd: false } },
      false,
      'libtorch for the CPU: ',
    ],
  ])('%s: chosen by what is there', (_, gpus, cuda, why) => {
    const chosen = chooseLibtorch('auto', gpus, false, 'linux');
    expect(chosen.cuda).toBe(cuda);
    expect(chosen.why).toContain(why);
    expect(chooseLibtorch('cpu', gpus, false, 'linux').cuda).toBe(false);
    expect(chooseLibtorch('cuda', gpus, true, 'linux').cuda).toBe(true);
  });

  test('--cuda without a GPU says what is missing; other systems have the one for the CPU', async () => {
    const error = await errorOf(async () => chooseLibtorch('cuda', none, false, 'linux'));
    expect(error.code).toBe('DEVICE_NOT_AVAILABLE');
    expect(error.message).toContain('--without-gpu');
    expect(chooseLibtorch('auto', withCard, false, 'darwin').cuda).toBe(false);
  });
});

test.runIf(process.platform === 'linux')(
  'a driver too old for the libtorch that there is: the CPU, and why; with --cuda an error',
  async () => {
    const env = { ADAPTIVE_TRAINER_CACHE: tempDir() };
    const plain = { version: '2.13.0+cpu', files: {} };
    writeFakeLibtorch(cachedLibtorchDir(env), { extra: { 'manifest.json': JSON.stringify(plain) } });
    const notes: string[] = [];
    const options = { env, from: cudaWheels(), gpus: withOldDriver };
    const onProgress = ({ message }: { message: string }) => void notes.push(message);
    const found = await setupForMachine({ ...options, wish: 'auto', onProgress });
    expect(found.root).toBe(cachedLibtorchDir(env));
    expect(notes.join('\n')).toMatch(/libtorch for the CPU: .*12\.4.*What helps for a GPU: /);
    const error = await errorOf(() => setupForMachine({ ...options, wish: 'cuda' }));
    expect(error.code).toBe('DEVICE_NOT_AVAILABLE');
  },
);
