/** A file under test. */
export interface Case {
  /** What kind of file it is: the end of its name (`jsonl.gz`), or the name of one file of a folder (`run_state.json`). */
  name: string;
  bytes: Buffer;
}

/** Random choices that are the same from the same numbers. */
export interface Choices {
  upTo(n: number): number;
  pick<T>(values: readonly T[]): T;
}

export function choices(random: () => number): Choices {
  const upTo = (n: number) => Math.floor(random() * n);
  return { upTo, pick: (values) => values[upTo(values.length)]! };
}

/**
 * A changed copy of a file: of one that holds JSON, a changed value or text; of a text, changed words and lines; of any file,
 * changed bytes. One to four changes.
 * @param words that mean something in such a file
 * @param other a file of the same kind, of which parts may be taken
 */
export function mutate({ name, bytes }: Case, other: Case, words: readonly string[], choose: Choices): Case {
  let changed = bytes;
  for (let i = choose.pick([1, 1, 1, 2, 3, 4]); i > 0; i--)
    changed = changeOnce(name, changed, other.bytes, words, choose);
  return { name, bytes: changed };
}

function changeOnce(
  name: string,
  bytes: Buffer,
  other: Buffer,
  words: readonly string[],
  choose: Choices,
): Buffer {
  if (name.endsWith('safetensors') && choose.upTo(2) === 0) {
    return withHeader(bytes, (header) => changeText(header, header, words, true, choose));
  }
  if (/(gz|zst|parquet|safetensors|npy)$/.test(name) || choose.upTo(5) === 0)
    return changeBytes(bytes, other, choose);
  const isJson = /json$/.test(name);
  return Buffer.from(changeText(bytes.toString('utf8'), other.toString('utf8'), words, isJson, choose));
}

// ---- bytes ----

const lengths = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

function changeBytes(bytes: Buffer, other: Buffer, { upTo, pick }: Choices): Buffer {
  const out = Buffer.from(bytes);
  if (out.length === 0) return Buffer.from([upTo(256)]);
  const [from, to] = [upTo(out.length), upTo(out.length + 1)].sort((a, b) => a - b) as [number, number];
  const at = upTo(other.length + 1);
  switch (upTo(8)) {
    case 0:
      out[from]! ^= 1 << upTo(8);
      return out;
    case 1:
      out[from] = pick([0, 1, 0x7f, 0x80, 0xff, upTo(256)]);
      return out;
    case 2:
      if (out.length >= 4) out.writeUInt32LE(pick(lengths), upTo(out.length - 3));
      return out;
    case 3:
      return out.subarray(0, to);
    case 4:
      return Buffer.concat([out.subarray(0, from), out.subarray(to)]);
    case 5:
      return Buffer.concat([out.subarray(0, to), out.subarray(from)]);
    case 6:
      return Buffer.concat([out.subarray(0, from), other.subarray(at, at + upTo(64)), out.subarray(from)]);
    default:
      return Buffer.concat([out.subarray(0, from), other.subarray(at)]);
  }
}

/** The header of a safetensors file changed; its length is mended, so that the lie in it is the only fault. */
function withHeader(bytes: Buffer, change: (header: string) => string): Buffer {
  if (bytes.length < 8) return bytes;
  const end = 8 + Math.min(Number(bytes.readBigUInt64LE()), bytes.length - 8);
  const header = Buffer.from(change(bytes.toString('utf8', 8, end)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, bytes.subarray(end)]);
}

// ---- text ----

const odd = [
  '',
  ' ',
  '\n',
  '\r\n',
  '\t',
  '\0',
  '"',
  "'",
  '\\',
  '\u2028',
  '\ufeff',
  '\ud83d',
  '😀',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
];

function changeText(
  text: string,
  other: string,
  words: readonly string[],
  isJson: boolean,
  choose: Choices,
): string {
  const { upTo, pick } = choose;
  if (isJson && upTo(4) > 0) {
    const changed = changeJson(text, words, choose);
    if (changed !== undefined) return changed;
  }
  // Along the bounds of words, so that what is changed often still means something.
  const tokens = text.match(/\w+|\s+|[^\w\s]+/g) ?? [];
  const at = upTo(tokens.length + 1);
  const others = other.match(/\w+|\s+|[^\w\s]+/g) ?? [''];
  switch (upTo(6)) {
    case 0:
      tokens.splice(at, 1);
      break;
    case 1:
      tokens.splice(at, 1, pick(words.length > 0 ? words : odd));
      break;
    case 2:
      tokens.splice(at, 0, pick([...words, ...odd]));
      break;
    case 3:
      tokens.splice(at, 0, pick(others));
      break;
    case 4:
      tokens.splice(at, 0, ...tokens.slice(at, at + upTo(8)));
      break;
    default:
      tokens.splice(at, 0, pick([...odd, ...words]).repeat(pick([2, 17, 300, 5000])));
  }
  return tokens.join('');
}

// ---- JSON ----

/** Stands for lists in lists. */
const deep = 'deep-lists';

const values: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    -0,
    1,
    -1,
    2,
    3,
    7,
    0.5,
    255,
    256,
    65536,
    2 ** 31,
    2 ** 53,
    -(2 ** 31),
    1e308,
    1e-308,
  ],
  ...['', 'x', '0', '__proto__', 'constructor', '\ud800', [], {}, [[]], [null], { a: {} }, [1, 2, 3]],
];

/** Replaces, takes out, renames, copies or wraps one member. undefined: the text is no JSON, or nested deeply already. */
function changeJson(text: string, words: readonly string[], choose: Choices): string | undefined {
  try {
    return changeMember({ whole: JSON.parse(text) as unknown }, words, choose);
  } catch {
    return undefined;
  }
}

function changeMember(whole: { whole: unknown }, words: readonly string[], { upTo, pick }: Choices): string {
  const places: [Record<string, unknown>, string][] = [];
  const visit = (holder: Record<string, unknown>) => {
    for (const key of Object.keys(holder)) {
      places.push([holder, key]);
      const value = holder[key];
      if (typeof value === 'object' && value !== null) visit(value as Record<string, unknown>);
    }
  };
  visit(whole);
  const [holder, key] = pick(places);
  const [from, name] = pick(places);
  const isList = Array.isArray(holder);
  switch (upTo(7)) {
    case 0:
    case 1:
      holder[key] = pick([...values, ...words]);
      break;
    case 2:
      if (typeof holder[key] === 'number')
        holder[key] = holder[key] * pick([-1, 0, 2, 0.5, 1e6]) + pick([0, 1, -1]);
      else holder[key] = structuredClone(from[name]);
      break;
    case 3:
      if (isList) holder.splice(Number(key), 1);
      else delete holder[key];
      break;
    case 4:
      if (isList) holder.push(structuredClone(from[name]));
      else holder[pick([...words, name, 'x'])] = holder[key];
      break;
    case 5:
      holder[key] = pick([[holder[key]], { x: holder[key] }, String(holder[key])]);
      break;
    default:
      holder[pick([...words, key])] = deep;
  }
  const depth = pick([3, 250, 5000, 100_000]);
  const nested = `${'['.repeat(depth)}1${']'.repeat(depth)}`;
  return (JSON.stringify(whole.whole) ?? '').replace(JSON.stringify(deep), nested);
}
