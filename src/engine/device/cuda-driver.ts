/** What NVIDIA's driver says of this machine. */
export interface CudaDriver {
  /** Why its library cannot be used. */
  readonly fault?: string;
  /** The CUDA version that it serves, as it counts: 13000 is 13.0. */
  readonly version?: number;
  /** The code (CUresult) with which it refused to look for devices. */
  readonly failure?: number;
  /** Those that this process may use, in the order of their numbers. */
  readonly devices?: readonly CudaDevice[];
}

export interface CudaDevice {
  readonly name: string;
  /** Compute capability: `9.0`. */
  readonly capability: string;
  /** Bytes. */
  readonly memory: number;
}

/** `13.0` of 13000. */
export function cudaVersionText(version: number): string {
  return `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
}

const failures: Readonly<Record<number, string>> = {
  3: 'the driver is shutting down',
  34: 'libcuda.so.1 is the stub of a toolkit, not the driver; take its folder out of LD_LIBRARY_PATH',
  802: 'the system is not ready; start the fabric manager of its switches',
  803: "the driver's library and its kernel module are of different versions; restart the machine",
  804: 'the compatibility package of the driver is not for this card',
  999: 'the cause is unknown to it; `nvidia-smi` may tell more',
};

/** What a CUresult of the start means, and what helps. */
export function driverFailure(code: number): string {
  return `error ${code}${failures[code] === undefined ? '' : `: ${failures[code]}`}`;
}
