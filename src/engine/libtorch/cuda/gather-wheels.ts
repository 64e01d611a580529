import { thisMachine } from '../../platform/machine.js';
import { applies, markersOf, requirementText, type Requirement } from './requirement.js';
import { broken, readWheel } from './wheel.js';

/** Where a wheel comes from; undefined: it is not there. */
export type WheelSource = (requirement: Requirement) => Promise<string | undefined>;

/** The wheels of NVIDIA that one of torch needs, and what is not there of them. */
export interface GatheredWheels {
  readonly wheels: readonly string[];
  readonly missing: readonly string[];
}

/**
 * All wheels with libraries that libtorch for CUDA loads: NVIDIA's that torch's metadata names, and what those name. Triton and
 * the packages of Python stay out. `cuda-toolkit` holds nothing but names.
 */
export async function gatherWheels(torch: string, source: WheelSource): Promise<GatheredWheels> {
  const machine = thisMachine();
  const variables = markersOf(machine);
  const wheels: string[] = [];
  const missing: string[] = [];
  const seen = new Set<string>();
  const neededBy = async (wheel: string, extras: readonly string[]): Promise<Requirement[]> => {
    const { requirements } = await readWheel(wheel);
    try {
      return requirements.filter((one) => isOfNvidia(one) && applies(one, variables, extras));
    } catch (error) {
      throw broken(wheel, (error as Error).message);
    }
  };
  // Breadth first: torch and cuda-toolkit name exact versions, and what comes after them any.
  const queue = await neededBy(torch, []);
  for (const requirement of queue) {
    if (seen.has(requirement.name)) continue;
    seen.add(requirement.name);
    const wheel = await source(requirement);
    if (wheel === undefined) missing.push(requirementText(requirement));
    else {
      wheels.push(wheel);
      queue.push(...(await neededBy(wheel, requirement.extras)));
    }
  }
  return { wheels, missing };
}

function isOfNvidia({ name }: Requirement): boolean {
  return name.startsWith('nvidia-') || name === 'cuda-toolkit';
}
