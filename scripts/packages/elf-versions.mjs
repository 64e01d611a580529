// Reads which versions of symbols a shared library of Linux asks of the libraries of the system.
import { readFileSync } from 'node:fs';

/** What libtorch asks for, and so the most that the addon may. */
export const limits = { GLIBC: '2.28', GLIBCXX: '3.4.22', CXXABI: '1.3.11', GCC: '7.0.0' };

/**
 * @param {string} file a 64-bit little-endian ELF file
 * @returns {Map<string, string[]>} the symbols by version, for example `GLIBC_2.28` => ['fcntl64']
 */
export function neededVersions(file) {
  const elf = readFileSync(file);
  if (elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2)
    throw new Error(`Expected a 64-bit ELF file: ${file}`);
  const sections = sectionsOf(elf);
  const names = versionNames(elf, sections);
  const symbols = sections.find(({ type }) => type === 11); // SHT_DYNSYM
  const versions = sections.find(({ type }) => type === 0x6fffffff); // SHT_GNU_versym
  const needed = new Map([...names.values()].map((name) => [name, []]));
  if (symbols === undefined || versions === undefined) return needed;
  const strings = sections[symbols.link];
  for (let i = 0; i < symbols.size / 24; i++) {
    const name = names.get(elf.readUInt16LE(versions.offset + 2 * i) & 0x7fff);
    if (name === undefined) continue;
    needed.get(name).push(textAt(elf, strings.offset + elf.readUInt32LE(symbols.offset + 24 * i)));
  }
  return needed;
}

/** The symbols of a file that systems with libtorch's own limits lack, one line each. */
export function tooNew(file, most = limits) {
  return [...neededVersions(file)].flatMap(([version, symbols]) => {
    const [, family, number] = /^([A-Z]+)_([\d.]+)$/.exec(version) ?? [];
    if (family === undefined || most[family] === undefined || !isNewer(number, most[family])) return [];
    return symbols.map((symbol) => `${symbol} (${version}, at most ${family}_${most[family]})`);
  });
}

function isNewer(left, right) {
  const [a, b] = [left, right].map((text) => text.split('.').map(Number));
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

function sectionsOf(elf) {
  const [start, size, count] = [Number(elf.readBigUInt64LE(40)), elf.readUInt16LE(58), elf.readUInt16LE(60)];
  return Array.from({ length: count }, (_, i) => {
    const at = start + i * size;
    return {
      type: elf.readUInt32LE(at + 4),
      offset: Number(elf.readBigUInt64LE(at + 24)),
      size: Number(elf.readBigUInt64LE(at + 32)),
      link: elf.readUInt32LE(at + 40),
      info: elf.readUInt32LE(at + 44),
    };
  });
}

// Each library that is needed has a list of versions, and each of those an index that symbols refer to.
function versionNames(elf, sections) {
  const names = new Map();
  const needs = sections.find(({ type }) => type === 0x6ffffffe); // SHT_GNU_verneed
  if (needs === undefined) return names;
  const strings = sections[needs.link];
  let at = needs.offset;
  for (let i = 0; i < needs.info; i++) {
    let version = at + elf.readUInt32LE(at + 8);
    for (let j = 0; j < elf.readUInt16LE(at + 2); j++) {
      names.set(elf.readUInt16LE(version + 6), textAt(elf, strings.offset + elf.readUInt32LE(version + 8)));
      version += elf.readUInt32LE(version + 12);
    }
    at += elf.readUInt32LE(at + 12);
  }
  return names;
}

function textAt(elf, offset) {
  return elf.toString('latin1', offset, elf.indexOf(0, offset));
}
