import { BinaryReader } from '@bufbuild/protobuf/wire';
import { ProtoMessage } from '../proto-message.js';

/**
 * What a run tells W&B, as it stands in a `.wandb` file. Field numbers are those of wandb/proto/wandb_internal.proto
 * of the official client 0.30.
 */
export type WandbRecord =
  | { type: 'header'; producer: string }
  | { type: 'run'; run: RunRecord }
  /** `isExpanded`: it follows from a rule for all metrics. */
  | { type: 'metric'; name?: string; globName?: string; stepMetric?: string; isExpanded?: boolean }
  | { type: 'environment'; environment: EnvironmentRecord }
  | { type: 'history'; step: number; items: JsonItems }
  | { type: 'summary'; items: JsonItems }
  | { type: 'stats'; time: number; items: JsonItems }
  | { type: 'output'; stream: 'stderr' | 'stdout'; time: number; line: string }
  | { type: 'exit'; exitCode: number; runtime: number };

/** Values as JSON, by name. */
export type JsonItems = Readonly<Record<string, string>>;

export interface RunRecord {
  id: string;
  project: string;
  entity?: string;
  group?: string;
  name?: string;
  notes?: string;
  tags: readonly string[];
  host: string;
  /** Seconds since 1970. */
  startTime: number;
  /** JSON by top-level key. */
  config: JsonItems;
  gitRemote?: string;
  gitCommit?: string;
  resumed: boolean;
}

export interface EnvironmentRecord {
  os: string;
  startedAt: number;
  program: string;
  args: readonly string[];
  host: string;
  executable: string;
  cpuCount: number;
  memoryBytes: number;
  writerId: string;
}

const fields = {
  history: 2,
  summary: 3,
  stats: 7,
  metric: 12,
  output: 13,
  run: 17,
  exit: 18,
  header: 21,
  environment: 26,
} as const;

/** The oldest client that can read what is written here. */
const minConsumer = '0.70.0';

export function encodeRecord(record: WandbRecord, number: number): Uint8Array {
  const writer = new ProtoMessage().int(1, number);
  return writer.message(fields[record.type], body(record)).finish();
}

function body(record: WandbRecord): ProtoMessage {
  const message = new ProtoMessage();
  switch (record.type) {
    case 'header':
      return message.message(1, new ProtoMessage().text(1, record.producer).text(2, minConsumer));
    case 'run':
      return runBody(record.run);
    case 'metric':
      return message
        .text(1, record.name)
        .text(2, record.globName)
        .text(4, record.stepMetric)
        .message(6, new ProtoMessage().flag(1, record.stepMetric !== undefined).flag(3, !record.isExpanded))
        .flag(10, record.isExpanded ?? false);
    case 'environment':
      return environmentBody(record.environment);
    case 'history':
      return withItems(message, 1, record.items, 'nested').message(2, new ProtoMessage().int(1, record.step));
    case 'summary':
      return withItems(message, 1, record.items, 'nested');
    case 'stats':
      return withItems(message.time(2, record.time), 3, record.items, 'plain');
    case 'output':
      return message
        .int(1, record.stream === 'stderr' ? 0 : 1)
        .time(2, record.time)
        .text(3, record.line);
    case 'exit':
      return message.int(1, record.exitCode).int(2, record.runtime);
  }
}

function runBody(run: RunRecord): ProtoMessage {
  const message = new ProtoMessage().text(1, run.id).text(2, run.entity).text(3, run.project);
  message.message(4, withItems(new ProtoMessage(), 1, run.config, 'plain'));
  message.text(6, run.group).text(8, run.name).text(9, run.notes);
  for (const tag of run.tags) message.text(10, tag);
  message.text(13, run.host).time(17, run.startTime);
  if (run.gitCommit !== undefined)
    message.message(21, new ProtoMessage().text(1, run.gitRemote).text(2, run.gitCommit));
  return message.flag(24, run.resumed);
}

function environmentBody(environment: EnvironmentRecord): ProtoMessage {
  const message = new ProtoMessage().text(1, environment.os).time(3, environment.startedAt);
  for (const argument of environment.args) message.text(5, argument);
  message.text(6, environment.program).text(12, environment.host).text(14, environment.executable);
  message.int(16, environment.cpuCount).int(17, environment.cpuCount);
  message.message(21, new ProtoMessage().int(1, environment.memoryBytes));
  return message.text(199, environment.writerId);
}

/** W&B's lists of values: history and summary name them by a path (`nested_key`), the others by one key. */
function withItems(
  message: ProtoMessage,
  field: number,
  items: JsonItems,
  keys: 'nested' | 'plain',
): ProtoMessage {
  for (const [key, json] of Object.entries(items)) {
    message.message(field, new ProtoMessage().text(keys === 'nested' ? 2 : 1, key).text(16, json));
  }
  return message;
}

/** What the sender needs of the records that it reads back; of other records only the type's field number. */
export type ReadRecord =
  Extract<WandbRecord, { type: 'history' | 'summary' | 'stats' | 'output' }> | { type: 'other' };

export function decodeRecord(data: Uint8Array): ReadRecord {
  let found: ReadRecord = { type: 'other' };
  eachField(data, (field, reader) => {
    if (field === fields.history) found = { type: 'history', ...decodeHistory(reader.bytes()) };
    else if (field === fields.summary) found = { type: 'summary', items: decodeItems(reader.bytes(), 1) };
    else if (field === fields.stats) found = { type: 'stats', ...decodeStats(reader.bytes()) };
    else if (field === fields.output) found = { type: 'output', ...decodeOutput(reader.bytes()) };
    else return false;
    return true;
  });
  return found;
}

function decodeHistory(data: Uint8Array) {
  let step = 0;
  eachField(data, (field, reader) => {
    if (field !== 2) return false;
    eachField(reader.bytes(), (inner, number) => inner === 1 && ((step = Number(number.int64())), true));
    return true;
  });
  return { step, items: decodeItems(data, 1) };
}

function decodeStats(data: Uint8Array) {
  return { time: decodeTime(data, 2), items: decodeItems(data, 3) };
}

function decodeOutput(data: Uint8Array) {
  let stream: 'stderr' | 'stdout' = 'stderr';
  let line = '';
  eachField(data, (field, reader) => {
    if (field === 1) stream = reader.int32() === 1 ? 'stdout' : 'stderr';
    else if (field === 3) line = reader.string();
    else return false;
    return true;
  });
  return { stream, time: decodeTime(data, 2), line };
}

function decodeTime(data: Uint8Array, at: number): number {
  let seconds = 0;
  eachField(data, (field, reader) => {
    if (field !== at) return false;
    eachField(reader.bytes(), (inner, number) => {
      if (inner === 1) seconds += Number(number.int64());
      else if (inner === 2) seconds += Number(number.int64()) / 1e9;
      else return false;
      return true;
    });
    return true;
  });
  return seconds;
}

function decodeItems(data: Uint8Array, at: number): Record<string, string> {
  const items: Record<string, string> = {};
  eachField(data, (field, reader) => {
    if (field !== at) return false;
    let key = '';
    let json = '';
    eachField(reader.bytes(), (inner, text) => {
      if (inner === 1 || inner === 2) key = text.string();
      else if (inner === 16) json = text.string();
      else return false;
      return true;
    });
    items[key] = json;
    return true;
  });
  return items;
}

/** Calls `take` for each field; one that it does not take (false) is skipped. */
function eachField(data: Uint8Array, take: (field: number, reader: BinaryReader) => boolean): void {
  const reader = new BinaryReader(data);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (!take(field, reader)) reader.skip(wireType, field);
  }
}
