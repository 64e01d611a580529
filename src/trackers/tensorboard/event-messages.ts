import { ProtoMessage } from '../proto-message.js';

/**
 * The few messages of TensorBoard's event files, by their field numbers in tensorflow/core/util/event.proto,
 * framework/summary.proto, framework/tensor.proto and tensorboard/plugins/hparams/plugin_data.proto.
 */
export type SummaryValue =
  { tag: string; scalar: number } | { tag: string; text: string } | { tag: string; hparams: ProtoMessage };

/** DT_STRING of tensorflow's DataType. */
const tensorString = 7;

/** The first record of every file. */
export function versionEvent(wallTime: number): Uint8Array {
  return event(wallTime, 0).text(3, 'brain.Event:2').finish();
}

/** Says that the run starts anew at `step`: what earlier files hold from there on is outdated. */
export function sessionStartEvent(wallTime: number, step: number): Uint8Array {
  return event(wallTime, step).message(7, new ProtoMessage().int(1, 1)).finish();
}

export function summaryEvent(wallTime: number, step: number, values: readonly SummaryValue[]): Uint8Array {
  const summary = new ProtoMessage();
  for (const value of values) summary.message(1, summaryValue(value));
  return event(wallTime, step).message(5, summary).finish();
}

/** The hyper-parameters of a run for TensorBoard's hparams page. */
export function hparamsStart(
  hparams: Readonly<Record<string, number | string | boolean>>,
  startSeconds: number,
): ProtoMessage {
  const info = new ProtoMessage();
  for (const [name, value] of Object.entries(hparams)) {
    info.message(1, new ProtoMessage().text(1, name).message(2, structValue(value)));
  }
  return new ProtoMessage().message(3, info.double(5, startSeconds));
}

/** How the run of `hparamsStart` ended. */
export function hparamsEnd(succeeded: boolean, endSeconds: number): ProtoMessage {
  return new ProtoMessage().message(4, new ProtoMessage().int(1, succeeded ? 1 : 2).double(2, endSeconds));
}

function event(wallTime: number, step: number): ProtoMessage {
  return new ProtoMessage().double(1, wallTime).int(2, step);
}

function summaryValue(value: SummaryValue): ProtoMessage {
  const message = new ProtoMessage().text(1, value.tag);
  if ('scalar' in value) return message.float(2, value.scalar);
  if ('text' in value) {
    const shape = new ProtoMessage().message(2, new ProtoMessage().int(1, 1));
    const tensor = new ProtoMessage().int(1, tensorString).message(2, shape);
    return message.message(8, tensor.bytes(8, Buffer.from(value.text))).message(9, plugin('text'));
  }
  return message.message(9, plugin('hparams', value.hparams));
}

/** SummaryMetadata that names the page of TensorBoard which shows a value. */
function plugin(name: string, content?: ProtoMessage): ProtoMessage {
  const data = new ProtoMessage().text(1, name);
  if (content !== undefined) data.message(2, content);
  return new ProtoMessage().message(1, data);
}

/** A google.protobuf.Value. Its members are a oneof, so a 0 or an empty text is written too. */
function structValue(value: number | string | boolean): ProtoMessage {
  const message = new ProtoMessage();
  if (typeof value === 'number') return message.double(2, value);
  if (typeof value === 'string') return message.bytes(3, Buffer.from(value));
  return message.bool(4, value);
}
