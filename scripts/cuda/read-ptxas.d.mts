export interface KernelResources {
  readonly name: string;
  /** For example `sm_90`. */
  readonly architecture: string;
  readonly registers: number;
  readonly sharedBytes: number;
  /** Of arrays that did not fit into registers. */
  readonly stackBytes: number;
  readonly spilledBytes: number;
}
export function readPtxas(output: string, demangle: (names: string[]) => string[]): KernelResources[];
