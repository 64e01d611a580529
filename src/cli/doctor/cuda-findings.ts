import { cudaVersionText } from '../../engine/device/cuda-driver.js';
import { cudaFaults, type CudaFacts, type CudaPart } from '../../engine/device/cuda-faults.js';
import { ncclOf } from '../../engine/device/nccl.js';
import { format } from '../../common/format.js';
import { info, ok, warning, type Finding } from './finding.js';

/**
 * NVIDIA's driver, each device, and what computes on them: a line each. A warning is what keeps a device from being used, and what
 * makes several of them slow.
 */
export function cudaFindings(facts: CudaFacts): Finding[] {
  const {
    driver,
    libtorch,
    cuda,
    search: { plugin },
  } = facts;
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
    line('CUDA plugin', `${plugin?.file}, for libtorch ${plugin?.libtorchVersion} and CUDA ${plugin?.cuda}`, [
      'plugin',
      'plugin-version',
    ]),
    ...ncclLine(facts, devices.length),
  ].filter(({ name }) => name !== 'libtorch for CUDA' || libtorch.cuda || devices.length > 0);
}

/** Only where devices could be computed on, of which NCCL joins several. */
function ncclLine({ search: { plugin, fix }, libtorch }: CudaFacts, devices: number): Finding[] {
  if (devices === 0 || plugin === undefined || !libtorch.cuda) return [];
  const { collectives, library, version } = ncclOf(plugin.file, libtorch);
  if (collectives !== undefined && library !== undefined)
    return [ok('NCCL', `${version ?? 'of a version that it does not tell'} in ${library}`)];
  const missing =
    collectives === undefined
      ? { found: 'there is no adaptive_trainer_nccl.so beside the plugin', fix }
      : {
          found: `there is no libnccl.so.2 beside libtorch in ${libtorch.root}, nor on the system`,
          fix: '`npx adaptive-trainer setup --cuda --force` fetches it with libtorch, as does `pip install nvidia-nccl-cu13` beside torch',
        };
  const found = `${missing.found}; several ranks sum by way of the host, which is slower (docs/ranks.md)`;
  return [devices > 1 ? warning('NCCL', found, `For several GPUs: ${missing.fix}.`) : info('NCCL', found)];
}
