import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** An entry of a zip made by makeZip. Names are written as they are, also ones that no honest tool would write. */
export interface ZipEntry {
  readonly name: string;
  readonly content: string | Buffer;
  /** Unix mode, type included; a regular file unless given. */
  readonly mode?: number;
}

/** A zip of uncompressed entries. */
export function makeZip(entries: readonly ZipEntry[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content, mode = 0o100644 } of entries) {
    const [nameBytes, data] = [Buffer.from(name), Buffer.from(content)];
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt32LE(crc32(data), 14);
    local.writeUInt32LE(data.length, 18);
    local.writeUInt32LE(data.length, 22);
    local.writeUInt16LE(nameBytes.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE((3 << 8) | 20, 4); // made by Unix, so that the mode counts
    central.writeUInt16LE(20, 6);
    local.copy(central, 16, 14, 26);
    central.writeUInt16LE(nameBytes.length, 28);
    central.writeUInt32LE((mode << 16) >>> 0, 38);
    central.writeUInt32LE(offset, 42);
    parts.push(local, nameBytes, data);
    directory.push(central, nameBytes);
    offset += local.length + nameBytes.length + data.length;
  }
  const tail = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(tail.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, tail, end]);
}

/** What a wheel made for a test is besides its files. */
export interface MadeWheel {
  readonly name?: string;
  readonly version?: string;
  /** The lines `Requires-Dist`. */
  readonly requires?: readonly string[];
  /** Where the files lie in it. */
  readonly folder?: string;
  readonly record?: boolean;
  /** A file that is changed after the RECORD was written. */
  readonly tamper?: string;
}

/** A wheel of the given files (paths below `folder`), with the RECORD, METADATA and WHEEL that pip looks for. */
export function makeWheel(
  files: Readonly<Record<string, string | Buffer>>,
  {
    name: project = 'torch',
    version = '2.13.0+cpu',
    requires = [],
    folder = 'torch/',
    record = true,
    tamper = '',
  }: MadeWheel = {},
): Buffer {
  const info = `${project}-${version}.dist-info`;
  const needs = requires.map((requirement) => `Requires-Dist: ${requirement}\n`).join('');
  const contents: Record<string, string | Buffer> = {
    ...Object.fromEntries(Object.entries(files).map(([name, content]) => [`${folder}${name}`, content])),
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${project}\nVersion: ${version}\n${needs}`,
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
  };
  const lines = Object.entries(contents).map(([name, content]) => {
    const digest = createHash('sha256').update(content).digest('base64url');
    return `${name},sha256=${digest},${Buffer.byteLength(content)}`;
  });
  if (record) contents[`${info}/RECORD`] = `${lines.join('\n')}\n${info}/RECORD,,\n`;
  if (tamper) contents[`${folder}${tamper}`] += ' and something that was added later';
  return makeZip(Object.entries(contents).map(([name, content]) => ({ name, content })));
}
