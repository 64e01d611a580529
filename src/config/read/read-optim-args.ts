import { describeValue } from '../../common/describe-value.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { snakeCase } from '../../common/snake-case.js';
import { suggest } from '../../common/suggest.js';
import { optimArgsOf, optimArgsSchema, type OptimArg, type OwnKey } from '../schema/optim-args.js';
import { trainingConfigSchema } from '../schema/training-config.js';
import type { ConfigReader, GivenKeys } from './config-reader.js';

/** What was given for a key. */
type Given = GivenKeys extends Map<string, infer Entry> ? Entry : never;

const form = 'an object of settings, or text such as "momentum=0.9,nesterov=true"';
/** Of these TrainingArguments that are written out hold the default, which `optim_args` goes before. */
const writtenOut: readonly OwnKey[] = ['adamBeta1', 'adamBeta2', 'adamEpsilon'];

/**
 * Reads `optimArgs`, as text or an object. A setting that has a key of its own becomes that key, so that all which is checked
 * of the key is checked of it; the others are left, under their camelCase names.
 * @param optimizer as it was given
 */
export function readOptimArgs(reader: ConfigReader, given: GivenKeys, optimizer: unknown): void {
  const found = given.get('optimArgs');
  if (found === undefined) return;
  given.delete('optimArgs');
  const name = trainingConfigSchema.shape.optimizer.safeParse(optimizer).data;
  const written = typeof found.value === 'string' ? settingsOf(reader, found.value, found.path) : found.value;
  if (written === null || written === undefined || name === undefined) return;
  if (!isPlainObject(written)) return reader.unexpected(found.path, form, found.value);
  const settings = readSettings(reader, written, found.path, name);
  if (settings === undefined) return;
  const rest: Record<string, unknown> = {};
  for (const [arg, entry] of settings) {
    const key = optimArgsOf(name)[arg as OptimArg] ?? null;
    if (key !== null) moveTo(reader, given, key, entry);
    else if (arg !== 'weightDecay') rest[arg] = entry.value;
  }
  given.set('optimArgs', { ...found, value: rest });
  checkWarmups(reader, given, settings);
  checkMomentum(reader, given, settings);
  noteWeightDecay(reader, given, settings);
}

/** What text says, as transformers reads it; undefined where it is no such text. */
function settingsOf(reader: ConfigReader, text: string, path: string): Record<string, string> | undefined {
  const plain = text.replaceAll(' ', '');
  const pairs = plain === '' ? [] : plain.split(',').map((pair) => pair.split('='));
  if (pairs.some((pair) => pair.length !== 2 || pair.includes(''))) {
    reader.unexpected(path, 'text such as "momentum=0.9,nesterov=true", or an object of settings', text);
    return undefined;
  }
  const values = new Map<string, string>();
  for (const [key, value] of pairs as [string, string][]) {
    const first = values.get(key);
    if (first !== undefined && first !== value) {
      const message = `expected each key once, received ${key}=${first} and ${key}=${value}; remove one`;
      reader.faults.push({ path, code: 'SPELLED_TWICE', message });
    }
    values.set(key, value);
  }
  return Object.fromEntries(values);
}

/** The settings with numbers and flags for what was written of them; undefined where there was a fault. */
function readSettings(
  reader: ConfigReader,
  written: Record<string, unknown>,
  path: string,
  optimizer: string,
): GivenKeys | undefined {
  const before = reader.faults.length;
  const known = Object.keys(optimArgsOf(optimizer));
  if (known.length === 0 && Object.keys(written).length > 0) {
    const message = `expected nothing, since ${optimizer} reads none of these (sgd, rmsprop, adagrad and ademamix do); remove it: other keys set ${optimizer}`;
    reader.faults.push({ path, code: 'CONTRADICTION', message });
    return undefined;
  }
  const names = known.map(snakeCase).join(', ');
  const settings = reader.keys(written, path, known, (key, _value, at) => {
    const near = suggest(key, known);
    const message = `expected a setting that ${optimizer} reads (${names}), received ${JSON.stringify(key)}`;
    const suggestion = near === undefined ? {} : { suggestion: snakeCase(near) };
    reader.faults.push({ path: at, code: 'UNKNOWN_KEY', message, ...suggestion });
    return true;
  });
  for (const [arg, entry] of settings)
    settings.set(arg, { ...entry, value: valueOf(arg as OptimArg, entry.value) });
  reader.read(optimArgsSchema, settings, path);
  const alpha = settings.get('alpha');
  if (optimizer === 'rmsprop' && typeof alpha?.value === 'number' && alpha.value > 1)
    reader.unexpected(alpha.path, 'a number from 0 to 1', alpha.value);
  return reader.faults.length === before ? settings : undefined;
}

