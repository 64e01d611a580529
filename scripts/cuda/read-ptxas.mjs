/**
 * What ptxas -v says of each kernel.
 * @param {string} output of nvcc
 * @param {(names: string[]) => string[]} demangle
 */
export function readPtxas(output, demangle) {
  /** @type {{ mangled: string, architecture: string, registers: number, sharedBytes: number, stackBytes: number, spilledBytes: number }[]} */
  const kernels = [];
  /** @type {{ mangled: string, architecture: string, stackBytes: number, spilledBytes: number } | undefined} */
  let current;
  for (const line of output.split('\n')) {
    const entry = /Compiling entry function '([^']+)' for '([^']+)'/.exec(line);
    if (entry)
      current = { mangled: entry[1] ?? '', architecture: entry[2] ?? '', stackBytes: 0, spilledBytes: 0 };
    if (current === undefined) continue;
    const spills = /(\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
    const stack = /(\d+) bytes stack frame/.exec(line)?.[1];
    if (stack !== undefined) current.stackBytes = Number(stack);
    if (spills) current.spilledBytes = Number(spills[1]) + Number(spills[2]);
    const used = /Used (\d+) registers/.exec(line);
    if (!used) continue;
    const shared = /(\d+) bytes smem/.exec(line)?.[1];
    kernels.push({ ...current, registers: Number(used[1]), sharedBytes: Number(shared ?? 0) });
    current = undefined;
  }
  const names = demangle(kernels.map(({ mangled }) => mangled));
  return kernels.map(({ mangled, ...rest }, i) => ({ name: shortName(names[i] ?? mangled), ...rest }));
}

/** `tokenStatisticsKernel<float>` of the whole signature. @param {string} signature */
function shortName(signature) {
  const name = /(\w+Kernel(?:<.*>)?)\(/.exec(signature)?.[1] ?? signature;
  return name.replaceAll(/adaptive::(cuda::)?(\(anonymous namespace\)::)?/g, '').replaceAll('(int)', '');
}
