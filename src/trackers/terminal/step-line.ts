import stringWidth from 'fast-string-width';
import type { LogEvent, StepEvent } from '../../events/training-event.js';
import { format } from '../../common/format.js';

interface Field {
  text: string;
  /** Fields with a high number are the first to go where the line is too narrow. */
  drop: number;
}

/** The part of a live or logged line that says how training goes. */
export function stepLine(event: StepEvent | LogEvent, steps: number, width = Infinity): string {
  const { statistics } = event;
  const share = (part: number) => format.share(part, statistics.total_tokens);
  const outside = share(statistics.outside_top_k);
  const fields: Field[] = [
    { text: `step ${event.step}/${steps}`, drop: 0 },
    { text: `loss ${format.loss(event.loss)}`, drop: 1 },
    { text: `lr ${format.rate(event.learningRate)}`, drop: 5 },
    { text: `${format.count(event.tokensPerSecond)} tok/s`, drop: 4 },
    {
      text: `correct ${share(statistics.already_correct)} in top-k ${share(statistics.in_top_k)} outside ${outside}`,
      drop: 3,
    },
    ...(event.divergence === undefined
      ? []
      : [{ text: `from base ${format.loss(event.divergence)}`, drop: 3 }]),
    { text: `ETA ${format.duration(event.etaSeconds)}`, drop: 2 },
  ];
  let kept = fields;
  let line = join(kept);
  while (kept.length > 1 && stringWidth(line) > width) {
    const first = Math.max(...kept.map(({ drop }) => drop));
    kept = kept.filter(({ drop }) => drop !== first);
    line = join(kept);
  }
  return stringWidth(line) > width ? line.slice(0, Math.max(0, width)) : line;
}

function join(fields: readonly Field[]): string {
  return fields.map(({ text }) => text).join(' · ');
}