/** What Python's `float` makes of text, and transformers of a flag; text that is neither stays as it is. */
function valueOf(arg: OptimArg, value: unknown): unknown {
  if (arg === 'nesterov' || arg === 'centered') {
    const word = String(value).toLowerCase();
    return ['true', '1', 'yes'].includes(word) || (['false', '0', 'no'].includes(word) ? false : value);
  }
  const isNumber = typeof value === 'string' && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value);
  return isNumber ? Number(value) : value;
}

function moveTo(reader: ConfigReader, given: GivenKeys, key: OwnKey, entry: Given): void {
  const isWrittenOut =
    writtenOut.includes(key) && given.get(key)?.value === trainingConfigSchema.shape[key].parse(undefined);
  if (!isWrittenOut) contradictUnlessEqual(reader, entry, given.get(key));
  given.set(key, entry);
}

function contradictUnlessEqual(reader: ConfigReader, { value, path }: Given, other: Given | undefined): void {
  if (other === undefined || other.value === value) return;
  const message = `expected what ${other.path} says (${describeValue(other.value)}) or nothing, received ${describeValue(value)}; remove one of the two`;
  reader.faults.push({ path, code: 'CONTRADICTION', message });
}

/** `ademamixWarmupSteps` is both warm-ups. */
function checkWarmups(reader: ConfigReader, given: GivenKeys, settings: GivenKeys): void {
  const both = given.get('ademamixWarmupSteps');
  for (const arg of ['tAlpha', 'tBeta3']) {
    const own = settings.get(arg);
    if (own !== undefined && both !== undefined && both.value !== null)
      contradictUnlessEqual(reader, own, both);
  }
}

/** What SGD's settings need of each other, as PyTorch checks it. */
function checkMomentum(reader: ConfigReader, given: GivenKeys, settings: GivenKeys): void {
  const [nesterov, dampening] = [settings.get('nesterov'), settings.get('dampening')];
  const hasMomentum = (given.get('momentum')?.value ?? 0) !== 0;
  const isDampened = dampening !== undefined && dampening.value !== 0;
  if (nesterov?.value === true && (!hasMomentum || isDampened)) {
    const found = hasMomentum ? `a dampening of ${describeValue(dampening!.value)}` : 'no momentum';
    const message = `expected true only with a momentum above 0 and no dampening, received it with ${found}`;
    reader.faults.push({ path: nesterov.path, code: 'CONTRADICTION', message });
  } else if (isDampened && !hasMomentum)
    withoutEffect(reader, dampening.path, 'it dampens the momentum, and there is none');
}

/** The Hugging Face Trainer sets the decay of every group of weights, and what the optimizer itself was told never counts. */
function noteWeightDecay(reader: ConfigReader, given: GivenKeys, settings: GivenKeys): void {
  const own = settings.get('weightDecay');
  const decay = given.get('weightDecay')?.value ?? trainingConfigSchema.shape.weightDecay.parse(undefined);
  if (own === undefined || own.value === decay) return;
  const key = reader.spell('weightDecay');
  withoutEffect(
    reader,
    own.path,
    `every weight has ${key} (${describeValue(decay)}), as in the Hugging Face Trainer; give ${key}: ${describeValue(own.value)} for it`,
  );
}

function withoutEffect(reader: ConfigReader, path: string, why: string): void {
  reader.warnings.push({ code: 'KEY_WITHOUT_EFFECT', message: `${path} has no effect here: ${why}.` });
}
