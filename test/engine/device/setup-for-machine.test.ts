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
      'a driver that is too old',
      withOldDriver,
      false,
      "libtorch for the CPU: NVIDIA's driver serves CUDA 12.4, and CUDA 13.0",
    ],
    [
      'a driver that is too old, of which only the system knows',
      { ...seenOnly, graphics: { driver: '570.86.15', devices: ['nvidia0'], amd: false } },
      false,
      "NVIDIA's driver is 570.86.15, and CUDA 13.0 is what libtorch and the kernels here are built for. What helps for a GPU: update",
    ],
    [
      'the same with kernels of a toolkit that it serves',
      { ...withOldDriver, search: { plugin: { file: '/p.so', cuda: '12.8' }, places: [], fix: '' } },
      true,
      'the driver serves CUDA 12.4',
    ],
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

describe.runIf(process.platform === 'linux')('a GPU that the libtorch which is there cannot serve', () => {
  const env = { ADAPTIVE_TRAINER_CACHE: tempDir() };
  const plain = { version: '2.13.0+cpu', files: {} };
  writeFakeLibtorch(cachedLibtorchDir(env), { extra: { 'manifest.json': JSON.stringify(plain) } });

  test.each([
    [
      'its driver is too old: nothing is read',
      { gpus: withOldDriver, from: '/nowhere' },
      /libtorch for the CPU: .*12\.4.*/,
      /12\.4.*What helps: update the driver to 580\.65 or later/,
    ],
    [
      'the wheel is for another CUDA than the kernels',
      { gpus: withCard, from: cudaWheels({ cuda: '12.6' }) },
      /libtorch for the CPU: the torch that is there was built for CUDA 12\.6, and the kernels for CUDA 13\.0.*whl\/cu130/,
      /12\.6.*What helps: .*torch is for CUDA 13/,
    ],
  ])('%s: the CPU, and why; with --cuda an error', async (_, options, note, message) => {
    const notes: string[] = [];
    const onProgress = ({ message }: { message: string }) => void notes.push(message);
    const found = await setupForMachine({ ...options, env, wish: 'auto', onProgress });
    expect(found.root).toBe(cachedLibtorchDir(env));
    expect(notes.join('\n')).toMatch(note);
    const error = await errorOf(() => setupForMachine({ ...options, env, wish: 'cuda' }));
    expect(error.code).toBe('DEVICE_NOT_AVAILABLE');
    expect(error.message).toMatch(message);
  });
});
