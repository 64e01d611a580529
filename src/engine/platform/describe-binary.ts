import { closeSync, openSync, readSync } from 'node:fs';
import { platformOf } from './prebuilt.js';
import type { Machine } from './machine.js';

/** The platform that a shared library was made for, or what is wrong with the file. */
export type Binary = { readonly platform: string } | { readonly fault: string };

const elfMachines: Record<number, string> = { 3: 'ia32', 40: 'arm', 62: 'x64', 183: 'arm64', 243: 'riscv64' };
const machMachines: Record<number, string> = { 0x01000007: 'x64', 0x0100000c: 'arm64' };
const peMachines: Record<number, string> = { 0x14c: 'ia32', 0x8664: 'x64', 0xaa64: 'arm64' };

/** Reads the head of a shared library. */
export function describeBinary(file: string): Binary {
  const head = Buffer.alloc(4096);
  const descriptor = openSync(file, 'r');
  try {
    if (readSync(descriptor, head, 0, head.length, 0) < 64) return { fault: 'is cut short' };
  } finally {
    closeSync(descriptor);
  }
  if (head.readUInt32BE(0) === 0x7f454c46) return platform('linux', elfMachines[head.readUInt16LE(18)]);
  if (head.readUInt32LE(0) === 0xfeedfacf) return platform('darwin', machMachines[head.readUInt32LE(4)]);
  const pe = head.readUInt16LE(0) === 0x5a4d ? head.readUInt32LE(60) : head.length;
  if (pe + 6 <= head.length) return platform('win32', peMachines[head.readUInt16LE(pe + 4)]);
  return { fault: 'is no shared library' };
}

function platform(name: string, arch = 'another architecture'): Binary {
  return { platform: `${name}-${arch}` };
}

/** Why a machine cannot load a file, as far as its head tells. */
export function binaryFault(file: string, machine: Machine): string | undefined {
  const binary = describeBinary(file);
  if ('fault' in binary) return `${file} ${binary.fault}`;
  if (binary.platform === platformOf(machine)) return undefined;
  return `${file} was made for ${binary.platform}, and this is ${platformOf(machine)}`;
}
