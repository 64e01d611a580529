import { cudaVersionText } from '../../engine/device/cuda-driver.js';
import { cudaFaults, type CudaFacts, type CudaPart } from '../../engine/device/cuda-faults.js';
import { format } from '../../common/format.js';
import { info, ok, warning, type Finding } from './finding.js';

/** NVIDIA's driver, each device, and what computes on them: a line each. Only what keeps a device from being used is a warning. */
export function cudaFindings(facts: CudaFacts): Finding[] {
  const { driver, libtorch, cuda, plugin } = facts;
  const devices = driver?.devices ?? [];
  const line = (name: string, found: string, parts: readonly CudaPart[], index = 0): Finding => {
    const faults = cudaFaults(index, facts).filter(({ missing }) => parts.includes(missing));
    if (faults.length === 0) return ok(name, found);
    const text = faults.map((fault) => fault.found).join('; ');
    if (devices.length === 0) return info(name, text);
    return warning(name, text, `For the GPU: ${faults.map(({ fix }) => fix).join('; ')}.`);
  };
  const serves = `NVIDIA's driver serves CUDA ${cudaVersionText(driver?.version ?? 0)}`;
  return [
    line('GPU driver', serves, [
      'driver',
      'driver-version',
      ...(devices.length === 0 ? ['device' as const] : []),
    ]),
    ...devices.map(({ name, capability, memory }, index) =>
      line(
        `cuda:${index}`,
        `${name}, compute capability ${capability}, ${format.bytes(memory)}`,
        ['capability'],
        index,
      ),
    ),
    line(
      'libtorch for CUDA',
      `${libtorch.version} in ${libtorch.root}, built for CUDA ${cuda ?? 'of a version that it does not tell'}`,
      ['libtorch'],
    ),
    line('CUDA plugin', `${plugin?.file}, for libtorch ${plugin?.libtorchVersion}`, [
      'plugin',
      'plugin-version',
    ]),
  ].filter(({ name }) => name !== 'libtorch for CUDA' || libtorch.cuda || devices.length > 0);
}
