import { describe, expect, test } from 'vitest';
import {
  allows,
  applies,
  markersOf,
  parseRequirement,
  requirementText,
} from '../../../../src/engine/libtorch/cuda/requirement.js';
import { fitsMachine, parseWheelName } from '../../../../src/engine/libtorch/cuda/wheel.js';

const linux = { platform: 'linux', arch: 'x64' };
const holds = (text: string, extras: string[] = [], machine = linux) =>
  applies(parseRequirement(text), markersOf(machine), extras);

describe('a requirement', () => {
  test('name, extras, versions and marker', () => {
    expect(parseRequirement('CUDA_Toolkit[cublas, cudart]==13.0.3; platform_system == "Linux"')).toEqual({
      name: 'cuda-toolkit',
      extras: ['cublas', 'cudart'],
      specifier: '==13.0.3',
      marker: 'platform_system == "Linux"',
    });
    expect(parseRequirement('nvidia-nvjitlink (<14, >=13.0.88)')).toMatchObject({
      specifier: '<14,>=13.0.88',
    });
    expect(requirementText(parseRequirement('nvidia-nccl-cu13 == 2.30.7'))).toBe('nvidia-nccl-cu13==2.30.7');
    expect(parseRequirement('nvidia-cublas')).toMatchObject({ specifier: '', marker: '', extras: [] });
  });

  test.each(['', '==1', 'torch @ file:///x', 'a[b'])('%j is none', (text) => {
    expect(() => parseRequirement(text)).toThrow('is no requirement');
  });

  test('versions', () => {
    const one = (specifier: string, version: string) =>
      allows(parseRequirement(`nvidia-x${specifier}`), version);
    expect(one('==13.1.1.3.*', '13.1.1.3')).toBe(true);
    expect(one('==13.1.1.3.*', '13.1.1.30')).toBe(false);
    expect(one('<14,>=13.0.88', '13.4.92')).toBe(true);
    expect(one('<14,>=13.0.88', '14.0')).toBe(false);
    expect(one('~=3.8.0', '3.8.5')).toBe(true);
    expect(one('==2.13.0,!=2.13.0+cpu', '2.13.0+cpu')).toBe(false);
    expect(one('==2.13.0,!=2.13.0+cpu', '2.13.0+cu130')).toBe(true);
    expect(one('==2.13.0,!=2.13.0+cpu', '2.13.0')).toBe(true);
    expect(one('', '1rc1')).toBe(true);
  });

  test('markers', () => {
    expect(holds('a; platform_system == "Linux" and python_version < "3.15"')).toBe(true);
    expect(holds("a; sys_platform == 'win32' or platform_machine == 'aarch64'")).toBe(false);
    expect(
      holds("a; sys_platform == 'win32' or platform_machine == 'aarch64'", [], {
        platform: 'linux',
        arch: 'arm64',
      }),
    ).toBe(true);
    expect(holds('a; python_version >= "3.10"')).toBe(true);
    expect(holds('a; "3.10" > python_version')).toBe(false);
    expect(holds('a; platform_machine in "x86_64 AMD64" and sys_platform not in "win32 darwin"')).toBe(true);
    expect(holds('a; os_name != "nt"')).toBe(true);
    const nested =
      "a; (sys_platform == 'linux' and platform_machine == 'aarch64' or sys_platform == 'linux' and platform_machine == 'x86_64') and extra == 'cublas'";
    expect(holds(nested)).toBe(false);
    expect(holds(nested, ['cudart', 'cublas'])).toBe(true);
    expect(holds(nested, ['all'])).toBe(false);
  });

  test.each([
    'sys_platform',
    'a == ',
    '(sys_platform == "x"',
    'sys_platform == "x" sys_platform',
    'moon == "x"',
  ])('the marker %j cannot be read', (marker) => {
    expect(() => holds(`a; ${marker}`)).toThrow('cannot be read');
  });
});

test('names of wheels, and the machines that they are for', () => {
  const torch = parseWheelName('torch-2.14.1+cu130-cp311-cp311-manylinux_2_28_x86_64.whl')!;
  expect(torch).toEqual({ name: 'torch', version: '2.14.1+cu130', platforms: ['manylinux_2_28_x86_64'] });
  const nvrtc = parseWheelName(
    'nvidia_cuda_nvrtc-13.0.88-1-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl',
  )!;
  expect(nvrtc.name).toBe('nvidia-cuda-nvrtc');
  expect(fitsMachine(nvrtc, linux)).toBe(true);
  expect(fitsMachine(nvrtc, { platform: 'linux', arch: 'arm64' })).toBe(false);
  expect(fitsMachine(nvrtc, { platform: 'win32', arch: 'x64' })).toBe(false);
  const windows = parseWheelName('torch-2.13.0-cp312-cp312-win_amd64.whl')!;
  expect(fitsMachine(windows, { platform: 'win32', arch: 'x64' })).toBe(true);
  expect(fitsMachine(windows, linux)).toBe(false);
  const apple = parseWheelName('torch-2.13.0-cp312-none-macosx_11_0_arm64.whl')!;
  expect(fitsMachine(apple, { platform: 'darwin', arch: 'arm64' })).toBe(true);
  expect(fitsMachine(parseWheelName('cuda_toolkit-13.0.3.0-py2.py3-none-any.whl')!, linux)).toBe(true);
  expect(parseWheelName('torch-2.13.0.tar.gz')).toBeUndefined();
});
